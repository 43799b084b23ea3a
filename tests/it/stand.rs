//! The stack that a rehearsal of a breach begins with, built by the real Terraform in the emulator.

use lifeboat::manifest;
use lifeboat::rehearse::breach::{Site, stand};
use lifeboat::rehearse::{example, private_environment};

use crate::harness::emulator;

#[tokio::test]
#[ignore = "a minute or more of Terraform: make slow"]
async fn the_example_stands_in_its_primary_region() {
    let emulator = emulator().await;
    let dir = emulator.dir.path();
    let environments = example::write(&dir.join("example")).expect("the example");
    let manifest = manifest::load(&environments, example::ENVIRONMENT).expect("a manifest");
    let here = emulator.session(&manifest.primary.name);
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(manifest.primary.name.as_str().into())
        .build();
    let bucket = here.s3().create_bucket().bucket(&manifest.primary.backend.bucket);
    bucket.create_bucket_configuration(place).send().await.expect("a state bucket");
    let user: Vec<_> = std::env::vars_os().collect();
    let environment = private_environment(&user, &emulator.endpoint(), dir);
    let binary = std::env::var("LIFEBOAT_TF_BIN").ok();
    let work = dir.join("stand");
    std::fs::create_dir(&work).expect("a folder");
    let endpoint = emulator.endpoint();
    let site = Site { dir: &work, endpoint: &endpoint, environment: &environment, binary: binary.as_deref() };
    stand(&manifest, site).await.expect("it stands");
    let tables = here.dynamodb().list_tables().send().await.expect("tables");
    assert_eq!(tables.table_names(), ["streaming-logs-metadata-prod"]);
    let clusters = here.rds().describe_db_clusters().send().await.expect("clusters");
    assert_eq!(clusters.db_clusters()[0].db_cluster_identifier(), Some("streaming-logs-aurora-prod"));
}
