//! Recovery from corruption: what is there is taken back to how it was at a time, in the region where it is.

use super::{expected, step};
use crate::manifest::{Component, Manifest};
use crate::runbook::{Action, BucketRollback, NotChecked, Phase, Runbook};

/// Its name in runbooks.
pub const RECOVER: &str = "recover";

/// The runbook that takes a bucket of `region` back to a time.
pub fn recover_bucket(manifest: &Manifest, region: &str, rollback: &BucketRollback) -> Runbook {
    let bucket = &rollback.bucket;
    let recover = format!("recover.bucket.{bucket}");
    let under = if rollback.prefix.is_empty() { String::new() } else { format!(" under {}", rollback.prefix) };
    let component = Some(Component::Bucket);
    let steps = vec![
        step(
            &recover,
            Phase::Restore,
            &[],
            format!("take {bucket}{under} back to {}", rollback.to),
            component,
            expected::ROLL_BACK_BUCKET,
            Action::RollBackBucket { rollback: rollback.clone() },
        ),
        step(
            &format!("verify.bucket.{bucket}"),
            Phase::Verification,
            &[&recover],
            format!("prove that {bucket}{under} is as it was"),
            component,
            expected::VERIFY,
            Action::VerifyRollback { rollback: rollback.clone() },
        ),
    ];
    let not_checked = vec![
        NotChecked {
            what: format!("whether {bucket} was right at {}", rollback.to),
            why: "the time was chosen by the operator".into(),
        },
        NotChecked {
            what: format!("access control lists and object lock settings in {bucket}"),
            why: "what is written is written with the bucket's own".into(),
        },
    ];
    let objectives = manifest.objectives.iter().filter(|(of, _)| matches!(of, Component::Bucket | Component::System));
    Runbook {
        scenario: RECOVER.into(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        from_region: region.to_owned(),
        to_region: region.to_owned(),
        steps,
        objectives: objectives.map(|(component, objective)| (*component, *objective)).collect(),
        not_checked,
    }
}
