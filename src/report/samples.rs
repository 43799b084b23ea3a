//! Journals written by hand for the tests of reports: fixed names, fixed times, no files.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::journal::{Event, FORMAT_VERSION, Failure, FailureKind, Loaded, Outcome, Record, RunStarted, Skipped, load};
use crate::manifest::{Component, Objective};
use crate::runbook::{Action, NotChecked, Phase, Runbook, StepId, StepSpec};
use crate::steps::Notice;

pub const RUN: &str = "20261122T0312-prod-7f3a";

pub fn start() -> Timestamp {
    "2026-11-22T03:12:00Z".parse().expect("a time")
}

/// An event sequence with a clock of its own.
pub struct Script {
    pub records: Vec<Record>,
    at: Timestamp,
    mono_ms: u64,
}

pub fn step(id: &str, phase: Phase, after: &[&str], component: Option<Component>) -> StepSpec {
    StepSpec {
        id: StepId::from(id),
        phase,
        title: format!("do {id}"),
        after: after.iter().map(|id| StepId::from(*id)).collect(),
        component,
        expected: SignedDuration::from_mins(1),
        action: Action::TerraformDeclare,
    }
}

pub fn runbook() -> Runbook {
    use Component::{Aurora, Bucket, Infrastructure};
    let minutes = |rto, rpo: Option<i64>| Objective {
        rto: Some(SignedDuration::from_mins(rto)),
        rpo: rpo.map(SignedDuration::from_mins),
    };
    let steps = vec![
        step("infrastructure.plan", Phase::Infrastructure, &[], Some(Infrastructure)),
        step("infrastructure.apply", Phase::Infrastructure, &["infrastructure.plan"], Some(Infrastructure)),
        step("restore.aurora.logs", Phase::Restore, &["infrastructure.apply"], Some(Aurora)),
        step("restore.bucket.logs", Phase::Restore, &["infrastructure.apply"], Some(Bucket)),
        step("verify.aurora.logs", Phase::Verification, &["restore.aurora.logs"], Some(Aurora)),
        step("verify.bucket.logs", Phase::Verification, &["restore.bucket.logs"], Some(Bucket)),
        step("cutover.api", Phase::Cutover, &["verify.aurora.logs", "verify.bucket.logs"], None),
    ];
    Runbook {
        scenario: "failover".into(),
        environment: "prod".into(),
        service: "streaming-logs".into(),
        account: "123456789012".into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        steps,
        objectives: vec![
            (Component::System, minutes(60, Some(15))),
            (Aurora, minutes(30, Some(10))),
            (Bucket, minutes(20, Some(15))),
        ],
        not_checked: vec![NotChecked {
            what: "rows of cluster logs-dr".into(),
            why: "no query is sent to the database".into(),
        }],
    }
}

impl Script {
    /// A run that has started, declared 10 minutes after the impact.
    pub fn new(runbook: Runbook) -> Self {
        let mut script = Self { records: Vec::new(), at: start(), mono_ms: 3 };
        script.push(Event::RunStarted(Box::new(RunStarted {
            run: RUN.into(),
            lifeboat: "0.1.0".into(),
            manifest: "/srv/environments/prod/lifeboat.hcl".into(),
            manifest_sha256: "00".into(),
            caller: "arn:aws:sts::123456789012:assumed-role/oncall/ana".into(),
            pid: 4711,
            host: "bastion".into(),
            impact_at: Some(start() - SignedDuration::from_mins(10)),
            declared_at: None,
            bundle: None,
            inputs: None,
            tenure: None,
            runbook,
        })));
        script
    }

    /// The command was given this long before the run began.
    pub fn declared_before(&mut self, lead: SignedDuration) {
        let first = self.records.first_mut().expect("a run that has started");
        if let Event::RunStarted(started) = &mut first.event {
            started.declared_at = Some(first.at - lead);
        }
    }

    /// A run with its checks made.
    pub fn checked() -> Self {
        let mut script = Self::new(runbook());
        let facts = json!({
            "recovery_point": "rds:logs-2026-11-22-03-00",
            "recovery_point_at": "2026-11-22T03:00:00Z",
            "warnings": ["the snapshot is 12 minutes old"],
        });
        script.push(Event::StepChecked { step: "restore.aurora.logs".into(), facts });
        script
    }

    pub fn push(&mut self, event: Event) {
        let seq = self.records.len() as u64;
        self.records.push(Record {
            v: FORMAT_VERSION,
            seq,
            at: self.at,
            mono_ms: self.mono_ms,
            prev: String::new(),
            event,
        });
    }

    pub fn pass(&mut self, seconds: i64) -> &mut Self {
        self.at += SignedDuration::from_secs(seconds);
        self.mono_ms += u64::try_from(seconds).expect("forwards") * 1000;
        self
    }

    /// The wall clock jumps; the monotonic one does not.
    pub fn jump(&mut self, seconds: i64) -> &mut Self {
        self.at += SignedDuration::from_secs(seconds);
        self
    }

    pub fn begin(&mut self, id: &str) -> &mut Self {
        let attempt = 1 + self
            .records
            .iter()
            .filter(|record| matches!(&record.event, Event::StepStarted { step, .. } if step.as_str() == id))
            .count();
        self.push(Event::StepTaken { step: id.into() });
        self.push(Event::StepStarted { step: id.into(), attempt: u32::try_from(attempt).expect("few") });
        self
    }

    pub fn end(&mut self, id: &str, output: Value) -> &mut Self {
        self.push(Event::StepApplied { step: id.into(), output });
        self.push(Event::StepVerified { step: id.into() });
        self
    }

    /// One step from begin to end.
    pub fn step(&mut self, id: &str, seconds: i64) -> &mut Self {
        self.begin(id).pass(seconds).end(id, json!({}))
    }

    pub fn found(&mut self, id: &str) -> &mut Self {
        self.push(Event::StepTaken { step: id.into() });
        self.push(Event::StepReconciled { step: id.into(), output: json!({}) });
        self.push(Event::StepVerified { step: id.into() });
        self
    }

    pub fn fail(&mut self, id: &str, kind: FailureKind, cause: &str, hint: Option<&str>) -> &mut Self {
        let failure = Failure { kind, cause: cause.into(), hint: hint.map(str::to_owned) };
        self.push(Event::StepFailed { step: id.into(), failure });
        self
    }

    pub fn hold(&mut self, reason: &str) -> &mut Self {
        self.push(Event::RunHeld { reason: reason.into() });
        self
    }

    /// Another process takes over after a pause.
    pub fn resume(&mut self, pause_seconds: i64, retry: &[&str]) -> &mut Self {
        self.jump(pause_seconds).mono_ms = 5;
        let retry = retry.iter().map(|id| StepId::from(*id)).collect();
        self.push(Event::RunResumed {
            pid: 4712,
            host: "laptop".into(),
            retry,
            restaged: None,
            source: None,
            accepted: vec![],
            tenure: None,
        });
        self
    }

    pub fn finish(&mut self, changed: bool) -> &mut Self {
        let not_checked = runbook().not_checked;
        self.push(Event::RunFinished { outcome: Outcome::Done { changed, not_checked } });
        self
    }

    pub fn now(&self) -> Timestamp {
        self.at
    }

    pub fn notices(&self) -> Vec<Notice> {
        self.records.iter().cloned().map(Notice::Record).collect()
    }

    /// The journal on disk, as lifeboat writes it: with its chain of hashes. Returns what loading it gives.
    pub fn save(&self, run_dir: &std::path::Path) -> Loaded {
        use sha2::{Digest, Sha256};
        let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut prev = hex(b"");
        let mut text = String::new();
        for record in &self.records {
            let line = serde_json::to_string(&Record { prev, ..record.clone() }).expect("JSON");
            prev = hex(line.as_bytes());
            text += &line;
            text.push('\n');
        }
        std::fs::create_dir_all(run_dir).expect("a folder");
        std::fs::write(run_dir.join("journal.jsonl"), text).expect("a journal");
        load(run_dir).expect("the sample is a legal journal")
    }

    pub fn load(&self) -> Loaded {
        self.save(tempfile::tempdir().expect("a folder").path())
    }
}

/// Everything went well; the cutover left what undoes it.
pub fn done() -> Script {
    let mut script = Script::checked();
    script.pass(2).step("infrastructure.plan", 6).step("infrastructure.apply", 68);
    script.begin("restore.aurora.logs").begin("restore.bucket.logs").pass(400).end("restore.bucket.logs", json!({}));
    script.step("verify.bucket.logs", 20).pass(1080).end("restore.aurora.logs", json!({}));
    script.step("verify.aurora.logs", 4).begin("cutover.api").pass(16);
    script.end("cutover.api", json!({"undo": format!("/var/lib/lifeboat/runs/{RUN}/cutover.api.undo.json")}));
    script.finish(true);
    script
}

/// A failure with hostile words in it; what runs beside it is done.
pub fn held() -> Script {
    let mut script = Script::checked();
    script.pass(2).step("infrastructure.plan", 6).step("infrastructure.apply", 68);
    script.begin("restore.aurora.logs").begin("restore.bucket.logs").pass(31);
    script.fail(
        "restore.aurora.logs",
        FailureKind::Failed,
        "rds:RestoreDBClusterFromSnapshot: KMSKeyNotAccessibleFault: snapshot \
         arn:aws:rds:us-east-1:123456789012:cluster-snapshot:backup-0412 is encrypted with a key that is \
         disabled \x1b[2J\u{202e}<script>alert(1)</script>|`x`",
        Some("enable the key, or choose another with --recovery-point"),
    );
    script.pass(100).end("restore.bucket.logs", json!({})).step("verify.bucket.logs", 20);
    script.hold("failed: restore.aurora.logs");
    script
}

pub fn check_failed() -> Script {
    let mut script = Script::checked();
    script.step("infrastructure.plan", 6).step("infrastructure.apply", 68);
    script.begin("restore.aurora.logs").begin("restore.bucket.logs").pass(30);
    script.end("restore.aurora.logs", json!({})).end("restore.bucket.logs", json!({}));
    script.step("verify.aurora.logs", 4).begin("verify.bucket.logs").pass(9);
    script.fail("verify.bucket.logs", FailureKind::CheckFailed, "3 of 1,204 objects differ", None);
    script.hold("failed: verify.bucket.logs");
    script
}

/// The operator went on without the verification that had failed.
pub fn left_out() -> Script {
    let mut script = check_failed();
    script.resume(60, &[]);
    let skipped =
        Skipped { by: "arn:aws:iam::123456789012:user/ops".into(), because: "3 are known <test> objects".into() };
    script.push(Event::StepSkipped { step: "verify.bucket.logs".into(), skipped });
    script.step("cutover.api", 16);
    let not_checked = script.load().state.skipped();
    script.push(Event::RunFinished { outcome: Outcome::Done { changed: true, not_checked } });
    script
}

/// Its process died in the middle of a restore.
pub fn killed() -> Script {
    let mut script = Script::checked();
    script.pass(2).step("infrastructure.plan", 6).step("infrastructure.apply", 68);
    script.begin("restore.aurora.logs").pass(45).begin("restore.bucket.logs");
    script
}

/// The killed run, taken up 5 minutes later while the clock had jumped an hour within the first process.
pub fn resumed() -> Script {
    let mut script = Script::checked();
    script.pass(2).step("infrastructure.plan", 6).jump(3600).step("infrastructure.apply", 68);
    script.begin("restore.aurora.logs").pass(45).begin("restore.bucket.logs");
    script.resume(300, &[]).pass(1);
    for id in ["restore.aurora.logs", "restore.bucket.logs"] {
        script.found(id);
    }
    script.step("verify.aurora.logs", 4).step("verify.bucket.logs", 20).step("cutover.api", 16).finish(true);
    script
}

pub fn in_place() -> Script {
    let mut script = Script::checked();
    for step in &runbook().steps {
        script.pass(1).found(step.id.as_str());
    }
    script.finish(false);
    script
}

/// The beginning of an answer to a breach, held in its teardown.
pub fn rebuild_held() -> Script {
    let mut script = rebuilding();
    script.pass(2).step("contain.user.mallory", 3).step("evidence.place", 2).step("evidence.seal", 40);
    script.step("evidence.verify", 5).begin("teardown.proof").pass(60);
    script.fail("teardown.proof", FailureKind::CheckFailed, "aws_vpc.main is still there", None);
    script.hold("failed: teardown.proof");
    script
}

/// A breach was answered, without the rotation.
pub fn rebuilt() -> Script {
    let mut script = rebuilding();
    script.pass(2).step("contain.user.mallory", 3).step("evidence.place", 2).step("evidence.seal", 40);
    script.step("evidence.verify", 5).step("teardown.proof", 120).step("infrastructure.plan", 6);
    script.step("restore.aurora.logs", 900).step("adoption.apply", 30).step("verify.aurora.logs", 4);
    script.begin("rotate.secret.db").pass(1);
    script.fail("rotate.secret.db", FailureKind::Failed, "it has no rotation function", None);
    script.hold("failed: rotate.secret.db").resume(60, &[]);
    let skipped = Skipped { by: "arn:aws:iam::123456789012:user/ops".into(), because: "by hand <today>".into() };
    script.push(Event::StepSkipped { step: "rotate.secret.db".into(), skipped });
    script.push(Event::RunFinished { outcome: Outcome::Done { changed: true, not_checked: vec![] } });
    script
}

fn rebuilding() -> Script {
    use crate::evidence::{Evidence, EvidencePlace, EvidenceStep};
    use Phase::{Adoption, Containment, Infrastructure, Restore, Rotation, Teardown, Verification};
    let bucket = "kept".to_owned();
    let place =
        EvidencePlace { bucket, region: "eu-west-2".into(), role: None, prefix: String::new(), retention: None };
    let what = Evidence::Place { breach_at: start() - SignedDuration::from_mins(90), steps: vec![] };
    let opens = Action::Evidence { evidence: EvidenceStep { place, what } };
    let steps = vec![
        step("contain.user.mallory", Containment, &[], None),
        StepSpec { action: opens, ..step("evidence.place", Phase::Evidence, &["contain.user.mallory"], None) },
        step("evidence.seal", Phase::Evidence, &["evidence.place"], None),
        step("evidence.verify", Phase::Evidence, &["evidence.seal"], None),
        step("teardown.proof", Teardown, &["evidence.verify"], None),
        step("infrastructure.plan", Infrastructure, &["teardown.proof"], Some(Component::Infrastructure)),
        step("restore.aurora.logs", Restore, &["infrastructure.plan"], Some(Component::Aurora)),
        step("adoption.apply", Adoption, &["restore.aurora.logs"], Some(Component::Infrastructure)),
        step("verify.aurora.logs", Verification, &["adoption.apply"], Some(Component::Aurora)),
        step("rotate.secret.db", Rotation, &["verify.aurora.logs"], None),
    ];
    let region = "eu-west-2".to_owned();
    let (from_region, to_region) = (region.clone(), region);
    let scenario = "rebuild".into();
    let mut script = Script::new(Runbook { scenario, from_region, to_region, steps, objectives: vec![], ..runbook() });
    let point = json!({ "recovery_point": "nightly-<b>", "recovery_point_at": "2026-11-22T00:30:00Z" });
    script.push(Event::StepChecked { step: "restore.aurora.logs".into(), facts: point });
    let commit = json!({ "commit": { "id": "3f2a91c07be14d5d8e7c4a7f0f3b6f5a1c2d3e4f", "committed_at": "2026-11-20T09:00:00Z",
        "signature": "good", "signer": "Ana <ana@example.com>", "unlike": [], "beside": ["/srv/prod/secret.tfvars"] } });
    script.push(Event::StepChecked { step: "infrastructure.plan".into(), facts: json!({ (super::SOURCE): commit }) });
    script
}
