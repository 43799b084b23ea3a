//! One tool's work on a fresh target, measured and checked; and the lines of the report.

use serde_json::Value;

use crate::tools::{Cost, Job, Tool};
use crate::world::{S3, Stats};

/// A line of the report.
pub struct Figure {
    pub what: String,
    pub measured: String,
    pub goal: String,
    pub met: bool,
}

/// How the work went.
#[derive(Clone, Copy)]
pub struct Trial {
    pub cost: Cost,
    pub stats: Stats,
}

/// A time, beside what it may be of another's.
pub fn beside(what: &str, ours: f64, share: f64, whose: &str, theirs: f64) -> Figure {
    let (allowed, measured) = (share * theirs, format!("{ours:.2} s"));
    let goal = format!("{share} × {whose} of {theirs:.2} s = {allowed:.2} s");
    Figure { what: what.to_owned(), measured, goal, met: ours <= allowed }
}

/// A number that may not be above another.
pub fn at_most(what: &str, ours: u64, most: u64, unit: &str) -> Figure {
    Figure {
        what: what.to_owned(),
        measured: format!("{ours} {unit}"),
        goal: format!("{most} {unit}"),
        met: ours <= most,
    }
}

/// The buckets of a copy.
pub struct Copying<'a> {
    pub s3: &'a S3,
    /// As `/_admin/config` takes it.
    pub conditions: &'a str,
    pub source: &'a str,
    pub target: &'a str,
    pub times: usize,
}

impl Copying<'_> {
    /// The tools in turn, into an empty target each time. The medians, in the order of the tools; `None` of one that is not
    /// there.
    ///
    /// # Panics
    /// The target is not like the source afterwards.
    pub fn race<const N: usize>(&self, tools: [Tool; N]) -> [Option<Trial>; N] {
        let there = tools.map(Tool::is_there);
        let mut trials: [Vec<Trial>; N] = std::array::from_fn(|_| Vec::new());
        for _ in 0..self.times {
            for at in (0..N).filter(|at| there[*at]) {
                self.s3.admin(&format!("clear?bucket={}", self.target));
                trials[at].push(self.once(tools[at]));
            }
        }
        trials.map(median)
    }

    /// The same with a target that is left as it is.
    pub fn once(&self, tool: Tool) -> Trial {
        let job = Job::Copy { source: self.source, target: self.target };
        checked(self.s3, self.conditions, tool, job, self.target, &self.s3.held(self.source))
    }
}

/// Carries a job out under conditions.
///
/// # Panics
/// The bucket does not hold what it should afterwards.
pub fn checked(s3: &S3, conditions: &str, tool: Tool, job: Job, bucket: &str, expected: &Value) -> Trial {
    s3.admin(&format!("config?{conditions}"));
    s3.admin("zero");
    let cost = tool.carry_out(s3, job);
    let stats = s3.stats();
    s3.admin("config");
    assert_eq!(s3.held(bucket), *expected, "{tool:?} left another state");
    Trial { cost, stats }
}

/// By time; of memory, requests and the like the most.
pub fn median(mut trials: Vec<Trial>) -> Option<Trial> {
    let most = |of: fn(&Trial) -> u64| trials.iter().map(of).max().unwrap_or_default();
    let peak_bytes = most(|it| it.cost.peak_bytes);
    let stats = Stats {
        requests: most(|it| it.stats.requests),
        connections: most(|it| it.stats.connections),
        slowed: most(|it| it.stats.slowed),
    };
    trials.sort_by(|a, b| a.cost.cpu_seconds.total_cmp(&b.cost.cpu_seconds));
    let cpu_seconds = trials.get(trials.len() / 2)?.cost.cpu_seconds;
    trials.sort_by(|a, b| a.cost.seconds.total_cmp(&b.cost.seconds));
    let cost = Cost { seconds: trials[trials.len() / 2].cost.seconds, cpu_seconds, peak_bytes };
    Some(Trial { cost, stats })
}
