//! How a bucket is set, as S3 tells it: who may reach it, and where its objects go by themselves. Reads only.

use serde_json::Value;

use crate::aws::{Answer, AwsError, Session, explain};

/// A setting of a bucket.
#[derive(Clone, Debug)]
pub struct Setting {
    /// As the S3 API calls it: `BucketPolicy`.
    pub name: &'static str,
    /// `None` where the bucket has none; an error where S3 does not say.
    pub value: Result<Option<Value>, AwsError>,
}

/// What S3 answers where a bucket has no such setting (S3 API: "Error responses").
const NONE: [&str; 7] = [
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchWebsiteConfiguration",
    "OwnershipControlsNotFoundError",
    "ReplicationConfigurationNotFoundError",
];

/// Asks for one setting of a bucket, and keeps all of the answer.
macro_rules! setting {
    ($session:expr, $bucket:expr, $call:ident, $name:literal, $operation:literal) => {{
        let answer = Answer::default();
        let asked = $session.s3().$call().bucket($bucket).customize().interceptor(answer.clone()).send().await;
        let value = match asked.map(drop).map_err(explain($operation)) {
            Ok(()) => answer.json($operation).map(Some),
            Err(error) if error.is_any(&NONE) => Ok(None),
            Err(error) => Err(error),
        };
        Setting { name: $name, value }
    }};
}

/// What decides who reaches a bucket, and what is done with its objects, in the words of the S3 API reference. Each is asked for by
/// itself, so that one that is denied hides no other.
pub async fn settings(session: &Session, bucket: &str) -> Vec<Setting> {
    vec![
        setting!(session, bucket, get_bucket_policy, "BucketPolicy", "s3:GetBucketPolicy"),
        setting!(session, bucket, get_public_access_block, "PublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
        setting!(session, bucket, get_bucket_acl, "BucketAcl", "s3:GetBucketAcl"),
        setting!(session, bucket, get_bucket_ownership_controls, "OwnershipControls", "s3:GetBucketOwnershipControls"),
        setting!(session, bucket, get_bucket_replication, "Replication", "s3:GetReplicationConfiguration"),
        setting!(session, bucket, get_bucket_notification_configuration, "Notification", "s3:GetBucketNotification"),
        setting!(session, bucket, get_bucket_lifecycle_configuration, "Lifecycle", "s3:GetLifecycleConfiguration"),
        setting!(session, bucket, get_bucket_logging, "Logging", "s3:GetBucketLogging"),
        setting!(session, bucket, get_bucket_cors, "Cors", "s3:GetBucketCORS"),
        setting!(session, bucket, get_bucket_website, "Website", "s3:GetBucketWebsite"),
    ]
}
