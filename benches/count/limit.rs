//! The limit: a socket a segment, prepared text, no signature, nothing repeated.

use std::process::ExitCode;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::SEGMENTS;
use crate::server::TABLE;

pub fn run(address: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let sum = runtime.block_on(async {
        let segments: Vec<_> = (0..SEGMENTS).map(|segment| tokio::spawn(count(address.to_owned(), segment))).collect();
        let mut sum = 0;
        for segment in segments {
            sum += segment.await.expect("a segment");
        }
        sum
    });
    println!("{sum}");
    ExitCode::SUCCESS
}

async fn count(address: String, segment: u32) -> u64 {
    let mut stream = TcpStream::connect(&address).await.expect("the server");
    stream.set_nodelay(true).expect("a socket");
    let (mut sum, mut from, mut read) = (0, String::new(), Vec::with_capacity(1 << 10));
    loop {
        let body = format!(
            "{{\"TableName\":\"{TABLE}\",\"Select\":\"COUNT\",\"Segment\":{segment},\"TotalSegments\":{SEGMENTS}{from}}}"
        );
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nhost: {address}\r\nx-amz-target: DynamoDB_20120810.Scan\r\n");
        let request = format!("{head}content-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("a request");
        read.clear();
        let page = loop {
            assert!(stream.read_buf(&mut read).await.expect("an answer") > 0, "the server closed a connection");
            if let Some(page) = whole(&read) {
                break page;
            }
        };
        sum += page["Count"].as_u64().expect("a count");
        match page["LastEvaluatedKey"]["id"]["N"].as_str() {
            Some(last) => from = format!(",\"ExclusiveStartKey\":{{\"id\":{{\"N\":\"{last}\"}}}}"),
            None => return sum,
        }
    }
}

/// The page, once all of it is there.
fn whole(read: &[u8]) -> Option<serde_json::Value> {
    let head = memmem::find(read, b"\r\n\r\n")?;
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(read));
    serde_json::from_slice(&read[head + 4..]).ok()
}
