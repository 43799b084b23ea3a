//! A bucket that is handed to S3 Batch Operations. The emulator has no jobs that copy: `Jobs` is a fake of them, from the Amazon S3
//! API reference ("CreateJob", "DescribeJob") and the S3 User Guide's completion reports. What its jobs copy, they copy in the
//! emulator, to which it passes all other requests on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::types::{BucketVersioningStatus, StorageClass, VersioningConfiguration};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::SignedDuration;
use lifeboat::aws::Session;
use lifeboat::engine::{Ended, Engine, execute};
use lifeboat::journal::{Event, Journal, RunStarted};
use lifeboat::manifest::{Batch, Bucket, CopyEngine};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::steps::{Cx, RestoreBucket, Step};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::harness::{self, TestEmulator};
use crate::offline;

const STEP: &str = "restore.bucket.logs";

#[derive(Clone)]
struct Job {
    token: String,
    list: String,
    target: String,
    report: (String, String),
    role: String,
    ran: bool,
}

/// What the fake shall do, and what was asked of it.
#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// Keys as the list has them whose copy fails.
    failing: BTreeSet<String>,
    /// Jobs stay active.
    hold: bool,
    /// What every job fails of as a whole.
    fails: Option<&'static str>,
    lose_first_answer: bool,
    /// The job is made, and its maker waits for the answer for ever.
    never_answer: bool,
    /// The code that every CreateJob is refused with.
    refuse: Option<&'static str>,
    /// Jobs wait for a confirmation.
    suspended: bool,
    /// What is written where the index of a report should be.
    index: Option<&'static str>,
    copied: Vec<String>,
    described: usize,
}

struct Jobs {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

type Forward = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

impl Jobs {
    async fn start(moto: &TestEmulator, state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (upstream, behind, told) = (moto.endpoint(), moto.session("us-east-1"), Arc::clone(&state));
        let client: Forward = Client::builder(TokioExecutor::new()).build_http();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (upstream, behind, told, client) =
                    (upstream.clone(), behind.clone(), Arc::clone(&told), client.clone());
                let service = service_fn(move |request| {
                    serve(request, upstream.clone(), behind.clone(), Arc::clone(&told), client.clone())
                });
                let http = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move { http.serve_connection(TokioIo::new(stream), service).await.ok() });
            }
        });
        Self { address, state, _server: server }
    }

    fn session(&self) -> Session {
        Session::emulated("us-east-1", &format!("http://{}", self.address))
    }
}

async fn serve(
    request: Request<Incoming>,
    upstream: String,
    behind: Session,
    state: Arc<Mutex<State>>,
    client: Forward,
) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    if let Some(id) = path.strip_prefix("/v20180820/jobs") {
        let (status, xml) = match parts.method {
            Method::POST => {
                let answer = create(&state, &String::from_utf8_lossy(&body));
                if state.lock().expect("a state").never_answer {
                    std::future::pending::<()>().await;
                }
                answer
            }
            _ => describe(&state, &behind, id.trim_matches('/')).await,
        };
        let answer = Response::builder().status(status).header("content-type", "application/xml");
        return Ok(answer.body(Full::from(xml)).expect("an answer"));
    }
    parts.uri = format!("{upstream}{}", parts.uri.path_and_query().expect("a path")).parse::<Uri>().expect("a URI");
    let answer = client.request(Request::from_parts(parts, Full::from(body))).await?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Ok(Response::from_parts(parts, Full::from(body)))
}

fn text<'a>(xml: &'a str, element: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{element}>")).unwrap_or_default();
    rest.split_once(&format!("</{element}>")).unwrap_or_default().0
}

fn bucket_of(arn: &str) -> String {
    arn.trim_start_matches("arn:aws:s3:::").to_owned()
}

/// S3 Control wraps its errors, which S3 does not (Smithy: "AWS restXml protocol", `noErrorWrapping`).
fn error(code: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
}

fn create(state: &Mutex<State>, xml: &str) -> (u16, String) {
    let mut state = state.lock().expect("a state");
    if let Some(code) = state.refuse {
        return (403, error(code));
    }
    let token = text(xml, "ClientRequestToken").to_owned();
    assert!(!token.is_empty() && text(xml, "ConfirmationRequired") == "false", "{xml}");
    let known = state.jobs.iter().position(|job| job.token == token);
    let at = known.unwrap_or_else(|| {
        let report = text(xml, "Report");
        state.jobs.push(Job {
            token,
            list: bucket_of(text(xml, "ObjectArn")),
            target: bucket_of(text(xml, "TargetResource")),
            report: (bucket_of(text(report, "Bucket")), text(report, "Prefix").to_owned()),
            role: text(xml, "RoleArn").to_owned(),
            ran: false,
        });
        state.jobs.len() - 1
    });
    if std::mem::take(&mut state.lose_first_answer) {
        return (500, error("InternalError"));
    }
    (200, format!("<CreateJobResult><JobId>job{at}</JobId></CreateJobResult>"))
}

async fn describe(state: &Mutex<State>, behind: &Session, id: &str) -> (u16, String) {
    let at: usize = id.trim_start_matches("job").parse().expect("one of its ids");
    let (job, hold, suspended, fails, failing, index) = {
        let mut state = state.lock().expect("a state");
        state.described += 1;
        let job = state.jobs[at].clone();
        (job, state.hold, state.suspended, state.fails, state.failing.clone(), state.index)
    };
    let told = |status: &str, succeeded: usize, failed: usize, more: &str| {
        let tasks = succeeded + failed;
        let summary = format!(
            "<ProgressSummary><TotalNumberOfTasks>{tasks}</TotalNumberOfTasks><NumberOfTasksSucceeded>{succeeded}\
             </NumberOfTasksSucceeded><NumberOfTasksFailed>{failed}</NumberOfTasksFailed></ProgressSummary>"
        );
        let job = format!("<Job><JobId>{id}</JobId><Status>{status}</Status>{summary}{more}</Job>");
        (200, format!("<DescribeJobResult>{job}</DescribeJobResult>"))
    };
    if let Some(why) = fails {
        let reason = format!("<member><FailureCode>{why}</FailureCode><FailureReason>no</FailureReason></member>");
        return told("Failed", 0, 0, &format!("<FailureReasons>{reason}</FailureReasons>"));
    }
    if suspended {
        return told("Suspended", 0, 0, "");
    }
    if hold {
        return told("Active", 0, 0, "");
    }
    let s3 = behind.s3();
    let (bucket, key) = job.list.split_once('/').expect("a list");
    let list = s3.get_object().bucket(bucket).key(key).send().await.expect("the list").body.collect().await;
    let list = String::from_utf8(list.expect("the list").to_vec()).expect("ASCII");
    let mut report = String::new();
    let mut succeeded = 0;
    for line in list.lines() {
        let (source, key) = line.split_once(',').expect("bucket and key");
        if failing.contains(key) {
            report.push_str(&format!("{source},{key},,failed,AccessDenied,403,\"no, not this\"\n"));
            continue;
        }
        succeeded += 1;
        if !job.ran {
            let copy = s3.copy_object().bucket(&job.target).key(decoded(key)).copy_source(format!("{source}/{key}"));
            copy.send().await.expect("a copy");
            state.lock().expect("a state").copied.push(key.to_owned());
        }
    }
    state.lock().expect("a state").jobs[at].ran = true;
    let failed = report.lines().count();
    if failed > 0 {
        let (bucket, prefix) = &job.report;
        let part = format!("{prefix}/job-{id}/results/1.csv");
        let whole = json!({ "Results": [{ "TaskExecutionStatus": "failed", "Bucket": bucket, "Key": part }] });
        let index = index.map_or_else(|| whole.to_string(), str::to_owned);
        for (key, body) in [(part, report), (format!("{prefix}/job-{id}/manifest.json"), index)] {
            s3.put_object().bucket(bucket).key(key).body(body.into_bytes().into()).send().await.expect("a report");
        }
    }
    told("Complete", succeeded, failed, "")
}

fn decoded(key: &str) -> String {
    let bytes = key.as_bytes();
    let (mut at, mut plain) = (0, Vec::new());
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                plain.push(u8::from_str_radix(&key[at + 1..at + 3], 16).expect("two digits"));
                at += 3;
            }
            byte => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).expect("UTF-8")
}

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
    let started = RunStarted {
        run: "run".into(),
        lifeboat: "0".into(),
        manifest: "m".into(),
        manifest_sha256: String::new(),
        caller: String::new(),
        pid: 1,
        host: String::new(),
        impact_at: None,
        declared_at: None,
        bundle: None,
        inputs: None,
        tenure: None,
        runbook: runbook(),
    };
    journal.append(Event::RunStarted(Box::new(started))).expect("on disk");
    journal
}

fn resumed(journal: &Journal, retry: Vec<StepId>) {
    let host = "other".to_owned();
    let event = Event::RunResumed { pid: 2, host, retry, restaged: None, accepted: vec![], tenure: None };
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
