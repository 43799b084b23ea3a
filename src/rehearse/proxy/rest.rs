//! The names of operations of S3, Route 53 and AWS Backup, which their protocols (restXml, restJson) tell only by method and
//! path. Pure.
//!
//! From the "Amazon S3 API Reference", the "Amazon Route 53 API Reference" and the "AWS Backup API Reference".

use hyper::Method;

use super::urlencoded;

/// Query parameters that make a request one about a part of a bucket, with the operation's noun.
const BUCKET_PARTS: [(&str, &str); 23] = [
    ("accelerate", "BucketAccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("analytics", "BucketAnalyticsConfiguration"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("intelligent-tiering", "BucketIntelligentTieringConfiguration"),
    ("inventory", "BucketInventoryConfiguration"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("location", "BucketLocation"),
    ("logging", "BucketLogging"),
    ("metadataTable", "BucketMetadataTableConfiguration"),
    ("metrics", "BucketMetricsConfiguration"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("replication", "BucketReplication"),
    ("requestPayment", "BucketRequestPayment"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
    ("website", "BucketWebsite"),
];

/// Query parameters that make a request one about a part of an object.
const OBJECT_PARTS: [(&str, &str); 6] = [
    ("acl", "ObjectAcl"),
    ("attributes", "ObjectAttributes"),
    ("legal-hold", "ObjectLegalHold"),
    ("retention", "ObjectRetention"),
    ("tagging", "ObjectTagging"),
    ("torrent", "ObjectTorrent"),
];

/// Operation and bucket of an S3 request; `copies` says whether it has an `x-amz-copy-source`.
pub fn s3(method: &Method, host: &str, path: &str, query: &str, copies: bool) -> Option<(String, Option<String>)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = match bucket_in_host(host) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    let has = |name: &str| urlencoded::names(query).any(|known| known == name);
    let operation = match (bucket.is_empty(), key.is_empty()) {
        (true, _) if method == Method::GET => "ListBuckets".to_owned(),
        (true, _) => return None,
        (false, true) => bucket_operation(method, has, query)?,
        (false, false) => object_operation(method, has, copies)?,
    };
    let bucket = (!bucket.is_empty()).then(|| urlencoded::decode(bucket.as_bytes()));
    Some((operation, bucket))
}

fn bucket_operation(method: &Method, has: impl Fn(&str) -> bool, query: &str) -> Option<String> {
    if let Some((_, noun)) = BUCKET_PARTS.iter().find(|(name, _)| has(name)) {
        return part_operation(method, noun);
    }
    let version_two = urlencoded::field(query.as_bytes(), "list-type").as_deref() == Some("2");
    let operation = match method.as_str() {
        "GET" if has("versions") => "ListObjectVersions",
        "GET" if has("uploads") => "ListMultipartUploads",
        "GET" if has("session") => "CreateSession",
        "GET" if version_two => "ListObjectsV2",
        "GET" => "ListObjects",
        "HEAD" => "HeadBucket",
        "PUT" => "CreateBucket",
        "DELETE" => "DeleteBucket",
        "POST" if has("delete") => "DeleteObjects",
        _ => return None,
    };
    Some(operation.to_owned())
}

fn object_operation(method: &Method, has: impl Fn(&str) -> bool, copies: bool) -> Option<String> {
    if let Some((_, noun)) = OBJECT_PARTS.iter().find(|(name, _)| has(name)) {
        return part_operation(method, noun);
    }
    let operation = match method.as_str() {
        "GET" if has("uploadId") => "ListParts",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" if has("uploadId") && copies => "UploadPartCopy",
        "PUT" if has("uploadId") => "UploadPart",
        "PUT" if copies => "CopyObject",
        "PUT" => "PutObject",
        "POST" if has("uploads") => "CreateMultipartUpload",
        "POST" if has("uploadId") => "CompleteMultipartUpload",
        "POST" if has("restore") => "RestoreObject",
        "POST" if has("select") => "SelectObjectContent",
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        _ => return None,
    };
    Some(operation.to_owned())
}

fn part_operation(method: &Method, noun: &str) -> Option<String> {
    let verb = match method.as_str() {
        "GET" => "Get",
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => return None,
    };
    Some(format!("{verb}{noun}"))
}

/// The bucket of a virtual-hosted request: `bucket.s3.eu-west-2.amazonaws.com`, `bucket.localhost`. Addresses and bare
/// endpoints have none ("Virtual hosting of buckets").
fn bucket_in_host(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    let at = host.find(".s3.").or_else(|| host.find(".s3-")).or_else(|| host.rfind(".localhost"))?;
    Some(&host[..at])
}

/// Where restores are begun.
pub const RESTORE_JOBS: &str = "/restore-jobs";

/// Operation of a request to AWS Backup, and the table that a restore makes; of those that lifeboat uses.
pub fn backup(method: &Method, path: &str, body: &[u8]) -> Option<(String, Option<String>)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let operation = match (method.as_str(), parts.as_slice()) {
        ("GET", ["resources", _, "recovery-points"]) => "ListRecoveryPointsByResource",
        ("GET", ["backup-vaults", _, "recovery-points", _]) => "DescribeRecoveryPoint",
        ("PUT", ["restore-jobs"]) => "StartRestoreJob",
        ("GET", ["restore-jobs"]) => "ListRestoreJobs",
        ("GET", ["restore-jobs", _]) => "DescribeRestoreJob",
        ("GET", ["restore-jobs", _, "metadata"]) => "GetRestoreJobMetadata",
        _ => return None,
    };
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let table = body.and_then(|body| Some(body["Metadata"]["targetTableName"].as_str()?.to_owned()));
    Some((operation.to_owned(), table))
}

/// Operation and zone or health check of a Route 53 request.
pub fn route53(method: &Method, path: &str) -> Option<(String, Option<String>)> {
    let rest = path.trim_matches('/').strip_prefix("2013-04-01/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    let operation = match (method.as_str(), parts.as_slice()) {
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("POST", ["hostedzone", _]) => "UpdateHostedZoneComment",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["hostedzone", _, "dnssec"]) => "GetDNSSEC",
        ("GET", ["change", _]) => "GetChange",
        ("GET", ["healthcheck"]) => "ListHealthChecks",
        ("POST", ["healthcheck"]) => "CreateHealthCheck",
        ("GET", ["healthcheck", _]) => "GetHealthCheck",
        ("POST", ["healthcheck", _]) => "UpdateHealthCheck",
        ("DELETE", ["healthcheck", _]) => "DeleteHealthCheck",
        ("GET", ["tags", _, _]) => "ListTagsForResource",
        ("POST", ["tags", _, _]) => "ChangeTagsForResource",
        ("GET", ["testdnsanswer"]) => "TestDNSAnswer",
        _ => return None,
    };
    let resource = parts.iter().skip_while(|part| **part == "tags").nth(1).map(|id| (*id).to_owned());
    Some((operation.to_owned(), resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3_operation(method: &str, path_and_query: &str, copies: bool) -> String {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        s3(&method, "127.0.0.1:5000", path, query, copies).map_or_else(|| "-".to_owned(), |(name, _)| name)
    }

    #[test]
    fn s3_operations_are_told_by_method_path_and_query() {
        let cases = [
            ("GET", "/", false, "ListBuckets"),
            ("PUT", "/b", false, "CreateBucket"),
            ("HEAD", "/b", false, "HeadBucket"),
            ("GET", "/b?list-type=2&prefix=a%2F", false, "ListObjectsV2"),
            ("GET", "/b/?versions", false, "ListObjectVersions"),
            ("GET", "/b?prefix=versions", false, "ListObjects"),
            ("PUT", "/b?versioning", false, "PutBucketVersioning"),
            ("GET", "/b?publicAccessBlock=", false, "GetPublicAccessBlock"),
            ("POST", "/b?delete", false, "DeleteObjects"),
            ("GET", "/b/k?x-id=GetObject", false, "GetObject"),
            ("HEAD", "/b/a/b%20c", false, "HeadObject"),
            ("PUT", "/b/k", false, "PutObject"),
            ("PUT", "/b/k", true, "CopyObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", false, "UploadPart"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", true, "UploadPartCopy"),
            ("POST", "/b/k?uploads", false, "CreateMultipartUpload"),
            ("POST", "/b/k?uploadId=u", false, "CompleteMultipartUpload"),
            ("DELETE", "/b/k?uploadId=u", false, "AbortMultipartUpload"),
            ("PUT", "/b/k?tagging", false, "PutObjectTagging"),
            ("DELETE", "/b/k?versionId=v", false, "DeleteObject"),
        ];
        for (method, path, copies, expected) in cases {
            assert_eq!(s3_operation(method, path, copies), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_bucket_is_found_in_the_path_and_in_the_host() {
        let bucket = |host: &str, path: &str| s3(&Method::GET, host, path, "", false).and_then(|(_, bucket)| bucket);
        assert_eq!(bucket("127.0.0.1:5000", "/logs/key").as_deref(), Some("logs"));
        assert_eq!(bucket("logs.s3.eu-west-2.amazonaws.com", "/key").as_deref(), Some("logs"));
        assert_eq!(bucket("logs.localhost:5000", "/key").as_deref(), Some("logs"));
        assert_eq!(bucket("s3.eu-west-2.amazonaws.com", "/logs/key").as_deref(), Some("logs"));
    }

    #[test]
    fn route53_operations_are_told_by_method_and_path() {
        let name = |method: Method, path: &str| route53(&method, path).map(|(name, _)| name);
        assert_eq!(name(Method::POST, "/2013-04-01/hostedzone/Z1/rrset/").as_deref(), Some("ChangeResourceRecordSets"));
        assert_eq!(name(Method::GET, "/2013-04-01/hostedzone/Z1/rrset").as_deref(), Some("ListResourceRecordSets"));
        assert_eq!(name(Method::GET, "/2013-04-01/change/C1").as_deref(), Some("GetChange"));
        assert_eq!(name(Method::GET, "/2013-04-01/hostedzonesbyname").as_deref(), Some("ListHostedZonesByName"));
        assert_eq!(name(Method::GET, "/2013-04-01/somethingelse"), None);
    }
}
