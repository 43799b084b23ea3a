//! `lifeboat runs ENV --remote`: the runs of an environment as the state bucket has them, and who holds its lease. For the
//! operator whose colleague's machine is lost: the run's name is needed to go on with it. Read-only.

use std::path::Path;

use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::lease::Desk;
use super::{lease_words, wiring};
use crate::journal::lease::Found;
use crate::journal::replica::{self, ReplicaPlace};
use crate::journal::{self, JournalError};
use crate::report::{self, RunFound, RunLine};

/// The newest runs that are looked into; older ones are of no use to who has to go on.
const NEWEST: usize = 20;
const AT_ONCE: usize = 4;

/// # Errors
/// Exit 2 for a manifest that is not valid; 3 where the bucket cannot be read.
pub async fn run(env: &str, output: Output, environment: &Environment) -> Result<Exit, CliError> {
    let manifest = wiring::read(env, environment)?.manifest;
    let connected = wiring::connect(&manifest).await?;
    let ttl = environment.lease_ttl;
    let desk = Desk { session: &connected.aws, manifest: &manifest, home: &environment.home, ttl, take_over: None };
    let found = desk.look().await?;
    let bucket = &manifest.recovery.backend.bucket;
    let names = replica::runs(&connected.aws, bucket, &manifest.service, &manifest.environment).await;
    let mut names = names.map_err(|error| lease_words::unreadable(bucket, &error.to_string()))?;
    names.sort();
    let newest = names.into_iter().rev().take(NEWEST).map(|name| {
        let live = found.as_ref().is_some_and(|it| it.body.run == name && is_live(it));
        line(desk.place(&name), name, live)
    });
    let lines: Vec<RunLine> = futures::stream::iter(newest).buffered(AT_ONCE).collect().await;
    let text = match output {
        Output::Json => as_json(&lines, found.as_ref()),
        Output::Text => Ok(report::runs_table(&lines, environment.stdout_look()) + &lease_line(found.as_ref())),
    };
    report::to_stdout(&text.map_err(|error| CliError::error("the runs are no JSON").cause(error.to_string()))?);
    Ok(Exit::Done)
}

/// A copy that cannot be read is listed with what is wrong with it.
async fn line(place: ReplicaPlace, name: String, live: bool) -> RunLine {
    let copy = match place.fetch().await {
        Ok(copy) => copy,
        Err(error) => return RunLine { run: name, found: RunFound::Damaged { reason: error.to_string() } },
    };
    let path = Path::new(&name).join("journal.jsonl");
    let summary = journal::check(&copy, &path).and_then(|loaded| {
        report::summarize(&loaded, live, Timestamp::now()).ok_or_else(|| JournalError::Damaged {
            path: path.clone(),
            line: 1,
            why: "the run's first event is not there".into(),
        })
    });
    report::run_line(name, summary)
}

fn is_live(found: &Found) -> bool {
    !found.body.released && found.age.is_none_or(|age| age < found.body.expires_at_age())
}

fn lease_line(found: Option<&Found>) -> String {
    let words = match found {
        None => "no lease was ever taken".to_owned(),
        Some(found) => lease_words::standing(found, is_live(found)),
    };
    format!("\nlease: {}\n", report::escape(&words))
}

fn as_json(lines: &[RunLine], found: Option<&Found>) -> Result<String, serde_json::Error> {
    let mut document: Value = serde_json::from_str(&report::runs_json(lines)?)?;
    document["lease"] = found.map_or(Value::Null, |found| {
        let (body, holder) = (&found.body, &found.body.holder);
        json!({
            "run": body.run,
            "fence": body.fence,
            "host": holder.host,
            "pid": holder.pid,
            "caller": holder.caller,
            "since": body.since,
            "released": body.released,
            "finished": body.finished,
            "age_seconds": found.age.map(|age| age.as_secs()),
            "live": is_live(found),
        })
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
