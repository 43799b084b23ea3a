//! Buckets taken back to how they were.

use jiff::Timestamp;
use lifeboat::transfer::Limits;

use crate::tools::{Job, Tool};
use crate::trial::{Figure, Trial, at_most, beside, checked, median};
use crate::world::S3;

const BUCKET: &str = "history";
/// What cannot roll a bucket back makes another one as it was.
const ANOTHER: &str = "then";
/// Between two versions of a key, in seconds.
const STEP: i64 = 3600;

/// The bucket of a trial, and what it shall be again.
struct Rollback<'a> {
    s3: &'a S3,
    began: i64,
    to: i64,
}

impl<'a> Rollback<'a> {
    /// `to` is a number of steps after the first versions.
    fn new(s3: &'a S3, to: f64) -> Self {
        let began = Timestamp::now().as_second() - 24 * STEP;
        Self { s3, began, to: began + (to * STEP as f64) as i64 }
    }

    fn clear(&self) {
        self.s3.admin(&format!("clear?bucket={BUCKET}&versioned=1"));
    }

    /// Objects under a prefix whose first version is `from` steps late.
    fn seed(&self, prefix: &str, objects: u64, versions: u64, from: i64, marker: u64) {
        let t0 = self.began + from * STEP;
        self.s3.admin(&format!(
            "seed?bucket={BUCKET}&prefix={prefix}/&count={objects}&size=4096&versions={versions}&versioned=1&t0={t0}\
             &step={STEP}&marker={marker}"
        ));
    }

    fn once(&self, tool: Tool) -> Trial {
        let expected = self.s3.held_at(BUCKET, self.to);
        checked(self.s3, "", tool, Job::Rollback { bucket: BUCKET, to: self.to }, BUCKET, &expected)
    }

    fn elsewhere(&self, tool: Tool) -> Trial {
        self.s3.admin(&format!("clear?bucket={ANOTHER}"));
        let expected = self.s3.held_at(BUCKET, self.to);
        let job = Job::CopyThen { source: BUCKET, target: ANOTHER, to: self.to };
        checked(self.s3, "", tool, job, ANOTHER, &expected)
    }
}

fn us() -> Tool {
    Tool::Lifeboat { concurrency: Limits::default().concurrency }
}

pub fn all(s3: &S3) -> Vec<Figure> {
    let others = [mixed, markers].into_iter().map(|measure| measure(s3));
    overwritten(s3).into_iter().chain(others.flatten()).collect()
}

/// 5,000 keys of three versions, back to the second.
fn overwritten(s3: &S3) -> Vec<Figure> {
    let rollback = Rollback::new(s3, 1.5);
    let trials = |tool: Tool, times: usize, one: &dyn Fn(Tool) -> Trial| {
        let times = if tool.is_there() { times } else { 0 };
        let trials = (0..times).map(|_| {
            rollback.clear();
            rollback.seed("data", 5000, 3, 0, 0);
            one(tool)
        });
        median(trials.collect())
    };
    let Some(ours) = trials(us(), 3, &|tool| rollback.once(tool)) else { return vec![] };
    let in_place = trials(Tool::S3PitRestore, 1, &|tool| rollback.once(tool));
    let elsewhere = trials(Tool::S3sync, 3, &|tool| rollback.elsewhere(tool));
    let theirs = [("s3-pit-restore's", 0.08, in_place), ("s3sync's into another bucket,", 0.4, elsewhere)];
    let beside = theirs.into_iter().filter_map(|(whose, share, theirs)| {
        let what = "roll back 5,000 keys × 3 versions";
        Some(beside(what, ours.cost.seconds, share, whose, theirs?.cost.seconds))
    });
    beside.collect()
}

/// Mostly nothing to do: 4,000 keys unchanged, 400 overwritten, 300 deleted, 300 new.
fn mixed(s3: &S3) -> Option<Figure> {
    let rollback = Rollback::new(s3, 1.5);
    rollback.clear();
    rollback.seed("kept", 4000, 2, 0, 0);
    rollback.seed("overwritten", 400, 3, 0, 0);
    rollback.seed("deleted", 300, 3, 0, 3);
    rollback.seed("new", 300, 1, 2, 0);
    let ours = rollback.once(us());
    Some(at_most("roll back 1,000 of 5,000 keys", ours.stats.requests, 420, "requests"))
}

/// Keys that were deleted then and are written again since, more than a page of them: every one gets a delete marker.
fn markers(s3: &S3) -> Option<Figure> {
    let rollback = Rollback::new(s3, 1.5);
    rollback.clear();
    rollback.seed("back", 2500, 3, 0, 2);
    rollback.seed("data", 500, 1, 0, 0);
    let ours = rollback.once(us());
    // Two listings of eight pages, the bucket's encryption, and a request for every thousand markers.
    Some(at_most("roll back 2,500 keys that were deleted then", ours.stats.requests, 20, "requests"))
}
