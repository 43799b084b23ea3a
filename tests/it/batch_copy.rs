//! A bucket that is handed to S3 Batch Operations. The emulator has no jobs that copy: `Jobs` is a fake of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::{BucketVersioningStatus, StorageClass, VersioningConfiguration};
use jiff::SignedDuration;
use lifeboat::aws::Session;
use lifeboat::engine::{Ended, Engine, execute};
use lifeboat::journal::{Event, Journal};
use lifeboat::manifest::{Batch, Bucket, CopyEngine};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::steps::{Cx, RestoreBucket, Step};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::batch_jobs::{Jobs, State};
use crate::harness::{self, TestEmulator};
use crate::offline;

const STEP: &str = "restore.bucket.logs";

const KEYS: [&str; 5] = ["app/a.json", "app/b,c \"d\".json", "app/e+f%g.json", "app/ü.json", "zero"];
/// Of another class, which no job has.
const RARE: &str = "rare.json";

/// Source, target with versions, and the bucket for reports.
async fn filled() -> TestEmulator {
    let moto = harness::emulator().await;
    let s3 = moto.session("us-east-1").s3();
    for bucket in ["source", "target", "reports"] {
        s3.create_bucket().bucket(bucket).send().await.expect("a bucket");
    }
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket("target").versioning_configuration(versions).send().await.expect("versions");
    for key in KEYS {
        let body = if key == "zero" { Vec::new() } else { key.as_bytes().to_vec() };
        s3.put_object().bucket("source").key(key).body(body.into()).send().await.expect("an object");
    }
    let rare = s3.put_object().bucket("source").key(RARE).storage_class(StorageClass::StandardIa);
    rare.body(b"rare".to_vec().into()).send().await.expect("an object");
    moto
}

fn bucket() -> Bucket {
    Bucket {
        name: "logs".into(),
        source: "source".into(),
        source_role: None,
        target: "target".into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: Some(Batch { role: "arn:aws:iam::123456789012:role/batch".into(), reports: "reports".into(), above: 3 }),
        engine: CopyEngine::Auto,
    }
}

async fn held(session: &Session, bucket: &str) -> BTreeMap<String, String> {
    let listed = session.s3().list_objects_v2().bucket(bucket).send().await.expect("a listing");
    let object = |it: &aws_sdk_s3::types::Object| {
        (it.key().unwrap_or_default().to_owned(), it.e_tag().unwrap_or_default().to_owned())
    };
    listed.contents().iter().map(object).collect()
}

#[tokio::test]
async fn above_the_threshold_a_job_copies_what_fits_and_this_machine_the_rest_and_what_the_job_failed_at() {
    let moto = filled().await;
    let failing = BTreeSet::from(["app/%C3%BC.json".to_owned()]);
    let jobs = Jobs::start(&moto, State { failing, lose_first_answer: true, ..State::default() }).await;
    let dir = tempfile::tempdir().expect("a folder");
    let world = Arc::new(offline::world("run", dir.path(), jobs.session()));
    let cx = Cx::detached(world, STEP, Value::Null, Default::default());
    let step = RestoreBucket { bucket: bucket() };
    let checked = step.check(&cx).await.expect("nothing in its way");
    let warned = checked.facts["warnings"].to_string();
    assert!(warned.contains("S3 Batch Operations copies as arn:aws:iam::123456789012:role/batch"), "{warned}");
    let output = step.apply(&cx).await.expect("copied");
    assert_eq!(output["copied"], 6, "{output}");
    assert_eq!(output["batch"], json!({ "id": "job0", "succeeded": 4, "failed": 1, "codes": { "AccessDenied": 1 } }));
    let session = moto.session("us-east-1");
    assert_eq!(held(&session, "target").await, held(&session, "source").await);
    let state = jobs.state.lock().expect("a state");
    assert_eq!(state.jobs.len(), 1, "the answer was lost, not the job");
    assert_eq!(state.jobs[0].role, "arn:aws:iam::123456789012:role/batch");
    assert!(!state.copied.iter().any(|key| key == RARE), "a job has one storage class");
    assert_eq!(state.copied.len(), 4, "{:?}", state.copied);
}

#[tokio::test]
async fn below_the_threshold_and_for_a_target_without_versions_no_job_is_made() {
    let moto = filled().await;
    let jobs = Jobs::start(&moto, State::default()).await;
    let dir = tempfile::tempdir().expect("a folder");
    let world = Arc::new(offline::world("run", dir.path(), jobs.session()));
    let cx = Cx::detached(world, STEP, Value::Null, Default::default());
    moto.session("us-east-1").s3().create_bucket().bucket("plain").send().await.expect("a bucket");
    let plain = Bucket { target: "plain".into(), ..bucket() };
    let insisting = RestoreBucket { bucket: Bucket { engine: CopyEngine::Batch, ..plain.clone() } };
    let blocked = insisting.check(&cx).await.expect_err("it would overwrite");
    assert!(blocked.cause.contains("keeps no versions"), "{blocked}");
    let elsewhere = Batch { reports: "nowhere".into(), ..bucket().batch.expect("a role") };
    let blocked = RestoreBucket { bucket: Bucket { batch: Some(elsewhere), ..bucket() } }.check(&cx).await;
    assert!(blocked.expect_err("no bucket for reports").cause.contains("nowhere"));
    let few = Batch { above: 6, ..bucket().batch.expect("a role") };
    for bucket in [plain, Bucket { batch: Some(few), ..bucket() }] {
        let output = RestoreBucket { bucket }.apply(&cx).await.expect("copied");
        assert_eq!((&output["copied"], &output["batch"]), (&json!(6), &Value::Null));
    }
    assert!(jobs.state.lock().expect("a state").jobs.is_empty());
}

fn runbook() -> Runbook {
    let spec = StepSpec {
        id: StepId::from(STEP),
        phase: Phase::Restore,
        title: "copy source to target".into(),
        after: vec![],
        component: None,
        expected: SignedDuration::from_secs(60),
        action: Action::RestoreBucket { bucket: bucket() },
    };
    Runbook {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "logs".into(),
        account: harness::ACCOUNT.into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        steps: vec![spec],
        objectives: vec![],
        not_checked: vec![],
    }
}

fn engine(dir: &std::path::Path, session: Session, stop: watch::Receiver<bool>) -> Engine {
    let (notices, _told) = mpsc::unbounded_channel();
    Engine {
        runbook: Arc::new(runbook()),
        world: Arc::new(offline::world("run", dir, session)),
        make: Arc::new(lifeboat::steps::make),
        notices,
        stop,
    }
}

fn begun(dir: &std::path::Path) -> Arc<Journal> {
    let journal = Arc::new(Journal::create(dir).expect("a journal"));
    let started = harness::started("run", runbook());
    journal.append(Event::RunStarted(Box::new(started))).expect("on disk");
    journal
}

fn resumed(journal: &Journal, retry: Vec<StepId>) {
    let host = "other".to_owned();
    let event = Event::RunResumed { pid: 2, host, retry, restaged: None, source: None, accepted: vec![], tenure: None };
    journal.append(event).expect("on disk");
}

#[tokio::test]
async fn who_takes_up_a_stopped_copy_waits_for_the_same_job_and_a_failed_one_is_followed_by_another() {
    let moto = filled().await;
    let jobs = Jobs::start(&moto, State { hold: true, ..State::default() }).await;
    let dir = tempfile::tempdir().expect("a folder");
    let journal = begun(dir.path());
    let (stop, stopping) = watch::channel(false);
    let first = engine(dir.path(), jobs.session(), stopping);
    let watched = Arc::clone(&jobs.state);
    let stopper = async {
        while watched.lock().expect("a state").described == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.send(true).expect("an engine");
    };
    let (ended, ()) = tokio::join!(execute(&first, Arc::clone(&journal)), stopper);
    assert_eq!(ended.expect("a journal"), Ended::Interrupted);
    {
        let mut state = jobs.state.lock().expect("a state");
        assert_eq!(state.jobs.len(), 1);
        (state.hold, state.fails) = (false, Some("ManifestNotFound"));
    }
    resumed(&journal, vec![]);
    let (_keep, going) = watch::channel(false);
    let failed = execute(&engine(dir.path(), jobs.session(), going), Arc::clone(&journal)).await.expect("a journal");
    let Ended::Held { failures } = failed else { panic!("{failed:?}") };
    assert!(failures[0].1.cause.contains("job0 of S3 Batch Operations is Failed: ManifestNotFound"), "{failures:?}");
    {
        let mut state = jobs.state.lock().expect("a state");
        assert_eq!(state.jobs.len(), 1, "the job that was begun was attached to");
        state.fails = None;
    }
    resumed(&journal, vec![StepId::from(STEP)]);
    let (_keep, going) = watch::channel(false);
    let done = execute(&engine(dir.path(), jobs.session(), going), Arc::clone(&journal)).await.expect("a journal");
    assert_eq!(done, Ended::Done { changed: true });
    assert_eq!(jobs.state.lock().expect("a state").jobs.len(), 2);
    assert_eq!(journal.state().steps[&StepId::from(STEP)].output["batch"]["id"], "job1");
    let session = moto.session("us-east-1");
    assert_eq!(held(&session, "target").await, held(&session, "source").await);
}

/// What a kill leaves: the note, and a job whose id nobody has heard. The engine is dropped where it waits for the answer.
#[tokio::test]
async fn who_is_killed_before_the_answer_leaves_a_job_that_the_next_one_takes_up() {
    let moto = filled().await;
    let jobs = Jobs::start(&moto, State { never_answer: true, ..State::default() }).await;
    let dir = tempfile::tempdir().expect("a folder");
    let journal = begun(dir.path());
    let (_keep, going) = watch::channel(false);
    let killed = engine(dir.path(), jobs.session(), going);
    let until_made = async {
        while jobs.state.lock().expect("a state").jobs.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = execute(&killed, Arc::clone(&journal)) => panic!("it has ended: {ended:?}"),
        () = until_made => {}
    }
    drop(killed);
    jobs.state.lock().expect("a state").never_answer = false;
    resumed(&journal, vec![]);
    let (_keep, going) = watch::channel(false);
    let done = execute(&engine(dir.path(), jobs.session(), going), Arc::clone(&journal)).await.expect("a journal");
    assert_eq!(done, Ended::Done { changed: true });
    let state = jobs.state.lock().expect("a state");
    assert_eq!((state.jobs.len(), state.copied.len()), (1, 5), "one token, one job, one copy of each");
    assert_eq!(journal.state().steps[&StepId::from(STEP)].output["batch"]["id"], "job0");
}

#[tokio::test]
async fn a_job_that_may_not_be_made_and_one_that_waits_for_a_confirmation_are_told_with_what_helps() {
    let moto = filled().await;
    for (state, cause, hint) in [
        (State { refuse: Some("AccessDenied"), ..State::default() }, "s3:CreateJob", "iam:PassRole of arn:aws:iam"),
        (
            State { suspended: true, ..State::default() },
            "job job0 of S3 Batch Operations waits for a confirmation",
            "aws s3control update-job-status",
        ),
    ] {
        let jobs = Jobs::start(&moto, state).await;
        let dir = tempfile::tempdir().expect("a folder");
        let (_keep, going) = watch::channel(false);
        let ended = execute(&engine(dir.path(), jobs.session(), going), begun(dir.path())).await.expect("a journal");
        let Ended::Held { failures } = ended else { panic!("{ended:?}") };
        let failure = &failures[0].1;
        assert!(failure.cause.contains(cause), "{failure:?}");
        assert!(failure.hint.as_deref().unwrap_or_default().contains(hint), "{failure:?}");
        assert!(jobs.state.lock().expect("a state").copied.is_empty());
    }
    assert!(held(&moto.session("us-east-1"), "target").await.is_empty());
}

#[tokio::test]
async fn a_report_that_cannot_be_read_holds_nothing_up() {
    for (index, codes) in [("<html>", json!({})), (r#"{"Results": [{"Key": "gone"}]}"#, Value::Null)] {
        let moto = filled().await;
        let failing = BTreeSet::from(["zero".to_owned()]);
        let jobs = Jobs::start(&moto, State { failing, index: Some(index), ..State::default() }).await;
        let dir = tempfile::tempdir().expect("a folder");
        let world = Arc::new(offline::world("run", dir.path(), jobs.session()));
        let cx = Cx::detached(world, STEP, Value::Null, Default::default());
        let output = RestoreBucket { bucket: bucket() }.apply(&cx).await.expect("copied");
        assert_eq!((&output["copied"], &output["batch"]["failed"]), (&json!(6), &json!(1)), "{output}");
        match codes {
            Value::Null => {
                assert!(output["batch"]["codes"].to_string().contains("its report cannot be read"), "{output}")
            }
            codes => assert_eq!(output["batch"]["codes"], codes),
        }
        let session = moto.session("us-east-1");
        assert_eq!(held(&session, "target").await, held(&session, "source").await);
    }
}
