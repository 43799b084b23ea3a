//! What people are shown of whole runs: done, held, found in place, check failed, killed, resumed, damaged.

use std::path::Path;

use console::measure_text_width;
use jiff::SignedDuration;
use serde_json::json;

use super::samples::{self, RUN, Script};
use super::*;

fn summary(script: &Script) -> Summary {
    summarize(&script.load(), false, script.now()).expect("a run")
}

fn all() -> [(&'static str, Script); 9] {
    [
        ("done", samples::done()),
        ("held", samples::held()),
        ("in_place", samples::in_place()),
        ("check_failed", samples::check_failed()),
        ("killed", samples::killed()),
        ("resumed", samples::resumed()),
        ("left_out", samples::left_out()),
        ("rebuild_held", samples::rebuild_held()),
        ("rebuilt", samples::rebuilt()),
    ]
}

fn with_requests(mut summary: Summary) -> Summary {
    let service = |service: &str, requests, client_errors| ServiceRequests {
        service: service.into(),
        requests,
        client_errors,
        failures: 0,
    };
    summary.requests = Some(Requests {
        total: 214,
        regions: vec![
            RegionRequests { region: "eu-west-2".into(), role: RegionRole::From, ..RegionRequests::default() },
            RegionRequests {
                region: "us-east-1".into(),
                role: RegionRole::To,
                requests: 214,
                client_errors: 3,
                failures: 0,
                services: vec![service("rds", 17, 0), service("s3", 197, 3)],
            },
        ],
        unreadable: 0,
    });
    summary
}

#[test]
fn the_closing_table_of_each_way_to_end() {
    for (name, script) in all() {
        insta::assert_snapshot!(format!("closing_{name}"), closing(&with_requests(summary(&script)), Look::PLAIN));
    }
}

#[test]
fn the_markdown_report_of_each_way_to_end() {
    for (name, script) in all() {
        insta::assert_snapshot!(format!("markdown_{name}"), markdown(&with_requests(summary(&script))));
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_but_what_is_there_to_be_copied() {
    for (name, script) in all() {
        for width in [40, 60, 80, 132] {
            let look = Look { width, color: true };
            let text = closing(&with_requests(summary(&script)), look);
            for line in text.lines().filter(|line| !line.contains("lifeboat ") && !line.contains("/var/lib/lifeboat")) {
                assert!(measure_text_width(line) <= width, "{name} at {width}: {line}");
                assert!(!console::strip_ansi_codes(line).chars().any(char::is_control), "{name}: {line}");
            }
        }
    }
}

#[test]
fn colour_is_used_only_when_it_may_be() {
    let summary = summary(&samples::held());
    assert!(!closing(&summary, Look::PLAIN).contains('\x1b'));
    assert!(closing(&summary, Look { color: true, ..Look::PLAIN }).contains('\x1b'));
}

#[test]
fn a_clock_that_jumps_does_not_falsify_times_within_a_process() {
    let summary = summary(&samples::resumed());
    let took = |id: &str| summary.steps.iter().find(|step| step.id.as_str() == id).and_then(|step| step.duration_ms);
    assert_eq!(took("infrastructure.apply"), Some(68_000), "the clock jumped an hour before it");
    assert_eq!(took("restore.aurora.logs"), Some(346_000), "45 s, then 300 s of nobody, then 1 s");
    assert_eq!(summary.wall_ms, 2_000 + 6_000 + 68_000 + 45_000 + 300_000 + 1_000 + 40_000);
}

#[test]
fn a_target_that_is_not_proven_is_not_met() {
    let objective = |script: &Script, name: &str| {
        let summary = summary(script);
        let found = summary.objectives.iter().find(|it| super::closing::objective_name(it) == name);
        found.expect("an objective").measured.clone()
    };
    let bucket = objective(&samples::done(), "bucket RPO");
    assert!(matches!(&bucket, Measured::NotMeasured { why } if why.contains("replicated")), "{bucket:?}");
    let in_place = objective(&samples::in_place(), "system RTO");
    assert!(matches!(&in_place, Measured::NotMeasured { why } if why.contains("in place")), "{in_place:?}");
    let held = objective(&samples::held(), "aurora RTO");
    assert!(matches!(&held, Measured::NotMeasured { why } if why.contains("failed")), "{held:?}");
    // Impact 03:02, recovery point 03:00, declared 03:12: 2 minutes against 12, with a target of 10.
    let Measured::Measured { from_declaration, from_impact } = objective(&samples::done(), "aurora RPO") else {
        panic!("the recovery point is known")
    };
    assert_eq!((from_declaration.ms, from_declaration.verdict), (720_000, Some(Verdict::Missed)));
    assert_eq!(from_impact, Some(Actual { ms: 120_000, verdict: Some(Verdict::Met) }));
}

#[test]
fn what_was_asked_and_planned_before_the_run_began_counts_as_recovery_time() {
    let rto = |script: &Script| {
        let summary = summary(script);
        let found = summary.objectives.iter().find(|it| super::closing::objective_name(it) == "system RTO");
        let Some(Measured::Measured { from_declaration, from_impact }) = found.map(|it| it.measured.clone()) else {
            panic!("it was measured")
        };
        (summary.declared_at, from_declaration.ms, from_impact.map(|it| it.ms))
    };
    let (declared_at, from_declaration, from_impact) = rto(&samples::done());
    let mut script = samples::done();
    script.declared_before(SignedDuration::from_secs(25));
    let (earlier, longer, same) = rto(&script);
    assert_eq!((declared_at - earlier).get_seconds(), 25);
    assert_eq!((longer, same), (from_declaration + 25_000, from_impact));
}

#[test]
fn a_system_whose_known_data_is_too_old_has_missed_its_target_whatever_is_not_known() {
    let mut book = samples::runbook();
    book.objectives[0].1.rpo = Some(SignedDuration::from_secs(60));
    let mut script = Script::new(book);
    let facts = json!({ "recovery_point": "x", "recovery_point_at": "2026-11-22T03:00:00Z" });
    script.push(crate::journal::Event::StepChecked { step: "restore.aurora.logs".into(), facts });
    for step in &samples::runbook().steps {
        script.step(step.id.as_str(), 1);
    }
    script.finish(true);
    assert!(summary(&script).missed());
}

#[test]
fn the_way_on_is_a_command() {
    let next = |script: &Script, held| summarize(&script.load(), held, script.now()).expect("a run").next;
    let held = samples::held();
    assert_eq!(next(&held, false), Some(format!("lifeboat resume {RUN} --retry restore.aurora.logs")));
    assert_eq!(next(&samples::killed(), false), Some(format!("lifeboat resume {RUN}")));
    assert_eq!(next(&samples::killed(), true), Some(format!("lifeboat status {RUN}")));
    let mut stopped = samples::killed();
    stopped.hold("stopped by the operator");
    assert_eq!(next(&stopped, false), Some(format!("lifeboat resume {RUN}")));
}

#[test]
fn a_resume_says_first_what_it_found() {
    let step = |step: &str, seconds: Option<i64>, found: &str, then| Outlook {
        step: step.into(),
        since: seconds.map(|seconds| samples::killed().now() - SignedDuration::from_secs(seconds)),
        found: found.into(),
        then,
    };
    let steps = [
        step("restore.aurora.logs", Some(252), "cluster streaming-logs-aurora-prod-dr is creating", "attaching"),
        step("restore.bucket.logs", None, "not there, or not all of it\u{202e}", "doing it"),
    ];
    let script = samples::killed();
    insta::assert_snapshot!(outlook(&summary(&script), &steps, script.now(), Look::PLAIN));
}

#[test]
fn a_retried_step_is_no_failure_any_more() {
    let mut script = samples::held();
    script.resume(60, &["restore.aurora.logs"]).begin("restore.aurora.logs").pass(10);
    let summary = summarize(&script.load(), true, script.now()).expect("a run");
    assert_eq!(summary.ending, Ending::Running);
    assert_eq!(summary.failed().count(), 0);
    assert_eq!(summary.steps[2].attempts, 2);
}

/// A folder of runs, one of each kind.
fn home(folder: &Path) {
    let runs = folder.join("runs");
    for (nr, (name, script)) in all().iter().enumerate() {
        script.save(&runs.join(format!("2026112{nr}T0312-{name}")));
    }
    let damaged = runs.join("20261120T0101-damaged");
    samples::done().save(&damaged);
    let path = damaged.join("journal.jsonl");
    let text = std::fs::read_to_string(&path).expect("a journal").replacen("ana", "eve", 1);
    std::fs::write(&path, text).expect("an altered journal");
    let torn = runs.join("20261119T0101-torn");
    samples::killed().save(&torn);
    let path = torn.join("journal.jsonl");
    let text = std::fs::read_to_string(&path).expect("a journal");
    std::fs::write(&path, &text[..text.len() - 9]).expect("a torn journal");
    std::fs::create_dir(runs.join("20261118T0101-empty\x1b[2J")).expect("a folder");
    std::fs::create_dir(runs.join("20261117T0101-unborn")).expect("a folder");
    std::fs::write(runs.join("20261117T0101-unborn/journal.jsonl"), "").expect("an empty journal");
}

#[test]
fn damaged_runs_are_listed_with_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(runs(folder.path()).expect("no runs yet"), []);
    home(folder.path());
    let list = runs(folder.path()).expect("a list");
    let text = runs_table(&list, Look::PLAIN);
    assert!(text.lines().all(|line| measure_text_width(line) <= 80), "{text}");
    insta::assert_snapshot!("runs", text);
}

#[test]
fn a_list_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("runs"), "no folder").expect("a file");
    assert!(runs(folder.path()).is_err());
}

#[test]
fn a_status_says_what_stands_and_what_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    samples::killed().save(&run);
    insta::assert_snapshot!("status_killed", status(&run, Look::PLAIN).expect("a status"));
    samples::held().save(&run);
    insta::assert_snapshot!("status_held", status(&run, Look::PLAIN).expect("a status"));
    samples::done().save(&run);
    insta::assert_snapshot!("status_done", status(&run, Look::PLAIN).expect("a status"));
}

#[test]
fn a_run_whose_journal_is_held_is_running() {
    let folder = tempfile::tempdir().expect("a folder");
    samples::killed().save(folder.path());
    let (journal, _) = crate::journal::Journal::open(folder.path()).expect("a journal");
    assert_eq!(read(folder.path()).expect("a run").ending, Ending::Running);
    drop(journal);
    assert_eq!(read(folder.path()).expect("a run").ending, Ending::Interrupted);
}
