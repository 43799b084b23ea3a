//! A rehearsal from end to end, with a shell script in the place of lifeboat.

use std::cell::RefCell;
use std::ffi::OsString;
use std::time::Duration;

use lifeboat::manifest::{AwsBackup, Manifest};
use lifeboat::rehearse::{Outage, Plan, Stage, run};

use crate::{harness, rehearsal_world};

/// Asks one region after the other for its buckets, as an SDK would, and fails where the wrong one answers.
const SCRIPT: &str = r#"
ask() {
  curl --silent --max-time 10 --output /dev/null "$AWS_ENDPOINT_URL/" --aws-sigv4 "aws:amz:$1:s3" \
    --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
}
[ -n "$LIFEBOAT_HOME" ] && [ -z "${AWS_PROFILE-}" ] || exit 20
ask us-east-1 || exit 21
if ask eu-west-2; then exit 22; fi
exit 5
"#;

/// Looks for the recovery points of a table, and has one restored, as AWS Backup's API has it.
const RESTORE: &str = r#"
ask() {
  curl --silent --max-time 10 "$@" --aws-sigv4 aws:amz:us-east-1:backup --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
}
point=arn:aws:backup:us-east-1:123456789012:recovery-point:orders
table=arn%3Aaws%3Adynamodb%3Aeu-west-2%3A123456789012%3Atable%2Fshop-orders
ask "$AWS_ENDPOINT_URL/resources/$table/recovery-points" | grep -q "$point" || exit 21
ask --request PUT "$AWS_ENDPOINT_URL/restore-jobs" --data "{\"RecoveryPointArn\":\"$point\",\"IamRoleArn\":\"r\",\"Metadata\":{\"targetTableName\":\"shop-orders-dr\"}}" |
  grep -q RestoreJobId || exit 22
ask "$AWS_ENDPOINT_URL/restore-jobs" | grep -q RUNNING || exit 23
"#;

fn plan(dir: &tempfile::TempDir, manifest: Manifest, script: &str) -> Plan {
    let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    variables.push(("AWS_PROFILE".into(), "prod".into()));
    Plan {
        manifest,
        dir: dir.path().to_owned(),
        moto: harness::moto(),
        port: None,
        lifeboat: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        variables,
        outage: Outage::Refuses,
        restores_take: Some(Duration::from_secs(5)),
        common: Vec::new(),
        faults: Vec::new(),
        runbook: lifeboat::scenario::failover(&rehearsal_world::manifest()),
        seed: 1,
        keep: false,
        aside: false,
    }
}

#[tokio::test]
async fn aws_backup_is_played_for_tables_that_name_a_role() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut manifest = rehearsal_world::manifest();
    manifest.buckets.clear();
    let role = "arn:aws:iam::123456789012:role/restore".to_owned();
    manifest.tables[0].aws_backup = Some(AwsBackup { role, vault: None });
    let rehearsal = run(plan(&dir, manifest, RESTORE), &|_| ()).await.expect("a rehearsal");
    assert_eq!(rehearsal.end.code, Some(0));
    let session = lifeboat::aws::Session::emulated("us-east-1", &rehearsal.emulator.endpoint);
    let items = session.dynamodb().scan().table_name("shop-orders-dr").send().await.expect("the table").count();
    assert!(items > 0, "what is restored is a backup of the emulator");
}

#[tokio::test]
async fn a_rehearsal_tells_what_the_command_did_and_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut manifest = rehearsal_world::manifest();
    manifest.buckets.clear();
    let stages = RefCell::new(Vec::new());
    let tell = |stage: Stage<'_>| {
        let name = format!("{stage:?}");
        stages.borrow_mut().push(name.split([' ', '{']).next().unwrap_or_default().to_owned());
    };
    let rehearsal = run(plan(&dir, manifest, SCRIPT), &tell).await.expect("a rehearsal");
    assert_eq!(rehearsal.end.code, Some(5));
    assert_eq!(*stages.borrow(), ["EmulatorReady", "WorldBuilt", "OutageDeclared", "CommandEnded"]);
    assert_eq!((rehearsal.requests.total, rehearsal.requests_to_lost_region), (2, 1));
    assert_eq!(rehearsal.requests.regions["us-east-1"]["s3:ListBuckets"].ok, 1);
    assert_eq!(rehearsal.requests.regions["eu-west-2"]["s3:ListBuckets"].unanswered, 1);
    // The world after is still there to be looked at.
    let session = lifeboat::aws::Session::emulated("us-east-1", &rehearsal.emulator.endpoint);
    assert_eq!(session.caller().await.expect("a caller").account, harness::ACCOUNT);
}
