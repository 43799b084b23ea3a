//! What a long copy must stand: a million objects, refusals by chance, and being killed.

use std::time::Duration;

use crate::copies::{FAR, MANY, OBJECTS, seed};
use crate::server::mixed;
use crate::tools::{Job, Tool};
use crate::trial::{Copying, Figure, at_most, median};
use crate::world::S3;

const MILLION: u64 = 1_000_000;
/// How often a copy is killed.
const KILLS: u64 = 12;
/// A copy of all takes about 2 s; each is killed within less than that.
const KILLED_WITHIN_MS: u64 = 700;

fn us() -> Tool {
    Tool::Lifeboat { concurrency: MANY }
}

pub fn all(s3: &S3) -> Vec<Figure> {
    vec![million(s3), unlucky(s3), killed(s3)]
}

/// Both buckets hold a million equal objects.
fn million(s3: &S3) -> Figure {
    seed(s3, "source", MILLION, 4096);
    seed(s3, "target", MILLION, 4096);
    let copying = Copying { s3, conditions: "", source: "source", target: "target", times: 1 };
    let trial = copying.once(us());
    let what = format!("list and compare 1,000,000 objects ({:.1} s): memory", trial.cost.seconds);
    at_most(&what, trial.cost.peak_bytes >> 20, 100, "MiB")
}

/// One answer of twenty is SlowDown, whatever the pace.
fn unlucky(s3: &S3) -> Figure {
    seed(s3, "source", OBJECTS, 4096);
    let (mut calm, mut disturbed) = (Vec::new(), Vec::new());
    let slow = format!("{FAR}&slow_percent=5");
    for _ in 0..3 {
        for (conditions, trials) in [(FAR, &mut calm), (slow.as_str(), &mut disturbed)] {
            s3.admin("clear?bucket=target");
            let copying = Copying { s3, conditions, source: "source", target: "target", times: 1 };
            trials.push(copying.once(us()));
        }
    }
    let seconds = |trials| median(trials).map_or(f64::NAN, |trial| trial.cost.seconds);
    let (calm, disturbed) = (seconds(calm), seconds(disturbed));
    Figure {
        what: "copy 10,000 × 4 KiB at 30 ms, 5 % of the answers SlowDown: throughput".to_owned(),
        measured: format!("{:.2} of the undisturbed {calm:.2} s", calm / disturbed),
        goal: "0.8".to_owned(),
        met: calm / disturbed >= 0.8,
    }
}

/// Killed at moments drawn by chance, and begun again. What was under way may be asked for once more, nothing else.
fn killed(s3: &S3) -> Figure {
    seed(s3, "source", OBJECTS, 4096);
    s3.admin("clear?bucket=target");
    s3.admin(&format!("config?{FAR}"));
    s3.admin("zero");
    let begin = || us().begin(s3, Job::Copy { source: "source", target: "target" });
    let mut kills = 0;
    for nth in 0..KILLS {
        let mut copy = begin();
        std::thread::sleep(Duration::from_millis(100 + mixed(nth) % KILLED_WITHIN_MS));
        if copy.try_wait().expect("a status").is_none() {
            copy.kill().expect("it is there");
            kills += 1;
        }
        copy.wait().expect("its end");
    }
    let status = begin().wait().expect("its end");
    assert!(status.success(), "the last copy failed");
    let copies = s3.asked("CopyObject");
    s3.admin("config");
    assert_eq!(s3.held("target"), s3.held("source"), "the buckets differ");
    let what = format!("copy 10,000 × 4 KiB, killed {kills} times: objects asked for again");
    at_most(&what, copies - OBJECTS, kills * MANY as u64, "(those under way at each kill)")
}
