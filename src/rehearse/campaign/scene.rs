//! What the campaigns of one scenario have besides those of another: how the world comes about, which command is disturbed and
//! by which runbook, what the proxy plays, and what has to hold afterwards beyond the comparison with an undisturbed run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ground::{CampaignPlan, Told};
use crate::manifest::Manifest;
use crate::rehearse::breach::{At, BreachStage, Broken, runbook_of};
use crate::rehearse::child::Says;
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Desk, Machine};
use crate::rehearse::played::play;
use crate::rehearse::proxy::{Control, Effect, Pattern, Proxy, ProxyOptions, Summary};
use crate::rehearse::world::{self, Plenty, World};
use crate::rehearse::{Forkable, RehearseError};
use crate::runbook::Runbook;

/// What a campaign is held of.
#[derive(Clone, Debug)]
pub enum Scenario {
    /// The primary region is lost, and this command fails over by this runbook.
    Failover { runbook: Box<Runbook>, first: Vec<OsString> },
    /// Somebody breaks in, and the stack is rebuilt by the bundle that is made of it and approved. `binary` as `--tf-bin` names
    /// it.
    Breach { binary: Option<String> },
}

/// The scenario with its world made, once for all rehearsals.
pub(super) struct Scene {
    /// What the disturbed command does.
    pub runbook: Runbook,
    /// The manifest as the steps of the runbook see it.
    pub seen: Manifest,
    happened: Happened,
}

enum Happened {
    Lost { world: World, first: Vec<OsString> },
    BrokenInto { broken: Box<Broken>, bundle: PathBuf },
}

/// A rehearsal that has ended, to be judged.
pub(super) struct Ended<'a> {
    /// Of its emulator, past the proxy.
    pub endpoint: &'a str,
    /// The run's folder, where it has come to its end.
    pub finished: Option<&'a Path>,
    pub requests: &'a Summary,
    /// The rehearsal's own folder.
    pub dir: &'a Path,
}

impl Scene {
    /// Makes the world in an emulator.
    ///
    /// # Errors
    /// It cannot be made; or nobody plans and approves what is to be disturbed.
    pub async fn make(
        plan: &CampaignPlan,
        forkable: &Forkable,
        tell: &dyn Fn(Told<'_>),
    ) -> Result<Self, RehearseError> {
        match &plan.scenario {
            Scenario::Failover { runbook, first } => {
                let world = world::build(&plan.manifest, &forkable.endpoint(), Plenty::FEW).await?;
                let happened = Happened::Lost { world, first: first.clone() };
                Ok(Self { runbook: runbook.as_ref().clone(), seen: plan.manifest.clone(), happened })
            }
            Scenario::Breach { binary } => broken_into(plan, binary.as_deref(), forkable, tell).await,
        }
    }

    /// Has a rehearsal's proxy play what happened.
    pub fn play(&self, manifest: &Manifest, control: &Control) {
        match &self.happened {
            Happened::Lost { world, .. } => {
                play(manifest, world, control, Duration::ZERO);
                control.add(Pattern::region(&manifest.primary.name), Effect::Refuse);
            }
            Happened::BrokenInto { broken, .. } => broken.play(control),
        }
    }

    /// The desk at which the command is begun.
    pub fn desk(&self, machine: &Machine, endpoint: &str, home: PathBuf) -> Desk {
        match &self.happened {
            Happened::Lost { first, .. } => machine.desk(endpoint, home, first.clone()),
            Happened::BrokenInto { broken, bundle } => broken.rebuilding(machine, endpoint, home, bundle),
        }
    }

    /// What does not hold, in words.
    pub async fn judge(&self, manifest: &Manifest, ended: Ended<'_>) -> Vec<String> {
        match &self.happened {
            Happened::Lost { .. } => match ended.requests.requests_in(&manifest.primary.name) {
                0 => Vec::new(),
                lost => vec![format!("{lost} requests went to the lost region")],
            },
            Happened::BrokenInto { broken, .. } => {
                // Of a run without an end it is known already that it is not well.
                let Some(run) = ended.finished else { return Vec::new() };
                match broken.judge(ended.endpoint, run, &ended.dir.join("evidence")).await {
                    Ok(verdict) => verdict.findings.into_iter().filter(|it| !it.holds).map(|it| it.what).collect(),
                    Err(error) => vec![format!("it cannot be judged: {error}")],
                }
            }
        }
    }
}

/// Breaks in, and has the rebuild planned and approved.
async fn broken_into(
    plan: &CampaignPlan,
    binary: Option<&str>,
    forkable: &Forkable,
    tell: &dyn Fn(Told<'_>),
) -> Result<Scene, RehearseError> {
    let told = |stage: BreachStage<'_>| match stage {
        BreachStage::BrokenInto => tell(Told::Prepared { what: "somebody has broken in" }),
        BreachStage::Happened { what } => tell(Told::Prepared { what: what.trim() }),
        BreachStage::EmulatorReady { .. } | BreachStage::Stands { .. } => {}
    };
    let (manifest, dir, endpoint) = (&plan.manifest, &plan.dir, forkable.endpoint());
    let (work, bundle) = (dir.join("stand"), dir.join("bundle"));
    let at = At { manifest, endpoint: &endpoint, work: &work, variables: &plan.variables, binary };
    let broken = Broken::make(at, &told).await?;
    let options = ProxyOptions { upstream: forkable.address(), log: dir.join("agreed.jsonl"), port: None };
    let proxy = Proxy::start(&options).await?;
    broken.play(&proxy.control());
    let said = dir.join("agreed.log");
    let machine = plan.machine(Says::File(said.clone()));
    let (through, mut interrupts) = (proxy.endpoint(), Interrupts::listen()?);
    let done = broken.agree(&machine, (&through, dir, &bundle), &mut interrupts, &told).await?;
    proxy.stop().await?;
    if let Some(failed) = done.iter().find(|done| done.end.code != Some(0)) {
        let (command, how) = (failed.command.clone(), failed.end.how());
        return Err(RehearseError::NotAgreed { command, how, said });
    }
    let (runbook, seen) = (runbook_of(&bundle)?, manifest.in_primary());
    Ok(Scene { runbook, seen, happened: Happened::BrokenInto { broken: Box::new(broken), bundle } })
}
