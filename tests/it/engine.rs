//! The engine with simulated steps: order, failure, resume, interruption.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat::engine::{Ended, execute, preflight};
use lifeboat::journal::{self, Event, FailureKind, Journal, Outcome, Skipped, StepPhase};
use lifeboat::report::{self, Json, Plain, Reporter};
use lifeboat::runbook::StepId;
use serde_json::json;

use crate::simulated::{Bench, DIAMOND, Misbehaviour};

#[tokio::test]
async fn every_step_runs_once_with_its_intent_on_disk_first() {
    let bench = Bench::new(DIAMOND);
    assert_eq!(bench.run().await, Ended::Done { changed: false });
    bench.each_effect_once();
}

#[tokio::test]
async fn each_step_failing_once_holds_what_depends_on_it_and_nothing_else() {
    let dependents: &[(&str, &[&str])] =
        &[("a", &["b", "c", "d"]), ("b", &["d"]), ("c", &["d"]), ("d", &[]), ("e", &[])];
    for (failing, held_back) in dependents {
        let bench = Bench::new(DIAMOND).misbehave(failing, Misbehaviour::FailOnce);
        let Ended::Held { failures } = bench.run().await else { panic!("{failing} failed and the run is not held") };
        assert_eq!(failures[0].0, StepId::from(*failing));
        let done: BTreeSet<String> = bench.effects().into_keys().collect();
        let expected: BTreeSet<String> = DIAMOND
            .iter()
            .map(|(id, ..)| (*id).to_owned())
            .filter(|id| id != failing && !held_back.contains(&id.as_str()))
            .collect();
        assert_eq!(done, expected, "when {failing} fails");
        assert!(matches!(bench.resume(&[]).await, Ended::Held { .. }), "a failed step waits for the operator");
        assert_eq!(bench.resume(&[failing]).await, Ended::Done { changed: false });
        bench.each_effect_once();
    }
}

#[tokio::test]
async fn resume_after_a_lost_reply_observes_and_does_not_repeat() {
    for step in ["a", "b", "d", "e"] {
        let bench = Bench::new(DIAMOND).misbehave(step, Misbehaviour::LoseReplyOnce);
        assert!(matches!(bench.run().await, Ended::Held { .. }));
        assert_eq!(bench.resume(&[step]).await, Ended::Done { changed: false });
        bench.each_effect_once();
    }
}

#[tokio::test]
async fn a_conflict_is_held_and_never_applied_over() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::Foreign);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert_eq!(failures[0].1.kind, FailureKind::Conflict);
    assert!(matches!(bench.resume(&["b"]).await, Ended::Held { .. }), "a retry meets the same conflict");
    assert!(!bench.effects().contains_key("b"));
}

#[tokio::test]
async fn a_defect_in_one_step_does_not_end_the_others() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::Panic);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert!(failures[0].1.cause.contains("a defect"), "{:?}", failures[0]);
    assert_eq!(bench.effects().len(), 3);
}

#[tokio::test]
async fn a_failed_verification_is_a_failed_check() {
    let bench = Bench::new(DIAMOND).misbehave("c", Misbehaviour::FailVerification);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert_eq!(failures[0].1.kind, FailureKind::CheckFailed);
    assert!(!bench.effects().contains_key("d"));
    assert_eq!(bench.resume(&["c"]).await, Ended::Done { changed: false });
    bench.each_effect_once();
}

#[tokio::test]
async fn what_waits_for_a_step_that_was_left_out_goes_on_and_is_said_to_be_unproven() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::Foreign);
    assert!(matches!(bench.run().await, Ended::Held { .. }));
    let (journal, _) = Journal::open(bench.dir.path()).unwrap();
    journal
        .append(Event::RunResumed {
            pid: 1,
            host: "h".into(),
            retry: vec![],
            restaged: None,
            source: None,
            accepted: vec![],
            tenure: None,
        })
        .unwrap();
    let skipped = Skipped { by: "ops".into(), because: "done by hand".into() };
    journal.append(Event::StepSkipped { step: "b".into(), skipped }).unwrap();
    drop(journal);
    assert_eq!(bench.resume(&[]).await, Ended::Done { changed: false });
    let done: BTreeSet<String> = bench.effects().into_keys().collect();
    assert_eq!(done, ["a", "c", "d", "e"].map(str::to_owned).into());
    let Some(Outcome::Done { not_checked, .. }) = journal::load(bench.dir.path()).unwrap().state.outcome else {
        panic!("no end")
    };
    let not_checked: Vec<String> = not_checked.iter().map(|it| format!("{}: {}", it.what, it.why)).collect();
    assert_eq!(
        not_checked,
        ["step b: left out by ops: done by hand", "what step d builds on: it went on without b, which was left out"]
    );
}

#[tokio::test]
async fn a_restore_whose_proof_failed_is_done_again_with_it() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::ProofFailsOnce);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert_eq!(failures[0].1.kind, FailureKind::CheckFailed);
    assert!(!bench.effects().contains_key("a"), "it was taken away");
    let state = journal::load(bench.dir.path()).unwrap().state;
    let steps = |ids: &[&str]| ids.iter().map(|id| StepId::from(*id)).collect::<Vec<_>>();
    assert!(!state.may_be_tried_again(&"a".into(), &steps(&["a"])), "alone it has nothing to mend");
    assert!(!state.may_be_tried_again(&"e".into(), &steps(&["e", "b"])), "the failed step does not wait for it");
    assert_eq!(bench.resume(&["a", "b"]).await, Ended::Done { changed: false });
    bench.each_effect_once();
}

/// An SSH session that drops: the pipe to whoever looked on is closed in the middle.
#[tokio::test]
async fn a_run_goes_on_and_its_journal_is_whole_when_nobody_looks_on_any_more() {
    let bench = Bench::new(DIAMOND);
    let (engine, told) = bench.engine();
    let (stderr, stdout) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    drop((stderr.0, stdout.0));
    let reporters: Vec<Box<dyn Reporter>> = vec![Box::new(Plain::new(stderr.1, &[])), Box::new(Json::new(stdout.1))];
    let showing = tokio::spawn(report::run(reporters, told));
    let journal = Arc::new(Journal::create(bench.dir.path()).unwrap());
    journal.append(bench.started()).unwrap();
    for spec in &bench.runbook.steps {
        let facts = json!({"of": spec.id.as_str()});
        journal.append(Event::StepChecked { step: spec.id.clone(), facts }).unwrap();
    }
    assert_eq!(execute(&engine, journal).await.unwrap(), Ended::Done { changed: false });
    drop(engine);
    showing.await.unwrap();
    bench.each_effect_once();
    assert!(journal::load(bench.dir.path()).unwrap().state.outcome.is_some());
}

#[tokio::test]
async fn a_blocked_step_is_known_before_the_first_effect() {
    let bench = Bench::new(DIAMOND).misbehave("d", Misbehaviour::Blocked);
    let (engine, _told) = bench.engine();
    let found = preflight(&engine).await;
    assert_eq!(found.blocked.len(), 1);
    assert_eq!(found.blocked[0].0, StepId::from("d"));
    assert!(bench.effects().is_empty());
}

#[tokio::test]
async fn a_stopped_run_parks_and_goes_on_later() {
    let bench = Bench::new(&[("a", &[], 1), ("b", &["a"], 10_000), ("c", &["b"], 1)]);
    let stop = bench.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.send_replace(true);
    });
    let began = Instant::now();
    assert_eq!(bench.run().await, Ended::Interrupted);
    assert!(began.elapsed() < Duration::from_secs(5), "it parks at once");
    let state = journal::load(bench.dir.path()).unwrap().state;
    assert_eq!(state.steps[&StepId::from("b")].phase, StepPhase::Started);
    assert!(state.held.is_some());
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_where_its_journal_ends() {
    let bench = Bench::new(DIAMOND);
    bench.run().await;
    let path = bench.dir.path().join("journal.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    // Each prefix of the journal after its first records is where a kill could have left it. The effects that come
    // after it in time may or may not have happened: what `Started` says nothing about is left in the cloud here.
    for kept in DIAMOND.len() + 1..lines.len() {
        std::fs::write(&path, lines[..kept].join("\n") + "\n").unwrap();
        assert_eq!(bench.resume(&[]).await, Ended::Done { changed: false }, "from line {kept}");
        bench.each_effect_once();
    }
}

/// Each of the forty goes on only when all are under way. What it costs is measured by `benches/`.
#[tokio::test]
async fn what_does_not_depend_on_one_another_runs_side_by_side() {
    let names: Vec<String> = (0..51).map(|n| format!("s{n:02}")).collect();
    let chain: Vec<[&str; 1]> = (40..50).map(|n| [names[n].as_str()]).collect();
    let mut steps: Vec<(&str, &[&str], u64)> = (0..41).map(|n| (names[n].as_str(), &[] as &[&str], 100)).collect();
    steps[40].2 = 50;
    steps.extend((41..51).map(|n| (names[n].as_str(), chain[n - 41].as_slice(), 50)));
    let bench = Bench::new(&steps);
    let bench = names[..40].iter().fold(bench, |bench, name| bench.misbehave(name, Misbehaviour::WaitForOthers(40)));
    assert_eq!(bench.run().await, Ended::Done { changed: false });
    bench.each_effect_once();
    let critical = bench.runbook.critical_path().unwrap().total.unsigned_abs();
    assert_eq!(critical, Duration::from_millis(550));
}
