//! A run's world for tests of single steps: an emulator's clients, a small manifest, and what earlier steps returned.

use std::collections::HashMap;
use std::sync::Arc;

use lifeboat::aws::Session;
use lifeboat::runbook::StepId;
use lifeboat::steps::Cx;
use serde_json::Value;

use crate::harness::TestEmulator;
use crate::offline;
pub use crate::offline::{PRIMARY, RECOVERY, manifest};

pub const RUN: &str = "20261122T1600-prod-7f3a";

/// A step's view of a run with that id in the recovery region.
pub fn cx(moto: &TestEmulator, run: &str, step: &str, facts: Value, outputs: &[(&str, Value)]) -> Cx {
    cx_by(moto.session(RECOVERY), moto, run, step, facts, outputs)
}

/// The same with clients of the test's own, for example through a proxy.
pub fn cx_by(aws: Session, moto: &TestEmulator, run: &str, step: &str, facts: Value, outputs: &[(&str, Value)]) -> Cx {
    let world = offline::world(run, moto.dir.path(), aws);
    let outputs: HashMap<StepId, Value> = outputs.iter().map(|(id, value)| (StepId::new(*id), value.clone())).collect();
    Cx::detached(Arc::new(world), step, facts, outputs)
}
