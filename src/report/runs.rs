//! The runs of this machine, from their journals. A damaged one is listed with what is wrong with it, never left out.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::summary::{Ending, Summary, read};
use super::table::{Column, Table};
use super::text::{Look, Tone, duration, escape, wrap};
use crate::journal::JournalError;

/// The folder of runs cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be listed: {source}", .folder.display())]
pub struct RunsError {
    folder: PathBuf,
    source: std::io::Error,
}

/// One run in the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunLine {
    /// The name of its folder.
    pub run: String,
    #[serde(flatten)]
    pub found: RunFound,
}

/// What its journal says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "journal", rename_all = "snake_case")]
pub enum RunFound {
    Readable {
        scenario: String,
        service: String,
        environment: String,
        ending: Ending,
        /// Whether an objective was missed for certain.
        missed: bool,
        declared_at: Timestamp,
        wall_ms: u64,
        verified: usize,
        steps: usize,
        next: Option<String>,
    },
    Damaged {
        reason: String,
    },
}

/// All runs under `home`, newest first. None where there never was a run.
///
/// # Errors
/// The folder is there and cannot be listed.
pub fn runs(home: &Path) -> Result<Vec<RunLine>, RunsError> {
    let folder = home.join("runs");
    let unlisted = |source| RunsError { folder: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unlisted(error)),
    };
    let mut lines = Vec::new();
    for entry in entries {
        let path = entry.map_err(unlisted)?.path();
        if path.is_dir() {
            lines.push(line(&path));
        }
    }
    // Names begin with the time.
    lines.sort_by(|a, b| b.run.cmp(&a.run));
    Ok(lines)
}

fn line(run_dir: &Path) -> RunLine {
    let run = run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    run_line(run, read(run_dir))
}

/// The line of a run that was summed up, or whose journal could not be read.
pub fn run_line(run: String, summary: Result<Summary, JournalError>) -> RunLine {
    let found = match summary {
        Ok(summary) => RunFound::Readable {
            missed: summary.missed(),
            verified: summary.verified(),
            steps: summary.steps.len(),
            scenario: summary.scenario,
            service: summary.service,
            environment: summary.environment,
            ending: summary.ending,
            declared_at: summary.declared_at,
            wall_ms: summary.wall_ms,
            next: summary.next,
        },
        Err(error) => RunFound::Damaged { reason: damage(error) },
    };
    RunLine { run, found }
}

/// The reason without the path, which the line begins with.
fn damage(error: JournalError) -> String {
    match error {
        JournalError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "there is no journal in its folder".into()
        }
        JournalError::Damaged { line, why, .. } => format!("line {line}: {why}"),
        JournalError::Newer { version, .. } => format!("format version {version} is newer than this lifeboat"),
        other => other.to_string(),
    }
}

/// The list as text that ends with a line break.
pub fn runs_table(runs: &[RunLine], look: Look) -> String {
    if runs.is_empty() {
        return "there are no runs\n".into();
    }
    let mut table = Table::new(&[
        ("run", Column::Left),
        ("scenario", Column::Left),
        ("service", Column::GivesWay),
        ("state", Column::Left),
        ("steps", Column::Right),
        ("took", Column::Right),
    ]);
    let mut damaged = Vec::new();
    for line in runs {
        match &line.found {
            RunFound::Readable { scenario, service, ending, missed, wall_ms, verified, steps, .. } => {
                let (state, tone) = state(*ending, *missed);
                table.row([
                    (escape(&line.run), None),
                    (escape(scenario), None),
                    (escape(service), None),
                    (state.into(), Some(tone)),
                    (format!("{verified}/{steps}"), None),
                    (duration(*wall_ms), None),
                ]);
            }
            RunFound::Damaged { reason } => {
                table.row([(escape(&line.run), None), (String::new(), None), ("damaged".into(), Some(Tone::Bad))]);
                let words = format!("{}: its journal is damaged: {}", escape(&line.run), escape(reason));
                damaged.extend(wrap("! ", &words, look.columns()));
            }
        }
    }
    let mut lines = table.lines(look);
    if !damaged.is_empty() {
        lines.push(String::new());
        lines.extend(damaged);
    }
    lines.join("\n") + "\n"
}

fn state(ending: Ending, missed: bool) -> (&'static str, Tone) {
    match ending {
        Ending::Done if missed => ("done, missed", Tone::Doubtful),
        Ending::Done => ("done", Tone::Good),
        Ending::AlreadyInPlace => ("in place", Tone::Good),
        Ending::CheckFailed => ("check failed", Tone::Bad),
        Ending::Held => ("held", Tone::Bad),
        Ending::Running => ("running", Tone::Active),
        Ending::Interrupted => ("interrupted", Tone::Bad),
        Ending::Abandoned => ("abandoned", Tone::Quiet),
    }
}
/// The list as a JSON document with a `schema_version`, ended by a line break.
///
/// # Errors
/// None in practice: a list holds nothing that JSON could not.
pub fn runs_json(runs: &[RunLine]) -> Result<String, serde_json::Error> {
    let document = serde_json::json!({ "schema_version": super::summary::SCHEMA_VERSION, "runs": runs });
    Ok(super::json::visible(&serde_json::to_string_pretty(&document)?) + "\n")
}
