//! The buckets: for Terraform's state in both regions, for exports, and those that the old locations name.

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};

use super::Regions;
use crate::aws::{AwsError, Session, explain};
use crate::manifest::{CatalogSource, Manifest};

/// A bucket of the world before the outage and the region that it lives in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Home {
    pub bucket: String,
    pub region: String,
}

/// All buckets that stand before the outage; each once, the recovery region's first. Pure.
pub fn homes(manifest: &Manifest) -> Vec<Home> {
    let away = &manifest.primary.name;
    let in_recovery = manifest.buckets.iter().map(|bucket| bucket.source.clone());
    let exports = manifest.catalogs.iter().filter_map(|catalog| match &catalog.from {
        CatalogSource::Export(uri) => bucket_of(uri),
        CatalogSource::Replica(_) | CatalogSource::Version(_) => None,
    });
    let old = manifest.catalogs.iter().flat_map(|catalog| catalog.locations.keys()).filter_map(|uri| bucket_of(uri));
    let here = [manifest.recovery.backend.bucket.clone()].into_iter().chain(in_recovery).chain(exports);
    let here = here.map(|bucket| (bucket, manifest.recovery.name.clone()));
    let away = [manifest.primary.backend.bucket.clone()].into_iter().chain(old).map(|bucket| (bucket, away.clone()));
    let mut homes: Vec<Home> = Vec::new();
    for (bucket, region) in here.chain(away) {
        if !homes.iter().any(|home| home.bucket == bucket) {
            homes.push(Home { bucket, region });
        }
    }
    homes
}

/// The bucket of `s3://bucket/key`.
pub fn bucket_of(uri: &str) -> Option<String> {
    let bucket = uri.strip_prefix("s3://")?.split('/').next()?;
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

/// Makes the buckets, with versions.
///
/// # Errors
/// The emulator refused.
pub async fn build(homes: &[Home], regions: &Regions) -> Result<(), AwsError> {
    for home in homes {
        make_bucket(regions.of(&home.region), &home.bucket).await?;
    }
    Ok(())
}

async fn make_bucket(session: &Session, bucket: &str) -> Result<(), AwsError> {
    // The S3 API has no name for us-east-1 here: it is what a bucket without a constraint gets ("CreateBucket").
    let place = (session.region() != "us-east-1").then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(session.region()))
            .build()
    });
    let s3 = session.s3();
    s3.create_bucket()
        .bucket(bucket)
        .set_create_bucket_configuration(place)
        .send()
        .await
        .map_err(explain("s3:CreateBucket"))?;
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning()
        .bucket(bucket)
        .versioning_configuration(versions)
        .send()
        .await
        .map_err(explain("s3:PutBucketVersioning"))?;
    Ok(())
}
