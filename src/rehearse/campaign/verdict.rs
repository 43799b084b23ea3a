//! Whether a disturbed rehearsal came to the same end as an undisturbed one. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ground::Left;
use crate::rehearse::operator::Done;
use crate::rehearse::proxy::{RequestOutcome, RequestRecord};
use crate::rehearse::world::{After, RunNames, difference};
use crate::runbook::StepId;

/// Beginnings of the names of operations that make something new each time they are carried out.
const MAKES: [&str; 8] = ["Allocate", "Change", "Create", "Failover", "Import", "Restore", "Run", "StartRestoreJob"];
/// Operations of these names that only begin something, or may be repeated.
const REPEATABLE: [&str; 2] = ["CreateMultipartUpload", "CreateSession"];
/// Operations that say what shall be, so that saying it again because the reply was lost makes nothing new (Amazon Route
/// 53 API: "ChangeResourceRecordSets", `UPSERT`), or that carry a token (AWS Backup API: "StartRestoreJob").
const UPSERTS: [&str; 2] = ["ChangeResourceRecordSets", "StartRestoreJob"];
/// Exit code of a run that is done and short of something.
const SHORT: i32 = 5;
/// How many differences of two worlds are told.
const TOLD: usize = 6;

/// How an undisturbed rehearsal went.
#[derive(Clone, Debug)]
pub struct Baseline {
    pub after: After,
    pub effects: Effects,
    /// The steps that found nothing to change.
    pub idle: BTreeSet<StepId>,
    pub wall: Duration,
    /// From the start to each record of its journal.
    pub moments: Vec<Duration>,
}

/// How often each thing was made: `rds:CreateDBInstance logs-1` → counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects(pub BTreeMap<String, Count>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Carried out, whether or not anybody was told.
    pub done: u64,
    /// Whoever asked was gone before there was an answer: perhaps carried out.
    pub unknown: u64,
}

/// Whether an operation makes something that there must be one of.
pub fn counted(operation: &str) -> bool {
    MAKES.iter().any(|verb| operation.starts_with(verb)) && !REPEATABLE.contains(&operation)
}

impl Effects {
    /// Counts what a run of these names has made.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a RequestRecord>, names: &RunNames) -> Self {
        let mut effects = Self::default();
        for record in records.into_iter().filter(|record| counted(&record.operation)) {
            let about = record.resource.as_ref().map_or_else(String::new, |name| format!(" {}", names.plain(name)));
            let count = effects.0.entry(format!("{}:{}{about}", record.service, record.operation)).or_default();
            let said_again =
                record.outcome == RequestOutcome::ReplyLost && UPSERTS.contains(&record.operation.as_str());
            let open = record.outcome == RequestOutcome::Abandoned && record.lost_status.is_none();
            if open || said_again {
                count.unknown += 1;
            } else if record.carried_out() {
                count.done += 1;
            }
        }
        effects.0.retain(|_, count| count.done + count.unknown > 0);
        effects
    }

    /// What was made more or less often than it should, in words.
    fn unlike(&self, expected: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(expected.0.keys()).collect::<BTreeSet<_>>();
        keys.into_iter()
            .filter_map(|key| {
                let found = self.0.get(key).copied().unwrap_or_default();
                let wanted = expected.0.get(key).map_or(0, |count| count.done);
                let fits = found.done <= wanted && found.done + found.unknown >= wanted;
                (!fits).then(|| format!("{key} was carried out {} times, not {wanted}", found.done))
            })
            .collect()
    }
}

/// Why the last command's end is not the one of a finished run. An objective of the recovery points' age may be missed; and one
/// that was killed when nothing was left to do had no time to say so, but its journal does.
pub(super) fn end_problem(done: &[Done], left: &Left) -> Option<String> {
    let end = done.last().map(|last| last.end);
    let well = match end.and_then(|end| end.code) {
        Some(0) => true,
        Some(SHORT) => left.only_aged,
        Some(_) => false,
        None => left.well || left.only_aged,
    };
    let how = end.map_or_else(String::new, |end| end.how());
    (!well).then(|| format!("the last of {} commands ended with {how}", done.len()))
}

/// All that is not as in the undisturbed rehearsal; empty where all is well.
pub(super) fn problems(left: &Left, baseline: &Baseline) -> Vec<String> {
    let mut problems = left.effects.unlike(&baseline.effects);
    let differences = difference(&baseline.after, &left.after);
    let more = differences.len().saturating_sub(TOLD);
    problems.extend(differences.into_iter().take(TOLD).map(|line| format!("the world differs: {line}")));
    if more > 0 {
        problems.push(format!("the world differs in {more} more places"));
    }
    match &left.journal {
        Err(why) => problems.push(format!("the journal is not whole: {why}")),
        Ok(_) if !left.finished => problems.push("the run has no end".to_owned()),
        Ok(_) => {}
    }
    problems.extend(left.wrong.iter().cloned());
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearse::ChildEnd;

    fn record(operation: &str, status: u16, outcome: RequestOutcome, lost_status: Option<u16>) -> RequestRecord {
        RequestRecord {
            time: jiff::Timestamp::UNIX_EPOCH,
            service: "rds".into(),
            operation: operation.into(),
            region: "us-east-1".into(),
            resource: Some("logs".into()),
            agent: "lifeboat".into(),
            status,
            outcome,
            lost_status,
            duration_ms: 1,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    fn effects(records: &[RequestRecord]) -> Effects {
        Effects::of(records, &RunNames::default())
    }

    #[test]
    fn what_was_carried_out_is_counted_also_where_the_reply_was_lost() {
        let done = || record("CreateDBInstance", 200, RequestOutcome::Forwarded, None);
        let lost = || record("CreateDBInstance", 0, RequestOutcome::ReplyLost, Some(200));
        let refused = || record("CreateDBInstance", 400, RequestOutcome::Forwarded, None);
        let one = effects(&[done()]);
        assert!(effects(&[lost(), refused()]).unlike(&one).is_empty());
        let twice = effects(&[lost(), done()]).unlike(&one);
        assert_eq!(twice, ["rds:CreateDBInstance logs was carried out 2 times, not 1"]);
        assert_eq!(effects(&[refused()]).unlike(&one).len(), 1, "never carried out");
    }

    #[test]
    fn a_client_that_was_killed_leaves_it_open_whether_it_was_done() {
        let one = effects(&[record("CreateDBInstance", 200, RequestOutcome::Forwarded, None)]);
        let open = effects(&[record("CreateDBInstance", 0, RequestOutcome::Abandoned, None)]);
        assert!(open.unlike(&one).is_empty());
    }

    #[test]
    fn an_upsert_whose_reply_was_lost_may_be_said_again() {
        let one = effects(&[record("ChangeResourceRecordSets", 200, RequestOutcome::Forwarded, None)]);
        let again = [
            record("ChangeResourceRecordSets", 0, RequestOutcome::ReplyLost, Some(200)),
            record("ChangeResourceRecordSets", 200, RequestOutcome::Forwarded, None),
        ];
        assert!(effects(&again).unlike(&one).is_empty());
        let twice = [again[1].clone(), again[1].clone()];
        assert_eq!(effects(&twice).unlike(&one).len(), 1);
    }

    #[test]
    fn whoever_was_killed_after_the_journals_end_had_nothing_left_to_do() {
        let end_of = |code, well, only_aged| {
            let end = ChildEnd { code, signal: None, wall: Duration::ZERO, peak_rss_kib: None };
            let left = Left {
                after: After::default(),
                effects: Effects::default(),
                requests: Vec::new(),
                wrong: Vec::new(),
                journal: Ok(Vec::new()),
                finished: true,
                well,
                only_aged,
            };
            end_problem(&[Done { command: "resume".to_owned(), end }], &left)
        };
        for (code, well, only_aged) in [(Some(0), true, false), (Some(5), false, true), (None, true, false)] {
            assert_eq!(end_of(code, well, only_aged), None, "{code:?}");
        }
        for (code, well, only_aged) in [(Some(5), false, false), (Some(4), true, false), (None, false, false)] {
            assert!(end_of(code, well, only_aged).is_some(), "{code:?}");
        }
    }

    #[test]
    fn reads_and_settings_are_not_counted() {
        assert!(!counted("DescribeDBClusters") && !counted("PutMetricAlarm") && !counted("CopyObject"));
        assert!(!counted("CreateMultipartUpload"));
        assert!(counted("RestoreTableFromBackup") && counted("ChangeResourceRecordSets"));
    }
}
