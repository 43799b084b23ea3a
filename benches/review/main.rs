//! What a review of a large plan costs beside a bare typed parse of the same file. `make bench`.
//!
//! Each measurement is a process of its own (this program again), which tells its wall time and its peak memory. Floor
//! and review take turns, and the figures are the medians. Prints a table with the goal beside each figure; a miss is
//! marked as one, and the exit code is 1 then.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints, and starts what it measures")]

mod child;
mod generate;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use child::Cost;

/// The plan that the goals are about, and one of a tenth of it.
const LARGE: usize = 50_000;
const SMALL: usize = 5_000;
const PAIRS: usize = 7;
/// Seconds granted for classifying and printing.
const PRINTING: f64 = 0.5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, mode, what, file] = words.as_slice()
        && mode == "--child"
    {
        return child::run(what, file.as_ref());
    }
    let dir = tempfile::tempdir().expect("a folder");
    let large = generated(dir.path(), LARGE);
    let small = generated(dir.path(), SMALL);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let size = large.metadata().expect("a file").len();
    println!("{LARGE} changes, {:.0} MiB of JSON; medians of {PAIRS}\n", mib(size));
    println!("| figure | measured | goal | |\n|---|---|---|---|");
    let mut all_met = true;
    for form in ["table", "markdown", "json", "pipe"] {
        let (mut floor, mut ours, mut tenth) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            floor.push(cost("floor", &large));
            ours.push(cost(form, &large));
            tenth.push(cost(form, &small));
        }
        let (floor, ours, tenth) = (median(floor), median(ours), median(tenth));
        let name = if form == "pipe" { "from a pipe, as a table".to_owned() } else { format!("-o {form}") };
        let mut row = |what: &str, measured: String, goal: String, met: bool| {
            all_met &= met;
            println!("| {name}: {what} | {measured} | {goal} | {} |", if met { "met" } else { "MISSED" });
        };
        let limit = 2.0 * floor.seconds + PRINTING;
        let goal = format!("2 × the floor of {:.2} s + {PRINTING} s = {limit:.2} s", floor.seconds);
        row("wall time", format!("{:.2} s", ours.seconds), goal, ours.seconds <= limit);
        let goal = format!("2 × the file = {:.0} MiB", mib(2 * size));
        let measured = format!("{:.0} MiB (floor: {:.0})", mib(ours.peak_bytes), mib(floor.peak_bytes));
        row("peak memory", measured, goal, ours.peak_bytes <= 2 * size);
        let ratio = ours.seconds / tenth.seconds;
        row("beside a tenth of it", format!("{ratio:.1} ×"), "11 ×".into(), ratio <= 11.0);
    }
    if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn generated(dir: &Path, number: usize) -> PathBuf {
    let path = dir.join(format!("{number}.json"));
    let mut to = BufWriter::new(File::create(&path).expect("a file"));
    generate::plan(number, &mut to).expect("a plan");
    to.into_inner().expect("a written file").sync_all().expect("a disk");
    path
}

fn cost(what: &str, file: &Path) -> Cost {
    let myself = std::env::current_exe().expect("this program");
    let mut child = Command::new(myself);
    child.args(["--child", what]).arg(file).stderr(Stdio::inherit());
    let output = child.output().expect("a program to start");
    assert!(output.status.success(), "{what}");
    let told = String::from_utf8(output.stdout).expect("text");
    let mut words = told.split_whitespace();
    let seconds = words.next().and_then(|word| word.parse().ok()).expect("seconds");
    let peak_bytes = words.next().and_then(|word| word.parse().ok()).expect("bytes");
    Cost { seconds, peak_bytes }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    let peak_bytes = costs.iter().map(|cost| cost.peak_bytes).max().unwrap_or_default();
    costs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Cost { peak_bytes, ..costs[costs.len() / 2] }
}
