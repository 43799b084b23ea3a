//! What people are told about a lease that they cannot have: who holds it, since when, and the way on.

use super::error::CliError;
use crate::journal::lease::{Body, Found, Refused};

/// Why the lease is not to be had.
pub fn refused(environment: &str, refused: &Refused) -> CliError {
    let body = refused.body();
    let (run, host) = (&body.run, &body.holder.host);
    let take_over = format!("lifeboat resume {run} --take-over {host}");
    let remote = format!("lifeboat runs {environment} --remote");
    match refused {
        Refused::Live { remaining, .. } => {
            CliError::blocked(format!("{environment} is being worked on: its lease is held for run {run}"))
                .cause(format!("{}; it holds for another {} s unless it is renewed", holder(body), remaining.as_secs()))
                .hint(format!("wait for that run; if {host} is lost, its lease expires and can be taken over"))
                .next(remote)
        }
        Refused::Expired { age, .. } => {
            CliError::blocked(format!("run {run} of {environment} has no end yet, and its lease has expired"))
                .cause(format!("{}; it was last renewed {} s ago", holder(body), age.as_secs()))
                .hint(format!("make sure that nobody works on it on {host} any more, then take it over"))
                .next(take_over)
        }
        Refused::HeldByOther { named, .. } => {
            CliError::blocked(format!("the lease of {environment} is not held by {named}"))
                .cause(holder(body))
                .hint(format!("make sure that nobody works on it on {host} any more, then take it over"))
                .next(take_over)
        }
        Refused::AgeUnknown { .. } => {
            CliError::blocked(format!("{environment} is being worked on, or was: its lease is held for run {run}"))
                .cause(format!("{}; S3 does not tell how old it is", holder(body)))
                .hint("taking it over first watches whether it is still renewed")
                .next(take_over)
        }
        Refused::Unfinished { .. } => CliError::blocked(format!("run {run} of {environment} has no end yet"))
            .cause(format!("its lease was last {}", holder(body)))
            .hint(format!("give it up with: lifeboat resume {run} --abandon --because \"…\""))
            .next(match body.released {
                true => format!("lifeboat resume {run}"),
                false => take_over,
            }),
    }
}

/// Somebody took the lease between the look at it and the write.
pub fn quicker(environment: &str, body: &Body) -> CliError {
    CliError::blocked(format!("somebody else has just taken the lease of {environment}, for run {}", body.run))
        .cause(holder(body))
        .next(format!("lifeboat runs {environment} --remote"))
}

/// The bucket cannot be used: the operator chooses.
pub fn unreachable(environment: &str, bucket: &str, why: &str) -> CliError {
    CliError::blocked(format!("the lease of {environment} cannot be had; nothing was changed"))
        .cause(format!("bucket {bucket}: {why}"))
        .hint(
            "without it nobody knows whether another operator is at work, and no other machine could go on with this \
             run; to work all the same, add: --without-lease --because \"…\"",
        )
}

/// The runs in the bucket cannot be listed.
pub fn unreadable(bucket: &str, why: &str) -> CliError {
    CliError::blocked(format!("the runs in bucket {bucket} cannot be listed")).cause(why)
}

/// How a lease stands, in one line.
pub fn standing(found: &Found, live: bool) -> String {
    let body = &found.body;
    let (run, host) = (&body.run, &body.holder.host);
    let renewed = found.age.map_or_else(String::new, |age| format!("; last renewed {} s ago", age.as_secs()));
    match (body.released, body.finished, live) {
        (true, true, _) => format!("let go; run {run} has its end"),
        (true, false, _) => format!("let go by {host}; run {run} has no end: lifeboat resume {run}"),
        (false, _, true) => format!("{} for run {run}{renewed}", holder(body)),
        (false, _, false) => {
            format!("expired, {} for run {run}{renewed}: lifeboat resume {run} --take-over {host}", holder(body))
        }
    }
}

/// The copy of a run's journal cannot be used.
pub fn no_copy(run: &str, why: &str) -> CliError {
    CliError::blocked(format!("the copy of run {run}'s journal cannot be used; nothing was changed")).cause(why)
}

/// `held by desk (process 4711, arn:…) since 2026-11-22T03:12:00Z, fencing number 7`
fn holder(body: &Body) -> String {
    let who = &body.holder;
    format!(
        "held by {} (process {}, {}) since {}, fencing number {}",
        who.host, who.pid, who.caller, body.since, body.fence
    )
}
