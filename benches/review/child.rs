//! One measurement, in a process of its own.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use lifeboat::report::{self, Look};
use lifeboat::review::Review;
use lifeboat::terraform::plan::Plan;
use serde::Deserialize;

use crate::generate::SECRET;

/// What a measurement came to.
#[derive(Clone, Copy)]
pub struct Cost {
    pub seconds: f64,
    pub peak_bytes: u64,
}

/// The least that a review needs of a plan.
#[derive(Deserialize)]
struct Floor {
    format_version: String,
    resource_changes: Vec<FloorChange>,
}

#[derive(Deserialize)]
struct FloorChange {
    address: String,
    #[serde(rename = "type")]
    kind: String,
    change: FloorBody,
}

#[derive(Deserialize)]
struct FloorBody {
    actions: Vec<String>,
}

/// Does `what` and prints what it took.
pub fn run(what: &str, file: &Path) -> ExitCode {
    let began = Instant::now();
    let text = match what {
        "floor" => floor(file),
        "pipe" => through_a_pipe(file),
        form => printed(File::open(file).expect("a file"), form),
    };
    // As much of it as a terminal or a pipe takes, without waiting for one.
    File::create("/dev/null").and_then(|mut to| to.write_all(text.as_bytes())).expect("nowhere");
    let seconds = began.elapsed().as_secs_f64();
    assert!(!text.contains(SECRET), "a secret is shown");
    println!("{seconds} {}", peak_bytes());
    ExitCode::SUCCESS
}

fn floor(file: &Path) -> String {
    let json = fs::read(file).expect("a file");
    let floor: Floor = serde_json::from_slice(&json).expect("a plan");
    let words = |it: &FloorChange| it.address.len() + it.kind.len() + it.change.actions.len();
    black_box((&floor.format_version, floor.resource_changes.iter().map(words).sum::<usize>()));
    String::new()
}

/// As `lifeboat review` does it.
fn printed(source: impl io::Read, form: &str) -> String {
    let plan = Plan::read_for_review(source).expect("a plan");
    let review = Review::of(&plan);
    drop(plan);
    match form {
        "markdown" => report::review_markdown(&review),
        "json" => report::review_json(&review).expect("JSON"),
        _ => report::review(&review, Look::PLAIN),
    }
}

/// As `terraform show -json` is read.
fn through_a_pipe(file: &Path) -> String {
    let (output, mut input) = io::pipe().expect("a pipe");
    let mut file = File::open(file).expect("a file");
    // Ends with the last byte, or with whoever reads.
    std::thread::spawn(move || io::copy(&mut file, &mut input).ok());
    printed(output, "table")
}

/// Linux: proc(5), `VmHWM`.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1024
}
