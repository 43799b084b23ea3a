//! Which file carries out which kind of step.

use std::sync::Arc;

use super::in_account::InAccount;
use super::*;
use crate::containment::{Containment, Release};
use crate::manifest::{Probe, TableSource};
use crate::rotation::Rotation;
use crate::runbook::{Action, StepSpec};

/// The step for a specification. One that changes something makes sure first that it does so in the right account.
pub fn make(spec: &StepSpec) -> Arc<dyn Step> {
    let step = plain(spec);
    match &spec.action {
        Action::TerraformPrepare
        | Action::TerraformPlan { .. }
        | Action::TerraformApply { .. }
        | Action::RestoreCluster { .. }
        | Action::RestoreTable { .. }
        | Action::RestoreBucket { .. }
        | Action::RestoreCatalog { .. }
        | Action::RollBackBucket { .. }
        | Action::Contain { .. }
        | Action::Release { .. }
        | Action::PreservePoint { .. }
        | Action::Rotate { .. }
        | Action::Evidence { .. }
        | Action::TeardownPlan
        | Action::EmptyBucket { .. }
        | Action::DeleteWorkGroup { .. }
        | Action::TeardownDestroy
        | Action::TeardownNames { .. }
        | Action::Cutover { .. } => Arc::new(InAccount(step)),
        // It puts a record.
        Action::Probe { check } if matches!(check.probe, Probe::Firehose { .. }) => Arc::new(InAccount(step)),
        Action::TerraformDeclare
        | Action::TerraformSettled
        | Action::TeardownProof
        | Action::VerifyCluster { .. }
        | Action::VerifyTable { .. }
        | Action::VerifyBucket { .. }
        | Action::VerifyCatalog { .. }
        | Action::VerifyRollback { .. }
        | Action::Probe { .. } => step,
    }
}

fn plain(spec: &StepSpec) -> Arc<dyn Step> {
    match &spec.action {
        Action::TerraformPrepare => Arc::new(TerraformPrepare),
        Action::TerraformPlan { scope } => Arc::new(TerraformPlan { scope: *scope }),
        Action::TerraformApply { scope } => Arc::new(TerraformApply { scope: *scope }),
        Action::TerraformDeclare => Arc::new(TerraformDeclare),
        Action::TerraformSettled => Arc::new(TerraformSettled),
        Action::PreservePoint { cluster } => Arc::new(PreservePoint { cluster: cluster.clone() }),
        Action::RestoreCluster { cluster } if cluster.global().is_some() => {
            Arc::new(FailOverCluster { cluster: cluster.clone(), within: PROMOTED })
        }
        Action::RestoreCluster { cluster } => Arc::new(RestoreCluster { cluster: cluster.clone() }),
        Action::RestoreTable { table } if table.from == TableSource::Replica => {
            Arc::new(UseReplica { table: table.clone() })
        }
        Action::RestoreTable { table } => Arc::new(RestoreTable { table: table.clone() }),
        Action::RestoreBucket { bucket } => Arc::new(RestoreBucket { bucket: bucket.clone() }),
        Action::VerifyCluster { cluster } if cluster.global().is_some() => {
            Arc::new(VerifyMember { cluster: cluster.clone() })
        }
        Action::VerifyCluster { cluster } => Arc::new(VerifyCluster { cluster: cluster.clone() }),
        Action::VerifyTable { table } => Arc::new(VerifyTable { table: table.clone() }),
        Action::VerifyBucket { bucket } => Arc::new(VerifyBucket { bucket: bucket.clone() }),
        Action::RestoreCatalog { catalog } => Arc::new(RestoreCatalog { catalog: catalog.clone() }),
        Action::VerifyCatalog { catalog } => Arc::new(VerifyCatalog { catalog: catalog.clone() }),
        Action::Probe { check } => Arc::new(RunProbe { check: check.clone() }),
        Action::Cutover { cutover } => Arc::new(CutoverStep { cutover: cutover.clone() }),
        Action::RollBackBucket { rollback } => Arc::new(RollBackBucket { rollback: rollback.clone() }),
        Action::VerifyRollback { rollback } => Arc::new(VerifyRollback { rollback: rollback.clone() }),
        Action::TeardownPlan => Arc::new(TeardownPlan),
        Action::EmptyBucket { bucket } => Arc::new(EmptyBucket { bucket: bucket.clone() }),
        Action::DeleteWorkGroup { workgroup } => Arc::new(DeleteWorkGroup { workgroup: workgroup.clone() }),
        Action::TeardownDestroy => Arc::new(TeardownDestroy),
        Action::TeardownNames { secrets } => Arc::new(TeardownNames { secrets: *secrets }),
        Action::TeardownProof => Arc::new(TeardownProof { within: APPEARS }),
        Action::Contain { what } => contain(what),
        Action::Release { what } => release(what),
        Action::Rotate { what } => rotate(what),
        Action::Evidence { evidence } => Arc::new(CollectEvidence { step: evidence.clone() }),
    }
}

fn contain(what: &Containment) -> Arc<dyn Step> {
    match what.clone() {
        Containment::User(user) => Arc::new(ContainUser { user }),
        Containment::Role(role) => Arc::new(ContainRole { role }),
        Containment::Addresses(block) => Arc::new(ContainAddresses { block }),
        Containment::IpSet(block) => Arc::new(ContainIpSet { block }),
        Containment::Instance(instance) => Arc::new(ContainInstance { instance }),
        Containment::Bucket(bucket) => Arc::new(ContainBucket { bucket }),
    }
}

fn release(what: &Release) -> Arc<dyn Step> {
    match what.clone() {
        Release::User { user, before } => Arc::new(ReleaseUser { user, before }),
        Release::Role { role, before } => Arc::new(ReleaseRole { role, before }),
        Release::Addresses { place, entries } => Arc::new(ReleaseAddresses { place, entries }),
        Release::IpSet { set, before } => Arc::new(ReleaseIpSet { set, before }),
        Release::Instance { instance, before } => Arc::new(ReleaseInstance { instance, before }),
        Release::Bucket { bucket, before } => Arc::new(ReleaseBucket { bucket, before }),
    }
}

fn rotate(what: &Rotation) -> Arc<dyn Step> {
    match what {
        Rotation::Secret { secret } => Arc::new(RotateSecret { secret: secret.clone() }),
        Rotation::Master(rotation) => Arc::new(RotateMaster { rotation: rotation.clone() }),
        Rotation::Keys(rotation) => Arc::new(RotateKeys { rotation: rotation.clone() }),
    }
}
