//! A cutover while Route 53's control plane does not answer: nothing listens at the address that all services have here.

use std::collections::HashMap;
use std::sync::Arc;

use lifeboat::manifest::{Cutover, Zone};
use lifeboat::steps::{CutoverStep, Cx, Standing, Step};
use serde_json::{Value, json};

use crate::cutover::{cutover, literal, simple};
use crate::offline;

#[tokio::test]
async fn a_silent_route_53_keeps_nothing_from_being_restored_and_leaves_the_change_to_be_sent_by_hand() {
    let dir = tempfile::tempdir().expect("a folder");
    let world = Arc::new(offline::world("run-1", dir.path(), offline::nobody()));
    let api = Cutover {
        zone: Zone::Id("Z1".into()),
        ..cutover(vec![simple("api.example.com", "A", vec![literal("192.0.2.9")])])
    };
    let step = CutoverStep { cutover: api };
    let cx = |facts| Cx::detached(world.clone(), "cutover.api", facts, HashMap::new());

    let (check, observe) = (cx(Value::Null), cx(Value::Null));
    let (checked, observed) = tokio::join!(step.check(&check), step.observe(&observe));
    let checked = checked.expect("it does not block the run");
    assert_eq!(checked.standing, Standing::Unknown);
    let warning = checked.facts["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("nothing of cutover api is checked"), "{warning}");

    let error = observed.expect_err("it cannot be known");
    assert!(error.transient, "it is tried again: {error:?}");
    let hint = error.hint.expect("what next");
    let path = dir.path().join("cutover-api.json");
    let command =
        format!("aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch file://{}", path.display());
    assert!(hint.contains("lifeboat resume run-1 --retry cutover.api") && hint.contains(&command), "{hint}");
    let batch: Value = serde_json::from_slice(&std::fs::read(&path).expect("the batch")).expect("JSON");
    let change = json!({ "Action": "UPSERT", "ResourceRecordSet": {
        "Name": "api.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": "192.0.2.9" }] } });
    assert_eq!(batch["Changes"], json!([change]), "as the AWS CLI takes it");
}
