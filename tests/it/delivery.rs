//! A marked record through a Firehose stream, in a failover as the operator starts it. The emulator delivers at once and never
//! compresses.

use aws_sdk_firehose::types::{CompressionFormat, ExtendedS3DestinationConfiguration};

use crate::state_custody::Tiny;

const CHECK: &str = r#"
check "pipeline" {
  timeout = "6s"
  firehose {
    stream = "logs"
    record = "{\"message\": \"{mark}\", \"level\": \"info\"}"
  }
}
"#;

async fn site(bucket: &str, compression: CompressionFormat) -> Tiny {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(CHECK);
    let session = tiny.moto.session("us-east-1");
    session.s3().create_bucket().bucket("delivered").send().await.expect("a bucket");
    let destination = ExtendedS3DestinationConfiguration::builder()
        .bucket_arn(format!("arn:aws:s3:::{bucket}"))
        .role_arn("arn:aws:iam::123456789012:role/delivery")
        .prefix("raw/")
        .compression_format(compression);
    let stream = session.firehose().create_delivery_stream().delivery_stream_name("logs");
    let stream = stream.extended_s3_destination_configuration(destination.build().expect("a destination"));
    stream.send().await.expect("a stream");
    tiny
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marked_record_arrives_in_the_bucket_that_the_stream_delivers_to() {
    let tiny = site("delivered", CompressionFormat::Uncompressed).await;
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    let s3 = tiny.moto.session("us-east-1").s3();
    let listed = s3.list_objects_v2().bucket("delivered").prefix("raw/").send().await.expect("a listing");
    let [object] = listed.contents() else { panic!("{listed:?}") };
    let content =
        s3.get_object().bucket("delivered").key(object.key().expect("a key")).send().await.expect("an object");
    let content = content.body.collect().await.expect("its bytes").to_vec();
    let content: serde_json::Value = serde_json::from_slice(&content).expect("JSON");
    let mark = content["message"].as_str().expect("the mark");
    assert!(mark.starts_with(&format!("lifeboat-{}-", tiny.run())) && content["level"] == "info", "{content}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_arrive_fails_the_check_and_what_cannot_be_read_is_said() {
    let tiny = site("delivered", CompressionFormat::Gzip).await;
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("is not in delivered after 6 s; objects that came meanwhile: 1, none with it"), "{said}");
    let packed = site("delivered", CompressionFormat::Snappy).await;
    let (code, said) = packed.failover().await;
    assert_eq!((code, said.contains("compresses by Snappy, which is not read")), (Some(5), true), "{said}");
    let none = Tiny::with_root("").await;
    none.write_manifest(CHECK);
    let (code, said) = none.failover().await;
    assert_eq!((code, said.contains("there is no stream logs")), (Some(5), true), "{said}");
    none.write_manifest(&CHECK.replace("{mark}", "mark"));
    let (code, _, said) = none.lifeboat(&["plan", "failover", "tiny"]).await;
    assert_eq!((code, said.contains("the record cannot be told from others")), (Some(2), true), "{said}");
}
