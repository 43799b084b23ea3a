//! Plays AWS Backup for tables: the emulator has vaults, but neither recovery points nor restores. A recovery point that is played
//! stands for a backup of the emulator's DynamoDB, and restoring it restores that one: the items of the restored table are real, the
//! job, its time and its end are played. Pure but for what it remembers.
//!
//! The shapes are those of the AWS Backup API: "ListRecoveryPointsByResource", "DescribeRecoveryPoint", "StartRestoreJob",
//! "DescribeRestoreJob", "ListRestoreJobs", "GetRestoreJobMetadata". Pages are not played: an answer is always the whole.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hyper::{Request, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Call;
use super::answers::Canned;
use super::body::Passing;
use super::urlencoded::{decode, field};

/// A recovery point that is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultPoint {
    pub arn: String,
    pub vault: String,
    /// ARN of the table that it is said to be of.
    pub resource: String,
    /// ARN of the emulator's backup that it stands for.
    pub backup: String,
    /// `COMPLETED`, `CREATING`, `EXPIRED`, …
    pub status: String,
    /// `WARM` or `COLD`.
    pub storage_class: String,
    pub created_at: Timestamp,
    pub bytes: u64,
}

#[derive(Debug)]
struct Job {
    id: String,
    token: String,
    point: VaultPoint,
    role: String,
    metadata: Value,
    since: Instant,
    created_at: Timestamp,
    /// ARN of the table that it makes.
    makes: String,
    failed: Option<String>,
}

/// What is played, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Vaults {
    pub points: Vec<VaultPoint>,
    /// How long a restore takes.
    pub takes: Duration,
    /// What every restore comes to, where not to its end.
    pub fails: Option<String>,
    /// Operations that nobody may use.
    pub denied: BTreeSet<String>,
    jobs: Vec<Job>,
}

/// What is done with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Answer(Canned),
    /// The emulator restores its backup as that table; `job` is told how that went.
    Restore {
        job: String,
        backup: String,
        table: String,
    },
}

impl Vaults {
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub fn forget_tokens(&mut self) {
        self.jobs.iter_mut().for_each(|job| job.token.clear());
    }

    /// What is done with a request to AWS Backup; `None` of what the emulator answers, as of vaults and plans.
    pub fn turn(&mut self, call: &Call, uri: &Uri, body: &[u8]) -> Option<Turn> {
        if self.denied.contains(&call.operation) {
            let message = format!("User is not authorized to perform: backup:{}", call.operation);
            return Some(Turn::Answer(refused(403, "AccessDeniedException", &message)));
        }
        let parts: Vec<String> = uri.path().split('/').skip(1).map(|part| decode(part.as_bytes())).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let query = uri.query().unwrap_or_default().as_bytes();
        Some(Turn::Answer(match (call.operation.as_str(), parts.as_slice()) {
            ("ListRecoveryPointsByResource", [_, resource, ..]) => {
                let points = self.points.iter().filter(|point| point.resource == *resource);
                told(&json!({ "RecoveryPoints": points.map(listed).collect::<Vec<_>>() }))
            }
            ("DescribeRecoveryPoint", [_, vault, _, arn, ..]) => {
                let found = self.points.iter().find(|point| point.vault == *vault && point.arn == *arn);
                found.map_or_else(|| missing("recovery point", arn), |point| told(&described(point)))
            }
            ("StartRestoreJob", _) => return Some(self.start(body, &call.region)),
            ("ListRestoreJobs", _) => {
                let after = field(query, "createdAfter").and_then(|at| at.parse::<Timestamp>().ok());
                let jobs = self.jobs.iter().filter(|job| after.is_none_or(|after| job.created_at > after));
                told(&json!({ "RestoreJobs": jobs.map(|job| self.job(job)).collect::<Vec<_>>() }))
            }
            ("DescribeRestoreJob", [_, id, ..]) => self.of(id, |job| self.job(job)),
            ("GetRestoreJobMetadata", [_, id, ..]) => {
                self.of(id, |job| json!({ "RestoreJobId": job.id, "Metadata": job.metadata }))
            }
            _ => return None,
        }))
    }

    /// What the emulator made of a restore; the answer to the request.
    pub fn restored(&mut self, id: &str, failed: Option<String>) -> Canned {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            job.failed = failed;
        }
        told(&json!({ "RestoreJobId": id }))
    }

    fn start(&mut self, body: &[u8], region: &str) -> Turn {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
        let (token, role, metadata) = (text("IdempotencyToken"), text("IamRoleArn"), request["Metadata"].clone());
        let again = self.jobs.iter().find(|job| !token.is_empty() && job.token == token);
        if let Some(again) = again {
            return Turn::Answer(told(&json!({ "RestoreJobId": again.id })));
        }
        let Some(point) = self.points.iter().find(|point| point.arn == text("RecoveryPointArn")).cloned() else {
            return Turn::Answer(missing("recovery point", &text("RecoveryPointArn")));
        };
        let table = metadata["targetTableName"].as_str().unwrap_or_default().to_owned();
        if table.is_empty() || role.is_empty() {
            let message = "IamRoleArn and the name of the new table are needed";
            return Turn::Answer(refused(400, "MissingParameterValueException", message));
        }
        let id = format!("00000000-0000-4000-8000-{:012}", self.jobs.len() + 1);
        let account = point.arn.split(':').nth(4).unwrap_or_default();
        let makes = format!("arn:aws:dynamodb:{region}:{account}:table/{table}");
        let (since, created_at, backup) = (Instant::now(), Timestamp::now(), point.backup.clone());
        let failed = self.fails.clone();
        self.jobs.push(Job { id: id.clone(), token, point, role, metadata, since, created_at, makes, failed });
        match self.fails {
            Some(_) => Turn::Answer(told(&json!({ "RestoreJobId": id }))),
            None => Turn::Restore { job: id, backup, table },
        }
    }

    fn of(&self, id: &str, tell: impl FnOnce(&Job) -> Value) -> Canned {
        let job = self.jobs.iter().find(|job| job.id == id);
        job.map_or_else(|| missing("restore job", id), |job| told(&tell(job)))
    }

    fn job(&self, job: &Job) -> Value {
        let mut told = json!({
            "RestoreJobId": job.id, "RecoveryPointArn": job.point.arn, "IamRoleArn": job.role,
            "CreationDate": seconds(job.created_at), "ResourceType": "DynamoDB", "Status": "RUNNING", "PercentDone": "30.00%",
            "SourceResourceArn": job.point.resource,
        });
        let done = job.since.elapsed() >= self.takes;
        if job.failed.is_some() || done {
            told["Status"] = json!(if job.failed.is_some() { "FAILED" } else { "COMPLETED" });
            told["CompletionDate"] = json!(seconds(Timestamp::now().min(job.created_at + self.takes.min(LONGEST))));
            told["PercentDone"] = json!(if job.failed.is_some() { "0.00%" } else { "100.00%" });
        }
        match &job.failed {
            Some(message) => told["StatusMessage"] = json!(message),
            None if done => told["CreatedResourceArn"] = json!(job.makes),
            None => {}
        }
        told
    }
}

/// What the emulator is asked for in the place of AWS Backup.
pub(super) fn restore_request(region: &str, backup: &str, table: &str) -> Option<Request<Passing>> {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=rehearsal/20260101/{region}/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
    );
    let body = json!({ "BackupArn": backup, "TargetTableName": table }).to_string();
    let request = Request::post("/").header("authorization", scope);
    let request = request.header("content-type", "application/x-amz-json-1.0").header("content-length", body.len());
    let request = request.header("x-amz-target", "DynamoDB_20120810.RestoreTableFromBackup");
    request.body(Passing::new(Some(body.into()), None)).ok()
}

/// Longer than any rehearsal.
const LONGEST: Duration = Duration::from_secs(1_000_000);

fn listed(point: &VaultPoint) -> Value {
    json!({
        "RecoveryPointArn": point.arn, "BackupVaultName": point.vault, "Status": point.status,
        "CreationDate": seconds(point.created_at), "BackupSizeBytes": point.bytes,
    })
}

fn described(point: &VaultPoint) -> Value {
    json!({
        "RecoveryPointArn": point.arn, "BackupVaultName": point.vault, "Status": point.status,
        "CreationDate": seconds(point.created_at), "BackupSizeInBytes": point.bytes, "ResourceArn": point.resource,
        "ResourceType": "DynamoDB", "StorageClass": point.storage_class,
    })
}

/// As times are written here: seconds since 1970, with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of our time fit")]
fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

fn told(value: &Value) -> Canned {
    Canned { status: 200, content_type: "application/json", body: value.to_string().into() }
}

fn missing(what: &str, name: &str) -> Canned {
    refused(400, "ResourceNotFoundException", &format!("there is no {what} {name}"))
}

fn refused(status: u16, code: &str, message: &str) -> Canned {
    let body = json!({ "__type": code, "message": message, "Message": message });
    Canned { status, content_type: "application/json", body: body.to_string().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str = "arn:aws:backup:us-east-1:1:recovery-point:1";

    fn vaults() -> Vaults {
        let point = VaultPoint {
            arn: POINT.into(),
            vault: "dr".into(),
            resource: "arn:aws:dynamodb:eu-west-2:1:table/t".into(),
            backup: "arn:aws:dynamodb:us-east-1:1:table/t/backup/1".into(),
            status: "COMPLETED".into(),
            storage_class: "WARM".into(),
            created_at: Timestamp::UNIX_EPOCH,
            bytes: 1,
        };
        Vaults { points: vec![point], ..Vaults::default() }
    }

    fn turn(vaults: &mut Vaults, operation: &str, path: &'static str, body: &Value) -> Turn {
        let call =
            Call { service: "backup".into(), operation: operation.into(), region: "us-east-1".into(), resource: None };
        vaults.turn(&call, &Uri::from_static(path), body.to_string().as_bytes()).expect("it is played")
    }

    fn json(turn: Turn) -> (u16, Value) {
        let Turn::Answer(canned) = turn else { panic!("{turn:?}") };
        (canned.status, serde_json::from_slice(&canned.body).expect("JSON"))
    }

    #[test]
    fn a_restore_is_begun_once_for_a_token_and_goes_on_until_its_time_is_over() {
        let mut vaults = vaults();
        vaults.takes = Duration::from_secs(600);
        let request = json!({ "RecoveryPointArn": POINT, "IamRoleArn": "arn:aws:iam::1:role/r", "IdempotencyToken": "a",
                              "Metadata": { "targetTableName": "t-dr" } });
        let begun = turn(&mut vaults, "StartRestoreJob", "/restore-jobs", &request);
        let Turn::Restore { job, table, .. } = begun else { panic!("{begun:?}") };
        assert_eq!(table, "t-dr");
        vaults.restored(&job, None);
        let (_, again) = json(turn(&mut vaults, "StartRestoreJob", "/restore-jobs", &request));
        assert_eq!((again["RestoreJobId"].as_str(), vaults.jobs()), (Some(job.as_str()), 1));
        let (_, jobs) = json(turn(&mut vaults, "ListRestoreJobs", "/restore-jobs", &json!({})));
        assert_eq!(jobs["RestoreJobs"][0]["Status"], "RUNNING");
        vaults.takes = Duration::ZERO;
        let path = "/restore-jobs/00000000-0000-4000-8000-000000000001";
        let (_, done) = json(turn(&mut vaults, "DescribeRestoreJob", path, &json!({})));
        assert_eq!(
            (&done["Status"], &done["CreatedResourceArn"]),
            (&json!("COMPLETED"), &json!("arn:aws:dynamodb:us-east-1:1:table/t-dr"))
        );
    }

    #[test]
    fn points_are_listed_by_their_resource_and_denied_operations_are_denied() {
        let mut vaults = vaults();
        let path = "/resources/arn%3Aaws%3Adynamodb%3Aeu-west-2%3A1%3Atable%2Ft/recovery-points";
        let (_, points) = json(turn(&mut vaults, "ListRecoveryPointsByResource", path, &json!({})));
        assert_eq!(points["RecoveryPoints"][0]["RecoveryPointArn"], POINT);
        let other = "/resources/arn%3Aaws%3Adynamodb%3Aeu-west-2%3A1%3Atable%2Fu/recovery-points";
        let (_, none) = json(turn(&mut vaults, "ListRecoveryPointsByResource", other, &json!({})));
        assert_eq!(none["RecoveryPoints"], json!([]));
        vaults.denied.insert("ListRecoveryPointsByResource".into());
        let (status, _) = json(turn(&mut vaults, "ListRecoveryPointsByResource", path, &json!({})));
        assert_eq!(status, 403);
    }
}
