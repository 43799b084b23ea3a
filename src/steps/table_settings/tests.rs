//! What is changed on a restored table for what the root declares.

use serde_json::json;

use super::*;
use crate::aws::dynamodb::IndexState;

fn settings() -> TableSettings {
    // As a plan of aws_dynamodb_table shows it (provider 5.100).
    let declared = json!({"type": "aws_dynamodb_table", "values": {
        "billing_mode": "PAY_PER_REQUEST", "hash_key": "log_id", "range_key": "ingested_at",
        "ttl": [{"attribute_name": "expires_at", "enabled": true}], "point_in_time_recovery": [{"enabled": true}],
        "stream_enabled": true, "stream_view_type": "NEW_IMAGE", "table_class": null,
        "deletion_protection_enabled": true, "tags_all": {"Team": "observability"},
        "global_secondary_index": [{"name": "by-source", "hash_key": "source", "range_key": ""}]
    }});
    TableSettings::declared(&serde_json::from_value(declared).expect("it can be read"))
}

/// A table as a restore leaves it.
fn bare() -> TableState {
    let index = IndexState { status: "ACTIVE".into(), hash_key: Some("source".into()), range_key: None };
    TableState {
        name: "metadata-dr".into(),
        status: "ACTIVE".into(),
        hash_key: Some("log_id".into()),
        range_key: Some("ingested_at".into()),
        billing_mode: "PROVISIONED".into(),
        table_class: "STANDARD".into(),
        indexes: BTreeMap::from([("by-source".into(), index)]),
        ..TableState::default()
    }
}

fn make(state: &mut TableState, change: Change) {
    match change {
        Change::Tags(tags) => state.tags.extend(tags),
        Change::TimeToLive(attribute) => state.ttl_attribute = Some(attribute),
        Change::PointInTimeRecovery { .. } => state.point_in_time_recovery = true,
        Change::Table(TableChange::Billing { mode, .. }) => state.billing_mode = mode,
        Change::Table(TableChange::Stream(stream)) => state.stream = stream,
        Change::Table(TableChange::TableClass(class)) => state.table_class = class,
        Change::Table(TableChange::DeletionProtection(on)) => state.deletion_protection = on,
    }
}

#[test]
fn a_bare_table_becomes_as_declared_one_change_at_a_time() {
    let settings = settings();
    let mut state = bare();
    let mut made = Vec::new();
    while let Some(change) = settings.next_change(&state) {
        made.push(change.what());
        make(&mut state, change);
    }
    let order = ["tags", "time to live", "point-in-time recovery", "billing mode", "stream", "deletion protection"];
    assert_eq!(made, order);
    assert_eq!(settings.differences(&state), []);
    assert_eq!(settings.index_differences(&state), []);
}

#[test]
fn every_lost_setting_is_named() {
    assert_eq!(
        crate::verify::in_words(&settings().differences(&bare())),
        "billing_mode is PROVISIONED, declared PAY_PER_REQUEST; ttl is off, declared expires_at; \
         point_in_time_recovery is false, declared true; stream_view_type is off, declared NEW_IMAGE; \
         deletion_protection_enabled is false, declared true; tag Team is missing, declared observability"
    );
}

#[test]
fn another_view_needs_a_new_stream() {
    let settings = settings();
    let mut state = bare();
    state.stream = Some(Stream { view: "KEYS_ONLY".into() });
    state.billing_mode = "PAY_PER_REQUEST".into();
    assert_eq!(settings.next_table_change(&state), Some(TableChange::Stream(None)));
}

#[test]
fn a_missing_index_is_named() {
    let mut state = bare();
    state.indexes.clear();
    let words = crate::verify::in_words(&settings().index_differences(&state));
    assert_eq!(words, "global_secondary_index by-source is missing, declared there");
}

#[test]
fn capacity_is_asked_for_only_where_it_is_provisioned() {
    let on_demand = TableSettings { capacity: Some((5, 5)), ..settings() };
    assert_eq!(on_demand.restore("t", RestoreSource::Backup("b".into())).capacity, None);
    let provisioned = TableSettings { billing_mode: Some("PROVISIONED".into()), ..on_demand };
    assert_eq!(provisioned.restore("t", RestoreSource::Backup("b".into())).capacity, Some((5, 5)));
}

#[test]
fn without_a_root_the_backup_tells_time_to_live_and_stream() {
    let facts = json!({"ttl_attribute": "expires_at", "stream_view": "NEW_IMAGE", "billing_mode": null});
    let settings = TableSettings::of_backup(&facts);
    assert_eq!(settings.ttl_attribute.as_deref(), Some("expires_at"));
    assert_eq!(settings.stream, Some(Stream { view: "NEW_IMAGE".into() }));
    assert!(settings.not_set.contains(&"point_in_time_recovery".to_owned()));
}
