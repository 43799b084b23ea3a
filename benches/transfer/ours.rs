//! lifeboat's own engine, called as its steps call it, in a process of its own. Tells its peak memory at the end.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use lifeboat::aws::Session;
use lifeboat::aws::s3::etags_are_md5;
use lifeboat::transfer::{
    Bounded, Copier, Known, Limits, Proof, changes, copy_missing, diff, list, roll_back, survey_rollback,
};

use crate::tools::peak_bytes;

/// What a comparison may read, in bytes.
const CONTENT_BYTES: u64 = 2 << 30;

/// `copy ENDPOINT CONCURRENCY SOURCE TARGET` or `rollback ENDPOINT CONCURRENCY BUCKET SECONDS`
pub fn run(words: &[&str]) -> ExitCode {
    let [mode, endpoint, concurrency, bucket, last] = words else { return ExitCode::FAILURE };
    let limits = Limits { concurrency: concurrency.parse().expect("a number"), ..Limits::default() };
    let session = Session::emulated("us-east-1", endpoint);
    // As the command line has it.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    match *mode {
        "copy" => runtime.block_on(copy(&session, limits, bucket, last)),
        "rollback" => {
            let to = last.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).expect("a time");
            runtime.block_on(rollback(&session, limits, bucket, to));
        }
        _ => return ExitCode::FAILURE,
    }
    println!("{}", peak_bytes("/proc/self/status").expect("Linux"));
    ExitCode::SUCCESS
}

/// As `restore.bucket` does it. With nothing to do it only lists and compares.
async fn copy(session: &Session, limits: Limits, source: &str, target: &str) {
    let copier = Arc::new(Copier::new(session, source, target, limits, || false));
    let comparer = Arc::new(copier.comparer(CONTENT_BYTES));
    let differences = diff(list(session.s3(), source), list(session.s3(), target));
    copy_missing(copier, comparer, differences, None, |_| {}).await.expect("a whole copy");
}

/// As the rollback's check and its work do it.
async fn rollback(session: &Session, limits: Limits, bucket: &str, to: Timestamp) {
    let copier = || Arc::new(Copier::over_current(session, bucket, limits, || false));
    let decisions = || changes(session.s3(), bucket, "", to);
    let surveying = copier();
    let comparer = Arc::new(surveying.comparer(CONTENT_BYTES));
    let known = Known { hides: true, etags_tell: etags_are_md5(session, bucket).await.expect("an answer") };
    let whole = (Proof::Whole, known);
    let found = survey_rollback(surveying, comparer, decisions(), whole, |_| {}, |_| {}).await.expect("a survey");
    let doing = copier();
    let comparer = Arc::new(doing.comparer(CONTENT_BYTES));
    let bounded = Bounded { until: found.newest, known };
    roll_back(doing, comparer, decisions(), bounded, |_| {}).await.expect("a whole rollback");
}
