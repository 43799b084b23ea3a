//! A table of DynamoDB in memory, as far as Scan counts it: any credentials, items that are only a number. A process of its own.

use std::convert::Infallible;
use std::io::Read;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{ITEMS, ITEMS_A_PAGE, PAGE_MILLIS};

pub const TABLE: &str = "events";

type Answer = Response<Full<Bytes>>;

/// What a second's capacity is saved up to, in seconds.
const BURST_SECONDS: f64 = 0.1;

/// Serves at a free port and says at which. Ends with its standard input.
pub fn serve(pages_a_second: u64) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.spawn(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        let capacity = Arc::new(Capacity::of(pages_a_second));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true).ok();
            let capacity = Arc::clone(&capacity);
            let service = service_fn(move |request| scan(Arc::clone(&capacity), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    // Until whoever started it goes away.
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
    ExitCode::SUCCESS
}

/// DynamoDB API: "Scan", of `Select` `COUNT` alone.
async fn scan(capacity: Arc<Capacity>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let granted = capacity.take();
    tokio::time::sleep(Duration::from_millis(PAGE_MILLIS)).await;
    if !granted {
        let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
        return Ok(answer(400, &json!({ "__type": kind, "message": "too much" })));
    }
    assert_eq!((&asked["TableName"], &asked["Select"]), (&json!(TABLE), &json!("COUNT")), "{asked}");
    let number = |name: &str| asked[name].as_u64();
    let (segment, segments) = (number("Segment").unwrap_or_default(), number("TotalSegments").unwrap_or(1));
    let begin = asked["ExclusiveStartKey"]["id"]["N"].as_str().and_then(|key| key.parse().ok());
    let (first, end) = (ITEMS * segment / segments, ITEMS * (segment + 1) / segments);
    let begin: u64 = begin.map_or(first, |last: u64| last + 1);
    let stop = end.min(begin + ITEMS_A_PAGE);
    let mut page = json!({ "Count": stop - begin, "ScannedCount": stop - begin });
    if stop < end {
        page["LastEvaluatedKey"] = json!({ "id": { "N": (stop - 1).to_string() } });
    }
    Ok(answer(200, &page))
}

fn answer(status: u16, body: &Value) -> Answer {
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    answer.body(Full::from(body.to_string())).expect("an answer")
}

/// Pages that may be read, as DynamoDB saves them up.
struct Capacity {
    pages_a_second: f64,
    saved: Mutex<(f64, Instant)>,
}

impl Capacity {
    fn of(pages_a_second: u64) -> Self {
        let pages_a_second = pages_a_second as f64;
        Self { pages_a_second, saved: Mutex::new((pages_a_second * BURST_SECONDS, Instant::now())) }
    }

    fn take(&self) -> bool {
        if self.pages_a_second == 0.0 {
            return true;
        }
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let (pages, since) = *saved;
        let now = Instant::now();
        let gained = (now - since).as_secs_f64() * self.pages_a_second;
        let pages = (pages + gained).min(self.pages_a_second * BURST_SECONDS);
        let granted = pages >= 1.0;
        *saved = (if granted { pages - 1.0 } else { pages }, now);
        granted
    }
}
