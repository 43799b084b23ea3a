//! One request through the proxy: what it is, what the rules say, and that done.
//!
//! Bodies stream both ways; only the beginning of a form or small JSON body, and answers about young resources, are
//! held in memory, up to a limit. `Host` and `Authorization` stay as the client sent them: the emulator takes service
//! and region from the one and puts the other into the addresses that it answers with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::{Client, connect::HttpConnector};

use super::Control;
use super::answers::{Canned, cluster_exists, expired, no_upstream, throttled};
use super::body::{Passing, peek};
use super::call::{Call, Head};
use super::entry::{Entry, agent};
use super::globals::without_writer;
use super::lanes::Lanes;
use super::record::{RequestLog, RequestOutcome};
use super::replicas::with_replicas;
use super::rules::{Action, Verdict};
use super::settle::{Kind, hold_back};
use super::trap::{Catch, Release, Sprung};
use super::vaults::{Turn, restore_request};

/// How much of a body is looked into for the name of the operation.
const PEEK_BYTES: usize = 64 * 1024;
/// Answers about young resources larger than this are passed on as they are.
const HOLD_BACK_BYTES: usize = 4 * 1024 * 1024;
/// A client that waits longer than this for a hanging region is let go.
const HANG_FOR: Duration = Duration::from_secs(900);
/// Headers about one connection, not about the request (RFC 9110, "Connection"); `Expect` is answered here.
const PER_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What all requests share.
pub struct Way {
    pub upstream: SocketAddr,
    pub client: Client<HttpConnector, Passing>,
    pub control: Arc<Control>,
    pub log: Arc<RequestLog>,
    pub lanes: Lanes,
}

/// A request that is to be forwarded, and what else there is to know of it.
struct Asked<'a> {
    call: &'a Call,
    agent: &'static str,
    verdict: Verdict,
    sprung: Option<Sprung>,
    /// What the proxy answers itself.
    own: Option<Canned>,
}

/// What of an answer is told otherwise than the emulator says.
struct Otherwise {
    held: Option<(Kind, Duration)>,
    replicas: Option<Vec<String>>,
    /// Whether it is of a secondary cluster, none of whose instances writes.
    reads: bool,
}

impl Otherwise {
    fn is_needed(&self) -> bool {
        self.held.is_some() || self.replicas.is_some() || self.reads
    }
}

/// What was answered goes to the client, once a trap lets it, unless it shall be lost.
async fn delivered(
    sprung: Option<Sprung>,
    (call, agent): (&Call, &'static str),
    verdict: &Verdict,
    (entry, status): (&mut Entry, u16),
) -> Result<(), NoAnswer> {
    let withheld = match sprung {
        Some(sprung) => sprung.hold(call, agent).await == Release::Withhold,
        None => false,
    };
    if withheld || verdict.action == Action::LoseReply {
        entry.set(0, RequestOutcome::ReplyLost);
        return Err(NoAnswer::Withheld);
    }
    entry.passed_on(status);
    Ok(())
}

/// There is no answer: the connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("the answer is withheld")]
    Withheld,
    #[error("the client gave up: {0}")]
    ClientGone(#[from] hyper::Error),
}

impl Way {
    /// # Errors
    /// The client shall get no answer, or is gone.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Passing>, NoAnswer> {
        let (parts, body) = request.into_parts();
        let head = Head { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
        let (beginning, rest) =
            if head.needs_body() { peek(body, PEEK_BYTES).await? } else { (Bytes::new(), Some(body)) };
        let mut call = Call::of(&head, &beginning);
        let body = Passing::new(Some(beginning.clone()), rest);
        let verdict = self.control.judge(&mut call, Instant::now());
        let agent = agent(&parts.headers);
        let mut entry = Entry::new(&self.log, &call, agent, body.counter());
        let json = parts.headers.contains_key("x-amz-target") || call.service == "backup";
        tokio::time::sleep(verdict.wait).await;
        match verdict.action {
            Action::Refuse => {
                entry.set(0, RequestOutcome::Refused);
                Err(NoAnswer::Withheld)
            }
            Action::Hang => {
                entry.set(0, RequestOutcome::Hung);
                tokio::time::sleep(HANG_FOR).await;
                Err(NoAnswer::Withheld)
            }
            Action::Throttle => {
                entry.set(0, RequestOutcome::Throttled);
                Ok(answer(throttled(&call, json), entry))
            }
            Action::Expire => {
                entry.set(0, RequestOutcome::Expired);
                Ok(answer(expired(&call, json), entry))
            }
            Action::Forward | Action::LoseReply => {
                let mut sprung = self.control.sprung(&call, agent);
                if let Some(early) = sprung.take_if(|sprung| sprung.catch == Catch::Before)
                    && early.hold(&call, agent).await == Release::Withhold
                {
                    entry.set(0, RequestOutcome::Refused);
                    return Err(NoAnswer::Withheld);
                }
                let played = self.control.global_answer(&call, &beginning);
                let own = match played.or_else(|| self.control.trail_answer(&call, &beginning)) {
                    Some(canned) => Some(canned),
                    None => self.of_vaults(&call, &parts.uri, &beginning).await,
                };
                let asked = Asked { call: &call, agent, verdict, sprung, own };
                self.forward(Request::from_parts(parts, body), asked, entry).await
            }
        }
    }

    async fn forward(
        &self,
        request: Request<Passing>,
        asked: Asked<'_>,
        mut entry: Entry,
    ) -> Result<Response<Passing>, NoAnswer> {
        let Asked { call, agent, verdict, sprung, own } = asked;
        if self.stands(call) {
            entry.set(0, RequestOutcome::Forwarded);
            return Ok(answer(cluster_exists(), entry));
        }
        if let Some(canned) = own {
            entry.answered(canned.status);
            delivered(sprung, (call, agent), &verdict, (&mut entry, canned.status)).await?;
            return Ok(answer(canned, entry));
        }
        let turn = self.lanes.alone(request.headers()).await;
        let place = self.lanes.enter(&call.service).await;
        let response = self.client.request(self.directed(request)).await;
        drop((place, turn));
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                entry.set(0, RequestOutcome::NoUpstream);
                return Ok(answer(no_upstream(&error.to_string()), entry));
            }
        };
        entry.answered(response.status().as_u16());
        if response.status().is_success() {
            self.remember(call);
        }
        delivered(sprung, (call, agent), &verdict, (&mut entry, response.status().as_u16())).await?;
        let (mut parts, body) = response.into_parts();
        strip(&mut parts.headers);
        let held = Kind::told(call).zip(verdict.settle);
        let replicas = call.resource.as_ref().filter(|_| call.operation == "DescribeTable");
        let replicas = replicas.and_then(|table| self.control.replicas(table));
        let reads = call.operation == "DescribeDBClusters"
            && call.resource.as_ref().is_some_and(|it| self.control.writes(&call.region, it) == Some(false));
        let otherwise = Otherwise { held, replicas, reads };
        let body = match otherwise.is_needed() && parts.status.is_success() {
            false => Passing::new(None, Some(body)),
            true => self.told_otherwise(call, otherwise, &mut parts.headers, body).await?,
        };
        let body = body.when_done(|bytes| entry.finish(bytes));
        Ok(Response::from_parts(parts, body))
    }

    /// The answer of AWS Backup, where it is played: what it restores the emulator restores.
    async fn of_vaults(&self, call: &Call, uri: &Uri, body: &[u8]) -> Option<Canned> {
        let (job, backup, table) = match self.control.vault_turn(call, uri, body)? {
            Turn::Answer(canned) => return Some(canned),
            Turn::Restore { job, backup, table } => (job, backup, table),
        };
        let request = restore_request(&call.region, &backup, &table)?;
        let failed = match self.client.request(self.directed(request)).await {
            Ok(response) if response.status().is_success() => {
                self.control.born(Kind::Table, &call.region, &table, Instant::now());
                None
            }
            Ok(response) => {
                let (said, _) = peek(response.into_body(), PEEK_BYTES).await.ok()?;
                Some(format!("DynamoDB answered: {}", String::from_utf8_lossy(&said)))
            }
            Err(error) => Some(error.to_string()),
        };
        Some(self.control.vault_restored(&job, failed))
    }

    /// What was made here, and what of it is gone again.
    fn remember(&self, call: &Call) {
        let Some(name) = &call.resource else { return };
        if let Some(kind) = Kind::created(call) {
            self.control.born(kind, &call.region, name, Instant::now());
        }
        if let Some(kind) = Kind::deleted(call) {
            self.control.gone(kind, &call.region, name);
        }
    }

    /// Whether a cluster is to be made under a name that one made here has already.
    fn stands(&self, call: &Call) -> bool {
        let cluster = Kind::created(call) == Some(Kind::Cluster);
        cluster && call.resource.as_ref().is_some_and(|name| self.control.exists(Kind::Cluster, &call.region, name))
    }

    /// The request as the emulator gets it.
    fn directed(&self, request: Request<Passing>) -> Request<Passing> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        // A path that was part of a valid address makes a valid one again.
        parts.uri = Uri::builder()
            .scheme("http")
            .authority(self.upstream.to_string())
            .path_and_query(path)
            .build()
            .unwrap_or_default();
        parts.version = Version::HTTP_11;
        strip(&mut parts.headers);
        Request::from_parts(parts, body)
    }

    /// An answer that is not the emulator's: what is new is still in creation, what is replicated has replicas.
    async fn told_otherwise(
        &self,
        call: &Call,
        Otherwise { held, replicas, reads }: Otherwise,
        headers: &mut HeaderMap,
        body: Incoming,
    ) -> Result<Passing, hyper::Error> {
        let (bytes, rest) = peek(body, HOLD_BACK_BYTES).await?;
        let text = std::str::from_utf8(&bytes).ok().filter(|_| rest.is_none());
        let held = text.zip(held).and_then(|(text, (kind, time))| {
            hold_back(kind, text, |name| self.control.is_young(kind, &call.region, name, time))
        });
        let told = replicas.and_then(|regions| with_replicas(held.as_deref().or(text)?, &regions));
        let told = told.or(held);
        let reading = if reads { told.as_deref().or(text).map(without_writer) } else { None };
        let Some(changed) = reading.or(told) else {
            return Ok(Passing::new(Some(bytes), rest));
        };
        // The checksum of the answer as it was; clients that know it would find the new one damaged.
        headers.remove("x-amz-crc32");
        headers.insert(CONTENT_LENGTH, HeaderValue::from(changed.len()));
        Ok(Passing::new(Some(changed.into()), None))
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in &PER_CONNECTION {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

fn answer(canned: Canned, mut entry: Entry) -> Response<Passing> {
    let outcome = entry.outcome();
    entry.set(canned.status, outcome);
    let body = Passing::new(Some(canned.body), None).when_done(|bytes| entry.finish(bytes));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(canned.status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(canned.content_type));
    response
}
