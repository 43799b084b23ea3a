//! The operator of a rehearsal: starts the command, lives through its faults, and resumes until the run is done, as
//! somebody at a terminal would.
//!
//! A bounded number of times; every command is told before it is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use super::RehearseError;
use super::child::{ChildEnd, ChildPlan, Running, Says, private_environment};
use super::fault::{Deed, Strike, Trouble, run_of};
use super::interrupt::Interrupts;
use super::proxy::Release;
use crate::journal::{self, StepPhase};

/// How often the run is taken up again at most.
const RESUMES: usize = 8;
/// Before a command that was refused is tried again: somebody else may hold what it needs for a moment.
const PAUSE: Duration = Duration::from_secs(2);
/// The exit code of a command that was refused before it began.
const REFUSED: i32 = 3;
const USAGE: i32 = 2;

/// A machine that operators work at.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub lifeboat: PathBuf,
    /// Arguments of every command: where the environments are, how to show things.
    pub common: Vec<OsString>,
    /// The user's environment.
    pub variables: Vec<(OsString, OsString)>,
    pub says: Says,
    /// Writes fail, and do not kill, where a file must not grow any more.
    pub survives_full_disk: bool,
}

impl Machine {
    /// A desk in front of an emulator, for a command to begin with.
    pub fn desk(&self, endpoint: &str, home: PathBuf, first: Vec<OsString>) -> Desk {
        Desk {
            lifeboat: self.lifeboat.clone(),
            first,
            common: self.common.clone(),
            variables: private_environment(&self.variables, endpoint, &home),
            home,
            says: self.says.clone(),
            survives_full_disk: self.survives_full_disk,
        }
    }
}

/// What the operator works with.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub lifeboat: PathBuf,
    /// `failover prod --confirm prod`
    pub first: Vec<OsString>,
    /// Arguments of every command: where the environments are, how to show things.
    pub common: Vec<OsString>,
    pub variables: Vec<(OsString, OsString)>,
    /// `LIFEBOAT_HOME`
    pub home: PathBuf,
    pub says: Says,
    /// Writes fail, and do not kill, where a file must not grow any more.
    pub survives_full_disk: bool,
}

/// A command of the operator's and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// `resume 20261122T0312-prod-7f3a --retry restore.aurora.logs`
    pub command: String,
    pub end: ChildEnd,
}

impl Desk {
    fn plan(&self, args: &[OsString]) -> ChildPlan {
        let args: Vec<OsString> = args.iter().chain(&self.common).cloned().collect();
        if !self.survives_full_disk {
            return ChildPlan { program: self.lifeboat.clone(), args, variables: self.variables.clone() };
        }
        // setrlimit(2): a process whose file may not grow gets SIGXFSZ, and an error where it ignores that.
        let mut wrapped: Vec<OsString> = ["-c", "trap '' XFSZ; exec \"$0\" \"$@\""].map(OsString::from).into();
        wrapped.push(self.lifeboat.clone().into());
        wrapped.extend(args);
        ChildPlan { program: "sh".into(), args: wrapped, variables: self.variables.clone() }
    }

    pub fn start(&self, args: &[OsString]) -> Result<Running, RehearseError> {
        Running::start(&self.plan(args), &self.says)
    }

    /// What an operator would do next: begin, resume, or nothing because the run has its end.
    pub fn next(&self) -> Option<Vec<OsString>> {
        let Some(run_dir) = run_of(&self.home) else { return Some(self.first.clone()) };
        let run = run_dir.file_name().unwrap_or_default().to_owned();
        let mut args: Vec<OsString> = vec!["resume".into(), run];
        // One that cannot be read is for resume to explain.
        if let Ok(loaded) = journal::load(&run_dir) {
            if loaded.state.outcome.is_some() {
                return None;
            }
            let failed = loaded.state.steps.iter().filter(|(_, step)| matches!(step.phase, StepPhase::Failed(_)));
            args.extend(failed.flat_map(|(id, _)| [OsString::from("--retry"), id.as_str().into()]));
        }
        Some(args)
    }
}

/// Words of a command.
pub(crate) fn words(args: &[OsString]) -> String {
    args.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs the first command and resumes until the run is done. `tell` hears each command before it is started, and each
/// fault that strikes.
///
/// # Errors
/// A command could not be started or waited for. That it failed is no error.
pub(crate) async fn carry_through(
    desk: &Desk,
    trouble: &mut Trouble,
    interrupts: &mut Interrupts,
    tell: &dyn Fn(&str),
) -> Result<Vec<Done>, RehearseError> {
    let mut done = vec![one(desk, &desk.first, trouble, interrupts, tell).await?];
    go_on(desk, &mut done, trouble, interrupts, tell).await?;
    Ok(done)
}

/// Resumes until the run is done.
pub(crate) async fn go_on(
    desk: &Desk,
    done: &mut Vec<Done>,
    trouble: &mut Trouble,
    interrupts: &mut Interrupts,
    tell: &dyn Fn(&str),
) -> Result<(), RehearseError> {
    for _ in 0..RESUMES {
        let last = done.last().and_then(|done| done.end.code);
        // A finished command, a mistake in the rehearsal itself, or Ctrl-C: nobody resumes.
        if last == Some(0) || last == Some(USAGE) || interrupts.were_heard() {
            break;
        }
        let Some(args) = desk.next() else { break };
        trouble.passes();
        if last == Some(REFUSED) {
            tokio::time::sleep(PAUSE).await;
        }
        tell(&format!("\n$ lifeboat {}\n", words(&args)));
        done.push(one(desk, &args, trouble, interrupts, tell).await?);
    }
    Ok(())
}

/// One command, to its end or its death.
async fn one(
    desk: &Desk,
    args: &[OsString],
    trouble: &mut Trouble,
    interrupts: &mut Interrupts,
    tell: &dyn Fn(&str),
) -> Result<Done, RehearseError> {
    let mut running = desk.start(args)?;
    let end = loop {
        tokio::select! {
            end = running.ends(interrupts) => break end?,
            strike = trouble.strike() => {
                if let Some(end) = struck(desk, &mut running, strike, tell).await? {
                    break end;
                }
            }
        }
    };
    Ok(Done { command: words(args), end })
}

/// Does what the moment asks for; its end, where that ended the command.
async fn struck(
    desk: &Desk,
    running: &mut Running,
    strike: Strike,
    tell: &dyn Fn(&str),
) -> Result<Option<ChildEnd>, RehearseError> {
    let at = strike.caught.as_ref().map_or_else(
        || "a step's mark in the journal".to_owned(),
        |caught| format!("{}:{} of {}", caught.call.service, caught.call.operation, caught.agent),
    );
    let mut end = None;
    match strike.deed {
        Deed::Kill => {
            tell(&format!("\nkill -9 at {at}\n"));
            end = Some(running.kill().await?);
        }
        Deed::FillDisk => {
            tell(&format!("\nthe disk is full from {at} on\n"));
            fill_disk(running.pid(), &desk.home)?;
        }
        Deed::Expire => tell(&format!("\ncredentials are expired from {at} on\n")),
        Deed::Nothing => tell(&format!("\nthe reply was lost of {at}\n")),
    }
    if let Some(caught) = strike.caught {
        // A killed lifeboat's request never was; Terraform lives on and goes on asking.
        let withheld = end.is_some() && caught.agent == "lifeboat";
        caught.release(if withheld { Release::Withhold } else { Release::Go });
    }
    Ok(end)
}

/// From now on no file of the process may grow beyond what the journal has now.
#[cfg(target_os = "linux")]
fn fill_disk(pid: Option<Pid>, home: &Path) -> Result<(), RehearseError> {
    use rustix::process::{Resource, Rlimit, prlimit};
    let bytes =
        run_of(home).and_then(|run| std::fs::metadata(run.join("journal.jsonl")).ok()).map_or(0, |file| file.len());
    let full = Rlimit { current: Some(bytes), maximum: None };
    prlimit(pid, Resource::Fsize, full)
        .map(drop)
        .map_err(|error| RehearseError::io("the disk of the rehearsed command could not be filled")(error.into()))
}

#[cfg(not(target_os = "linux"))]
fn fill_disk(_: Option<Pid>, _: &Path) -> Result<(), RehearseError> {
    Err(RehearseError::Unsupported("a full disk can be rehearsed on Linux only".to_owned()))
}
