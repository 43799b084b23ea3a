//! What the bulk S3 engine costs beside the tools that people use today, and beside the least that any client needs.
//!
//! `cargo bench --bench transfer` measures all, with a name behind `--` only that: `near`, `far`, `throttled`, `nothing`,
//! `rollback`, `large`, `endurance`. Tools are looked for in the folder `LIFEBOAT_PEERS` and on the PATH. Every measurement is of
//! whole processes against a server in memory (`server`), into a fresh target, and the state it leaves is compared: a wrong
//! one ends the benchmark. Prints a table with the goal beside each figure; a miss is marked as one, and the exit code is
//! 1 then.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints, and starts what it measures")]

mod copies;
mod endurance;
mod limit;
mod ours;
mod rollbacks;
mod server;
mod tools;
mod trial;
mod world;

use std::process::ExitCode;

use trial::Figure;
use world::S3;

type Measure = fn(&S3) -> Vec<Figure>;

const PAIRS: [(&str, Measure); 7] = [
    ("near", copies::near),
    ("far", copies::far),
    ("throttled", copies::throttled),
    ("nothing", copies::nothing_to_do),
    ("rollback", rollbacks::all),
    ("large", copies::large),
    ("endurance", endurance::all),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--serve", port] => server::serve(port.parse().expect("a port")),
        ["--limit", rest @ ..] => limit::run(rest),
        ["--ours", rest @ ..] => ours::run(rest),
        // Cargo adds `--bench`.
        words => compare(words.iter().copied().find(|word| !word.starts_with('-'))),
    }
}

fn compare(only: Option<&str>) -> ExitCode {
    let s3 = S3::start();
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let figures: Vec<Figure> =
        PAIRS.into_iter().filter(|(name, _)| wanted(name)).flat_map(|(_, measure)| measure(&s3)).collect();
    println!("| figure | measured | goal | |\n|---|---|---|---|");
    for Figure { what, measured, goal, met } in &figures {
        println!("| {what} | {measured} | {goal} | {} |", if *met { "met" } else { "MISSED" });
    }
    if !figures.is_empty() && figures.iter().all(|figure| figure.met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
