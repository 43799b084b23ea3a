//! The folder that holds the runs, and the lock that keeps one run per environment on this machine.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::error::CliError;
use crate::journal::{self, RunState};
use crate::manifest::Manifest;

const LEASE_TOKEN: &str = "lease.token";

/// `$LIFEBOAT_HOME/runs`.
pub fn runs_dir(home: &Path) -> PathBuf {
    home.join("runs")
}

/// A new run's name: `20261122T0312-prod-7f3a`. It sorts by time and names the environment.
pub fn new_run(environment: &str, now: Timestamp) -> String {
    let seed = format!("{environment} {} {}", now.as_nanosecond(), std::process::id());
    let digest = Sha256::digest(seed.as_bytes());
    format!("{}-{environment}-{:02x}{:02x}", now.strftime("%Y%m%dT%H%M"), digest[0], digest[1])
}

/// A run that may be about to begin. Its folder goes away with this value, unless a journal has begun in it.
pub struct NewRun {
    pub name: String,
    pub dir: PathBuf,
}

impl NewRun {
    /// # Errors
    /// The folder cannot be made.
    pub fn make(home: &Path, name: String) -> Result<Self, CliError> {
        let dir = make_run_dir(home, &name)?;
        Ok(Self { name, dir })
    }
}

impl Drop for NewRun {
    fn drop(&mut self) {
        if !self.dir.join("journal.jsonl").exists()
            && let Err(error) = std::fs::remove_dir_all(&self.dir)
        {
            tracing::warn!(%error, "the folder of a run that never began was left behind");
        }
    }
}

/// Makes a run's folder, for its owner alone: plans and logs may hold secrets.
///
/// # Errors
/// It cannot be made.
pub fn make_run_dir(home: &Path, run: &str) -> Result<PathBuf, CliError> {
    let dir = runs_dir(home).join(run);
    private_dir(&dir)?;
    // The journal in it is only safe once the folder's own entry is on disk.
    for parent in dir.ancestors().skip(1).take(2) {
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(|error| {
            CliError::error(format!("{} cannot be synced", parent.display())).cause(error.to_string())
        })?;
    }
    Ok(dir)
}

/// Makes a rehearsal's folder. Rehearsals are kept apart from runs, so that nobody takes one for the other.
///
/// # Errors
/// It cannot be made.
pub fn make_rehearsal_dir(home: &Path, name: &str) -> Result<PathBuf, CliError> {
    let dir = home.join("rehearsals").join(name);
    private_dir(&dir)?;
    Ok(dir)
}

fn private_dir(dir: &Path) -> Result<(), CliError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| {
        CliError::error(format!("{} cannot be made", dir.display()))
            .cause(error.to_string())
            .hint("give another folder with --home or LIFEBOAT_HOME")
    })
}

/// The folder of a run that is there.
///
/// # Errors
/// There is none of this name.
pub fn find_run(home: &Path, run: &str) -> Result<PathBuf, CliError> {
    let dir = runs_dir(home).join(run);
    if is_plain(run) && dir.join("journal.jsonl").is_file() {
        return Ok(dir);
    }
    Err(CliError::usage(format!("there is no run {run}"))
        .cause(format!("looked in {}", runs_dir(home).display()))
        .next("lifeboat runs"))
}

/// Whether a run's name leads nowhere but into its own folder.
pub fn is_plain(run: &str) -> bool {
    !run.is_empty() && run != "." && run != ".." && !run.contains('/')
}

/// The environment that a run's name names, where it is a name that [`new_run`] gives.
pub fn environment_of(run: &str) -> Option<&str> {
    let (time, rest) = run.split_once('-')?;
    let (environment, tail) = rest.rsplit_once('-')?;
    let is_time = time.len() == 13
        && time.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            _ => byte.is_ascii_digit(),
        });
    let is_tail = tail.len() == 4 && tail.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_time && is_tail && is_plain(environment)).then_some(environment)
}

/// The random word by which a later process of the same run in this home is known for its follower; made where there
/// is none yet.
///
/// # Errors
/// It cannot be read or written.
pub fn lease_token(run_dir: &Path) -> Result<String, CliError> {
    let path = run_dir.join(LEASE_TOKEN);
    let unusable = |error: std::io::Error| {
        CliError::error(format!("{} cannot be written", path.display())).cause(error.to_string())
    };
    if let Ok(token) = std::fs::read_to_string(&path)
        && !token.is_empty()
    {
        return Ok(token);
    }
    let mut random = [0_u8; 16];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random)).map_err(unusable)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(unusable)?;
    file.write_all(token.as_bytes()).and_then(|()| file.sync_all()).map_err(unusable)?;
    Ok(token)
}

/// The token of a run that has, or had, a folder here.
pub fn known_token(home: &Path, run: &str) -> Option<String> {
    if !is_plain(run) {
        return None;
    }
    let path = runs_dir(home).join(run).join(LEASE_TOKEN);
    std::fs::read_to_string(path).ok().filter(|token| !token.is_empty())
}

/// Held while a run of an environment goes on; it is let go when the process ends, however it ends.
#[derive(Debug)]
pub struct EnvironmentLock(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

/// Takes the environment's lock on this machine.
///
/// # Errors
/// Another process has it.
pub fn lock_environment(home: &Path, manifest: &Manifest) -> Result<EnvironmentLock, CliError> {
    let dir = home.join("locks");
    private_dir(&dir)?;
    let name = format!("{}-{}-{}", manifest.account, manifest.service, manifest.environment);
    let path = dir.join(name.replace('/', "_"));
    let unusable = |error: std::io::Error| {
        CliError::error(format!("{} cannot be locked", path.display())).cause(error.to_string())
    };
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(unusable)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(EnvironmentLock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(CliError::blocked(format!("another lifeboat is working on {} on this machine", manifest.environment))
                .next("lifeboat runs"))
        }
        Err(error) => Err(unusable(error.into())),
    }
}

/// A run that was begun and has no end.
pub struct Unfinished {
    pub run: String,
    pub dir: PathBuf,
    pub state: RunState,
    /// Whether a process is working on it now.
    pub alive: bool,
}

/// The unfinished runs, of one environment or of all, oldest first.
///
/// # Errors
/// The runs cannot be listed, or a journal is damaged: then nobody knows whether it is finished.
pub fn unfinished(home: &Path, environment: Option<&str>) -> Result<Vec<Unfinished>, CliError> {
    let dirs = run_dirs(home)?;
    let mut found = Vec::new();
    for dir in dirs {
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let loaded = match journal::load(&dir) {
            Ok(loaded) => loaded,
            // A run's name tells whose it is, also where its journal no longer does.
            Err(error) if environment.is_some_and(|environment| !run.contains(&format!("-{environment}-"))) => {
                tracing::warn!(%error, run, "the journal of another environment's run cannot be read");
                continue;
            }
            Err(error) => {
                return Err(CliError::blocked(format!(
                    "run {run} cannot be read, so nobody knows whether it is finished"
                ))
                .cause(error.to_string())
                .hint("keep its folder as evidence and move it out of the way once you know what it did"));
            }
        };
        let ours =
            loaded.state.started.as_ref().is_some_and(|started| {
                environment.is_none_or(|environment| started.runbook.environment == environment)
            });
        if ours && loaded.state.outcome.is_none() {
            let alive = journal::is_held(&dir);
            found.push(Unfinished { run, dir, state: loaded.state, alive });
        }
    }
    Ok(found)
}

/// Refuses a second run beside one that has no end: its effects are not known to be whole.
///
/// # Errors
/// Exit 3, naming the run and the ways on.
pub fn refuse_unfinished(home: &Path, manifest: &Manifest) -> Result<(), CliError> {
    let Some(unfinished) = unfinished(home, Some(&manifest.environment))?.pop() else { return Ok(()) };
    let run = &unfinished.run;
    let how = match (&unfinished.state.held, unfinished.alive) {
        (_, true) => "is going on".to_owned(),
        (Some(reason), _) => format!("is held: {reason}"),
        (None, _) => "was killed, or its machine was".to_owned(),
    };
    Err(CliError::blocked(format!("run {run} of {} has no end yet", manifest.environment))
        .cause(format!("it {how}"))
        .hint(format!("give it up with: lifeboat resume {run} --abandon --because \"…\""))
        .next(if unfinished.alive { format!("lifeboat status {run}") } else { format!("lifeboat resume {run}") }))
}

/// The folders of all runs, oldest first: a run's name begins with its time.
fn run_dirs(home: &Path) -> Result<Vec<PathBuf>, CliError> {
    let dir = runs_dir(home);
    let failed =
        |error: std::io::Error| CliError::error(format!("{} cannot be listed", dir.display())).cause(error.to_string());
    let entries = match std::fs::read_dir(&dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut dirs = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
    dirs.retain(|dir| dir.join("journal.jsonl").is_file());
    dirs.sort();
    Ok(dirs)
}

/// The folder of the named run, or of the newest.
///
/// # Errors
/// There is no such run, or none at all.
pub fn run_or_newest(home: &Path, run: Option<&str>) -> Result<PathBuf, CliError> {
    match run {
        Some(run) => find_run(home, run),
        None => run_dirs(home)?.pop().ok_or_else(|| {
            CliError::usage("there are no runs yet").cause(format!("looked in {}", runs_dir(home).display()))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_name_tells_its_environment_and_other_names_tell_nothing() {
        let now = "2026-11-22T03:12:44Z".parse().expect("a time");
        for environment in ["prod", "prod-eu"] {
            assert_eq!(environment_of(&new_run(environment, now)), Some(environment));
        }
        for other in
            ["nobody", "../../etc", "20261122T0312-../x-7f3a", "20261122T0312--7f3a", "20261122T0312-prod-7f3", ""]
        {
            assert_eq!(environment_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_run_keeps_its_token_and_no_name_leads_out_of_the_runs() {
        let home = tempfile::tempdir().expect("a folder");
        let dir = make_run_dir(home.path(), "r1").expect("made");
        let token = lease_token(&dir).expect("a token");
        assert_eq!(token.len(), 32);
        assert_eq!(lease_token(&dir).expect("the same"), token);
        assert_eq!(known_token(home.path(), "r1"), Some(token));
        assert_eq!(known_token(home.path(), "../runs/r1"), None);
    }
}
