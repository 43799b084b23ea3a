//! A lock that this run's own Terraform took and cannot let go any more: the answer to its request was lost, or its
//! machine died.
//!
//! Terraform logs the id of a lock before it asks for it (Terraform: "Debugging Terraform", `TF_LOG_CORE`), here into a
//! file beside the call's own log. A lock whose id stands in one of these files is this run's, and once the process that
//! asked is gone nobody holds it. Anything else is for the operator to decide, by its id.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::process;

/// Ending of the files, which have the call's name.
pub(super) const TRACE: &str = "trace";
/// What the S3 backend logs before it asks for a lock (Terraform 1.10 and later).
const ASKS: &str = "Attempting to lock remote state";

/// Whether a call whose log lies in `logs` asked for the lock, and none that did is still at work.
///
/// # Errors
/// The folder or a file cannot be read.
pub(super) fn is_left(logs: &Path, id: &str) -> io::Result<bool> {
    let mut asked = false;
    for entry in std::fs::read_dir(logs)? {
        let trace = entry?.path();
        if trace.extension().is_some_and(|ending| ending == TRACE) && asks_for(&trace, id)? {
            asked = true;
            if process::is_running(&trace.with_extension("log"))? {
                return Ok(false);
            }
        }
    }
    Ok(asked)
}

fn asks_for(trace: &Path, id: &str) -> io::Result<bool> {
    let named = format!("tf_backend.lock.id={id}");
    for line in BufReader::new(File::open(trace)?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if line.contains(ASKS) && line.split_whitespace().any(|word| word == named) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Terraform 1.11.4 writes it.
    const LINE: &str = "2026-11-22T22:04:41.174Z [INFO]  backend-s3: Attempting to lock remote state (S3 Native only)...: \
        tf_backend.lock.id=fe90ca91-5e23-1b18-15ab-895934cdeecf tf_backend.lock.info=\"\" tf_backend.lock.who=root@vm\n";

    #[test]
    fn a_lock_is_ours_only_by_its_id_and_left_only_once_its_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let id = "fe90ca91-5e23-1b18-15ab-895934cdeecf";
        std::fs::write(dir.path().join("07-apply.trace"), LINE).unwrap();
        let log = File::create(dir.path().join("07-apply.log")).unwrap();
        assert!(is_left(dir.path(), id).unwrap());
        assert!(!is_left(dir.path(), "fe90ca91-5e23-1b18-15ab-895934cdeec").unwrap(), "the beginning of an id is none");
        assert!(!is_left(dir.path(), "").unwrap());

        rustix::fs::flock(&log, rustix::fs::FlockOperation::LockExclusive).unwrap();
        assert!(!is_left(dir.path(), id).unwrap(), "whoever asked for it is at work");
    }

    #[test]
    fn what_was_only_unlocked_or_quoted_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("01-plan.trace"), LINE.replace("Attempting to lock", "Attempting to unlock"))
            .unwrap();
        std::fs::write(dir.path().join("02-plan.log"), LINE).unwrap();
        assert!(!is_left(dir.path(), "fe90ca91-5e23-1b18-15ab-895934cdeecf").unwrap());
    }
}
