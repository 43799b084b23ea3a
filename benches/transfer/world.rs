//! The server in its process, and what is asked of it besides S3.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The server. It ends with this.
pub struct S3 {
    process: Child,
    address: String,
}

/// What the server was asked since `zero`.
#[derive(Clone, Copy)]
pub struct Stats {
    pub requests: u64,
    pub connections: u64,
    /// Answers of 503.
    pub slowed: u64,
}

impl S3 {
    pub fn start() -> Self {
        let myself = std::env::current_exe().expect("this program");
        let mut server = Command::new(myself);
        let server = server.args(["--serve", "0"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = server.spawn().expect("a server");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let port = line.trim().strip_prefix("listening ").expect("a port");
        Self { process, address: format!("127.0.0.1:{port}") }
    }

    /// `HOST:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks for `/_admin/…`.
    pub fn admin(&self, what: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("the server");
        let request = format!("GET /_admin/{what} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        assert!(head.starts_with("HTTP/1.1 200"), "{what}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }

    pub fn stats(&self) -> Stats {
        let told = self.admin("stats");
        let number = |name: &str| told[name].as_u64().expect("a number");
        Stats { requests: number("total"), connections: number("connections"), slowed: number("slowed") }
    }

    /// How often it was asked for one operation since `zero`.
    pub fn asked(&self, operation: &str) -> u64 {
        self.admin("stats")["requests"][operation].as_u64().unwrap_or_default()
    }

    /// What a bucket holds, to be compared.
    pub fn held(&self, bucket: &str) -> Value {
        self.admin(&format!("count?bucket={bucket}"))
    }

    /// What it held at a time, in seconds since 1970.
    pub fn held_at(&self, bucket: &str, at: i64) -> Value {
        self.admin(&format!("count?bucket={bucket}&at={at}"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
