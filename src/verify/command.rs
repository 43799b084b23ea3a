//! A check by a program of the user's: run once, in its own process group, its output kept in a file.
//!
//! It gets the environment of lifeboat with a few variables more, no input, and so much time. When that is up, its
//! group is asked to end and then made to.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Between asking and making it end.
const GRACE: Duration = Duration::from_secs(5);
/// A check that writes more is out of control.
const OUTPUT_BYTES: u64 = 64 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What an error quotes of the output.
const TAIL_BYTES: u64 = 2048;
const TAIL_LINES: usize = 5;

/// A program to run.
#[derive(Clone, Debug)]
pub struct CommandCheck {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub folder: PathBuf,
    /// Besides the environment that lifeboat has itself.
    pub variables: Vec<(String, String)>,
    /// Where its output goes; overwritten.
    pub log: PathBuf,
    pub timeout: Duration,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandEnded {
    Succeeded,
    /// "exit status: 3", "signal: 6 (SIGABRT)", with the end of its output.
    Failed {
        status: String,
        tail: String,
    },
    TimedOut {
        tail: String,
    },
    /// It wrote more than it may.
    TooMuchOutput,
    Stopped,
}

/// The program that a manifest names: a path with a slash, or a file of that name, is relative to the manifest's
/// folder; any other name is looked up on `path`, the search path. `None` where there is no such program.
pub fn find_program(name: &str, folder: &Path, path: &str) -> Option<PathBuf> {
    let beside = folder.join(name);
    if name.contains('/') || is_program(&beside) {
        return is_program(&beside).then_some(beside);
    }
    path.split(':').filter(|part| !part.is_empty()).map(|part| Path::new(part).join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Runs the program until it ends, its time is up, or `stopped` comes.
///
/// # Errors
/// It could not be started, watched, or its output not be kept.
pub async fn run(check: &CommandCheck, stopped: impl Future<Output = ()>) -> std::io::Result<CommandEnded> {
    let log = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&check.log)?;
    drop(log);
    let output = OpenOptions::new().append(true).open(&check.log)?;
    let mut child = start(check, output)?;
    let began = Instant::now();
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let left = check.timeout.saturating_sub(began.elapsed());
        tokio::select! {
            status = child.wait() => return Ok(ended(status?, &check.log)),
            () = &mut stopped => {
                end(&mut child).await?;
                return Ok(CommandEnded::Stopped);
            }
            () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
        }
        if began.elapsed() >= check.timeout {
            end(&mut child).await?;
            return Ok(CommandEnded::TimedOut { tail: tail(&check.log) });
        }
        if check.log.metadata()?.len() > OUTPUT_BYTES {
            end(&mut child).await?;
            return Ok(CommandEnded::TooMuchOutput);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where checks are started")]
fn start(check: &CommandCheck, output: File) -> std::io::Result<Child> {
    Command::new(&check.program)
        .args(&check.arguments)
        .current_dir(&check.folder)
        .envs(check.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stderr(output.try_clone()?)
        .stdout(output)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

fn ended(status: ExitStatus, log: &Path) -> CommandEnded {
    if status.success() {
        return CommandEnded::Succeeded;
    }
    CommandEnded::Failed { status: status.to_string(), tail: tail(log) }
}

/// Ends the whole group: SIGTERM, some grace, SIGKILL.
async fn end(child: &mut Child) -> std::io::Result<()> {
    let Some(group) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { return Ok(()) };
    // A group that is gone already needs no signal.
    kill_process_group(group, Signal::TERM).ok();
    let asked = tokio::time::timeout(GRACE, child.wait()).await;
    // Children of the program may be left, even where it has ended itself.
    kill_process_group(group, Signal::KILL).ok();
    if asked.is_err() {
        child.wait().await?;
    }
    Ok(())
}

/// The last lines of the output in one line, control characters escaped: it comes from elsewhere and is shown to
/// people.
fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.join(" | ").chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
