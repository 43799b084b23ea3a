//! Takes connections and answers what comes through them.

use std::convert::Infallible;
use std::io::Read;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::admin;
use super::answer::{Answer, Refusal, bare, empty, xml};
use super::faults::Faults;
use super::request::Asked;
use super::route::Operation;
use super::stats::Stats;
use super::store::Store;
use super::{delete, listing, objects, uploads, versions};

/// The longest body that is read: a request that deletes a thousand keys takes less.
const LONGEST_BODY: usize = 16 << 20;

#[derive(Default)]
pub struct Server {
    store: Mutex<Store>,
    pub faults: Faults,
    pub stats: Stats,
}

impl Server {
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves at a port, or at a free one for 0, and says at which. Ends with its standard input.
pub fn serve(port: u16) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.spawn(async move {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        println!("listening {}", listener.local_addr().expect("an address").port());
        let server = Arc::new(Server::default());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            // An answer is one write; it must not wait for another.
            stream.set_nodelay(true).ok();
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let known = Arc::clone(&server);
                let service = service_fn(move |request| answered(Arc::clone(&known), request));
                server.stats.connected();
                // A client that goes away in the middle is its own business.
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    // Until whoever started it goes away.
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
    ExitCode::SUCCESS
}

async fn answered(server: Arc<Server>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(answer(&server, request).await.unwrap_or_else(Refusal::answer))
}

async fn answer(server: &Arc<Server>, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    if asked.bucket == admin::PATH {
        return admin::answer(server, &asked);
    }
    let operation = Operation::of(&asked);
    let _flight = server.stats.began(operation);
    let body = read(body).await?;
    let fate = server.faults.fate(operation);
    let mut takes = fate.takes;
    if operation.copies() && fate.copy_bps > 0.0 && !fate.refused {
        takes += Duration::from_secs_f64(objects::copied_bytes(server, &asked) as f64 / fate.copy_bps);
    }
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    if fate.refused {
        server.stats.slowed();
        return Err(Refusal::SLOW_DOWN);
    }
    carry_out(server, operation, &asked, &body)
}

/// The whole body. Contents are not kept, but counting them is simplest so.
async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let read = Limited::new(body, LONGEST_BODY).collect().await;
    read.map(http_body_util::Collected::to_bytes).map_err(|_| Refusal { status: 400, code: "EntityTooLarge" })
}

fn carry_out(server: &Server, operation: Operation, asked: &Asked, body: &Bytes) -> Result<Answer, Refusal> {
    let text = || std::str::from_utf8(body).map_err(|_| Refusal::INVALID);
    match operation {
        Operation::ListBuckets => Ok(listing::buckets(server)),
        Operation::CreateBucket => {
            server.store().made(&asked.bucket);
            Ok(empty(bare()))
        }
        Operation::HeadBucket => listing::head_bucket(server, asked),
        Operation::GetBucketConfiguration => listing::configuration(server, asked),
        Operation::ListObjectsV2 => listing::objects(server, asked),
        Operation::ListObjectVersions => versions::list(server, asked),
        Operation::HeadObject => objects::head(server, asked),
        Operation::GetObject => objects::get(server, asked),
        Operation::GetObjectTagging => Ok(xml("<Tagging><TagSet></TagSet></Tagging>")),
        Operation::PutObject => {
            let (bytes, fill) = content(asked, body);
            objects::put(server, asked, bytes, fill)
        }
        Operation::CopyObject => objects::copy(server, asked, &asked.source()?),
        Operation::DeleteObject => delete::one(server, asked),
        Operation::DeleteObjects => delete::many(server, asked, text()?),
        Operation::CreateMultipartUpload => uploads::create(server, asked),
        Operation::UploadPart => {
            let (bytes, fill) = content(asked, body);
            uploads::part(server, asked, bytes, fill)
        }
        Operation::UploadPartCopy => uploads::part_copy(server, asked, &asked.source()?),
        Operation::CompleteMultipartUpload => uploads::complete(server, asked, text()?),
        Operation::AbortMultipartUpload => uploads::abort(server, asked),
        Operation::Unknown => Err(Refusal::NOT_IMPLEMENTED),
    }
}

/// The length of what was sent, and its first byte. Content in signed chunks is told by its length alone.
fn content(asked: &Asked, body: &Bytes) -> (u64, u64) {
    match asked.header("x-amz-decoded-content-length").and_then(|length| length.parse().ok()) {
        Some(length) => (length, 0),
        None => (body.len() as u64, body.first().copied().unwrap_or_default().into()),
    }
}
