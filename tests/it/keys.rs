//! A recovery point whose key cannot be used is found before the run.

use lifeboat::steps::{RestoreCluster, RestoreTable, Step};
use serde_json::Value;

use crate::harness::{self, TestEmulator};
use crate::scripted::{Asked, Scripted};
use crate::world::{self, RECOVERY, RUN};
use crate::{aurora, table};

async fn key(moto: &TestEmulator) -> String {
    let made = moto.session(RECOVERY).kms().create_key().send().await.expect("a key");
    made.key_metadata().and_then(|key| key.arn()).expect("its ARN").to_owned()
}

/// A snapshot in the recovery region, encrypted with that key.
async fn snapshot(moto: &TestEmulator, key: &str) {
    let rds = moto.session(RECOVERY).rds();
    let cluster = rds.create_db_cluster().db_cluster_identifier("logs-prod").engine("aurora-mysql");
    let cluster = cluster.master_username("admin").master_user_password("not-a-secret");
    cluster.storage_encrypted(true).kms_key_id(key).send().await.expect("a cluster");
    let snapshot = rds.create_db_cluster_snapshot().db_cluster_identifier("logs-prod");
    snapshot.db_cluster_snapshot_identifier("nightly-copy").send().await.expect("a snapshot");
}

#[tokio::test]
async fn a_snapshot_whose_key_is_disabled_deleted_or_missing_blocks_by_name() {
    let moto = harness::emulator().await;
    let key = key(&moto).await;
    snapshot(&moto, &key).await;
    let kms = moto.session(RECOVERY).kms();
    let step = RestoreCluster { cluster: aurora::cluster() };
    let cx = world::cx(&moto, RUN, aurora::STEP, Value::Null, &[]);
    let checked = step.check(&cx).await.expect("the key can be used");
    assert_eq!(checked.facts["kms_key"], Value::from(key.clone()), "moto keeps it");

    let id = key.rsplit('/').next().expect("an id");
    kms.disable_key().key_id(id).send().await.expect("disabled");
    let blocked = step.check(&cx).await.expect_err("nothing can be restored");
    assert!(blocked.cause.contains("nightly-copy is encrypted with key"), "{}", blocked.cause);
    assert!(blocked.cause.ends_with(&format!("which is Disabled in {RECOVERY}")), "{}", blocked.cause);
    assert!(blocked.hint.is_some_and(|hint| hint.contains("aws kms enable-key --region us-east-1")));

    kms.schedule_key_deletion().key_id(id).send().await.expect("scheduled");
    let blocked = step.check(&cx).await.expect_err("nothing can be restored");
    assert!(blocked.cause.contains("PendingDeletion"), "{}", blocked.cause);
    assert!(blocked.hint.is_some_and(|hint| hint.contains("cancel-key-deletion")));

    let elsewhere = harness::emulator().await;
    let foreign = format!("arn:aws:kms:{RECOVERY}:123456789012:key/00000000-0000-0000-0000-000000000000");
    snapshot(&elsewhere, &foreign).await;
    let cx = world::cx(&elsewhere, RUN, aurora::STEP, Value::Null, &[]);
    let blocked = step.check(&cx).await.expect_err("the key is gone");
    assert!(blocked.cause.ends_with(&format!("which does not exist in {RECOVERY}")), "{}", blocked.cause);
}

/// An endpoint with one backup whose table was encrypted with a key, of which DescribeKey answers this.
async fn check_table(status: u16, said: &'static str) -> Result<lifeboat::steps::Checked, lifeboat::steps::Blocked> {
    let server = Scripted::start(move |asked: &Asked| {
        let backup = format!("arn:aws:dynamodb:{RECOVERY}:123456789012:table/metadata-prod/backup/1");
        let time = 1_800_000_000;
        match asked.header("x-amz-target").rsplit('.').next().unwrap_or_default() {
            "DescribeTable" => (400, r#"{"__type": "ResourceNotFoundException", "message": "none"}"#.to_owned()),
            "ListBackups" => (
                200,
                format!(
                    r#"{{"BackupSummaries": [{{"BackupArn": "{backup}", "BackupName": "nightly", "TableName": "metadata-prod",
                        "BackupStatus": "AVAILABLE", "BackupCreationDateTime": {time}}}]}}"#
                ),
            ),
            "DescribeBackup" => (
                200,
                format!(
                    r#"{{"BackupDescription": {{"BackupDetails": {{"BackupArn": "{backup}", "BackupName": "nightly",
                        "BackupStatus": "AVAILABLE", "BackupType": "USER", "BackupCreationDateTime": {time}}},
                        "SourceTableFeatureDetails": {{"SSEDescription": {{"Status": "ENABLED", "SSEType": "KMS",
                        "KMSMasterKeyArn": "arn:aws:kms:{RECOVERY}:123456789012:key/k"}}}}}}}}"#
                ),
            ),
            "DescribeKey" => (status, said.to_owned()),
            other => panic!("not expected: {other}"),
        }
    })
    .await;
    let moto = harness::emulator().await;
    let cx = world::cx_by(server.session(RECOVERY), &moto, RUN, table::STEP, Value::Null, &[]);
    RestoreTable { table: table::table(1) }.check(&cx).await
}

#[tokio::test]
async fn a_backup_whose_key_cannot_be_used_blocks_and_one_nobody_may_look_at_is_warned_of() {
    let disabled = r#"{"KeyMetadata": {"KeyId": "k", "KeyState": "Disabled"}}"#;
    let blocked = check_table(200, disabled).await.expect_err("nothing can be restored");
    assert!(blocked.cause.contains("backup/1 is encrypted with key arn:aws:kms"), "{}", blocked.cause);
    check_table(200, r#"{"KeyMetadata": {"KeyId": "k", "KeyState": "Enabled"}}"#).await.expect("it can be used");
    let denied = r#"{"__type": "AccessDeniedException", "message": "not allowed"}"#;
    let checked = check_table(400, denied).await.expect("the restore may be allowed all the same");
    assert!(checked.facts["warnings"][0].as_str().is_some_and(|text| text.contains("kms:DescribeKey")), "{checked:?}");
    let broken = check_table(400, r#"{"__type": "ValidationException", "message": "odd"}"#).await;
    assert!(broken.is_err(), "an answer that is not understood is no consent");
}
