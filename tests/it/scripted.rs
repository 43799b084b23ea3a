//! An AWS endpoint that answers what a test says: for answers that the emulator never gives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use lifeboat::aws::Session;
use tokio::task::JoinSet;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: hyper::HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What a test answers.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl From<(u16, String)> for Reply {
    fn from((status, body): (u16, String)) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

/// A server that ends with this value.
pub struct Scripted {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _server: JoinSet<()>,
}

impl Scripted {
    /// `answer` gives a reply, or status and body.
    pub async fn start<R: Into<Reply>>(answer: impl Fn(&Asked) -> R + Send + Sync + 'static) -> Self {
        let answer = move |asked: &Asked| answer(asked).into();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                let service = service_fn(move |request| serve(request, Arc::clone(&log), Arc::clone(&answer)));
                let http = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move { http.serve_connection(TokioIo::new(stream), service).await.ok() });
            }
        });
        Self { address, asked, _server: server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn session(&self, region: &str) -> Session {
        Session::emulated(region, &self.url())
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve<F>(
    request: Request<Incoming>,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<F>,
) -> Result<Response<Full<Bytes>>, hyper::Error>
where
    F: Fn(&Asked) -> Reply,
{
    let (parts, body) = request.into_parts();
    let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let asked = Asked { method: parts.method.to_string(), target, headers: parts.headers, body };
    let reply = answer(&asked);
    log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).expect("a status");
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    Ok(response)
}
