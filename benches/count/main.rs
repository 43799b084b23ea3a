//! What counting a table of a million items takes, beside the least that any client needs.
//!
//! `cargo bench --bench count`. Whole processes against a table of a server's in memory (`server`) whose every page takes 10 ms; the
//! number must be exact, or the benchmark ends. Prints a table with the goal beside each figure; a miss is marked as one,
//! and the exit code is 1 then.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints, and starts what it measures")]

mod limit;
mod server;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use lifeboat::aws::Session;
use lifeboat::verify::{Width, count_items};

const SEGMENTS: u32 = 64;
const ITEMS: u64 = 1_000_000;
const ITEMS_A_PAGE: u64 = 2_000;
const PAGE_MILLIS: u64 = 10;
/// Pages a second of a table that refuses what is above.
const STRICT_PAGES: u64 = 100;
const TIMES: usize = 9;

/// What the whole may take of the limit's time.
const OF_THE_LIMIT: f64 = 1.3;
/// And of the time that the capacity alone takes, where it is what bounds the count.
const OF_THE_CAPACITY: f64 = 1.2;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--serve", pages_a_second] => server::serve(pages_a_second.parse().expect("a number")),
        ["--limit", address] => limit::run(address),
        ["--ours", endpoint] => ours(endpoint),
        // Cargo adds `--bench`.
        _ => compare(),
    }
}

fn compare() -> ExitCode {
    let (table, strict) = (Table::start(0), Table::start(STRICT_PAGES));
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        limit.push(counted("--limit", &table.address));
        ours.push(counted("--ours", &table.address));
    }
    let (ours, limit) = (median(ours), median(limit));
    let pages = f64::from(SEGMENTS) * (ITEMS / u64::from(SEGMENTS)).div_ceil(ITEMS_A_PAGE) as f64;
    let capacity = pages / STRICT_PAGES as f64;
    let bounded = counted("--ours", &strict.address);
    let figures = [
        ("a million items, 64 segments", ours, OF_THE_LIMIT, "the limit", limit),
        ("the same where the table gives 100 pages a second", bounded, OF_THE_CAPACITY, "its capacity", capacity),
    ];
    println!("| figure | measured | goal | |\n|---|---|---|---|");
    let mut met = true;
    for (what, measured, share, of, whole) in figures {
        let (goal, holds) = (share * whole, measured <= share * whole);
        met &= holds;
        let verdict = if holds { "met" } else { "MISSED" };
        println!("| {what} | {measured:.3} s | {share} × {of} of {whole:.3} s = {goal:.3} s | {verdict} |");
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The seconds of a process from its start to its end.
///
/// # Panics
/// It counted another number.
fn counted(how: &str, address: &str) -> f64 {
    let began = Instant::now();
    let output = myself([how, address]).output().expect("its end");
    let seconds = began.elapsed().as_secs_f64();
    assert!(output.status.success(), "{how} failed: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), ITEMS.to_string(), "{how} counted wrongly");
    seconds
}

/// As `verify.table` does it; that the table's size gives it as many segments is given.
fn ours(address: &str) -> ExitCode {
    let session = Session::emulated("us-east-1", &format!("http://{address}"));
    let width = Width { segments: SEGMENTS, ..Width::of(ITEMS * 512, None) };
    // As the command line has it.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    let count = count_items(&session, server::TABLE, width, &|_| {}, &|| false);
    println!("{}", runtime.block_on(count).expect("a count"));
    ExitCode::SUCCESS
}

fn myself<const N: usize>(words: [&str; N]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(words);
    command
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// The table's server in its process. It ends with this.
struct Table {
    process: Child,
    /// `HOST:PORT`
    address: String,
}

impl Table {
    /// `pages_a_second`: what it lets through; 0 for all.
    fn start(pages_a_second: u64) -> Self {
        let mut command = myself(["--serve", &pages_a_second.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Self { process, address: line.trim().to_owned() }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
