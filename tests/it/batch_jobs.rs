//! A fake of S3 Batch Operations, which the emulator lacks, from the Amazon S3 API reference ("CreateJob", "DescribeJob") and the S3
//! User Guide's completion reports. What its jobs copy, they copy in the emulator, to which it passes all other requests on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lifeboat::aws::Session;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::TestEmulator;

#[derive(Clone)]
pub struct Job {
    pub token: String,
    pub list: String,
    pub target: String,
    pub report: (String, String),
    pub role: String,
    pub ran: bool,
}

/// What the fake shall do, and what was asked of it.
#[derive(Default)]
pub struct State {
    pub jobs: Vec<Job>,
    /// Keys as the list has them whose copy fails.
    pub failing: BTreeSet<String>,
    /// Jobs stay active.
    pub hold: bool,
    /// What every job fails of as a whole.
    pub fails: Option<&'static str>,
    pub lose_first_answer: bool,
    /// The job is made, and its maker waits for the answer for ever.
    pub never_answer: bool,
    /// The code that every CreateJob is refused with.
    pub refuse: Option<&'static str>,
    /// Jobs wait for a confirmation.
    pub suspended: bool,
    /// What is written where the index of a report should be.
    pub index: Option<&'static str>,
    pub copied: Vec<String>,
    pub described: usize,
}

pub struct Jobs {
    address: SocketAddr,
    pub state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

type Forward = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

impl Jobs {
    pub async fn start(moto: &TestEmulator, state: State) -> Self {
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

    pub fn session(&self) -> Session {
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
