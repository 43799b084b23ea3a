//! S3 Batch Operations: jobs that copy a list of objects, and their reports (Amazon S3 API: "CreateJob", "DescribeJob"; Amazon S3
//! User Guide: "Copy objects", "Specifying a manifest", "Examples: S3 Batch Operations completion reports").

use std::collections::BTreeMap;

use aws_sdk_s3control::types::{
    JobManifest, JobManifestFieldName, JobManifestFormat, JobManifestLocation, JobManifestSpec, JobOperation,
    JobReport, JobReportFormat, JobReportScope, S3CopyObjectOperation,
};
use serde::Deserialize;

use super::s3::{encoded, read};
use super::{AwsError, Session, explain};

/// How much of a report's list is read: reasons repeat themselves.
const REPORT_BYTES: i64 = 64 << 10;
const REPORT_INDEX_BYTES: u64 = 1 << 20;

/// A job that copies what a list names into a bucket.
#[derive(Clone, Copy, Debug)]
pub struct CopyJob<'a> {
    pub account: &'a str,
    /// The same token never makes a second job.
    pub token: &'a str,
    pub role: &'a str,
    pub target: &'a str,
    pub description: &'a str,
    /// Where list and report are.
    pub reports: &'a str,
    pub list_key: &'a str,
    /// Of the list, without quotes.
    pub list_etag: &'a str,
    pub report_prefix: &'a str,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobState {
    /// `Preparing`, `Active`, `Complete`, `Failed`, …
    pub status: String,
    pub tasks: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub reasons: Vec<String>,
}

/// One line of a list: bucket and key, the key percent-encoded.
pub fn line(bucket: &str, key: &str) -> String {
    format!("{bucket},{}\n", encoded(key))
}

/// Begins a job; it needs no confirmation. Metadata, headers and tags are the source's, encryption is the target bucket's default.
///
/// # Errors
/// AWS refused.
pub async fn create(session: &Session, job: CopyJob<'_>) -> Result<String, AwsError> {
    const OPERATION: &str = "s3:CreateJob";
    let broken = |error: String| AwsError { operation: OPERATION, code: None, message: error, transient: false };
    // China and GovCloud are partitions of their own, which the role's ARN names.
    let partition = job.role.split(':').nth(1).unwrap_or("aws");
    let arn = |path: String| format!("arn:{partition}:s3:::{path}");
    let spec = JobManifestSpec::builder()
        .format(JobManifestFormat::S3BatchOperationsCsv20180820)
        .fields(JobManifestFieldName::Bucket)
        .fields(JobManifestFieldName::Key)
        .build()
        .map_err(|error| broken(error.to_string()))?;
    let location = JobManifestLocation::builder()
        .object_arn(arn(format!("{}/{}", job.reports, job.list_key)))
        .e_tag(job.list_etag)
        .build()
        .map_err(|error| broken(error.to_string()))?;
    let copy = S3CopyObjectOperation::builder().target_resource(arn(job.target.to_owned())).build();
    let report = JobReport::builder()
        .bucket(arn(job.reports.to_owned()))
        .prefix(job.report_prefix)
        .format(JobReportFormat::ReportCsv20180820)
        .report_scope(JobReportScope::FailedTasksOnly)
        .enabled(true)
        .build();
    let made = session
        .s3_control()
        .create_job()
        .account_id(job.account)
        .client_request_token(job.token)
        .confirmation_required(false)
        .description(job.description)
        .priority(10)
        .role_arn(job.role)
        .manifest(JobManifest::builder().spec(spec).location(location).build())
        .operation(JobOperation::builder().s3_put_object_copy(copy).build())
        .report(report)
        .send()
        .await
        .map_err(explain(OPERATION))?;
    made.job_id.ok_or_else(|| broken("the answer names no job".to_owned()))
}

/// How far it is; `None` where S3 does not know it (any more).
///
/// # Errors
/// AWS refused.
pub async fn describe(session: &Session, account: &str, id: &str) -> Result<Option<JobState>, AwsError> {
    let answer = session.s3_control().describe_job().account_id(account).job_id(id).send().await;
    let job = match answer.map_err(explain("s3:DescribeJob")) {
        Ok(answer) => answer.job,
        Err(error) if error.is_any(&["NoSuchJob", "NotFoundException"]) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(job) = job else { return Ok(None) };
    let tasks = job.progress_summary.as_ref();
    let count = |number: Option<i64>| number.and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
    let reason = |code: Option<&str>, text: Option<&str>| format!("{}: {}", code.unwrap_or("?"), text.unwrap_or("?"));
    Ok(Some(JobState {
        status: job.status.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
        tasks: count(tasks.and_then(|it| it.total_number_of_tasks())),
        succeeded: count(tasks.and_then(|it| it.number_of_tasks_succeeded())),
        failed: count(tasks.and_then(|it| it.number_of_tasks_failed())),
        reasons: job.failure_reasons().iter().map(|it| reason(it.failure_code(), it.failure_reason())).collect(),
    }))
}

#[derive(Deserialize)]
struct ReportIndex {
    #[serde(rename = "Results", default)]
    results: Vec<ReportPart>,
}

#[derive(Deserialize)]
struct ReportPart {
    #[serde(rename = "Key")]
    key: String,
}

/// Why tasks of a job failed, by the codes of the first lines of its report; empty where there is no report.
///
/// # Errors
/// AWS refused.
pub async fn failures(
    session: &Session,
    bucket: &str,
    prefix: &str,
    id: &str,
) -> Result<BTreeMap<String, u64>, AwsError> {
    let index = read(session, bucket, &format!("{prefix}/job-{id}/manifest.json"), REPORT_INDEX_BYTES).await?;
    let parts = index.and_then(|index| serde_json::from_slice::<ReportIndex>(&index.bytes).ok());
    let Some(part) = parts.and_then(|index| index.results.into_iter().next()) else { return Ok(BTreeMap::new()) };
    let answer = session.s3().get_object().bucket(bucket).key(part.key).range(format!("bytes=0-{}", REPORT_BYTES - 1));
    let answer = answer.send().await.map_err(explain("s3:GetObject"))?;
    let lines = answer.body.collect().await.map_err(|error| AwsError {
        operation: "s3:GetObject",
        code: None,
        message: error.to_string(),
        transient: true,
    })?;
    Ok(codes(&String::from_utf8_lossy(&lines.into_bytes())))
}

/// Bucket, key, version, status, code, HTTP status, message: no field before the message holds a comma, because keys are
/// percent-encoded. The last line may be cut.
fn codes(lines: &str) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for line in lines.lines() {
        if let [_, _, _, status, code, ..] = line.split(',').map(|it| it.trim_matches('"')).collect::<Vec<_>>()[..]
            && status == "failed"
        {
            *codes.entry(code.to_owned()).or_default() += 1;
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_holds_any_key() {
        let key = "a,b\"c\nd+e%f/ü";
        assert_eq!(line("logs", key), "logs,a%2Cb%22c%0Ad%2Be%25f/%C3%BC\n");
    }

    #[test]
    fn a_report_is_counted_by_its_codes() {
        let report = "b,k%2C1,,failed,AccessDenied,403,\"no, not you\"\nb,k2,,failed,AccessDenied,403,x\nb,k3,,succeeded,,200,\nb,k4,,fail";
        assert_eq!(codes(report), BTreeMap::from([("AccessDenied".to_owned(), 2)]));
    }
}
