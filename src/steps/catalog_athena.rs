//! Asks Athena about the tables of a recreated catalog what the manifest wants to know.
//!
//! A question has a token that the run, the step and the round of asking make, so that whoever goes on after a crash finds the
//! query that was begun instead of paying for another. A round ends with its answers, or when its query is ended; a retried
//! step then asks anew.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::answers::Answer;
use super::{Blocked, Cx, Ready, StepError, wait_until};
use crate::aws::athena::{Execution, Query, WorkGroup};
use crate::aws::{AwsError, Session, athena, s3};
use crate::journal::FailureKind;
use crate::manifest::{Athena, AthenaCheck};
use crate::verify::athena::{fault, number};

/// How long one answer may take, in Athena's queue and after it. By default it ends a query after half an hour (Amazon Athena
/// User Guide: "Service Quotas").
const ANSWER: Duration = Duration::from_secs(60 * 60);
/// The note that tells which round of asking this is.
const ROUND: &str = "athena";
const AGAIN: &str = "mend it, then retry the step: it asks anew";

/// Whether the workgroup can be asked, and where its results go; with what is only worth a warning. `later` says that Terraform
/// may still make what is not there.
///
/// # Errors
/// It cannot be asked, or AWS refused.
pub(super) async fn check(session: &Session, asked: &Athena, later: bool) -> Result<Vec<String>, Blocked> {
    let Athena { workgroup, output, .. } = asked;
    let region = session.region();
    let Some(found) = athena::work_group(session, workgroup).await? else {
        let cause = format!("there is no workgroup {workgroup} of Athena in {region}");
        return unless(later, cause, "make it there, or name another one with `workgroup`");
    };
    let (place, mut warnings) = place(workgroup, &found, output.as_deref())?;
    let Some(place) = place else { return Ok(warnings) };
    let bucket = place.strip_prefix("s3://").unwrap_or(&place).split('/').next().unwrap_or_default();
    match s3::find_bucket(session, bucket).await? {
        s3::BucketPlace::Here => {}
        s3::BucketPlace::Missing => {
            let cause = format!("bucket {bucket}, where workgroup {workgroup} puts its results, does not exist");
            warnings.extend(unless(later, cause, "make it, or give the workgroup another place for results")?);
        }
        s3::BucketPlace::Elsewhere(other) => {
            return Err(Blocked {
                cause: format!("workgroup {workgroup} puts its results into {place}, in {other}"),
                hint: Some(format!(
                    "give it a place for results in {region}: nothing of the recovery may hang on {other}"
                )),
            });
        }
    }
    Ok(warnings)
}

fn unless(later: bool, cause: String, hint: &str) -> Result<Vec<String>, Blocked> {
    match later {
        true => Ok(vec![format!("{cause}: the root has to make it, else no question is answered")]),
        false => Err(Blocked { cause, hint: Some(hint.to_owned()) }),
    }
}

/// Where results go, `None` where Athena keeps them (Amazon Athena User Guide: "Override client-side settings").
fn place(name: &str, workgroup: &WorkGroup, output: Option<&str>) -> Result<(Option<String>, Vec<String>), Blocked> {
    if !workgroup.enabled {
        return Err(Blocked {
            cause: format!("workgroup {name} of Athena is disabled"),
            hint: Some(format!("aws athena update-work-group --work-group {name} --state ENABLED")),
        });
    }
    let own = workgroup.output.as_deref();
    let mut warnings = Vec::new();
    if let (Some(output), true) = (output, (workgroup.enforced && own.is_some()) || workgroup.managed)
        && own != Some(output)
    {
        warnings.push(format!("workgroup {name} keeps to its own place for results: {output} is not used"));
    }
    let place = match (workgroup.managed, workgroup.enforced) {
        (true, _) => return Ok((None, warnings)),
        (false, true) => own,
        (false, false) => output.or(own),
    };
    match place {
        Some(place) => Ok((Some(place.to_owned()), warnings)),
        None => {
            let hint = match workgroup.enforced {
                true => "give the workgroup a place for results: it keeps to its own settings, and has none",
                false => {
                    "write output = \"s3://BUCKET/PREFIX/\" into the athena block, or give the workgroup a place for results"
                }
            };
            Err(Blocked {
                cause: format!("workgroup {name} of Athena has no place for results"),
                hint: Some(hint.to_owned()),
            })
        }
    }
}

/// Asks everything, whatever the answers are.
///
/// # Errors
/// Athena cannot be asked or does not answer, or the operator asked to stop.
pub(super) async fn ask(cx: &Cx, asked: &Athena, database: &str) -> Result<Vec<Answer>, StepError> {
    let session = &cx.world.aws;
    let found = athena::work_group(session, &asked.workgroup).await?.ok_or_else(|| {
        let cause = format!("there is no workgroup {} of Athena in {}", asked.workgroup, session.region());
        StepError::failed(cause).hint("make it there, then retry the step")
    })?;
    let (_, _) = place(&asked.workgroup, &found, asked.output.as_deref())
        .map_err(|Blocked { cause, hint }| StepError { hint, ..StepError::failed(cause) })?;
    // A workgroup that keeps its own results refuses another place.
    let output = asked.output.as_deref().filter(|_| !found.managed);
    let round = begin(cx).await?;
    let mut answers = Vec::new();
    for (nr, check) in asked.verify.iter().enumerate() {
        let token = token(&cx.world.run, cx.step.as_str(), round, nr, &check.sql);
        let query = Query { workgroup: &asked.workgroup, database, output, sql: &check.sql, token: &token };
        answers.push(answered(cx, check, &query, round).await?);
    }
    end(cx, round).await?;
    Ok(answers)
}

async fn answered(cx: &Cx, check: &AthenaCheck, query: &Query<'_>, round: u64) -> Result<Answer, StepError> {
    let session = &cx.world.aws;
    // What Athena says against the question itself is an answer.
    let id = match athena::start(session, query).await {
        Ok(id) => id,
        Err(AwsError { code: Some(code), message, .. }) if code == "InvalidRequestException" => {
            return Ok(told(check, String::new(), Err(message)));
        }
        Err(error) => return Err(error.into()),
    };
    let what = format!("query {id} of Athena, {check},");
    let waited = wait_until(cx, &what, ANSWER, async || {
        Ok(match athena::execution(session, &id).await? {
            Execution::Waiting(word) => Ready::NotYet(word),
            Execution::Succeeded => Ready::Yes(None),
            Execution::Ended(words) => Ready::Yes(Some(words)),
        })
    });
    let found = match waited.await {
        Ok(None) => number(&athena::answer(session, &id).await?),
        Ok(Some(words)) => Err(words),
        // Who comes with new credentials finds it.
        Err(error) if error.kind == FailureKind::CredentialsExpired => return Err(error),
        // Nobody waits for it any more: it is ended, and whoever goes on asks anew.
        Err(error) => {
            end(cx, round).await?;
            let stopped = match athena::stop(session, &id).await {
                Ok(()) => "it was ended".to_owned(),
                Err(refused) => format!("it goes on: {refused}"),
            };
            let cause = match error.kind {
                FailureKind::Interrupted => format!("stopped while asking {check}"),
                _ => error.cause,
            };
            let hint = Some("retry the step: it asks anew".to_owned());
            return Err(StepError { kind: error.kind, cause: format!("{cause}; {stopped}"), hint, transient: false });
        }
    };
    Ok(told(check, id, found))
}

fn told(check: &AthenaCheck, query: String, found: Result<u64, String>) -> Answer {
    let fault = fault(check, &found);
    Answer { check: check.to_string(), query: Some(query), found: found.ok(), fault }
}

/// Which round of asking this is: the last one, where it has not ended.
async fn begin(cx: &Cx) -> Result<u64, StepError> {
    let noted = cx.noted(ROUND).unwrap_or_default();
    let last = noted["round"].as_u64().unwrap_or_default();
    if last > 0 && noted["ended"] == false {
        return Ok(last);
    }
    cx.note_if_journalled(ROUND, json!({ "round": last + 1, "ended": false })).await?;
    Ok(last + 1)
}

async fn end(cx: &Cx, round: u64) -> Result<(), StepError> {
    cx.note_if_journalled(ROUND, json!({ "round": round, "ended": true })).await
}

/// 64 characters, the same for the same question in the same round.
fn token(run: &str, step: &str, round: u64, nr: usize, sql: &str) -> String {
    let named = format!("{run}\n{step}\n{round}\n{nr}\n{sql}");
    Sha256::digest(named).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers that are not as expected.
pub(super) fn unexpected(database: &str, faults: &str) -> StepError {
    StepError::check_failed(format!("the tables of database {database} do not answer as expected: {faults}"))
        .hint(AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workgroup(output: Option<&str>, enforced: bool) -> WorkGroup {
        WorkGroup { enabled: true, output: output.map(str::to_owned), enforced, managed: false }
    }

    #[test]
    fn results_go_where_athena_would_put_them() {
        let of = |group: &WorkGroup, output| place("w", group, output);
        let (own, ours) = ("s3://own/", "s3://ours/");
        let there = |place: &str| Some(place.to_owned());
        assert_eq!(of(&workgroup(Some(own), true), None), Ok((there(own), vec![])));
        assert_eq!(of(&workgroup(Some(own), false), Some(ours)), Ok((there(ours), vec![])));
        assert_eq!(of(&workgroup(None, false), Some(ours)), Ok((there(ours), vec![])));
        let (place, warnings) = of(&workgroup(Some(own), true), Some(ours)).expect("a place");
        assert_eq!(place, there(own));
        assert!(warnings[0].contains("s3://ours/ is not used"), "{warnings:?}");
        let managed = WorkGroup { managed: true, ..workgroup(None, true) };
        assert_eq!(of(&managed, None), Ok((None, vec![])));
        let refused = |group: &WorkGroup, output| of(group, output).expect_err("no place").hint.expect("a hint");
        assert!(refused(&workgroup(None, false), None).contains("write output"));
        assert!(refused(&workgroup(None, true), Some(ours)).contains("keeps to its own settings"));
        assert!(refused(&WorkGroup { enabled: false, ..workgroup(Some(own), true) }, None).contains("ENABLED"));
    }

    #[test]
    fn each_question_of_each_round_has_a_token_of_its_own() {
        let first = token("run", "step", 1, 0, "SELECT 1");
        assert_eq!((first.len(), first.clone()), (64, token("run", "step", 1, 0, "SELECT 1")));
        for other in [
            token("run", "step", 2, 0, "SELECT 1"),
            token("run", "step", 1, 1, "SELECT 1"),
            token("r", "step", 1, 0, "SELECT 1"),
        ] {
            assert_ne!(first, other);
        }
    }
}
