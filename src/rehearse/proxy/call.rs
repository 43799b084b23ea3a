//! Which AWS operation a request is: service and region from its signature, the operation from where its protocol
//! puts it. Pure.
//!
//! The rules are those of "AWS Signature Version 4 for API requests" (credential scope) and of the Smithy protocols:
//! awsJson names the operation in `X-Amz-Target`, awsQuery and ec2Query in the form field `Action`, rpcv2Cbor in the
//! path, restXml and restJson by method and path.

use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::{rest, urlencoded};

/// JSON bodies up to this size are looked into for the resource that they are about.
const JSON_PEEK_BYTES: u64 = 16 * 1024;
/// Where JSON protocols name the resource, in order of preference.
const JSON_NAMES: [&str; 4] = ["TargetTableName", "TableName", "DatabaseName", "DeliveryStreamName"];
/// Where query protocols name the resource, in order of preference.
const FORM_NAMES: [&str; 7] = [
    "DBInstanceIdentifier",
    "TargetDBClusterSnapshotIdentifier",
    "DBClusterSnapshotIdentifier",
    "DBClusterIdentifier",
    "DBSubnetGroupName",
    "RoleName",
    "UserName",
];

/// A request as AWS would log it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The name that requests are signed with: `rds`, `s3`, `monitoring`; `-` for an unsigned request.
    pub service: String,
    /// `DescribeDBClusters`; `GET /path` where the protocol tells no name.
    pub operation: String,
    /// The region that the request is signed for; `-` for an unsigned request.
    pub region: String,
    /// Bucket, table, cluster or the like, where it is easily seen.
    pub resource: Option<String>,
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
}

impl Head<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn is_form(&self) -> bool {
        let kind = self.header(CONTENT_TYPE.as_str());
        kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    }

    /// Whether the body's beginning has to be known before [`Call::of`] can tell what it is.
    pub fn needs_body(&self) -> bool {
        let length = self.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
        let small_json = self.header("x-amz-target").is_some() && length.is_some_and(|bytes| bytes <= JSON_PEEK_BYTES);
        self.is_form() || small_json || (self.method == Method::PUT && self.uri.path() == rest::RESTORE_JOBS)
    }
}

impl Call {
    /// `body` is the beginning of the body, or nothing where [`Head::needs_body`] says that it is not needed.
    pub fn of(head: &Head<'_>, body: &[u8]) -> Self {
        let (region, service) = scope(head).unwrap_or_else(|| ("-".to_owned(), "-".to_owned()));
        let query = head.uri.query().unwrap_or_default();
        let path = head.uri.path();
        if let Some(target) = head.header("x-amz-target") {
            let operation = target.rsplit('.').next().unwrap_or(target).to_owned();
            return Self { service, operation, region, resource: named_in_json(body) };
        }
        if let Some((_, operation)) = path.strip_prefix("/service/").and_then(|rest| rest.split_once("/operation/")) {
            return Self { service, operation: operation.to_owned(), region, resource: None };
        }
        let form = if head.is_form() { body } else { query.as_bytes() };
        if let Some(operation) = urlencoded::field(form, "Action") {
            let resource = FORM_NAMES.iter().find_map(|name| urlencoded::field(form, name));
            return Self { service, operation, region, resource };
        }
        let rest = match service.as_str() {
            "s3" | "-" if !path.starts_with("/v20180820/") => {
                let copies = head.headers.contains_key("x-amz-copy-source");
                rest::s3(head.method, head.header(HOST.as_str()).unwrap_or_default(), path, query, copies)
            }
            "route53" => rest::route53(head.method, path),
            "backup" => rest::backup(head.method, path, body),
            _ => None,
        };
        let (operation, resource) = rest.unwrap_or_else(|| (fallback(head.method, path), None));
        Self { service, operation, region, resource }
    }
}

fn fallback(method: &Method, path: &str) -> String {
    let path: String = path.chars().take(120).collect();
    format!("{method} {path}")
}

/// Region and service of the credential scope `KEY/DATE/REGION/SERVICE/aws4_request`, from the header or, for presigned
/// requests, the query.
fn scope(head: &Head<'_>) -> Option<(String, String)> {
    let credential = match head.header(AUTHORIZATION.as_str()) {
        Some(header) => header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned(),
        None => urlencoded::field(head.uri.query()?.as_bytes(), "X-Amz-Credential")?,
    };
    // The access key may hold slashes in principle; the scope is counted from the end.
    let mut parts = credential.rsplit('/');
    let _aws4_request = parts.next()?;
    let service = parts.next()?.to_owned();
    let region = parts.next()?.to_owned();
    Some((region, service))
}

fn named_in_json(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    JSON_NAMES.iter().find_map(|name| body.get(name)?.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Call {
        let request = headers
            .iter()
            .fold(hyper::Request::builder().method(method).uri(uri), |request, (name, value)| {
                request.header(*name, *value)
            })
            .body(())
            .expect("a request");
        let head = Head { method: request.method(), uri: request.uri(), headers: request.headers() };
        Call::of(&head, body.as_bytes())
    }

    fn signed(region: &str, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20261122/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn json_operations_are_named_by_their_target() {
        let authorization = signed("us-east-1", "dynamodb");
        let headers =
            [("authorization", authorization.as_str()), ("x-amz-target", "DynamoDB_20120810.RestoreTableFromBackup")];
        let body = r#"{"TargetTableName":"metadata-dr","BackupArn":"arn:x"}"#;
        let expected = Call {
            service: "dynamodb".into(),
            operation: "RestoreTableFromBackup".into(),
            region: "us-east-1".into(),
            resource: Some("metadata-dr".into()),
        };
        assert_eq!(call("POST", "/", &headers, body), expected);
    }

    #[test]
    fn query_operations_are_named_in_the_form() {
        let authorization = signed("eu-west-2", "rds");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ];
        let body = "Action=RestoreDBClusterFromSnapshot&Version=2014-10-31&DBClusterIdentifier=logs%2Ddr";
        let expected = Call {
            service: "rds".into(),
            operation: "RestoreDBClusterFromSnapshot".into(),
            region: "eu-west-2".into(),
            resource: Some("logs-dr".into()),
        };
        assert_eq!(call("POST", "/", &headers, body), expected);
    }

    #[test]
    fn cbor_operations_are_named_in_the_path() {
        let authorization = signed("us-east-1", "monitoring");
        let headers = [("authorization", authorization.as_str()), ("smithy-protocol", "rpc-v2-cbor")];
        let call = call("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm", &headers, "");
        assert_eq!((call.service.as_str(), call.operation.as_str()), ("monitoring", "PutMetricAlarm"));
    }

    #[test]
    fn presigned_requests_tell_their_region_in_the_query() {
        let uri = "/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261122%2Feu-west-2%2Fs3%2Faws4_request";
        let call = call("GET", uri, &[("host", "127.0.0.1:1")], "");
        assert_eq!((call.region.as_str(), call.operation.as_str()), ("eu-west-2", "GetObject"));
    }

    #[test]
    fn restores_of_aws_backup_are_named_by_what_they_make() {
        let authorization = signed("us-east-1", "backup");
        let headers = [("authorization", authorization.as_str())];
        let made = call("PUT", "/restore-jobs", &headers, r#"{"Metadata":{"targetTableName":"metadata-dr"}}"#);
        assert_eq!((made.operation.as_str(), made.resource.as_deref()), ("StartRestoreJob", Some("metadata-dr")));
        let listed =
            call("GET", "/resources/arn%3Aaws%3Adynamodb%3Aeu-west-2%3A1%3Atable%2Ft/recovery-points", &headers, "");
        assert_eq!(listed.operation, "ListRecoveryPointsByResource");
    }

    #[test]
    fn other_rest_services_fall_back_to_method_and_path() {
        let authorization = signed("us-east-1", "lambda");
        let call = call("GET", "/2015-03-31/functions?MaxItems=1", &[("authorization", &authorization)], "");
        assert_eq!(call.operation, "GET /2015-03-31/functions");
    }
}
