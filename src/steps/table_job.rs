//! The job of AWS Backup that restores a table. One job whatever happens: it is noted before it is asked for, looked for where
//! the answer was lost, and asked for again only with the same token. A job that failed is told with AWS's own words, and another
//! is begun only when the step is retried.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::table_settings::TableSettings;
use super::vault_point::{TARGET, VAULT, metadata};
use super::{APPEARS, Cx, Ready, StepError, deadline, wait_until};
use crate::aws::backup::{self, RestoreJob, RestoreRequest};
use crate::manifest::{Component, Table};

/// What is noted of the job.
const JOB: &str = "restore_job";
/// How far this machine's clock may be from AWS's: beyond that AWS takes no request (AWS: "Signature Version 4").
const CLOCKS: SignedDuration = SignedDuration::from_mins(15);

/// What is known of the job of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    /// Which job of this step it is: part of its token.
    ordinal: u32,
    asked_at: Timestamp,
    /// Its id, once AWS Backup has told it.
    job: Option<String>,
    /// Whether it came to nothing, which the operator was told.
    over: bool,
    /// Ids of those before it.
    past: Vec<String>,
}

/// Whether AWS Backup restores the chosen recovery point.
pub(super) fn restores(facts: &Value) -> bool {
    facts.get(VAULT).is_some()
}

/// The job that this run has asked for and that has not come to nothing, as far as AWS Backup tells of it.
///
/// # Errors
/// AWS Backup could not be asked.
pub(super) async fn of_run(cx: &Cx, table: &Table) -> Result<Option<RestoreJob>, StepError> {
    match noted(cx)? {
        Some(asked) if !asked.over => found(cx, table, &asked).await,
        _ => Ok(None),
    }
}

/// Whether a job has made a table, or is about to.
pub(super) fn made(job: &RestoreJob, table_arn: &str) -> bool {
    !failed(job) && job.created.as_deref().is_none_or(|created| created == table_arn)
}

/// How far a job is, as long as there is something to wait for: a table may show a moment after its job's end.
pub(super) fn under_way(job: &RestoreJob) -> Option<String> {
    let going_on = !failed(job) && !long_done(job, Timestamp::now());
    going_on.then(|| format!("restore job {} of AWS Backup: {}", job.id, state(job)))
}

/// Brings the run's job to its end: the one that there is, or another where there is none and the table is `absent`. Gives the
/// job, if there is one.
///
/// # Errors
/// The job failed or did not end in time, or AWS Backup refused.
pub(super) async fn run(
    cx: &Cx,
    table: &Table,
    wanted: &TableSettings,
    absent: bool,
) -> Result<Option<RestoreJob>, StepError> {
    let noted = noted(cx)?;
    let job = match &noted {
        Some(asked) if !asked.over => found(cx, table, asked).await?,
        _ => None,
    };
    // Whatever an older one has made is gone again where no table is.
    let job = job.filter(|job| !absent || !long_done(job, Timestamp::now()));
    let asked = match (noted, job) {
        (Some(asked), Some(job)) => Asked { job: Some(job.id), ..asked },
        (noted, _) if absent => ask(cx, table, wanted, next(noted, Timestamp::now())).await?,
        _ => return Ok(None),
    };
    note(cx, &asked).await?;
    ended(cx, table, asked).await.map(Some)
}

/// The request that is to be made after what was noted.
fn next(noted: Option<Asked>, now: Timestamp) -> Asked {
    match noted {
        None => Asked { ordinal: 1, asked_at: now, job: None, over: false, past: Vec::new() },
        // Nobody knows whether it arrived: the same once more.
        Some(asked) if !asked.over && asked.job.is_none() => asked,
        Some(mut asked) => {
            asked.past.extend(asked.job.take());
            Asked { ordinal: asked.ordinal + 1, asked_at: now, over: false, ..asked }
        }
    }
}

async fn ask(cx: &Cx, table: &Table, wanted: &TableSettings, asked: Asked) -> Result<Asked, StepError> {
    let role = table.aws_backup.as_ref().map(|access| access.role.clone());
    let role = role.ok_or_else(|| StepError::failed(format!("table \"{}\" names no backup_role", table.name)))?;
    let recovery_point = chosen(cx)?.to_owned();
    note(cx, &asked).await?;
    cx.status(format!("table {}: AWS Backup restores it from {recovery_point}", table.target));
    let token = format!("{}-{}-{}", cx.world.run, cx.step, asked.ordinal);
    let metadata = metadata(&table.target, wanted);
    let request = RestoreRequest { recovery_point, role: role.clone(), token, metadata };
    let id = backup::restore_table(&cx.world.aws, request).await.map_err(|error| {
        let hint = match error.code.as_deref() {
            Some("AccessDeniedException") => Some(format!(
                "allow backup:StartRestoreJob, and iam:PassRole of {role}, for the role that runs lifeboat; AWS Backup must be \
                 able to assume {role}"
            )),
            Some("ResourceNotFoundException") => {
                Some("the recovery point is gone since it was chosen: start a new run, which chooses another".to_owned())
            }
            _ => None,
        };
        let error = StepError::from(error);
        StepError { hint: hint.or(error.hint), ..error }
    })?;
    Ok(Asked { job: Some(id), ..asked })
}

/// The job as AWS Backup tells of it: by its id, or by what it was asked for where the answer was lost.
async fn found(cx: &Cx, table: &Table, asked: &Asked) -> Result<Option<RestoreJob>, StepError> {
    let session = &cx.world.aws;
    if let Some(id) = &asked.job {
        return Ok(backup::restore_job(session, id).await?);
    }
    let mut jobs =
        backup::table_restores(session, asked.asked_at.saturating_sub(CLOCKS).unwrap_or(asked.asked_at)).await?;
    let chosen = chosen(cx)?;
    jobs.retain(|job| job.recovery_point == chosen && !asked.past.contains(&job.id));
    jobs.sort_by_key(|job| std::cmp::Reverse(job.created_at));
    for job in jobs {
        let metadata = backup::job_metadata(session, &job.id).await?;
        if metadata.get(&TARGET.to_lowercase()) == Some(&table.target) {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Waits for the end of a job.
async fn ended(cx: &Cx, table: &Table, asked: Asked) -> Result<RestoreJob, StepError> {
    let id = asked.job.clone().unwrap_or_default();
    let what = format!("restore job {id} of AWS Backup for table {}", table.target);
    let began = Instant::now();
    let job = wait_until(cx, &what, deadline(cx, Component::Table), async || {
        match backup::restore_job(&cx.world.aws, &id).await? {
            Some(job) if failed(&job) || job.status == "COMPLETED" => Ok(Ready::Yes(job)),
            Some(job) => Ok(Ready::NotYet(state(&job))),
            None if began.elapsed() < APPEARS => Ok(Ready::NotYet("not told of yet".to_owned())),
            None => Err(StepError::failed(format!("{what} is not known there any more"))
                .hint("look whether the table is there, then retry the step: it begins another job where it is not")),
        }
    })
    .await?;
    if !failed(&job) {
        return Ok(job);
    }
    note(cx, &Asked { over: true, ..asked }).await?;
    let message = job.status_message.as_deref().unwrap_or("AWS Backup says no reason");
    Err(StepError::failed(format!("{what} is {}: {message}", job.status))
        .hint("see to what it names, then retry the step, which begins another job"))
}

/// The id of the run's job, once it is known.
pub(super) fn id(cx: &Cx) -> Option<String> {
    noted(cx).ok().flatten()?.job
}

fn failed(job: &RestoreJob) -> bool {
    matches!(job.status.as_str(), "FAILED" | "ABORTED")
}

fn state(job: &RestoreJob) -> String {
    let percent = job.percent.as_deref().map(|percent| format!(", {percent}"));
    format!("{}{}", job.status, percent.unwrap_or_default())
}

/// Whether its table would show by now.
fn long_done(job: &RestoreJob, now: Timestamp) -> bool {
    let appears = SignedDuration::try_from(APPEARS).unwrap_or(SignedDuration::ZERO);
    job.status == "COMPLETED" && job.completed_at.is_none_or(|at| now.duration_since(at) > appears)
}

fn chosen(cx: &Cx) -> Result<&str, StepError> {
    let arn = cx.facts().get("recovery_point").and_then(Value::as_str);
    arn.ok_or_else(|| StepError::failed("no recovery point was chosen for this run"))
}

fn noted(cx: &Cx) -> Result<Option<Asked>, StepError> {
    cx.noted(JOB).map(serde_json::from_value).transpose().map_err(|error| {
        StepError::failed(format!("what the journal says of the restore job is not understood: {error}"))
    })
}

/// Without a journal, as in a step that nobody drives, there is nothing to resume.
async fn note(cx: &Cx, asked: &Asked) -> Result<(), StepError> {
    if noted(cx)?.as_ref() == Some(asked) {
        return Ok(());
    }
    cx.note_if_journalled(JOB, json!(asked)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn asked() -> Asked {
        Asked { ordinal: 1, asked_at: at("2026-11-22T03:00:00Z"), job: None, over: false, past: Vec::new() }
    }

    fn job(status: &str) -> RestoreJob {
        let completed_at = (status == "COMPLETED").then(|| at("2026-11-22T04:00:00Z"));
        RestoreJob { id: "1".into(), status: status.into(), completed_at, ..RestoreJob::default() }
    }

    #[test]
    fn a_request_that_nobody_answered_is_the_same_once_more_and_one_that_failed_is_followed_by_another() {
        let now = at("2026-11-22T05:00:00Z");
        assert_eq!(next(Some(asked()), now), asked(), "same token, same begin of the search");
        let failed = Asked { job: Some("1".into()), over: true, ..asked() };
        let second = next(Some(failed), now);
        assert_eq!(second, Asked { ordinal: 2, asked_at: now, job: None, over: false, past: vec!["1".into()] });
        let third = next(Some(Asked { job: Some("2".into()), over: true, ..second }), now);
        assert_eq!((third.ordinal, third.past), (3, vec!["1".to_owned(), "2".to_owned()]));
    }

    #[test]
    fn a_table_is_a_jobs_own_where_it_names_it_or_goes_on() {
        let arn = "arn:aws:dynamodb:us-east-1:1:table/t";
        let named = RestoreJob { created: Some(arn.into()), ..job("COMPLETED") };
        assert!(made(&named, arn) && made(&job("RUNNING"), arn));
        assert!(!made(&named, "arn:aws:dynamodb:us-east-1:1:table/u") && !made(&job("FAILED"), arn));
    }

    #[test]
    fn the_table_of_a_job_may_show_a_moment_after_its_end() {
        let done = job("COMPLETED");
        assert!(!long_done(&done, at("2026-11-22T04:04:59Z")));
        assert!(long_done(&done, at("2026-11-22T04:05:01Z")));
        assert!(!long_done(&job("RUNNING"), at("2026-11-22T09:00:00Z")));
        let far = RestoreJob { percent: Some("30.00%".into()), ..job("RUNNING") };
        assert_eq!(under_way(&far).as_deref(), Some("restore job 1 of AWS Backup: RUNNING, 30.00%"));
        assert_eq!(under_way(&job("ABORTED")), None);
    }
}
