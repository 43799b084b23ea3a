//! A rebuild as the operator begins it: what is asked for before anything is planned, let alone changed.

use lifeboat::rehearse::proxy::read_records;

use crate::harness::ACCOUNT;
use crate::state_custody::Tiny;

const BEFORE: &str = "2026-11-22T03:00:00Z";

fn containment() -> String {
    format!("containment {{\n  break_glass = [\"arn:aws:iam::{ACCOUNT}:user/moto\"]\n}}\n")
}

const EVIDENCE: &str = "evidence {\n  bucket = \"kept\"\n}\n";

/// Exit code and words of a command that has to change nothing.
async fn refused(tiny: &Tiny, words: &[&str]) -> (Option<i32>, String) {
    let ended = tiny.words(words).await;
    let records = read_records(&tiny.moto.dir.path().join("requests.jsonl")).expect("a log");
    let changed: Vec<String> = records
        .iter()
        .filter(|it| !it.operation.starts_with("Get") && !it.operation.starts_with("Head"))
        .filter(|it| !it.operation.starts_with("List") && !it.operation.starts_with("Describe"))
        .map(|it| format!("{}:{}", it.service, it.operation))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_prepared_in_the_manifest_and_planned_from_a_time_that_has_been() {
    let tiny = Tiny::with_root("").await;
    let (code, said) = refused(&tiny, &["plan", "rebuild", "tiny", "--clean-before", BEFORE]).await;
    assert_eq!((code, said.contains("has no containment block")), (Some(2), true), "{said}");
    tiny.write_manifest(&containment());
    let (code, said) = refused(&tiny, &["plan", "rebuild", "tiny", "--clean-before", BEFORE]).await;
    assert_eq!((code, said.contains("has no evidence block")), (Some(2), true), "{said}");
    tiny.write_manifest(&format!("{}{EVIDENCE}", containment()));
    for (words, expected) in [
        (vec!["plan", "rebuild", "tiny"], "from before which time?"),
        (vec!["plan", "rebuild", "tiny", "--clean-before", "2999-01-01T00:00:00Z"], "is in the future"),
        (vec!["rebuild", "tiny"], "--clean-before"),
        (vec!["rebuild", "tiny", "--margin", "1h"], "--clean-before"),
        (vec!["rebuild", "no-such", "--clean-before", BEFORE], "no-such"),
    ] {
        let (code, said) = refused(&tiny, &words).await;
        assert_eq!((code, said.contains(expected)), (Some(2), true), "{words:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_down_without_a_bundle_that_two_people_answer_for() {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(&format!("{}{EVIDENCE}", containment()));
    let (code, said) = refused(&tiny, &["rebuild", "tiny", "--clean-before", BEFORE, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("taken down and rebuilt by an approved bundle only"), "{said}");
    assert!(said.contains(&format!("lifeboat plan rebuild tiny --clean-before {BEFORE}")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_of_another_scenario_is_refused_with_the_command_that_it_is_for() {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(&format!("{}{EVIDENCE}", containment()));
    let bundle = tiny.path("bundle").display().to_string();
    let (code, said) = refused(&tiny, &["plan", "failover", "tiny", "--out", &bundle]).await;
    assert_eq!(code, Some(0), "{said}");
    for words in [
        &["rebuild", "tiny", "--bundle", &bundle, "--confirm", "tiny"][..],
        &["recover", "--bundle", &bundle, "--confirm", "tiny"],
    ] {
        let (code, said) = refused(&tiny, words).await;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("is the bundle of a failover; nothing was changed"), "{words:?}: {said}");
        assert!(said.contains("lifeboat failover tiny --bundle"), "{words:?}: {said}");
    }
    let (code, said) = refused(&tiny, &["rebuild", "other", "--bundle", &bundle, "--confirm", "other"]).await;
    assert_eq!((code, said.contains("is of tiny; nothing was changed")), (Some(3), true), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_of_a_breach_is_not_passed_over() {
    let tiny = Tiny::with_root("").await;
    for option in [&["--keep"][..], &["--outage", "hangs"], &["--restores-take", "5s"], &["--output", "json"]] {
        let (code, said) = refused(&tiny, &[&["rehearse", "--scenario", "breach"], option].concat()).await;
        assert_eq!((code, said.contains("says nothing of a breach")), (Some(2), true), "{option:?}: {said}");
    }
}
