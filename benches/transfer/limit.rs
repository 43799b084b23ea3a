//! The limit: the least that any client needs. Sockets that stay open, prepared text, one request in flight on each, and
//! a signature for every request. It lists the source, then copies everything; nothing is compared, nothing is repeated.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::encoded;

const DATE: &str = "20260101T000000Z";
const SCOPE: &str = "20260101/us-east-1/s3/aws4_request";

/// `HOST:PORT SOURCE TARGET CONNECTIONS`
pub fn run(words: &[&str]) -> ExitCode {
    let [address, source, target, connections] = words else { return ExitCode::FAILURE };
    let connections = connections.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(copy(address, source, target, connections));
    ExitCode::SUCCESS
}

async fn copy(address: &str, source: &str, target: &str, connections: usize) {
    let signer = Arc::new(Signer::new("secret"));
    let keys: Arc<Vec<String>> = Arc::new(list(&mut Connection::open(address).await, &signer, source).await);
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..connections.min(keys.len())).map(|_| {
        let (address, source, target) = (address.to_owned(), source.to_owned(), target.to_owned());
        let (signer, keys, next) = (Arc::clone(&signer), Arc::clone(&keys), Arc::clone(&next));
        tokio::spawn(async move {
            let mut connection = Connection::open(&address).await;
            while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
                let headers = format!("content-length: 0\r\nif-none-match: *\r\nx-amz-copy-source: {source}/{key}\r\n");
                connection.ask(&signer, "PUT", &format!("/{target}/{key}"), &headers).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.expect("a copy");
    }
}

/// Every key of a bucket, as listings encode them.
async fn list(connection: &mut Connection, signer: &Signer, bucket: &str) -> Vec<String> {
    let (mut keys, mut token) = (Vec::new(), None);
    loop {
        let from = token.map(|token: String| format!("&continuation-token={}", encoded(&token))).unwrap_or_default();
        let path = format!("/{bucket}?list-type=2&encoding-type=url{from}");
        let page = connection.ask(signer, "GET", &path, "").await;
        keys.extend(
            page.split("<Key>").skip(1).filter_map(|it| it.split_once("</Key>")).map(|(key, _)| key.to_owned()),
        );
        let next = page.split_once("<NextContinuationToken>").and_then(|(_, it)| it.split_once('<'));
        match next {
            Some((next, _)) => token = Some(next.to_owned()),
            None => return keys,
        }
    }
}

/// One socket with what it has read.
struct Connection {
    stream: TcpStream,
    host: String,
    read: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, host: address.to_owned(), read: Vec::with_capacity(8 << 10) }
    }

    /// One request and the text of its answer, which must be of success.
    async fn ask(&mut self, signer: &Signer, method: &str, path: &str, headers: &str) -> String {
        let signature = signer.sign(method, path, &self.host, headers);
        let host = &self.host;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nx-amz-date: {DATE}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=bench/{SCOPE}, SignedHeaders=host;x-amz-date, \
             Signature={signature}\r\n{headers}\r\n"
        );
        self.stream.write_all(request.as_bytes()).await.expect("a request");
        self.read.clear();
        let body = loop {
            if let Some(end) = memmem::find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await;
        };
        let head = String::from_utf8_lossy(&self.read[..body]).into_owned();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let end = body + length.parse::<usize>().expect("a number");
        while self.read.len() < end {
            self.more().await;
        }
        String::from_utf8_lossy(&self.read[body..end]).into_owned()
    }

    async fn more(&mut self) {
        let bytes = self.stream.read_buf(&mut self.read).await.expect("an answer");
        assert!(bytes > 0, "the server closed a connection");
    }
}

/// Signature version 4 with its key at hand (IAM User Guide: "Create a signed AWS API request").
struct Signer {
    key: [u8; 32],
}

impl Signer {
    fn new(secret: &str) -> Self {
        let first = format!("AWS4{secret}");
        let words = SCOPE.split('/');
        let mut key = first.into_bytes();
        for word in words {
            key = hmac(&key, word.as_bytes()).to_vec();
        }
        Self { key: key.try_into().expect("32 bytes") }
    }

    fn sign(&self, method: &str, path: &str, host: &str, headers: &str) -> String {
        let request = format!("{method}\n{path}\n{host}\n{DATE}\n{headers}\nUNSIGNED-PAYLOAD");
        let hashed = hex(&Sha256::digest(request.as_bytes()).into());
        let text = format!("AWS4-HMAC-SHA256\n{DATE}\n{SCOPE}\n{hashed}");
        hex(&hmac(&self.key, text.as_bytes()))
    }
}

/// RFC 2104, for keys of at most a block.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let padded = |with: u8| -> [u8; 64] { std::array::from_fn(|at| key.get(at).copied().unwrap_or_default() ^ with) };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
