//! A catalog recreated as it was exported at a time, beside itself, with the command as the operator uses it, against the
//! emulator's versions and its Glue.

use std::time::Duration;

use aws_sdk_glue::types::{DatabaseInput, TableInput};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use jiff::Timestamp;
use lifeboat::aws::{Session, glue};
use lifeboat::rehearse::proxy::{Effect, Pattern, read_records};
use serde_json::{Value, json};

use crate::state_custody::Tiny;

const BLOCK: &str = r#"
catalog "logs" {
  source    = "logs_prod"
  target    = "logs_prod_dr"
  from      = export("s3://exports/logs.json")
  locations = { "s3://logs-prod/" = "s3://logs-dr/" }
}
catalog "copied" {
  source    = "copied_prod"
  target    = "copied_prod_dr"
  from      = replica("copied")
  locations = {}
}
"#;

pub struct Site {
    pub tiny: Tiny,
    pub primary: Session,
    pub recovery: Session,
}

pub fn export(tables: &[&str], days: usize) -> Value {
    let descriptor = |at: String| json!({ "Columns": [{ "Name": "message", "Type": "string" }], "Location": at });
    let table = |name: &&str| {
        json!({
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": descriptor(format!("s3://logs-prod/{name}/")),
            "PartitionKeys": [{ "Name": "day", "Type": "string" }],
        })
    };
    let partition = |nr: usize| json!({ "Values": [format!("{nr:03}")], "StorageDescriptor": descriptor(format!("s3://logs-prod/events/day={nr:03}/")) });
    json!({
        "Database": { "Name": "logs_prod", "LocationUri": "s3://logs-prod/" },
        "Tables": tables.iter().map(table).collect::<Vec<_>>(),
        "Partitions": { "events": (0..days).map(partition).collect::<Vec<_>>() },
    })
}

impl Site {
    pub async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        tiny.write_manifest(BLOCK);
        let (primary, recovery) = (tiny.moto.session("eu-west-2"), tiny.moto.session("us-east-1"));
        recovery.s3().create_bucket().bucket("exports").send().await.expect("a bucket");
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = recovery.s3().put_bucket_versioning().bucket("exports").versioning_configuration(on);
        put.send().await.expect("versioning");
        Self { tiny, primary, recovery }
    }

    pub async fn export(&self, export: &Value) {
        self.put("logs.json", export.to_string()).await;
    }

    async fn put(&self, key: &str, text: String) {
        let put = self.recovery.s3().put_object().bucket("exports").key(key).body(text.into_bytes().into());
        put.send().await.expect("an object");
    }

    /// The emulator tells times in whole seconds.
    pub async fn later(&self) -> String {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let now = Timestamp::now();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        now.to_string()
    }

    /// The database as it stands now in the primary region: one of its tables is gone.
    async fn corrupted(&self) {
        let client = self.primary.glue();
        let database = DatabaseInput::builder().name("logs_prod").build().expect("an input");
        client.create_database().database_input(database).send().await.expect("a database");
        let table = TableInput::builder().name("unknown").build().expect("an input");
        client.create_table().database_name("logs_prod").table_input(table).send().await.expect("a table");
    }

    pub async fn recover(&self, name: &str, to: &str, more: &[&str]) -> (Option<i32>, String) {
        self.tiny.recover("catalog", name, to, more).await
    }

    fn requests(&self, operation: &str) -> usize {
        let requests = read_records(&self.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
        requests.iter().filter(|it| it.operation == operation).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_recreated_as_it_was_exported_then_beside_itself() {
    let site = Site::new().await;
    site.put("logs.json.old", "another key that begins alike".into()).await;
    site.export(&export(&["events", "errors"], 130)).await;
    let to = site.later().await;
    site.export(&export(&["events"], 2)).await;
    site.corrupted().await;
    let session = &site.primary;

    let (code, said) = site.recover("logs_prod", &to, &["--as", "logs_then", "--dry-run"]).await;
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "becomes database logs_then (2 tables, 130 partitions)",
        "tables gone since (2): errors events",
        "nothing was changed",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(glue::database(session, "logs_then").await.expect("an answer"), None, "a dry run makes nothing");

    let expect = ["--as", "logs_then", "--confirm", "tiny", "--expect", "tables == 2", "--expect", "partitions >= 130"];
    let (code, said) = site.recover("logs_prod", &to, &expect).await;
    assert_eq!(code, Some(0), "{said}");
    let made = glue::catalog(session, "logs_then").await.expect("an answer").expect("a database");
    assert_eq!((made.tables.len(), made.partition_count()), (2, 130));
    let at = made.tables["events"].storage_descriptor.as_ref().and_then(|it| it.location.as_deref());
    assert_eq!(at, Some("s3://logs-prod/events/"), "in its own region it is where it was");
    let source = glue::catalog(session, "logs_prod").await.expect("an answer").expect("the source");
    assert_eq!(source.tables.keys().collect::<Vec<_>>(), ["unknown"], "the source is left as it is");
    let report = site.tiny.report(&site.tiny.run()).await;
    assert_eq!(report["scenario"], "recover", "{report}");
    assert!(report["not_checked"].to_string().contains("what has changed in logs_prod between"), "{report}");
    assert!(report.to_string().contains("versionId="), "the report names the version: {report}");

    let (code, said) = site.recover("logs_prod", &to, &expect).await;
    assert_eq!((code, said.contains("database logs_then stands in eu-west-2 already")), (Some(3), true), "{said}");
    let short = ["--confirm", "tiny", "--expect", "tables >= 3"];
    let (code, said) = site.recover("logs", &to, &[&short[..], &["--region", "eu-west-2"]].concat()).await;
    assert_eq!((code, said.contains("tables >= 3 was expected, found 2")), (Some(5), true), "{said}");
    let all = session.glue().get_databases().send().await.expect("databases");
    assert!(all.database_list().iter().any(|it| it.name().starts_with("logs_prod_20")), "it is named after the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_recovery_region_locations_are_rewritten_and_the_primary_region_is_not_asked() {
    let site = Site::new().await;
    site.export(&export(&["events"], 3)).await;
    let to = site.later().await;
    site.tiny.proxy.control().add(Pattern::region("eu-west-2"), Effect::Refuse);
    let (code, said) = site.recover("logs_prod_dr", &to, &["--as", "then", "--confirm", "tiny"]).await;
    assert_eq!((code, said.contains("database logs_prod_dr is gone since")), (Some(0), true), "{said}");
    let made = glue::catalog(&site.recovery, "then").await.expect("an answer").expect("a database");
    let at = made.tables["events"].storage_descriptor.as_ref().and_then(|it| it.location.as_deref());
    assert_eq!(at, Some("s3://logs-dr/events/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_was_held_goes_on_with_the_version_that_it_began_with() {
    let site = Site::new().await;
    site.export(&export(&["events"], 150)).await;
    let to = site.later().await;
    let rule = site.tiny.proxy.control().add(Pattern::operation("glue", "BatchCreatePartition"), Effect::Expire);
    let (code, said) = site.recover("logs_prod", &to, &["--as", "then", "--confirm", "tiny"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(glue::database(&site.primary, "then").await.expect("an answer").is_some(), "it was begun");
    site.tiny.proxy.control().remove(rule);
    site.export(&export(&["events", "errors"], 1)).await;
    let run = site.tiny.run();
    let (code, said) = site.tiny.words(&["resume", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    let made = glue::catalog(&site.primary, "then").await.expect("an answer").expect("a database");
    assert_eq!((made.tables.len(), made.partition_count()), (1, 150));
    assert_eq!((site.requests("CreateDatabase"), site.requests("CreateTable")), (1, 1), "nothing is made twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_export_tells_is_refused_with_what_can_be_had() {
    let site = Site::new().await;
    let refused = async |name: &str, to: &str, more: &[&str], code: i32, words: &str| {
        let (found, said) = site.recover(name, to, &[&["--confirm", "tiny"], more].concat()).await;
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    let before = "2001-01-01T00:00:00Z";
    refused("logs_prod", before, &[], 3, "the export s3://exports/logs.json does not exist").await;
    site.export(&export(&["events"], 1)).await;
    refused("logs_prod", before, &[], 3, "the oldest version that is left of s3://exports/logs.json is of").await;
    refused("copied", before, &["--region", "us-east-1"], 3, "its block").await;
    refused("nothing", before, &[], 2, "has no catalog block of nothing").await;
    refused("logs", before, &[], 3, "there is no database logs in eu-west-2 or us-east-1").await;
    refused("logs_prod", before, &["--as", "Capital"], 2, "Glue keeps it in small letters").await;
    refused("logs_prod", before, &["--expect", "items >= 1"], 2, "known: tables, partitions").await;
    refused("logs_prod", "2999-01-01T00:00:00Z", &[], 2, "is in the future").await;
    let to = site.later().await;
    site.recovery.s3().delete_object().bucket("exports").key("logs.json").send().await.expect("a delete marker");
    let until = site.later().await;
    let (code, said) = site.recover("logs_prod", &until, &["--dry-run"]).await;
    assert_eq!((code, said.contains("the export was deleted at")), (Some(0), true), "{said}");
    site.put("logs.json", "{}".into()).await;
    let broken = site.later().await;
    refused("logs_prod", &broken, &[], 3, "it is not an export of a catalog").await;
    let (code, said) = site.recover("logs_prod", &to, &["--dry-run"]).await;
    assert_eq!(code, Some(0), "what came later does no harm: {said}");
    let databases = site.primary.glue().get_databases().send().await.expect("databases");
    assert_eq!(databases.database_list().len(), 0, "nothing was made");
}
