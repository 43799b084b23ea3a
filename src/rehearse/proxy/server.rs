//! The proxy's listener and its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::Control;
use super::forward::Way;
use super::lanes::Lanes;
use super::record::RequestLog;
use crate::rehearse::RehearseError;

/// More clients than this wait until one leaves.
const CONNECTIONS: usize = 512;
/// How long connections may take to end when the proxy stops.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Idle connections to the emulator, each of which is a thread there.
const IDLE_UPSTREAM: usize = 32;

/// How a proxy is started.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    pub upstream: SocketAddr,
    /// Where records go: `requests.jsonl`. It is appended to.
    pub log: PathBuf,
    /// The port to listen on; any free one if none is given.
    pub port: Option<u16>,
}

/// A running proxy; it ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    control: Arc<Control>,
    log: Arc<RequestLog>,
    stop: watch::Sender<bool>,
    listener: JoinHandle<()>,
}

impl Proxy {
    /// # Errors
    /// The port is taken, or the record cannot be written.
    pub async fn start(options: &ProxyOptions) -> Result<Self, RehearseError> {
        let port = options.port.unwrap_or(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match options.port {
            Some(port) => RehearseError::PortTaken { port },
            None => RehearseError::Io { what: "no free port on 127.0.0.1".to_owned(), source },
        })?;
        let address = listener.local_addr().map_err(RehearseError::io("the proxy has no address"))?;
        let log = RequestLog::create(&options.log)
            .map_err(RehearseError::io(format!("cannot write {}", options.log.display())))?;
        let log = Arc::new(log);
        let control = Arc::new(Control::default());
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(IDLE_UPSTREAM)
            .build_http();
        let (lanes, upstream) = (Lanes::default(), options.upstream);
        let way = Way { upstream, client, control: Arc::clone(&control), log: Arc::clone(&log), lanes };
        let (stop, stopping) = watch::channel(false);
        let listener = tokio::spawn(accept(listener, Arc::new(way), stopping));
        Ok(Self { address, control, log, stop, listener })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// Ends it, after what is under way if that is quick. All records are in the file then.
    ///
    /// # Errors
    /// A record could not be written, so the file is no proof of anything.
    pub async fn stop(mut self) -> Result<(), RehearseError> {
        self.stop.send_replace(true);
        if tokio::time::timeout(STOP_WITHIN, &mut self.listener).await.is_err() {
            self.listener.abort();
            (&mut self.listener).await.ok();
        }
        match self.log.failure() {
            Some(source) => Err(RehearseError::Io { what: "a request could not be recorded".to_owned(), source }),
            None => Ok(()),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, way: Arc<Way>, mut stopping: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = next => {
                // An error is about the client that it failed for, or about too many open files: both pass.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let serving = serve(stream, Arc::clone(&way), stopping.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            _ = stopping.changed() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, way: Arc<Way>, mut stopping: watch::Receiver<bool>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| Arc::clone(&way).handle(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is in the records of its requests.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await.ok();
        }
    }
}
