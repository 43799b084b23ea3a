//! Evidence verified with the command as an auditor uses it: with nothing but the files, and no cloud to ask.

#![expect(clippy::disallowed_methods, reason = "the command is started as a user would start it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use lifeboat::evidence::{Draft, Item, JournalEnd, NotCollected, Snapshot, seal};
use lifeboat::journal::{Event, Journal, RunStarted};
use lifeboat::runbook::Runbook;
use serde_json::Value;
use sha2::{Digest, Sha256};

struct Kept(tempfile::TempDir);

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first line of a run's journal.
fn started(run: &str) -> Event {
    let runbook = Runbook {
        scenario: "recover".into(),
        environment: "prod".into(),
        service: "logs".into(),
        account: "123456789012".into(),
        from_region: "eu-west-2".into(),
        to_region: "eu-west-2".into(),
        steps: vec![],
        objectives: vec![],
        not_checked: vec![],
    };
    Event::RunStarted(Box::new(RunStarted {
        run: run.into(),
        lifeboat: "0".into(),
        manifest: PathBuf::from("/lifeboat.hcl"),
        manifest_sha256: String::new(),
        caller: "arn:aws:iam::123456789012:user/a".into(),
        pid: 1,
        host: "h".into(),
        impact_at: None,
        declared_at: None,
        inputs: None,
        tenure: None,
        bundle: None,
        runbook,
    }))
}

impl Kept {
    /// A journal of two records, two objects and their manifest. `run` is the one that the journal is of.
    fn of(run: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::create(folder.path()).expect("a journal");
        journal.append(started(run)).expect("a record");
        journal.append(Event::RunHeld { reason: "a test".into() }).expect("a record");
        drop(journal);
        for (key, content) in [("iam/report.csv", "user,arn\n"), ("buckets/logs.ndjson.gz", "not really")] {
            let path = folder.path().join(key);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        let kept = Self(folder);
        kept.seal();
        kept
    }

    fn new() -> Self {
        Self::of("r1")
    }

    /// Writes the manifest of what lies there now.
    fn seal(&self) {
        let item = |key: &str| {
            let content = std::fs::read(self.path(key)).expect("a file");
            Item {
                key: key.into(),
                version_id: None,
                lock: None,
                size_bytes: content.len() as u64,
                sha256: sha256(&content),
                what: "a test".into(),
                taken_at: Timestamp::UNIX_EPOCH,
                request: "s3:GetObject".into(),
            }
        };
        let journal = std::fs::read_to_string(self.path("journal.jsonl")).expect("a journal");
        let last = journal.lines().last().expect("a line");
        let draft = Draft {
            run: "r1".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            caller: "arn:aws:iam::123456789012:user/a".into(),
            region: "eu-west-2".into(),
            bucket: "evidence".into(),
            prefix: "r1/".into(),
            object_lock: false,
            sealed_at: Timestamp::UNIX_EPOCH,
            journal: JournalEnd { key: "journal.jsonl".into(), records: 2, last_sha256: sha256(last.as_bytes()) },
            items: ["journal.jsonl", "iam/report.csv", "buckets/logs.ndjson.gz"].map(item).to_vec(),
            snapshots: vec![Snapshot {
                arn: "arn:aws:rds:eu-west-2:123456789012:cluster-snapshot:e".into(),
                what: "cluster logs".into(),
                created_at: Timestamp::UNIX_EPOCH,
            }],
            not_collected: vec![NotCollected { what: "flow logs".into(), why: "none are kept".into() }],
        };
        std::fs::write(self.manifest(), seal(draft).expect("a manifest")).expect("a file");
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.path().join(key)
    }

    fn manifest(&self) -> PathBuf {
        self.path("evidence.json")
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, String, String) {
        verify(&self.manifest(), more)
    }
}

/// With an empty environment: no credentials, no region, no endpoint, no home.
fn verify(manifest: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    let output = command.env_clear().args(["evidence", "verify"]).arg(manifest).args(more).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn evidence_that_is_whole_is_proven_without_any_cloud_and_says_what_it_does_not_prove() {
    let kept = Kept::new();
    let (code, out, said) = kept.verify(&[]);
    assert_eq!(code, Some(0), "{out}{said}");
    for words in ["whole: 3 of 3 items", "not checked: arn:aws:rds", "not collected: flow logs: none are kept"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    let copy = elsewhere.path().join("copy.json");
    std::fs::copy(kept.manifest(), &copy).expect("a copy");
    std::fs::remove_file(kept.manifest()).expect("it is gone");
    let (code, out, said) = verify(&copy, &["--folder", &kept.0.path().display().to_string()]);
    assert_eq!(code, Some(0), "{out}{said}");
}

#[test]
fn what_is_changed_missing_or_extra_is_named_with_both_hashes() {
    let kept = Kept::new();
    std::fs::write(kept.path("iam/report.csv"), "user,arm\n").expect("a file");
    std::fs::remove_file(kept.path("buckets/logs.ndjson.gz")).expect("a file");
    std::fs::write(kept.path("iam/planted"), "x").expect("a file");
    let (code, out, _) = kept.verify(&["-o", "json"]);
    assert_eq!(code, Some(5), "{out}");
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&found["whole"], &found["unchanged"]), (&Value::Bool(false), &Value::from(1)));
    let expected = serde_json::json!([
        { "key": "iam/report.csv", "fault": "changed", "expected_sha256": sha256(b"user,arn\n"), "found_sha256": sha256(b"user,arm\n") },
        { "key": "buckets/logs.ndjson.gz", "fault": "missing" },
        { "key": "iam/planted", "fault": "extra" },
    ]);
    assert_eq!(found["findings"], expected);
}

#[test]
fn one_changed_digit_of_the_manifest_is_noticed() {
    let kept = Kept::new();
    let text = std::fs::read_to_string(kept.manifest()).expect("a manifest");
    std::fs::write(kept.manifest(), text.replace("123456789012", "123456789013")).expect("a file");
    let (code, out, _) = kept.verify(&[]);
    assert_eq!((code, out.contains("changed  evidence.json")), (Some(5), true), "{out}");
}

#[test]
fn a_journal_that_was_altered_or_is_of_another_run_is_noticed_even_where_its_hash_was_sealed() {
    let kept = Kept::new();
    let path = kept.path("journal.jsonl");
    let text = std::fs::read_to_string(&path).expect("a journal");
    std::fs::write(&path, text.replace("user/a", "user/b")).expect("a file");
    let (code, out, _) = kept.verify(&[]);
    assert_eq!((code, out.contains("changed  journal.jsonl")), (Some(5), true), "{out}");
    kept.seal();
    let (code, out, _) = kept.verify(&[]);
    assert_eq!((code, out.contains("journal  journal.jsonl: ")), (Some(5), true), "{out}");
    let (code, out, _) = Kept::of("r2").verify(&[]);
    assert_eq!((code, out.contains("it is of run r2")), (Some(5), true), "{out}");
}

#[test]
fn a_link_to_the_same_content_elsewhere_is_no_evidence() {
    let kept = Kept::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let copy = elsewhere.path().join("report.csv");
    std::fs::rename(kept.path("iam/report.csv"), &copy).expect("moved");
    std::os::unix::fs::symlink(&copy, kept.path("iam/report.csv")).expect("a link");
    let (code, out, _) = kept.verify(&[]);
    assert_eq!((code, out.contains("missing  iam/report.csv")), (Some(5), true), "{out}");
}

#[test]
fn a_file_that_is_no_manifest_is_a_matter_of_usage() {
    let kept = Kept::new();
    let (code, _, said) = verify(&kept.path("iam/report.csv"), &[]);
    assert_eq!((code, said.contains("is no manifest of evidence")), (Some(2), true), "{said}");
    let (code, _, said) = verify(&kept.path("not-there"), &[]);
    assert_eq!((code, said.contains("cannot be read")), (Some(1), true), "{said}");
}

/// What docs/evidence.md tells whoever has no lifeboat.
#[test]
fn the_manifests_own_hash_is_that_of_its_bytes_with_zeros_in_its_place() {
    let kept = Kept::new();
    let text = std::fs::read_to_string(kept.manifest()).expect("a manifest");
    let named = text.lines().nth(1).and_then(|line| line.split('"').nth(3)).expect("a hash").to_owned();
    assert_eq!(sha256(text.replacen(&named, &"0".repeat(64), 1).as_bytes()), named);
}
