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
    let [s5cmd, ours, limit] = copying(s3, FAR, 3).race([Tool::S5cmd, us(MANY), Tool::Limit { connections: MANY }]);
    let (Some(ours), Some(limit)) = (ours, limit) else { return vec![] };
    let what = "copy 10,000 × 4 KiB at 30 ms";
    let requests = format!("{what}: requests");
    let mut figures = vec![
        beside(what, ours.cost.seconds, 1.1, "the limit's", limit.cost.seconds),
        at_most(&requests, ours.stats.requests, OBJECTS * 101 / 100, "requests"),
    ];
    figures.extend(s5cmd.map(|it| beside(what, ours.cost.seconds, 0.6, "s5cmd's", it.cost.seconds)));
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
    let there = Tool::Rclone.is_there();
    let both = |objects: u64, conditions: &str, times: usize| {
        seed(s3, "source", objects, 4096);
        seed(s3, "target", objects, 4096);
        let copying = copying(s3, conditions, times);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..times {
            ours.push(copying.once(us(concurrency)));
            if there {
                theirs.push(copying.once(Tool::Rclone));
            }
        }
        (median(ours), median(theirs))
    };
    let (ours, rclone) = both(OBJECTS, "", 5);
    if let Some(ours) = ours {
        figures.push(at_most("nothing to do, 10,000: requests", ours.stats.requests, 20, "requests"));
        figures.extend(rclone.map(|rclone| {
            beside("nothing to do, 10,000", ours.cost.seconds, 0.5, "tuned rclone's", rclone.cost.seconds)
        }));
    }
    let (ours, rclone) = both(200_000, FAR, 3);
    if let Some(ours) = ours {
        let mib = ours.cost.peak_bytes >> 20;
        figures.push(at_most("nothing to do, 200,000 at 30 ms: memory (half of s3sync's 254 MiB)", mib, 127, "MiB"));
        figures.extend(rclone.map(|rclone| {
            // s3sync's share of it, measured beside it once.
            let what = "nothing to do, 200,000 at 30 ms (s3sync's share of rclone's)";
            beside(what, ours.cost.seconds, 0.176, "tuned rclone's", rclone.cost.seconds)
        }));
    }
    figures
}

/// Where one copy request moves 100 MiB a second: objects that are copied in parts, and objects that are not.
pub fn large(s3: &S3) -> Vec<Figure> {
    let conditions = format!("{FAR}&copy_bps={}", 100 << 20);
    let mut figures = Vec::new();
    for (what, objects, bytes, share, times) in [
        ("copy 100 × 64 MiB at 100 MiB/s a request", 100, 64 << 20, 1.1, 3),
        ("copy 4 × 4 GiB at 100 MiB/s a request", 4, 4 << 30, 0.05, 1),
    ] {
        seed(s3, "source", objects, bytes);
        if let [Some(s5cmd), Some(ours)] = copying(s3, &conditions, times).race([Tool::S5cmd, us(MANY)]) {
            figures.push(beside(what, ours.cost.seconds, share, "s5cmd's", s5cmd.cost.seconds));
        }
    }
    figures
}
