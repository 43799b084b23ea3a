//! The teardown of a stack after a breach, as steps of a rebuild.

use std::collections::BTreeSet;

use super::{expected, step};
use crate::manifest::{Manifest, Rebuild};
use crate::runbook::{Action, NotChecked, Phase, StepId, StepSpec};
use crate::steps::{TEARDOWN_DESTROY, TEARDOWN_NAMES, TEARDOWN_PLAN};

/// The last of them: what is built anew waits for it.
pub const TEARDOWN_PROOF: &str = "teardown.proof";

/// The steps that take a stack down in the manifest's recovery region, which for a rebuild is the primary one
/// ([`Manifest::in_primary`]). `infrastructure.prepare` must be in the runbook. Planning waits for that alone, so that the
/// plan may go into the evidence; whatever takes something away waits for all of `after`: the evidence, sealed, and the
/// recovery points, chosen and kept.
pub fn teardown_steps(manifest: &Manifest, after: &[StepId]) -> Vec<StepSpec> {
    steps_of(&manifest.rebuild, &manifest.recovery.name, after)
}

fn steps_of(rebuild: &Rebuild, region: &str, after: &[StepId]) -> Vec<StepSpec> {
    let spec = |id: &str, after: &[&str], title: String, expected, action| {
        step(id, Phase::Teardown, after, title, None, expected, action)
    };
    let each = |names: &[String]| names.iter().cloned().collect::<BTreeSet<String>>();
    let plan = spec(
        TEARDOWN_PLAN,
        &["infrastructure.prepare"],
        "plan what of the stack is destroyed".into(),
        expected::TERRAFORM_PLAN,
        Action::TeardownPlan,
    );
    let safe: Vec<&str> = std::iter::once(TEARDOWN_PLAN).chain(after.iter().map(StepId::as_str)).collect();
    let buckets = each(&rebuild.empty).into_iter().map(|bucket| {
        let (id, title) = (format!("teardown.empty.{bucket}"), format!("delete every version in bucket {bucket}"));
        spec(&id, &safe, title, expected::EMPTY_BUCKET, Action::EmptyBucket { bucket })
    });
    let workgroups = each(&rebuild.workgroups).into_iter().map(|name| {
        let (id, title) = (format!("teardown.workgroup.{name}"), format!("delete workgroup {name} with its history"));
        spec(&id, &safe, title, expected::NAMES, Action::DeleteWorkGroup { workgroup: name })
    });
    let mut steps: Vec<StepSpec> = std::iter::once(plan).chain(buckets).chain(workgroups).collect();
    let emptied: Vec<StepId> = steps.iter().map(|step| step.id.clone()).skip(1).collect();
    let ready: Vec<&str> = safe.iter().copied().chain(emptied.iter().map(StepId::as_str)).collect();
    steps.push(spec(
        TEARDOWN_DESTROY,
        &ready,
        format!("destroy what was planned in {region}"),
        expected::TERRAFORM_DESTROY,
        Action::TeardownDestroy,
    ));
    steps.push(spec(
        TEARDOWN_NAMES,
        &[TEARDOWN_DESTROY],
        "see to names that AWS still holds".into(),
        expected::NAMES,
        Action::TeardownNames { secrets: rebuild.secrets },
    ));
    steps.push(spec(
        TEARDOWN_PROOF,
        &[TEARDOWN_NAMES],
        "prove that nothing is left but what stays".into(),
        expected::VERIFY,
        Action::TeardownProof,
    ));
    steps
}

/// What a teardown does not prove.
pub fn teardown_not_checked(manifest: &Manifest) -> Vec<NotChecked> {
    let region = &manifest.recovery.name;
    let not_checked = |what: &str, why: String| NotChecked { what: what.into(), why };
    vec![
        not_checked(
            "whether AWS has nothing left of types that it is not asked about",
            "the state no longer holds them; teardown.proof returns how many of which type".into(),
        ),
        not_checked(
            "what was made beside Terraform",
            format!(
                "a teardown knows the state of its workspace: look for what an intruder has made in {region} and others"
            ),
        ),
        not_checked(
            "whether names of deleted buckets are free at once",
            "S3 may take some time, and another account may take them (S3 User Guide: \"Deleting a bucket\")".into(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_away_before_the_plan_and_all_that_it_waits_for() {
        let empty = vec!["results".into(), "results".into()];
        let rebuild = Rebuild { empty, workgroups: vec!["logs".into()], ..Rebuild::default() };
        let steps = steps_of(&rebuild, "eu-west-2", &["evidence.seal".into()]);
        let ids: Vec<&str> = steps.iter().map(|it| it.id.as_str()).collect();
        let expected = [
            "teardown.plan",
            "teardown.empty.results",
            "teardown.workgroup.logs",
            "teardown.destroy",
            "teardown.names",
            "teardown.proof",
        ];
        assert_eq!(ids, expected);
        let taking = ["teardown.empty.results", "teardown.workgroup.logs", "teardown.destroy"];
        for step in steps.iter().filter(|it| taking.contains(&it.id.as_str())) {
            let after: BTreeSet<&str> = step.after.iter().map(StepId::as_str).collect();
            assert!(after.contains("evidence.seal") && after.contains("teardown.plan"), "{}: {after:?}", step.id);
        }
    }
}
