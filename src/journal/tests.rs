//! What users of the journal may rely on: impossible histories are refused, damage is named, a torn end is survived.

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::runbook::{Action, Phase, Runbook, StepId, StepSpec};

/// a → b, a → c, (b, c) → d
fn runbook() -> Runbook {
    let step = |id: &str, after: &[&str]| StepSpec {
        id: id.into(),
        phase: Phase::Restore,
        title: format!("do {id}"),
        after: after.iter().map(|id| StepId::from(*id)).collect(),
        component: None,
        expected: SignedDuration::from_secs(1),
        action: Action::TerraformDeclare,
    };
    Runbook {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "logs".into(),
        account: "123456789012".into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        steps: vec![step("a", &[]), step("b", &["a"]), step("c", &["a"]), step("d", &["b", "c"])],
        objectives: vec![],
        not_checked: vec![],
    }
}

fn started() -> Event {
    Event::RunStarted(Box::new(RunStarted {
        run: "20261122T0312-prod-7f3a".into(),
        lifeboat: "0.1.0".into(),
        manifest: "/m/lifeboat.hcl".into(),
        manifest_sha256: String::new(),
        caller: "arn:aws:iam::123456789012:user/ops".into(),
        pid: 1,
        host: "laptop".into(),
        impact_at: None,
        declared_at: None,
        bundle: None,
        inputs: None,
        tenure: None,
        runbook: runbook(),
    }))
}

fn resumed(retry: &[&str]) -> Event {
    let retry = retry.iter().map(|id| StepId::from(*id)).collect();
    Event::RunResumed {
        pid: 2,
        host: "other".into(),
        retry,
        restaged: None,
        source: None,
        accepted: vec![],
        tenure: None,
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, cause: "throttled".into(), hint: None }
}

fn kept(n: u32) -> KeptState {
    KeptState { path: "/r/errored/x.tfstate".into(), sha256: format!("{n:064}"), lineage: "l".into(), serial: 3 }
}

/// Any event at all, of steps that exist and one that does not.
fn any_event() -> impl Strategy<Value = Event> {
    let step = prop::sample::select(vec!["a", "b", "c", "d", "nobody"]).prop_map(StepId::from);
    (0..20_u8, step, 1..3_u32).prop_map(|(which, step, attempt)| match which {
        0 => started(),
        1 if attempt == 1 => resumed(&[step.as_str(), "b"]),
        1 => resumed(&[step.as_str()]),
        2 => Event::StepChecked { step, facts: json!({"n": attempt}) },
        3 => Event::StepTaken { step },
        4 => Event::StepStarted { step, attempt },
        5 => Event::StepNoted { step, name: "before".into(), value: json!([]) },
        6 => Event::StepApplied { step, output: json!({}) },
        7 => Event::StepReconciled { step, output: json!({}) },
        8 => Event::StepVerified { step },
        9 => Event::StepFailed { step, failure: failure(FailureKind::Failed) },
        10 => Event::StepSkipped { step, skipped: Skipped { by: "ops".into(), because: "known".into() } },
        11 => Event::StepRetrying { step, cause: "throttled".into(), in_ms: 4000, nth: attempt, most: 5 },
        12 => Event::RequestsDisturbed { services: [("s3".to_owned(), Disturbed { retried: 2, throttled: 1 })].into() },
        13 => Event::StateKept(kept(attempt)),
        14 => Event::StatePushed { sha256: kept(attempt).sha256, lineage: "l".into(), serial: 3 },
        15 => Event::StateDiscarded { sha256: kept(attempt).sha256, because: "rebuilt".into(), by: "ana@b".into() },
        17 => Event::ImportChosen { address: "aws_sqs_queue.a".into(), id: "q".into(), by: "ana@b".into() },
        18 => Event::GuardOverridden { guard: "protect".into(), because: "known".into(), by: "ops".into() },
        16 => Event::RunFinished { outcome: Outcome::Abandoned { because: "test".into() } },
        _ => Event::RunHeld { reason: "failed".into() },
    })
}

fn phase<'a>(state: &'a RunState, id: &str) -> &'a StepPhase {
    &state.steps[&StepId::from(id)].phase
}

fn verified(state: &RunState, id: &str) -> bool {
    matches!(phase(state, id), StepPhase::Verified { .. })
}

proptest! {
    #[test]
    fn no_history_leads_to_an_impossible_state(events in prop::collection::vec(any_event(), 0..80)) {
        let mut state = RunState::default();
        state.apply(&started()).unwrap();
        for event in events {
            let before = state.clone();
            if state.apply(&event).is_err() {
                prop_assert_eq!(&state, &before, "a refused event must change nothing");
            }
            let waits = |state: &RunState, id: &str| matches!(phase(state, id), StepPhase::Waiting);
            let begins = |id: &str| waits(&before, id) && !waits(&state, id);
            let settled = |id: &str| phase(&state, id).is_settled();
            prop_assert!(!begins("b") || settled("a"), "b began before a was verified or left out");
            prop_assert!(!begins("d") || (settled("b") && settled("c")));
            for sha256 in before.unsaved.keys().filter(|sha256| !state.unsaved.contains_key(*sha256)) {
                let told = matches!(&event, Event::StatePushed { sha256: of, .. } | Event::StateDiscarded { sha256: of, .. } if of == sha256);
                prop_assert!(told, "the kept state {sha256} went without a word");
            }
            if before.outcome.is_some() {
                prop_assert_eq!(&before.steps, &state.steps, "a finished run went on");
            }
            for (id, step) in &before.steps {
                let was_verified = matches!(step.phase, StepPhase::Verified { .. });
                // But for a restore that the operator has done again because its proof failed.
                let again = matches!(&event, Event::RunResumed { retry, .. } if retry.contains(id))
                    && ["b", "c", "d"].iter().any(|failed| matches!(phase(&before, failed), StepPhase::Failed(_)));
                prop_assert!(!was_verified || again || verified(&state, id.as_str()), "{id} is no longer verified");
                prop_assert!(state.steps[id].attempts >= step.attempts);
            }
        }
    }

    #[test]
    fn one_altered_byte_is_found_and_its_line_named(at in 0.0..1.0_f64, flip in 1..=255_u8) {
        let dir = TempDir::new().unwrap();
        let lines = write_run(dir.path());
        let path = dir.path().join("journal.jsonl");
        let mut bytes = fs::read(&path).unwrap();
        // The last line has no successor that vouches for it; the replica and the report's hash do.
        let vouched: usize = lines[..lines.len() - 1].iter().map(|line| line.len() + 1).sum();
        let index = ((vouched as f64) * at) as usize;
        bytes[index] ^= flip;
        fs::write(&path, &bytes).unwrap();
        let line = lines.iter().scan(0, |end, line| { *end += line.len() + 1; Some(*end) })
            .position(|end| index < end).unwrap() as u64 + 1;
        match load(dir.path()) {
            // The hash that betrays a line stands in the one after it.
            Err(JournalError::Damaged { line: named, .. }) => prop_assert!(named == line || named == line + 1),
            Err(JournalError::Newer { .. }) => {}
            other => prop_assert!(false, "altered at byte {} and not refused: {:?}", index, other.map(|l| l.records.len())),
        }
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_the_rest_kept(cut in 1..400_usize) {
        let dir = TempDir::new().unwrap();
        let lines = write_run(dir.path());
        let last = lines.last().unwrap().len();
        let path = dir.path().join("journal.jsonl");
        let bytes = fs::read(&path).unwrap();
        let keep = bytes.len() - cut.min(last + 1);
        fs::write(&path, &bytes[..keep]).unwrap();
        let loaded = load(dir.path()).unwrap();
        prop_assert_eq!(loaded.records.len(), lines.len() - 1);
        prop_assert_eq!(loaded.torn.is_some(), cut <= last);
        let (journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(Event::RunHeld { reason: "went on".into() }).unwrap();
        drop(journal);
        prop_assert_eq!(load(dir.path()).unwrap().records.len(), lines.len());
    }
}

/// Writes the start of a run and returns its lines.
fn write_run(dir: &Path) -> Vec<String> {
    let journal = Journal::create(dir).unwrap();
    let a = StepId::from("a");
    journal.append(started()).unwrap();
    journal.append(Event::StepChecked { step: a.clone(), facts: Value::Null }).unwrap();
    journal.append(Event::StepTaken { step: a.clone() }).unwrap();
    journal.append(Event::StepStarted { step: a.clone(), attempt: 1 }).unwrap();
    journal.append(Event::StepApplied { step: a.clone(), output: json!({"id": "x"}) }).unwrap();
    journal.append(Event::StepVerified { step: a }).unwrap();
    drop(journal);
    let text = fs::read_to_string(dir.join("journal.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_line_cut_out_of_the_middle_is_refused_by_its_number() {
    let dir = TempDir::new().unwrap();
    let mut lines = write_run(dir.path());
    lines.remove(2);
    fs::write(dir.path().join("journal.jsonl"), lines.join("\n") + "\n").unwrap();
    let error = load(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { line: 3, .. }), "{error}");
}

#[test]
fn a_second_process_is_kept_out() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::create(dir.path()).unwrap();
    journal.append(started()).unwrap();
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::InUse(_))));
    drop(journal);
    assert!(Journal::open(dir.path()).is_ok());
}

#[test]
fn a_newer_format_is_never_appended_to() {
    let dir = TempDir::new().unwrap();
    let lines = write_run(dir.path());
    fs::write(dir.path().join("journal.jsonl"), lines[0].replacen("\"v\":1", "\"v\":2", 1) + "\n").unwrap();
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Newer { version: 2, .. })));
}

#[test]
fn a_new_run_does_not_overwrite_an_old_one() {
    let dir = TempDir::new().unwrap();
    let lines = write_run(dir.path());
    assert!(Journal::create(dir.path()).is_err());
    assert_eq!(load(dir.path()).unwrap().records.len(), lines.len());
}

#[test]
fn a_full_disk_stops_the_run_and_every_append_after_it() {
    let full = Path::new("/dev/full");
    let Ok(file) = fs::OpenOptions::new().append(true).open(full) else {
        panic!("this test needs /dev/full");
    };
    let journal = file::Journal::on(file, full);
    assert!(matches!(journal.append(started()), Err(JournalError::Io { .. })));
    assert!(matches!(journal.append(started()), Err(JournalError::Broken(_))));
}

#[test]
fn a_run_is_not_done_before_every_step_is_verified() {
    let mut state = RunState::default();
    state.apply(&started()).unwrap();
    let done = Event::RunFinished { outcome: Outcome::Done { changed: true, not_checked: vec![] } };
    assert!(state.apply(&done).is_err());
    assert!(state.apply(&Event::RunFinished { outcome: Outcome::Abandoned { because: "test".into() } }).is_ok());
}

#[test]
fn a_failed_step_is_tried_again_only_when_the_operator_says_so() {
    let a = StepId::from("a");
    let mut state = RunState::default();
    state.apply(&started()).unwrap();
    state.apply(&Event::StepTaken { step: a.clone() }).unwrap();
    state.apply(&Event::StepStarted { step: a.clone(), attempt: 1 }).unwrap();
    state.apply(&Event::StepFailed { step: a.clone(), failure: failure(FailureKind::Failed) }).unwrap();
    assert!(state.apply(&Event::StepTaken { step: a.clone() }).is_err());
    state
        .apply(&Event::RunResumed {
            pid: 2,
            host: "b".into(),
            retry: vec![a.clone()],
            restaged: None,
            source: None,
            accepted: vec![],
            tenure: None,
        })
        .unwrap();
    state.apply(&Event::StepTaken { step: a.clone() }).unwrap();
    state.apply(&Event::StepStarted { step: a, attempt: 2 }).unwrap();
}

#[test]
fn that_no_lease_was_held_is_said_and_old_journals_say_nothing_of_leases() {
    let mut state = RunState::default();
    state.apply(&started()).unwrap();
    assert_eq!(state.lease_less(), []);
    let old = r#"{"event":"run_resumed","pid":2,"host":"b","retry":[]}"#;
    state.apply(&serde_json::from_str(old).unwrap()).unwrap();
    let held = r#"{"event":"run_resumed","pid":2,"host":"b","retry":[],"tenure":{"held":{"bucket":"s","fence":2}}}"#;
    state.apply(&serde_json::from_str(held).unwrap()).unwrap();
    assert_eq!(state.lease_less(), []);
    let without =
        r#"{"event":"run_resumed","pid":2,"host":"b","retry":[],"tenure":{"without":{"because":"S3 is down"}}}"#;
    state.apply(&serde_json::from_str(without).unwrap()).unwrap();
    let [said] = &state.lease_less()[..] else { panic!("once") };
    assert!(said.what == "lease" && said.why.contains("no lease was held: S3 is down"), "{said:?}");
}

#[test]
fn a_resumption_is_read_with_and_without_a_new_copy_of_the_root() {
    let read = |text: &str| serde_json::from_str::<Event>(text).unwrap();
    let old = r#"{"event":"run_resumed","pid":2,"host":"b","retry":[]}"#;
    assert_eq!(serde_json::to_string(&read(old)).unwrap(), old);
    let new = r#"{"event":"run_resumed","pid":2,"host":"b","retry":[],"restaged":"e3b0"}"#;
    assert!(matches!(read(new), Event::RunResumed { restaged: Some(digest), .. } if digest == "e3b0"));
}

#[test]
fn a_kept_state_outlives_its_run_and_is_pushed_once() {
    let mut state = RunState::default();
    state.apply(&started()).unwrap();
    state.apply(&Event::StateKept(kept(1))).unwrap();
    state.apply(&Event::RunFinished { outcome: Outcome::Abandoned { because: "test".into() } }).unwrap();
    let pushed = |n| Event::StatePushed { sha256: kept(n).sha256, lineage: "l".into(), serial: 3 };
    assert!(state.apply(&pushed(2)).is_err(), "no such state is kept");
    state.apply(&pushed(1)).unwrap();
    assert!(state.apply(&pushed(1)).is_err());
    assert!(state.unsaved.is_empty());
}
