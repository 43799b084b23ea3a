//! Whether S3 Batch Operations copy a bucket. Pure.

use super::Blocked;
use crate::manifest::{Batch, Bucket, CopyEngine};

/// What copies, as far as that can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Local,
    /// With a reason that the operator should know.
    LocalBecause(String),
    Batch,
}

/// What copies. `objects` is how many there are to copy, `None` where that is more than were counted.
pub(super) fn choose(bucket: &Bucket, objects: Option<u64>, keeps_versions: bool) -> Result<Choice, Blocked> {
    let blocked = |cause: String, hint: &str| Err(Blocked { cause, hint: Some(hint.to_owned()) });
    const NO_VERSIONS: &str = "keeps no versions, and a job of S3 Batch Operations overwrites what is there";
    let (name, target) = (&bucket.name, &bucket.target);
    let many = |above: u64| objects.is_none_or(|objects| objects > above);
    match (bucket.engine, &bucket.batch) {
        (CopyEngine::Local, _) => Ok(Choice::Local),
        (CopyEngine::Batch, None) => blocked(
            format!("bucket \"{name}\" has nothing that a job of S3 Batch Operations could run with"),
            "write batch_role and batch_reports into its block, or leave --engine batch out",
        ),
        (CopyEngine::Batch, Some(_)) if !keeps_versions => blocked(
            format!("target bucket {target} {NO_VERSIONS}"),
            "let it keep versions, or leave --engine batch out",
        ),
        (CopyEngine::Batch, Some(_)) => Ok(Choice::Batch),
        (CopyEngine::Auto, None) if objects.is_none() => Ok(Choice::LocalBecause(
            "there are more objects than are counted beforehand, and all are copied from this machine: the block has no \
             batch_role"
                .to_owned(),
        )),
        (CopyEngine::Auto, Some(Batch { above, .. })) if many(*above) => Ok(match keeps_versions {
            true => Choice::Batch,
            false => Choice::LocalBecause(format!("everything is copied from this machine: {target} {NO_VERSIONS}")),
        }),
        (CopyEngine::Auto, _) => Ok(Choice::Local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(engine: CopyEngine, above: Option<u64>) -> Bucket {
        Bucket {
            name: "logs".into(),
            source: "from".into(),
            source_role: None,
            target: "to".into(),
            include: vec![],
            exclude: vec![],
            verify: vec![],
            batch: above.map(|above| Batch {
                role: "arn:aws:iam::123456789012:role/batch".into(),
                reports: "reports".into(),
                above,
            }),
            engine,
        }
    }

    #[test]
    fn a_job_is_made_above_the_threshold_and_only_over_versions() {
        let auto = bucket(CopyEngine::Auto, Some(10));
        assert_eq!(choose(&auto, Some(10), true), Ok(Choice::Local));
        assert_eq!(choose(&auto, Some(11), true), Ok(Choice::Batch));
        assert_eq!(choose(&auto, None, true), Ok(Choice::Batch), "more than were counted");
        assert!(matches!(choose(&auto, Some(11), false), Ok(Choice::LocalBecause(_))));
    }

    #[test]
    fn without_a_role_nothing_is_handed_over_and_who_insists_is_told_what_to_write() {
        let auto = bucket(CopyEngine::Auto, None);
        assert_eq!(choose(&auto, Some(100_000), true), Ok(Choice::Local));
        assert!(matches!(choose(&auto, None, true), Ok(Choice::LocalBecause(_))));
        let insisting = choose(&bucket(CopyEngine::Batch, None), Some(1), true).expect_err("no role");
        assert!(insisting.hint.expect("a hint").contains("batch_role"));
        assert!(choose(&bucket(CopyEngine::Batch, Some(10)), Some(1), false).is_err(), "no versions");
        assert_eq!(choose(&bucket(CopyEngine::Batch, Some(10)), Some(1), true), Ok(Choice::Batch));
        assert_eq!(choose(&bucket(CopyEngine::Local, Some(0)), None, true), Ok(Choice::Local));
    }
}
