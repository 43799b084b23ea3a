//! What closes a bucket: its policy, and what of its public access is blocked.

use aws_sdk_s3::types::PublicAccessBlockConfiguration;

use super::in_bucket;
use crate::aws::{AwsError, Session, explain};
use crate::containment::PublicAccess;

/// A bucket's policy (S3 API: "GetBucketPolicy").
///
/// # Errors
/// AWS refused.
pub async fn bucket_policy(session: &Session, bucket: &str) -> Result<Option<String>, AwsError> {
    let answer = session.s3().get_bucket_policy().bucket(bucket).send().await;
    match answer.map_err(explain("s3:GetBucketPolicy")) {
        Ok(answer) => Ok(answer.policy),
        Err(error) if error.is("NoSuchBucketPolicy") => Ok(None),
        Err(error) => Err(in_bucket(bucket)(error)),
    }
}

/// Writes it, or takes it away (S3 API: "PutBucketPolicy", "DeleteBucketPolicy").
///
/// # Errors
/// AWS refused.
pub async fn set_bucket_policy(session: &Session, bucket: &str, policy: Option<&str>) -> Result<(), AwsError> {
    let s3 = session.s3();
    let done = match policy {
        Some(policy) => {
            let put = s3.put_bucket_policy().bucket(bucket).policy(policy).send().await;
            put.map(drop).map_err(explain("s3:PutBucketPolicy"))
        }
        None => {
            let delete = s3.delete_bucket_policy().bucket(bucket).send().await;
            delete.map(drop).map_err(explain("s3:DeleteBucketPolicy"))
        }
    };
    done.map_err(in_bucket(bucket))
}

/// What of a bucket's public access is blocked by the bucket's own setting; `None` where there is none (S3 API:
/// "GetPublicAccessBlock").
///
/// # Errors
/// AWS refused.
pub async fn public_access(session: &Session, bucket: &str) -> Result<Option<PublicAccess>, AwsError> {
    let answer = session.s3().get_public_access_block().bucket(bucket).send().await;
    let answer = match answer.map_err(explain("s3:GetBucketPublicAccessBlock")) {
        Ok(answer) => answer,
        Err(error) if error.is("NoSuchPublicAccessBlockConfiguration") => return Ok(None),
        Err(error) => return Err(in_bucket(bucket)(error)),
    };
    Ok(answer.public_access_block_configuration.map(|it| PublicAccess {
        block_public_acls: it.block_public_acls().unwrap_or_default(),
        ignore_public_acls: it.ignore_public_acls().unwrap_or_default(),
        block_public_policy: it.block_public_policy().unwrap_or_default(),
        restrict_public_buckets: it.restrict_public_buckets().unwrap_or_default(),
    }))
}

/// Writes it, or takes it away (S3 API: "PutPublicAccessBlock", "DeletePublicAccessBlock").
///
/// # Errors
/// AWS refused.
pub async fn set_public_access(session: &Session, bucket: &str, access: Option<&PublicAccess>) -> Result<(), AwsError> {
    let s3 = session.s3();
    // One permission is asked for both.
    let operation = "s3:PutBucketPublicAccessBlock";
    let done = match access {
        Some(access) => {
            let blocked = PublicAccessBlockConfiguration::builder()
                .block_public_acls(access.block_public_acls)
                .ignore_public_acls(access.ignore_public_acls)
                .block_public_policy(access.block_public_policy)
                .restrict_public_buckets(access.restrict_public_buckets);
            let put = s3.put_public_access_block().bucket(bucket);
            put.public_access_block_configuration(blocked.build()).send().await.map(drop).map_err(explain(operation))
        }
        None => s3.delete_public_access_block().bucket(bucket).send().await.map(drop).map_err(explain(operation)),
    };
    done.map_err(in_bucket(bucket))
}
