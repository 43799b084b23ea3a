//! The run that is to be gone on with, wherever its journal is: on this machine, or only in the state bucket, where
//! another machine's run is found by its name. Both copies are brought to the same lines before anything else.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::CliError;
use super::lease::Copied;
use super::wiring::{self, Plans};
use super::{home, lease_words};
use crate::journal::replica::{ReplicaPlace, Standing, compare};
use crate::journal::{self, Event, Journal, JournalError, Loaded, Tenure};
use crate::manifest::Manifest;
use crate::report;

/// A run that was named, or chosen.
pub struct Site {
    pub run: String,
    environment: String,
    /// Where the journal is on this machine, where it is.
    here: Option<Here>,
}

/// A run whose journal this process holds.
pub struct Here {
    pub dir: PathBuf,
    pub journal: Journal,
    pub loaded: Loaded,
}

/// Finds a run: the one of that name, here or by its name elsewhere, or the newest unfinished one here.
///
/// # Errors
/// There is none, or its journal cannot be used.
pub fn find(run: Option<&str>, environment: &Environment) -> Result<Site, CliError> {
    let dir = match run {
        None => newest(environment)?,
        Some(run) => match (home::find_run(&environment.home, run), home::environment_of(run)) {
            (Ok(dir), _) => dir,
            (Err(_), Some(of)) => return Ok(Site { run: run.to_owned(), environment: of.to_owned(), here: None }),
            (Err(error), None) => return Err(error),
        },
    };
    let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let here = open(&run, dir)?;
    if let Some(torn) = &here.loaded.torn {
        report::to_stderr(&format!("the journal's last line was torn ({} bytes) and is dropped\n", torn.len()));
    }
    let Some(started) = &here.loaded.state.started else {
        return Err(CliError::error("the run never began").cause("its journal is empty"));
    };
    Ok(Site { run, environment: started.runbook.environment.clone(), here: Some(here) })
}

fn newest(environment: &Environment) -> Result<PathBuf, CliError> {
    let newest = home::unfinished(&environment.home, None)?.pop();
    newest.map(|unfinished| unfinished.dir).ok_or_else(|| {
        CliError::blocked("there is no unfinished run on this machine")
            .hint("a run of another machine is fetched when it is named: lifeboat runs ENV --remote shows the names")
            .next("lifeboat runs")
    })
}

fn open(run: &str, dir: PathBuf) -> Result<Here, CliError> {
    let (journal, loaded) = Journal::open(&dir).map_err(|error| unusable(run, &error))?;
    Ok(Here { dir, journal, loaded })
}

impl Site {
    /// What the journal on this machine holds.
    pub fn loaded(&self) -> Option<&Loaded> {
        self.here.as_ref().map(|here| &here.loaded)
    }

    /// Whether the run was never worked on under a lease, so that there is none to let go.
    pub fn had_no_lease(&self) -> bool {
        let held = |event: &Event| match event {
            Event::RunStarted(started) => matches!(started.tenure, Some(Tenure::Held { .. })),
            Event::RunResumed { tenure, .. } => matches!(tenure, Some(Tenure::Held { .. })),
            _ => false,
        };
        self.loaded().is_some_and(|loaded| !loaded.records.iter().any(|record| held(&record.event)))
    }

    /// The manifest: the one that the run began with, where this machine has it there; else the environment's.
    ///
    /// # Errors
    /// Exit 2: it is not valid, or there is none.
    pub fn plans(&self, environment: &Environment) -> Result<Plans, CliError> {
        let began_with = self.loaded().and_then(|loaded| loaded.state.started.as_ref()).map(|it| &it.manifest);
        match began_with.filter(|path| path.is_file()) {
            Some(path) => wiring::read_file(path, environment),
            None => wiring::read(&self.environment, environment),
        }
    }

    /// The run as it is here, for whoever works without a lease.
    ///
    /// # Errors
    /// It is not here.
    pub fn alone(self) -> Result<Here, CliError> {
        let run = self.run;
        self.here.ok_or_else(|| {
            CliError::usage(format!("there is no run {run} on this machine"))
                .cause("without a lease nothing is fetched from the state bucket either")
        })
    }

    /// Brings the journal here and its copy to the same lines; says what the copy lacks. Neither loses a line.
    ///
    /// # Errors
    /// Exit 3: the copy cannot be read or is no whole journal of this run, or the two conflict. Nothing was changed.
    pub async fn synced(
        self,
        place: &ReplicaPlace,
        manifest: &Manifest,
        home: &Path,
    ) -> Result<(Here, Copied), CliError> {
        let Self { run, here, .. } = self;
        let copy = place.fetch().await.map_err(|error| lease_words::no_copy(&run, &error.to_string()))?;
        let checked = journal::check(&copy, Path::new(&place.uri()));
        let checked = checked.map_err(|error| lease_words::no_copy(&run, &error.to_string()))?;
        of_this_run(&run, &checked, manifest)?;
        match here {
            Some(here) => joined(&run, here, &copy),
            None if copy.is_empty() => Err(CliError::usage(format!("there is no run {run}"))
                .cause(format!("neither on this machine nor in {}", place.uri()))
                .next(format!("lifeboat runs {} --remote", manifest.environment))),
            None => {
                let dir = home::make_run_dir(home, &run)?;
                journal::put(&dir, &copy).map_err(|error| unusable(&run, &error))?;
                report::to_stderr(&format!("fetched the journal of run {run}: {} records\n", checked.records.len()));
                let next = checked.records.len() as u64;
                Ok((open(&run, dir)?, Copied { next, rest: Vec::new() }))
            }
        }
    }
}

/// Refuses a copy that says it is of another run.
fn of_this_run(run: &str, copy: &Loaded, manifest: &Manifest) -> Result<(), CliError> {
    let Some(started) = &copy.state.started else { return Ok(()) };
    let book = &started.runbook;
    let same = started.run == run
        && book.environment == manifest.environment
        && book.service == manifest.service
        && book.account == manifest.account;
    if same {
        return Ok(());
    }
    let of =
        format!("it is of run {} of {} {} in account {}", started.run, book.service, book.environment, book.account);
    Err(lease_words::no_copy(run, &of))
}

fn joined(run: &str, here: Here, copy: &[u8]) -> Result<(Here, Copied), CliError> {
    let local = journal::lines_of(&here.dir).map_err(|error| unusable(run, &error))?;
    let Here { dir, journal, loaded } = here;
    match compare(&local, copy) {
        Standing::Same => {
            let next = journal.next();
            Ok((Here { dir, journal, loaded }, Copied { next, rest: Vec::new() }))
        }
        Standing::LocalAhead { from_byte, from_line } => {
            let rest = local.get(from_byte..).unwrap_or_default().to_vec();
            Ok((Here { dir, journal, loaded }, Copied { next: from_line, rest }))
        }
        Standing::ReplicaAhead { from_byte } => {
            let before = journal.next();
            let tail = copy.get(from_byte..).unwrap_or_default();
            let (journal, loaded) = journal.extend(tail).map_err(|error| unusable(run, &error))?;
            let next = journal.next();
            report::to_stderr(&format!(
                "another machine went on with run {run}: {} records taken over\n",
                next - before
            ));
            Ok((Here { dir, journal, loaded }, Copied { next, rest: Vec::new() }))
        }
        Standing::Diverged { line } => Err(CliError::blocked(format!(
            "the copies of run {run}'s journal conflict; nothing was changed"
        ))
        .cause(format!("from record {line} on, the one here says something else than the one in the state bucket"))
        .hint(format!(
            "two machines have worked on it: keep {} as evidence, move it away, and go on by the copy in the bucket",
            dir.display()
        ))
        .next(format!("lifeboat resume {run}"))),
    }
}

/// A journal that cannot be opened or written.
pub fn unusable(run: &str, error: &JournalError) -> CliError {
    match error {
        JournalError::InUse(_) => {
            CliError::blocked(format!("another process is working on run {run}")).next(format!("lifeboat status {run}"))
        }
        error => CliError::error(format!("the journal of run {run} cannot be used")).cause(error.to_string()),
    }
}
