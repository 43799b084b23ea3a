//! The engine under a guard that refuses: no effect without its intent where another machine would find it, and none at
//! all once the lease is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lifeboat::engine::{Ended, EngineError};
use lifeboat::journal::{self, Guard, JournalError, Refusal};

use crate::simulated::{Bench, DIAMOND};

/// Copies so many lines and no more; and holds the lease for so many appends.
struct Stubborn {
    copies: u64,
    appends: u64,
    appended: AtomicU64,
}

#[async_trait]
impl Guard for Stubborn {
    fn check(&self) -> Result<(), Refusal> {
        match self.appended.load(Ordering::SeqCst) < self.appends {
            true => Ok(()),
            false => Err(Refusal::LeaseLost("desk has taken it".into())),
        }
    }

    fn appended(&self, seq: u64, _line: Vec<u8>) {
        assert_eq!(self.appended.fetch_add(1, Ordering::SeqCst), seq, "each line once, in order");
    }

    async fn settled(&self, next: u64) -> Result<(), Refusal> {
        match next <= self.copies {
            true => Ok(()),
            false => Err(Refusal::NotReplicated("S3 does not answer".into())),
        }
    }
}

fn stubborn(copies: u64, appends: u64) -> Arc<Stubborn> {
    Arc::new(Stubborn { copies, appends, appended: AtomicU64::new(0) })
}

#[tokio::test]
async fn an_effect_whose_intent_no_other_machine_would_find_does_not_begin_and_the_run_is_held() {
    let bench = Bench::new(DIAMOND);
    let first_effects = 2;
    let told = |line: &&[u8]| String::from_utf8_lossy(line).contains("step_started");
    let ended = bench.run_with(|journal| journal.guarded(stubborn(0, u64::MAX))).await.expect("it can be written here");
    assert_eq!(ended, Ended::Interrupted);
    assert!(bench.effects().is_empty(), "{:?}", bench.effects());
    let lines = journal::lines_of(bench.dir.path()).expect("lines");
    assert_eq!(lines.split(|byte| *byte == b'\n').filter(told).count(), first_effects, "intents of what was ready");
    let held = journal::load(bench.dir.path()).expect("a journal").state.held.expect("it is held");
    assert!(held.contains("S3 does not answer"), "{held}");
    assert_eq!(bench.resume(&[]).await, Ended::Done { changed: false });
    bench.each_effect_once();
}

#[tokio::test]
async fn once_the_lease_is_lost_nothing_is_appended_and_nothing_begins() {
    let lines_of = |bench: &Bench| journal::lines_of(bench.dir.path()).expect("lines");
    // At every place of the run: what is done by then is there once, and the journal is whole.
    for appends in (DIAMOND.len() as u64 + 1)..(DIAMOND.len() as u64 * 5) {
        let bench = Bench::new(DIAMOND);
        let error = bench.run_with(|journal| journal.guarded(stubborn(u64::MAX, appends))).await.expect_err("refused");
        let EngineError::Journal(JournalError::Refused(Refusal::LeaseLost(why))) = error else { panic!("{error}") };
        assert!(why.contains("desk"), "{why}");
        assert_eq!(lines_of(&bench).split_inclusive(|byte| *byte == b'\n').count() as u64, appends);
        assert_eq!(bench.resume(&[]).await, Ended::Done { changed: false }, "after {appends} lines");
        bench.each_effect_once();
    }
}
