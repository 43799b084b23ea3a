//! The course of a breach's rehearsal: emulator, stack, intruder, plan, approval, rebuild, verdict.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::broken::{At, Broken, runbook_of};
use super::verdict::Verdict;
use crate::journal;
use crate::manifest::Manifest;
use crate::rehearse::child::{ChildEnd, Says};
use crate::rehearse::fault::{Asked, Fired, Setting, Trouble, run_of};
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Done, Machine, carry_through, words};
use crate::rehearse::proxy::{Proxy, ProxyOptions, Summary, read_records};
use crate::rehearse::{Emulator, EmulatorOptions, RehearseError};

/// What is rehearsed and how.
#[derive(Clone, Debug)]
pub struct BreachPlan {
    pub manifest: Manifest,
    /// The rehearsal's own folder, which is there.
    pub dir: PathBuf,
    /// `moto_server`, or its path.
    pub moto: PathBuf,
    /// Port of the emulator; any free one if none is given.
    pub port: Option<u16>,
    /// The program that is rehearsed: this one.
    pub lifeboat: PathBuf,
    /// What every command is called with.
    pub common: Vec<OsString>,
    /// The user's environment.
    pub variables: Vec<(OsString, OsString)>,
    /// As `--tf-bin` names it.
    pub binary: Option<String>,
    /// Bad luck of the rebuild; its steps are those that are foreseen.
    pub faults: Vec<Asked>,
    pub seed: u64,
}

/// Where the rehearsal is; each is told when it is reached.
#[derive(Debug)]
pub enum BreachStage<'a> {
    EmulatorReady {
        endpoint: &'a str,
    },
    /// The stack is built and filled.
    Stands {
        took: Duration,
    },
    /// The data is poisoned.
    BrokenInto,
    /// A command is started, or a fault struck.
    Happened {
        what: &'a str,
    },
}

/// What a rehearsal showed.
#[derive(Debug)]
pub struct BreachRehearsal {
    pub commands: Vec<Done>,
    pub end: ChildEnd,
    pub fired: Vec<Fired>,
    pub asked: BTreeSet<(String, String)>,
    /// `None` where the rebuild did not come to its end.
    pub verdict: Option<Verdict>,
    pub requests: Summary,
    pub requests_log: PathBuf,
    /// Where the rebuild kept its run.
    pub home: PathBuf,
    _emulator: Emulator,
}

/// Rehearses. Nothing is printed; `tell` hears how far it is.
///
/// # Errors
/// The rehearsal could not be held: the stack does not stand, the manifest prepares no rebuild, or it was interrupted. That the
/// rebuild failed is no error.
pub async fn run(plan: BreachPlan, tell: &dyn Fn(BreachStage<'_>)) -> Result<BreachRehearsal, RehearseError> {
    let mut interrupts = Interrupts::listen()?;
    let (manifest, dir) = (&plan.manifest, &plan.dir);
    let options = EmulatorOptions {
        program: plan.moto.clone(),
        dir: dir.clone(),
        port: plan.port,
        account: manifest.account.clone(),
    };
    let emulator = interrupts.unless(Emulator::start(&options)).await?;
    let endpoint = emulator.endpoint();
    tell(BreachStage::EmulatorReady { endpoint: &endpoint });
    let (work, binary) = (dir.join("stand"), plan.binary.as_deref());
    let at = At { manifest, endpoint: &endpoint, work: &work, variables: &plan.variables, binary };
    let broken = interrupts.unless(Broken::make(at, tell)).await?;

    let requests_log = dir.join("requests.jsonl");
    let options = ProxyOptions { upstream: emulator.address(), log: requests_log.clone(), port: None };
    let proxy = Proxy::start(&options).await?;
    broken.play(&proxy.control());
    let (home, bundle) = (dir.join("home"), dir.join("bundle"));
    let machine = Machine {
        lifeboat: plan.lifeboat.clone(),
        common: plan.common.clone(),
        variables: plan.variables.clone(),
        says: Says::Aside,
        survives_full_disk: Trouble::is_full_disk_wanted(&plan.faults),
    };
    let through = proxy.endpoint();
    let mut commands = broken.agree(&machine, (&through, dir, &bundle), &mut interrupts, tell).await?;
    let (mut fired, mut asked) = (Vec::new(), BTreeSet::new());
    if commands.iter().all(|done| done.end.code == Some(0)) {
        let runbook = runbook_of(&bundle)?;
        let seen = manifest.in_primary();
        let (control, seed) = (proxy.control(), plan.seed);
        let setting = Setting { control, home: &home, runbook: &runbook, manifest: &seen, seed };
        let mut trouble = Trouble::set(&plan.faults, &setting);
        let desk = broken.rebuilding(&machine, &through, home.clone(), &bundle);
        let happened = |what: &str| tell(BreachStage::Happened { what });
        happened(&format!("\n$ lifeboat {}    # {}\n", words(&desk.first), broken.rebuilder()));
        commands.extend(carry_through(&desk, &mut trouble, &mut interrupts, &happened).await?);
        (fired, asked) = (trouble.fired(), proxy.control().asked());
    }
    let Some(end) = commands.last().map(|done| done.end) else {
        return Err(RehearseError::Unsupported("no command was started".to_owned()));
    };
    let requests = requests(proxy, &requests_log).await?;
    // One that was killed when nothing was left to do had no time to say so, but its journal does.
    let well = matches!(end.code, Some(0) | None);
    let verdict = match run_of(&home).filter(|run| well && has_ended(run)) {
        Some(run) => Some(broken.judge(&endpoint, &run, &dir.join("evidence")).await?),
        None => None,
    };
    Ok(BreachRehearsal { commands, end, fired, asked, verdict, requests, requests_log, home, _emulator: emulator })
}

fn has_ended(run_dir: &Path) -> bool {
    journal::load(run_dir).is_ok_and(|loaded| loaded.state.outcome.is_some())
}

async fn requests(proxy: Proxy, log: &Path) -> Result<Summary, RehearseError> {
    proxy.stop().await?;
    let unreadable = RehearseError::io(format!("{} cannot be read", log.display()));
    Ok(Summary::of(&read_records(log).map_err(unreadable)?))
}
