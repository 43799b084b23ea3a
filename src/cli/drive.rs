//! Carries a run through: reporters, engine, and the words and exit code at its end. Shared by every command that
//! changes something.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::lease::let_go;
use crate::engine::{self, Ended, Engine, EngineError};
use crate::journal::{FailureKind, Held, Journal, JournalError, Record};
use crate::report::{self, Reporter};
use crate::steps::Notice;

/// Who is told what happens while a run goes on. `history` is what the journal held before.
fn reporters(output: Output, environment: &Environment, history: &[Record]) -> Vec<Box<dyn Reporter>> {
    match output {
        Output::Json => vec![Box::new(report::Json::new(std::io::stdout()))],
        Output::Text if environment.draws => vec![Box::new(report::Terminal::stderr(environment.color, history))],
        Output::Text => vec![Box::new(report::Plain::new(std::io::stderr(), history))],
    }
}

/// A run that is ready to go on.
pub struct Run<'a> {
    pub engine: Engine,
    pub notices: mpsc::UnboundedReceiver<Notice>,
    pub journal: Arc<Journal>,
    /// What the journal held before this process took it.
    pub history: &'a [Record],
    /// The lease and the journal's copy, unless the operator chose to go without.
    pub held: Option<Arc<Held>>,
}

/// Carries out what the journal says is left, and shows it.
///
/// # Errors
/// The journal could not be written: what was done is known, what was running is in it as started.
pub async fn drive(run: Run<'_>, output: Output, environment: &Environment) -> Result<Exit, CliError> {
    let Run { engine, notices, journal, history, held } = run;
    let name = engine.world.run.clone();
    let run_dir = engine.world.run_dir.clone();
    let showing = tokio::spawn(report::run(reporters(output, environment, history), notices));
    let ended = engine::execute(&engine, journal.clone()).await;
    let lines = journal.next();
    drop(journal);
    // The reporters end when the last sender is gone, and the journal is let go with the engine.
    drop(engine);
    showing.await.ok();
    if let Some(held) = &held {
        let_go(held, lines, matches!(ended, Ok(Ended::Done { .. }))).await;
    }
    let ended = ended.map_err(|error| stopped(&name, error))?;
    let summary = report::read(&run_dir)
        .map_err(|error| CliError::error(format!("run {name} cannot be summed up")).cause(error.to_string()))?;
    if output == Output::Text {
        report::to_stderr(&report::closing(&summary, environment.stderr_look()));
    }
    Ok(exit(&ended, summary.missed() || summary.skipped()))
}

/// Why the run could not even be brought to its end for now.
fn stopped(run: &str, error: EngineError) -> CliError {
    let EngineError::Journal(error) = error;
    let JournalError::Refused(refusal) = error else {
        return CliError::error(format!("run {run} stopped: its journal cannot be written"))
            .cause(error.to_string())
            .hint("nothing was started after that; make room, then go on")
            .next(format!("lifeboat resume {run}"));
    };
    CliError::new(Exit::Held, format!("run {run} stopped on this machine"))
        .cause(refusal.to_string())
        .hint("nothing was begun after that, and what ran was brought to a safe place; see who works on it now")
        .next(format!("lifeboat status {run}"))
}

/// A failed check is a result, not a disturbance: 5 says that the run did all it could and what it found is not right,
/// or not known to be. `short`: an objective was missed, or a step was left out.
fn exit(ended: &Ended, short: bool) -> Exit {
    match ended {
        Ended::Done { .. } if short => Exit::CheckFailed,
        Ended::Done { .. } => Exit::Done,
        Ended::Interrupted => Exit::Held,
        Ended::Held { failures } => {
            let checks = failures.iter().all(|(_, failure)| failure.kind == FailureKind::CheckFailed);
            if checks { Exit::CheckFailed } else { Exit::Held }
        }
    }
}
