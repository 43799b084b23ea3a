//! The IAM policy that a rehearsed scenario needs: an action for every operation that was recorded, and what AWS asks for besides
//! with some of them. Pure: records in, a policy out.
//!
//! Resources are left open, because names of a rehearsal are not those of an account; regions are not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::proxy::{GLOBAL_SERVICES, RequestRecord};

/// Operations that nobody needs a permission for (AWS STS API: "GetCallerIdentity").
const FREE: [(&str, &str); 1] = [("sts", "GetCallerIdentity")];
/// Whose requests are signed for a region that says nothing of where they act: a bucket may be anywhere.
const ANYWHERE: [&str; 2] = ["s3", "sts"];

/// Actions that are not called as their operation is (Amazon S3 User Guide: "Required permissions for Amazon S3 API operations").
const S3: [(&str, &[&str]); 28] = [
    ("AbortMultipartUpload", &["AbortMultipartUpload"]),
    ("CompleteMultipartUpload", &["PutObject"]),
    ("CopyObject", &["GetObject", "GetObjectTagging", "GetObjectVersion", "PutObject", "PutObjectTagging"]),
    ("CreateMultipartUpload", &["PutObject"]),
    ("DeleteObject", &["DeleteObject", "DeleteObjectVersion"]),
    ("DeleteObjects", &["DeleteObject", "DeleteObjectVersion"]),
    ("DeletePublicAccessBlock", &["PutBucketPublicAccessBlock"]),
    ("GetBucketAccelerateConfiguration", &["GetAccelerateConfiguration"]),
    ("GetBucketCors", &["GetBucketCORS"]),
    ("GetBucketEncryption", &["GetEncryptionConfiguration"]),
    ("GetBucketLifecycleConfiguration", &["GetLifecycleConfiguration"]),
    ("GetBucketNotificationConfiguration", &["GetBucketNotification"]),
    ("GetBucketReplication", &["GetReplicationConfiguration"]),
    ("GetObject", &["GetObject", "GetObjectVersion"]),
    ("GetObjectLockConfiguration", &["GetBucketObjectLockConfiguration"]),
    ("GetPublicAccessBlock", &["GetBucketPublicAccessBlock"]),
    ("HeadBucket", &["ListBucket"]),
    ("HeadObject", &["GetObject", "GetObjectVersion"]),
    ("ListBuckets", &["ListAllMyBuckets"]),
    ("ListObjectVersions", &["ListBucketVersions"]),
    ("ListObjects", &["ListBucket"]),
    ("ListObjectsV2", &["ListBucket"]),
    ("ListParts", &["ListMultipartUploadParts"]),
    ("PutBucketEncryption", &["PutEncryptionConfiguration"]),
    ("PutBucketNotificationConfiguration", &["PutBucketNotification"]),
    ("PutPublicAccessBlock", &["PutBucketPublicAccessBlock"]),
    ("UploadPart", &["PutObject"]),
    ("UploadPartCopy", &["GetObject", "GetObjectVersion", "PutObject"]),
];

/// What is needed besides: for a restore (DynamoDB Developer Guide: "Using IAM with DynamoDB backup and restore"), for a role that is
/// handed to a service (IAM User Guide: "Grant a user permissions to pass a role to an AWS service"), and for tags that go with a
/// request that creates (the services' pages in the Service Authorization Reference).
const BESIDES: [(&str, &str, &[&str]); 23] = [
    ("athena", "CreateWorkGroup", &["athena:TagResource"]),
    ("cloudwatch", "PutMetricAlarm", &["cloudwatch:TagResource"]),
    ("dynamodb", "CreateTable", &["dynamodb:TagResource"]),
    ("dynamodb", "RestoreTableFromBackup", ITEMS),
    ("dynamodb", "RestoreTableToPointInTime", ITEMS),
    ("ec2", "CreateSecurityGroup", &["ec2:CreateTags"]),
    ("ec2", "CreateSubnet", &["ec2:CreateTags"]),
    ("ec2", "CreateVpc", &["ec2:CreateTags"]),
    ("firehose", "CreateDeliveryStream", &["firehose:TagDeliveryStream", "iam:PassRole"]),
    ("glue", "CreateDatabase", &["glue:TagResource"]),
    ("iam", "CreateRole", &["iam:TagRole"]),
    ("lambda", "CreateFunction", &["iam:PassRole", "lambda:TagResource"]),
    ("logs", "CreateLogGroup", &["logs:TagResource"]),
    ("logs", "PutSubscriptionFilter", &["iam:PassRole"]),
    ("rds", "CopyDBClusterSnapshot", &["rds:AddTagsToResource"]),
    ("rds", "CreateDBClusterParameterGroup", &["rds:AddTagsToResource"]),
    ("rds", "CreateDBClusterSnapshot", &["rds:AddTagsToResource"]),
    ("rds", "CreateDBInstance", &["rds:AddTagsToResource"]),
    ("rds", "CreateDBSubnetGroup", &["rds:AddTagsToResource"]),
    ("rds", "RestoreDBClusterFromSnapshot", &["rds:AddTagsToResource"]),
    ("rds", "RestoreDBClusterToPointInTime", &["rds:AddTagsToResource"]),
    ("secretsmanager", "CreateSecret", &["secretsmanager:TagResource"]),
    ("sns", "CreateTopic", &["sns:TagResource"]),
];

const ITEMS: &[&str] = &[
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
];

/// The policy: for each service the actions, in the regions that were asked.
pub fn policy(records: &[RequestRecord]) -> Value {
    let mut services: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for record in records {
        let (service, operation) = (prefix(&record.service), record.operation.as_str());
        if service == "-" || operation.is_empty() || FREE.contains(&(service, operation)) {
            continue;
        }
        for action in actions(service, operation) {
            let of = action.split(':').next().unwrap_or(service).to_owned();
            let (actions, regions) = services.entry(of).or_default();
            actions.insert(action);
            regions.insert(record.region.clone());
        }
    }
    let statements: Vec<Value> = services.into_iter().map(|(service, it)| statement(&service, it)).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn statement(service: &str, (actions, regions): (BTreeSet<String>, BTreeSet<String>)) -> Value {
    // "Sid" takes letters and digits (IAM User Guide: "IAM JSON policy elements: Sid").
    let sid: String = service.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*" });
    if !GLOBAL_SERVICES.contains(&service) && !ANYWHERE.contains(&service) {
        statement["Condition"] = json!({ "StringEquals": { "aws:RequestedRegion": regions } });
    }
    statement
}

/// What IAM calls a service that signs otherwise.
fn prefix(service: &str) -> &str {
    match service {
        "monitoring" => "cloudwatch",
        other => other,
    }
}

fn actions(service: &str, operation: &str) -> Vec<String> {
    let named = S3.iter().find(|(name, _)| service == "s3" && *name == operation);
    let mut actions: Vec<String> = match named {
        Some((_, actions)) => actions.iter().map(|action| format!("s3:{action}")).collect(),
        None => vec![format!("{service}:{operation}")],
    };
    let besides = BESIDES.iter().filter(|(of, name, _)| *of == service && *name == operation);
    actions.extend(besides.flat_map(|(_, _, more)| more.iter().map(|action| (*action).to_owned())));
    actions
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::rehearse::proxy::RequestOutcome;

    fn record(service: &str, operation: &str, region: &str) -> RequestRecord {
        RequestRecord {
            time: Timestamp::UNIX_EPOCH,
            service: service.into(),
            operation: operation.into(),
            region: region.into(),
            resource: None,
            agent: "lifeboat".into(),
            status: 200,
            outcome: RequestOutcome::Forwarded,
            lost_status: None,
            duration_ms: 0,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    #[test]
    fn every_operation_becomes_its_action_in_the_regions_that_were_asked() {
        let records = [
            record("monitoring", "PutMetricAlarm", "us-east-1"),
            record("s3", "ListObjectsV2", "us-east-1"),
            record("s3", "GetBucketVersioning", "us-east-1"),
            record("dynamodb", "DescribeTable", "us-east-1"),
            record("dynamodb", "DescribeTable", "eu-west-2"),
            record("logs", "PutSubscriptionFilter", "us-east-1"),
            record("sts", "GetCallerIdentity", "us-east-1"),
        ];
        let policy = policy(&records);
        let statement = |sid: &str| {
            let found = policy["Statement"].as_array().and_then(|all| all.iter().find(|it| it["Sid"] == sid));
            found.unwrap_or_else(|| panic!("{sid}: {policy}")).clone()
        };
        assert_eq!(statement("cloudwatch")["Action"], json!(["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"]));
        assert_eq!(statement("s3")["Action"], json!(["s3:GetBucketVersioning", "s3:ListBucket"]));
        assert_eq!(statement("s3")["Condition"], Value::Null, "a bucket may be anywhere");
        let regions = &statement("dynamodb")["Condition"]["StringEquals"]["aws:RequestedRegion"];
        assert_eq!(*regions, json!(["eu-west-2", "us-east-1"]));
        assert_eq!(statement("iam")["Action"], json!(["iam:PassRole"]), "a role is handed to the service");
        assert!(!policy.to_string().contains("GetCallerIdentity"), "{policy}");
    }
}
