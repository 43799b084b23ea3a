//! Copies of whole buckets: many small objects, few large ones, and none at all.

use lifeboat::transfer::Limits;

use crate::tools::Tool;
use crate::trial::{Copying, Figure, Trial, at_most, beside, median};
use crate::world::S3;

/// Every request takes 30 ms.
pub const FAR: &str = "lat_us=30000";
/// As many requests in flight as s5cmd has workers.
pub const MANY: usize = 256;
pub const OBJECTS: u64 = 10_000;

pub fn seed(s3: &S3, bucket: &str, objects: u64, bytes: u64) {
    s3.admin(&format!("clear?bucket={bucket}"));
    s3.admin(&format!("seed?bucket={bucket}&count={objects}&size={bytes}&prefix=data/,images/,logs/,tables/"));
}

fn copying<'a>(s3: &'a S3, conditions: &'a str, times: usize) -> Copying<'a> {
    Copying { s3, conditions, source: "source", target: "target", times }
}

fn us(concurrency: usize) -> Tool {
    Tool::Lifeboat { concurrency }
}

/// 10,000 small objects from a server without delay: what the client itself costs.
pub fn near(s3: &S3) -> Vec<Figure> {
    let concurrency = Limits::default().concurrency;
    seed(s3, "source", OBJECTS, 4096);
    let tools = [Tool::S5cmd, us(concurrency), Tool::Limit { connections: 16 }];
    let [s5cmd, ours, limit] = copying(s3, "", 3).race(tools);
    let (Some(ours), Some(limit)) = (ours, limit) else { return vec![] };
    let most = concurrency as u64 + 4;
    let mut figures = vec![at_most("copy 10,000 × 4 KiB: connections", ours.stats.connections, most, "connections")];
    if let Some(s5cmd) = s5cmd {
        let what = format!("copy 10,000 × 4 KiB (limit: {:.2} s)", limit.cost.seconds);
        figures.push(beside(&what, ours.cost.seconds, 0.5, "s5cmd's", s5cmd.cost.seconds));
        let (ours, theirs) = (ours.cost.cpu_seconds, s5cmd.cost.cpu_seconds);
        figures.push(beside("copy 10,000 × 4 KiB: time on the processor", ours, 0.34, "s5cmd's", theirs));
    }
    figures
}

/// The same where every request takes 30 ms.
pub fn far(s3: &S3) -> Vec<Figure> {
    seed(s3, "source", OBJECTS, 4096);
    let tools = [Tool::S5cmd, Tool::S3sync, us(MANY), Tool::Limit { connections: MANY }];
    let [s5cmd, s3sync, ours, limit] = copying(s3, FAR, 3).race(tools);
    let (Some(ours), Some(limit)) = (ours, limit) else { return vec![] };
    let what = "copy 10,000 × 4 KiB at 30 ms";
    let requests = format!("{what}: requests");
    let mut figures = vec![
        beside(what, ours.cost.seconds, 1.1, "the limit's", limit.cost.seconds),
        at_most(&requests, ours.stats.requests, OBJECTS * 101 / 100, "requests"),
    ];
    for (whose, theirs) in [("s5cmd's", s5cmd), ("s3sync's", s3sync)] {
        figures.extend(theirs.map(|it| beside(what, ours.cost.seconds, 0.6, whose, it.cost.seconds)));
    }
    figures
}

/// The same where S3 takes 3,500 writes a second and refuses the rest. The ideal copy lists ten pages, has the server's burst
/// of a tenth of a second at once, and the rest at that rate.
pub fn throttled(s3: &S3) -> Vec<Figure> {
    const RATE: f64 = 3500.0;
    let ideal = 10.0 * 0.03 + (OBJECTS as f64 - RATE / 10.0) / RATE;
    seed(s3, "source", OBJECTS, 4096);
    let [ours] = copying(s3, &format!("{FAR}&wrate={RATE}"), 3).race([us(MANY)]);
    let Some(Trial { cost, stats }) = ours else { return vec![] };
    let what = "copy 10,000 × 4 KiB at 30 ms and 3,500 writes a second";
    vec![
        beside(what, cost.seconds, 1.08, "an ideal", ideal),
        at_most(&format!("{what}: refused"), stats.slowed, stats.requests / 100, "answers of 503"),
    ]
}

/// Both buckets are equal: 10,000 objects from a server without delay, and 200,000 where every request takes 30 ms.
pub fn nothing_to_do(s3: &S3) -> Vec<Figure> {
    let concurrency = Limits::default().concurrency;
    let mut figures = Vec::new();
    let beside_it = |other: Tool, objects: u64, conditions: &str, times: usize| {
        let there = other.is_there();
        seed(s3, "source", objects, 4096);
        seed(s3, "target", objects, 4096);
        let copying = copying(s3, conditions, times);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..times {
            ours.push(copying.once(us(concurrency)));
            if there {
                theirs.push(copying.once(other));
            }
        }
        (median(ours), median(theirs))
    };
    let (ours, rclone) = beside_it(Tool::Rclone, OBJECTS, "", 5);
    if let Some(ours) = ours {
        figures.push(at_most("nothing to do, 10,000: requests", ours.stats.requests, 20, "requests"));
        figures.extend(rclone.map(|rclone| {
            beside("nothing to do, 10,000", ours.cost.seconds, 0.5, "tuned rclone's", rclone.cost.seconds)
        }));
    }
    if let (Some(ours), Some(s3sync)) = beside_it(Tool::S3sync, 200_000, FAR, 3) {
        let what = "nothing to do, 200,000 at 30 ms";
        figures.push(beside(what, ours.cost.seconds, 1.0, "s3sync's", s3sync.cost.seconds));
        let (mib, theirs) = (ours.cost.peak_bytes >> 20, s3sync.cost.peak_bytes >> 20);
        let half = format!("{what}: memory (half of s3sync's {theirs} MiB)");
        figures.push(at_most(&half, mib, theirs / 2, "MiB"));
    }
    figures
}

/// Where one copy request moves 100 MiB a second: objects that are copied in parts, and objects that are not.
pub fn large(s3: &S3) -> Vec<Figure> {
    let conditions = format!("{FAR}&copy_bps={}", 100 << 20);
    let mut figures = Vec::new();
    for (what, objects, bytes, peers, times) in [
        ("copy 100 × 64 MiB at 100 MiB/s a request", 100, 64 << 20, [Some((Tool::S5cmd, "s5cmd's", 1.1)), None], 3),
        (
            "copy 4 × 4 GiB at 100 MiB/s a request",
            4,
            4 << 30,
            [Some((Tool::S5cmd, "s5cmd's", 0.05)), Some((Tool::S3sync, "s3sync's", 0.15))],
            1,
        ),
    ] {
        seed(s3, "source", objects, bytes);
        for (peer, whose, share) in peers.into_iter().flatten() {
            if let [Some(theirs), Some(ours)] = copying(s3, &conditions, times).race([peer, us(MANY)]) {
                figures.push(beside(what, ours.cost.seconds, share, whose, theirs.cost.seconds));
            }
        }
    }
    figures
}
