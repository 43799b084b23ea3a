//! A rebuild after a breach: whoever broke in is shut out, what they left is kept, the stack is taken down and built anew where
//! it stood, and what is restored is from before them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::teardown::TEARDOWN_PROOF;
use super::{
    clean_bucket, clean_clusters, clean_tables, contain_not_checked, contain_steps, evidence_not_checked,
    evidence_steps, failover, preserve_point, recover_bucket, rotate_not_checked, rotate_steps, teardown_not_checked,
    teardown_steps,
};
use crate::evidence::VERIFY;
use crate::manifest::{Catalog, CleanBefore, CommitRule, ContainmentRule, EvidenceRule, Manifest};
use crate::runbook::{NotChecked, Phase, Runbook, StepId, StepSpec};

/// Its name in runbooks.
pub const REBUILD: &str = "rebuild";

const PREPARE: &str = "infrastructure.prepare";

/// What a rebuild goes by.
#[derive(Clone, Debug)]
pub struct Rebuilding<'a> {
    /// As it is written: the recovery region is none of a rebuild's.
    pub manifest: &'a Manifest,
    /// Whom to shut out.
    pub containment: &'a ContainmentRule,
    pub evidence: &'a EvidenceRule,
    /// The first that is known of the breach.
    pub breach_at: Timestamp,
    pub clean: &'a CleanBefore,
    /// The manifest's catalogs, as their clean exports bring them back.
    pub catalogs: Vec<Catalog>,
}

impl Rebuilding<'_> {
    /// The runbook: contain, keep evidence, take down, build, restore, verify, rotate.
    pub fn runbook(&self) -> Runbook {
        let Self { manifest, containment, evidence, breach_at, clean, catalogs } = self;
        let region = &manifest.primary.name;
        let rebuilt = Manifest {
            clusters: clean_clusters(manifest, clean),
            tables: clean_tables(manifest, clean),
            catalogs: catalogs.clone(),
            ..manifest.in_primary()
        };
        let contain = contain_steps(containment);
        let contained = ids(&contain);
        let mut evidence = evidence_steps(manifest, region, evidence, *breach_at, &contained);
        let shut_out: Vec<&str> = contained.iter().map(StepId::as_str).collect();
        // Kept, or seen to outlive its cluster, before anything is taken down.
        let points: Vec<StepSpec> = rebuilt.clusters.iter().map(|it| preserve_point(it, &shut_out)).collect();
        let safe: Vec<StepId> = [StepId::from(VERIFY)].into_iter().chain(ids(&points)).collect();
        evidence.extend(points);
        let teardown = teardown_steps(&rebuilt, &safe);
        let Runbook { steps: build, objectives, not_checked, .. } = failover(&rebuilt);
        let build = build.into_iter().map(|step| after_teardown(step, &contained));
        let rollbacks = manifest.rebuild.buckets.iter().flat_map(|bucket| self.rollback(bucket));
        let mut steps: Vec<StepSpec> =
            contain.into_iter().chain(evidence).chain(teardown).chain(build).chain(rollbacks).collect();
        let proven: Vec<StepId> =
            steps.iter().filter(|step| step.phase == Phase::Verification).map(|step| step.id.clone()).collect();
        // A secret that is replaced before everything stands would be read by what the breach may still hold.
        steps.extend(rotate_steps(manifest).into_iter().map(|step| StepSpec { after: proven.clone(), ..step }));
        Runbook {
            scenario: REBUILD.into(),
            environment: manifest.environment.clone(),
            service: manifest.service.clone(),
            account: manifest.account.clone(),
            from_region: region.clone(),
            to_region: region.clone(),
            steps,
            objectives,
            not_checked: self.not_checked(not_checked),
        }
    }

    /// A bucket stays, and its objects are taken back where they are, once it is known who else may write and what was there.
    fn rollback(&self, bucket: &str) -> Vec<StepSpec> {
        let rollback = clean_bucket(bucket, self.clean);
        let mut steps = recover_bucket(self.manifest, &self.manifest.primary.name, &rollback).steps;
        for step in steps.iter_mut().filter(|step| step.after.is_empty()) {
            step.after.push(StepId::from(VERIFY));
        }
        steps
    }

    fn not_checked(&self, of_build: Vec<NotChecked>) -> Vec<NotChecked> {
        let note = |what: &str, why: &str| NotChecked { what: what.to_owned(), why: why.to_owned() };
        // What a failover says of its region's traffic and replicas is no matter here.
        let build = of_build.into_iter().filter(|it| it.what != "traffic" && it.what != "the service as a whole");
        let own = [
            note(
                "malware and backdoors in what was restored",
                "recovery points are chosen by their time and their makers; nobody has looked into their data",
            ),
            note(
                "whether the breach began when it is said to have begun",
                "it is the operator's word: whatever was changed before is restored with the rest",
            ),
            match self.manifest.rebuild.commit {
                CommitRule::Any => note(
                    "which commit the root is of",
                    "the manifest says commit = any: it is built from as it is on this machine, and the bundle has its hash",
                ),
                CommitRule::Clean => note(
                    "who has made the commit that is built from",
                    "its signature is told and not asked for; commit = signed in the manifest asks for it",
                ),
                CommitRule::Signed => note(
                    "what stands in the commit that is built from",
                    "its signature is good; whether somebody has reviewed it, git does not know",
                ),
            },
            note(
                "traffic, and the service as a whole",
                "the manifest's checks and cutovers are the recovery region's; records of the primary region are left as they are",
            ),
        ];
        let shut_out = contain_not_checked(self.containment);
        let teardown = teardown_not_checked(&self.manifest.in_primary());
        let list = shut_out.into_iter().chain(evidence_not_checked()).chain(teardown).chain(build).chain(own);
        let list = list.chain(rotate_not_checked(self.manifest));
        let mut seen = BTreeSet::new();
        list.filter(|it| seen.insert(it.what.clone())).collect()
    }
}

fn ids(steps: &[StepSpec]) -> Vec<StepId> {
    steps.iter().map(|step| step.id.clone()).collect()
}

/// What builds waits until everything is gone. Staging the root waits for nothing but the containment: the teardown plans with it.
fn after_teardown(mut step: StepSpec, contained: &[StepId]) -> StepSpec {
    if step.id.as_str() == PREPARE {
        step.after.extend(contained.iter().cloned());
    } else if step.after.iter().any(|id| id.as_str() == PREPARE) {
        step.after.push(StepId::from(TEARDOWN_PROOF));
    }
    step
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::SignedDuration;

    use super::*;
    use crate::manifest;
    use crate::runbook::Action;

    fn runbook() -> Runbook {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = manifest::load(&environments, "prod").expect("the example");
        let before: Timestamp = "2026-11-22T03:00:00Z".parse().expect("a time");
        let clean = CleanBefore { before, margin: SignedDuration::from_hours(1), refused_makers: Vec::new() };
        let containment = ContainmentRule { users: vec!["intruder".into()], ..ContainmentRule::default() };
        let evidence = manifest.evidence.clone().expect("the example's evidence block");
        let catalogs = manifest.in_primary().catalogs;
        Rebuilding {
            manifest: &manifest,
            containment: &containment,
            evidence: &evidence,
            breach_at: before,
            clean: &clean,
            catalogs,
        }
        .runbook()
    }

    /// Everything that a step waits for, through others.
    fn before(runbook: &Runbook, id: &StepId) -> BTreeSet<StepId> {
        let mut seen = BTreeSet::new();
        let mut open = vec![id.clone()];
        while let Some(id) = open.pop() {
            let step = runbook.step(&id).unwrap_or_else(|| panic!("{id} is no step"));
            for id in &step.after {
                if seen.insert(id.clone()) {
                    open.push(id.clone());
                }
            }
        }
        seen
    }

    #[test]
    fn nothing_is_taken_down_before_the_evidence_is_proven_and_nothing_is_built_before_all_is_down() {
        let runbook = runbook();
        for step in &runbook.steps {
            let before = before(&runbook, &step.id);
            let waits = |id: &str| before.contains(&StepId::from(id));
            let takes = matches!(
                step.action,
                Action::TeardownDestroy
                    | Action::EmptyBucket { .. }
                    | Action::DeleteWorkGroup { .. }
                    | Action::RollBackBucket { .. }
            );
            if takes {
                assert!(waits(VERIFY) && waits("contain.user.intruder"), "{}: {before:?}", step.id);
            }
            let builds = matches!(
                step.action,
                Action::TerraformPlan { .. }
                    | Action::TerraformApply { .. }
                    | Action::RestoreCluster { .. }
                    | Action::RestoreTable { .. }
                    | Action::RestoreCatalog { .. }
            );
            if builds {
                assert!(waits(TEARDOWN_PROOF), "{}: {before:?}", step.id);
            }
            if step.phase == Phase::Evidence {
                assert!(waits("contain.user.intruder"), "{}: {before:?}", step.id);
            }
        }
    }

    #[test]
    fn a_cluster_is_restored_from_what_was_kept_of_it() {
        let runbook = runbook();
        let destroys = before(&runbook, &StepId::from("teardown.destroy"));
        let points = runbook.steps.iter().filter(|step| matches!(step.action, Action::PreservePoint { .. }));
        let points: Vec<&StepSpec> = points.collect();
        assert!(!points.is_empty());
        assert!(points.iter().all(|step| destroys.contains(&step.id)));
        assert!(!runbook.steps.iter().any(|step| matches!(step.action, Action::Cutover { .. } | Action::Probe { .. })));
    }
}
