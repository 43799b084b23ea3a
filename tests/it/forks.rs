//! Copies of an emulated world: each goes its own way, and none outlives its owner.

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use lifeboat::aws::Session;
use lifeboat::rehearse::{EmulatorOptions, Forkable};

use crate::harness;

async fn buckets(endpoint: &str) -> Vec<String> {
    let found = Session::emulated("us-east-1", endpoint).s3().list_buckets().send().await.expect("buckets");
    found.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect()
}

async fn make(endpoint: &str, bucket: &str) {
    Session::emulated("us-east-1", endpoint).s3().create_bucket().bucket(bucket).send().await.expect("a bucket");
}

#[tokio::test]
async fn copies_of_a_world_hold_what_it_held_and_then_go_their_own_ways() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = EmulatorOptions {
        program: harness::moto(),
        dir: dir.path().to_owned(),
        port: None,
        account: harness::ACCOUNT.to_owned(),
    };
    let original = Forkable::start(&options, dir.path()).await.expect("an emulator");
    make(&original.endpoint(), "before").await;
    let large = vec![7; 8 * 1024 * 1024];
    let s3 = Session::emulated("us-east-1", &original.endpoint()).s3();
    s3.put_object().bucket("before").key("large").body(ByteStream::from(large.clone())).send().await.expect("put");

    let (one, other) = (original.fork().await.expect("a copy"), original.fork().await.expect("a copy"));
    make(&one.endpoint(), "only-in-one").await;
    make(&original.endpoint(), "only-in-the-original").await;
    assert_eq!(buckets(&one.endpoint()).await, ["before", "only-in-one"]);
    assert_eq!(buckets(&other.endpoint()).await, ["before"]);
    // Read at the same time: the copies share no position in any file.
    let read = async |endpoint: String| {
        let s3 = Session::emulated("us-east-1", &endpoint).s3();
        let object = s3.get_object().bucket("before").key("large").send().await.expect("an object");
        object.body.collect().await.expect("a body").into_bytes()
    };
    let (here, there) = tokio::join!(read(one.endpoint()), read(other.endpoint()));
    assert!(here == large && there == large);

    let address = one.address();
    drop(one);
    let began = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "the copy lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(buckets(&other.endpoint()).await, ["before"], "the other one is not touched by that");
}
