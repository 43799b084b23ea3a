//! The one place where Terraform is started.
//!
//! Invariants: the child has a process group of its own, so that the terminal's Ctrl-C never reaches it; it gets at most
//! one SIGINT, which Terraform answers by finishing what is in flight and saving its state (a second one makes it
//! exit at once), and never SIGKILL; it is waited for as long as it takes. What it says goes straight into a
//! file, not through a pipe: when lifeboat dies, Terraform lives on and can still write, and its inherited lock on
//! that file tells the next lifeboat that it does.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use duct::unix::HandleExt;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use tokio::sync::mpsc;

/// How long new output stays unread at most, while the process runs.
const TAIL_EVERY: Duration = Duration::from_millis(50);
/// A longer line is handed on in pieces, so that no output can fill the memory.
const LINE_BYTES: u64 = 1024 * 1024;
/// Lines that wait for whoever follows; the reader pauses when there are more.
const LINES_AHEAD: usize = 1024;

/// One call of Terraform.
#[derive(Clone, Debug)]
pub struct Call {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub dir: PathBuf,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Where everything that it writes is kept; must not exist yet.
    pub log: PathBuf,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Whether it was sent a SIGINT.
    pub interrupted: bool,
}

/// Starts Terraform and hands on each line that it writes, until it ends. When `stop` completes it is sent one SIGINT
/// and still waited for.
///
/// # Errors
/// It could not be started, or its log could not be written or read.
pub async fn follow(call: Call, stop: impl Future<Output = ()>, mut line: impl FnMut(&str)) -> io::Result<Ended> {
    let log = open_log(&call)?;
    let reader = File::open(&call.log)?;
    let handle = start(&call, log.try_clone()?, log)?;
    let (lines, mut received) = mpsc::channel(LINES_AHEAD);
    let (ended, tail_ended) = std_mpsc::channel();
    let tail = tokio::task::spawn_blocking(move || tail(reader, &lines, &tail_ended));
    let waiting = {
        let handle = Arc::clone(&handle);
        tokio::task::spawn_blocking(move || {
            let status = handle.wait().map(|output| output.status);
            drop(ended);
            status
        })
    };
    let mut stop = std::pin::pin!(stop);
    let mut interrupted = false;
    loop {
        tokio::select! {
            text = received.recv() => match text {
                Some(text) => line(&text),
                None => break,
            },
            () = &mut stop, if !interrupted => interrupted = interrupt(&handle),
        }
    }
    tail.await.map_err(io::Error::other)??;
    Ok(ended_with(waiting.await.map_err(io::Error::other)??, interrupted))
}

/// Starts a Terraform that only reads, and gives what it prints to `parse` as it comes; only its error output is kept
/// on disk, because plans and states hold secrets.
///
/// # Errors
/// It could not be started, or its log could not be written.
pub async fn read<T, F>(call: Call, stop: impl Future<Output = ()>, parse: F) -> io::Result<(T, Ended)>
where
    F: FnOnce(&mut dyn Read) -> T + Send + 'static,
    T: Send + 'static,
{
    let log = open_log(&call)?;
    let (mut output, input) = io::pipe()?;
    let handle = start(&call, input, log)?;
    let mut work = {
        let handle = Arc::clone(&handle);
        tokio::task::spawn_blocking(move || {
            let parsed = parse(&mut output);
            io::copy(&mut output, &mut io::sink())?;
            handle.wait().map(|ended| (parsed, ended.status))
        })
    };
    let mut stop = std::pin::pin!(stop);
    let mut interrupted = false;
    let (parsed, status) = loop {
        tokio::select! {
            done = &mut work => break done.map_err(io::Error::other)??,
            () = &mut stop, if !interrupted => interrupted = interrupt(&handle),
        }
    };
    Ok((parsed, ended_with(status, interrupted)))
}

/// The log of a Terraform that still runs: one that an earlier lifeboat started and did not live to see end.
///
/// # Errors
/// The folder cannot be read.
pub fn still_running(logs: &Path) -> io::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(logs)? {
        let path = entry?.path();
        if is_running(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether the Terraform that writes this log still runs.
///
/// # Errors
/// The file cannot be opened.
pub fn is_running(log: &Path) -> io::Result<bool> {
    match flock(File::open(log)?, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Opens the log for the owner alone and locks it; the lock belongs to whoever has it open, which is soon the child.
fn open_log(call: &Call) -> io::Result<File> {
    let mut log = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&call.log)?;
    flock(&log, FlockOperation::NonBlockingLockExclusive)?;
    let words = call.args.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    writeln!(log, "$ {} {words}", call.program.display())?;
    Ok(log)
}

#[expect(clippy::disallowed_methods, reason = "the one place where Terraform is started")]
fn start<O: std::os::fd::IntoRawFd>(call: &Call, stdout: O, stderr: File) -> io::Result<Arc<duct::Handle>> {
    let command = duct::cmd(&call.program, &call.args)
        .dir(&call.dir)
        .full_env(call.env.iter().cloned())
        .stdin_null()
        .stdout_file(stdout)
        .stderr_file(stderr)
        .unchecked()
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
    // The expression holds our copies of the files; it ends here, so that only the child has them open.
    command.start().map(Arc::new)
}

/// Sends one SIGINT to Terraform itself: its providers and provisioners are for Terraform to stop.
fn interrupt(handle: &duct::Handle) -> bool {
    // Fails only where the process has just ended, which is as well.
    handle.send_signal(Signal::INT.as_raw()).ok();
    true
}

fn ended_with(status: ExitStatus, interrupted: bool) -> Ended {
    Ended { code: status.code(), signal: status.signal(), interrupted }
}

/// Hands on the lines of a growing file until `ended` is closed and everything is read.
fn tail(file: File, lines: &mpsc::Sender<String>, ended: &std_mpsc::Receiver<()>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    // The first line is our own: the call.
    let mut ours = true;
    let mut last = false;
    loop {
        while reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? > 0 {
            let whole = line.ends_with(b"\n");
            if !whole && line.len() < LINE_BYTES as usize {
                continue;
            }
            hand_on(&mut line, &mut ours, lines);
        }
        if last {
            hand_on(&mut line, &mut ours, lines);
            return Ok(());
        }
        last = matches!(ended.recv_timeout(TAIL_EVERY), Err(std_mpsc::RecvTimeoutError::Disconnected));
    }
}

fn hand_on(line: &mut Vec<u8>, ours: &mut bool, lines: &mpsc::Sender<String>) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    if !std::mem::take(ours) && !text.is_empty() {
        // Nobody follows any more: the log still has it.
        lines.blocking_send(text).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn call(dir: &Path, script: &str) -> Call {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Call {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            dir: dir.to_owned(),
            env: vec![("PATH".into(), path)],
            log: dir.join("01-test.log"),
        }
    }

    #[tokio::test]
    async fn each_line_arrives_while_it_runs_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let began = Instant::now();
        let mut seen = Vec::new();
        let script = "echo one; sleep 0.6; echo two >&2; printf three";
        let ended = follow(call(dir.path(), script), std::future::pending(), |line| {
            seen.push((line.to_owned(), began.elapsed()));
        });
        let ended = ended.await.unwrap();
        assert_eq!(ended, Ended { code: Some(0), signal: None, interrupted: false });
        assert_eq!(seen.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
        assert!(seen[0].1 < Duration::from_millis(500), "the first line was held back: {seen:?}");
        let kept = std::fs::read_to_string(dir.path().join("01-test.log")).unwrap();
        assert!(kept.ends_with("one\ntwo\nthree"), "{kept}");
    }

    #[tokio::test]
    async fn a_request_to_stop_is_one_sigint_and_patience() {
        let dir = tempfile::tempdir().unwrap();
        let script = "n=0; trap 'n=$((n+1)); echo int $n' INT; echo ready; i=0; while [ $i -lt 12 ]; do sleep 0.1; i=$((i+1)); done; exit 7";
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let (mut ready, mut seen) = (Some(ready), Vec::new());
        let ended = follow(call(dir.path(), script), async { is_ready.await.unwrap() }, |line| {
            seen.push(line.to_owned());
            if let Some(ready) = ready.take() {
                ready.send(()).unwrap();
            }
        });
        assert_eq!(ended.await.unwrap(), Ended { code: Some(7), signal: None, interrupted: true });
        assert_eq!(seen, ["ready", "int 1"]);
    }

    #[tokio::test]
    async fn what_is_only_read_never_reaches_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo secret; echo trouble >&2";
        let read = read(call(dir.path(), script), std::future::pending(), |output| {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        let (text, ended) = read.await.unwrap();
        assert_eq!((text.unwrap().as_str(), ended.code), ("secret\n", Some(0)));
        let kept = std::fs::read_to_string(dir.path().join("01-test.log")).unwrap();
        assert!(kept.ends_with("trouble\n") && !kept.contains("\nsecret"), "{kept}");
    }

    #[tokio::test]
    async fn whoever_reads_in_part_neither_blocks_the_process_nor_hides_its_failure() {
        let dir = tempfile::tempdir().unwrap();
        // More than a pipe holds, after the document that is wanted, and then a failure.
        let script = "printf '{} '; head -c 1000000 /dev/zero; echo trouble >&2; exit 3";
        let read = read(call(dir.path(), script), std::future::pending(), |output| {
            let mut first = [0; 2];
            output.read_exact(&mut first).map(|()| first)
        });
        let (first, ended) = read.await.unwrap();
        assert_eq!((&first.unwrap(), ended.code), (b"{}", Some(3)));
    }

    #[tokio::test]
    async fn a_process_that_outlives_its_lifeboat_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let orphan = follow(call(dir.path(), "sleep 1"), std::future::pending(), |_| {});
        // Dropped in the middle of it, as when lifeboat is killed: the process goes on.
        assert!(tokio::time::timeout(Duration::from_millis(200), orphan).await.is_err());
        assert_eq!(still_running(dir.path()).unwrap(), Some(dir.path().join("01-test.log")));
        let began = Instant::now();
        while still_running(dir.path()).unwrap().is_some() && began.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(still_running(dir.path()).unwrap(), None);
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Call { program: "/nowhere/terraform".into(), ..call(dir.path(), "") };
        let error = follow(missing, std::future::pending(), |_| {}).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
