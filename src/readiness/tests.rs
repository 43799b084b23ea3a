//! Verdicts over a small runbook.

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::manifest::{Bucket, Component, Objective, Table, TableSource};
use crate::runbook::{Action, Phase, StepSpec};

fn runbook() -> Runbook {
    let minutes = |minutes| Some(SignedDuration::from_mins(minutes));
    let step = |id: &str, after: &[&str], component, action| StepSpec {
        id: id.into(),
        phase: Phase::Restore,
        title: id.into(),
        after: after.iter().map(|id| StepId::new(*id)).collect(),
        component: Some(component),
        expected: SignedDuration::from_mins(20),
        action,
    };
    let table = Table {
        name: "metadata".into(),
        source: "s".into(),
        target: "t".into(),
        from: TableSource::LatestBackup,
        aws_backup: None,
        adopt: None,
        verify: vec![],
    };
    let bucket = Bucket {
        name: "logs".into(),
        source: "s".into(),
        source_role: None,
        target: "t".into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: None,
        engine: Default::default(),
    };
    Runbook {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "streaming-logs".into(),
        account: "123456789012".into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        steps: vec![
            step("restore.table.metadata", &[], Component::Table, Action::RestoreTable { table }),
            step(
                "restore.bucket.logs",
                &["restore.table.metadata"],
                Component::Bucket,
                Action::RestoreBucket { bucket },
            ),
        ],
        objectives: vec![
            (Component::System, Objective { rto: minutes(60), rpo: minutes(60) }),
            (Component::Table, Objective { rto: minutes(20), rpo: minutes(30) }),
            (Component::Bucket, Objective { rto: None, rpo: minutes(15) }),
        ],
        not_checked: vec![NotChecked { what: "rows".into(), why: "no query is sent".into() }],
    }
}

fn now() -> Timestamp {
    "2026-11-22T03:12:00Z".parse().unwrap()
}

/// With a recovery point of the table and one of the bucket, of so many minutes ago.
fn found(table: Option<i64>, bucket: Option<i64>) -> Found {
    let at = |minutes: i64| (now() - SignedDuration::from_mins(minutes)).to_string();
    let facts =
        [("restore.table.metadata", table), ("restore.bucket.logs", bucket)].into_iter().map(|(step, minutes)| {
            let facts = json!({ "recovery_point": "x", "recovery_point_at": minutes.map(at), "warnings": [] });
            (StepId::new(step), facts)
        });
    Found { facts: facts.collect(), ..Found::default() }
}

fn readiness(found: Found) -> Readiness {
    Readiness::of(&runbook(), found, now(), 1_234).unwrap()
}

fn missed(readiness: &Readiness) -> Vec<(Component, ObjectiveKind)> {
    readiness.missed().map(|it| (it.component, it.kind)).collect()
}

#[test]
fn fresh_recovery_points_are_ready() {
    let ready = readiness(found(Some(29), Some(14)));
    assert_eq!((ready.verdict, missed(&ready)), (Verdict::Ready, vec![]));
    let ages: Vec<_> = ready.stores.iter().map(|it| (it.name.as_str(), it.age_seconds, it.met)).collect();
    assert_eq!(ages, [("metadata", Some(29 * 60), Some(true)), ("logs", Some(14 * 60), Some(true))]);
    assert_eq!(ready.not_checked.len(), 1, "what the runbook leaves unproven is said");
}

#[test]
fn an_old_recovery_point_misses_the_objective_of_its_store_and_then_of_the_system() {
    let old = readiness(found(Some(31), Some(1)));
    assert_eq!((old.verdict, missed(&old)), (Verdict::ObjectiveMissed, vec![(Component::Table, ObjectiveKind::Rpo)]));
    let older = readiness(found(Some(61), Some(1)));
    let both = vec![(Component::System, ObjectiveKind::Rpo), (Component::Table, ObjectiveKind::Rpo)];
    assert_eq!(missed(&older), both);
}

#[test]
fn an_age_that_is_not_known_is_never_met_and_is_said() {
    let unknown = readiness(found(Some(1), None));
    assert_eq!(unknown.verdict, Verdict::Ready, "nothing is known to be missed");
    let system = unknown.forecasts(ObjectiveKind::Rpo).find(|it| it.component == Component::System).unwrap();
    assert_eq!((system.met, system.expected_seconds), (None, None));
    let said: Vec<&str> = unknown.not_checked.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(said, ["the RPO of system", "the RPO of bucket", "rows"]);
    let missed_all_the_same = readiness(found(Some(61), None));
    assert_eq!(missed_all_the_same.verdict, Verdict::ObjectiveMissed);
}

#[test]
fn an_rto_is_missed_where_the_usual_times_are_longer() {
    let mut runbook = runbook();
    runbook.objectives[0].1.rto = Some(SignedDuration::from_mins(39));
    let slow = Readiness::of(&runbook, found(Some(1), Some(1)), now(), 1).unwrap();
    assert_eq!(missed(&slow), [(Component::System, ObjectiveKind::Rto)]);
    assert_eq!(slow.missed().next().unwrap().expected_seconds, Some(40 * 60));
}

#[test]
fn an_obstacle_counts_for_more_than_an_objective() {
    let mut found = found(Some(600), Some(600));
    found.obstacles.push(Finding::new("lease", "held"));
    assert_eq!(readiness(found).verdict, Verdict::NotReady);
}

#[test]
fn where_everything_is_failed_over_already_nothing_is_missed_any_more() {
    let found = Found { in_place: true, ..found(Some(600), Some(600)) };
    assert_eq!(readiness(found).verdict, Verdict::Ready);
}

#[test]
fn only_long_ttls_are_warned_of() {
    let record = |ttl: Option<i64>| {
        json!({ "name": "db.example.com", "type": "CNAME", "set_identifier": null,
        "record_set": { "Name": "db.example.com.", "Type": "CNAME", "TTL": ttl } })
    };
    let none = json!({ "name": "new.example.com", "type": "A", "set_identifier": null, "record_set": null });
    let facts = json!({ "records_before": [record(Some(300)), record(Some(3600)), record(None), none] });
    let told = long_ttls(&facts);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("db.example.com CNAME has a TTL of 3600 s"), "{told:?}");
    assert!(long_ttls(&Value::Null).is_empty());
}
