//! A stack that somebody has broken into, as one rehearsal or many begin with it: what was there before, who plans and who
//! approves with which words, and what has to hold once it is rebuilt.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::attack::{Intruder, attack};
use super::course::BreachStage;
use super::ground::{Ground, Keys, fill, prepare};
use super::stand::{Site, stand};
use super::verdict::{EvidenceAt, Verdict, judge};
use crate::bundle;
use crate::manifest::{CleanBefore, ContainmentRule, EvidenceRule, Manifest};
use crate::rehearse::RehearseError;
use crate::rehearse::child::private_environment;
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Desk, Done, Machine, words};
use crate::rehearse::proxy::Control;
use crate::runbook::Runbook;
use crate::scenario::Rebuilding;

/// What is done with it, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    pub manifest: &'a Manifest,
    pub endpoint: &'a str,
    /// A folder for Terraform, which is made.
    pub work: &'a Path,
    /// The user's environment.
    pub variables: &'a [(OsString, OsString)],
    /// As `--tf-bin` names it.
    pub binary: Option<&'a str>,
}

/// The stack, broken into.
pub(crate) struct Broken {
    manifest: Manifest,
    rule: EvidenceRule,
    ground: Ground,
    intruder: Intruder,
}

impl Broken {
    /// Builds the stack in its primary region, fills it, and lets somebody break in.
    ///
    /// # Errors
    /// The manifest prepares no rebuild, or the stack does not stand.
    pub async fn make(at: At<'_>, tell: &dyn Fn(BreachStage<'_>)) -> Result<Self, RehearseError> {
        let At { manifest, endpoint, work, variables, binary } = at;
        let (_, rule) = prepared(manifest)?;
        let began = Instant::now();
        let people = prepare(manifest, endpoint).await?;
        std::fs::create_dir(work).map_err(RehearseError::io(format!("{} cannot be made", work.display())))?;
        let environment = private_environment(variables, endpoint, work);
        stand(manifest, Site { dir: work, endpoint, environment: &environment, binary }).await?;
        let ground = fill(manifest, endpoint, people).await?;
        tell(BreachStage::Stands { took: began.elapsed() });
        let intruder = attack(manifest, endpoint).await?;
        tell(BreachStage::BrokenInto);
        Ok(Self { manifest: manifest.clone(), rule: rule.clone(), ground, intruder })
    }

    /// Has a proxy tell of it what the emulator cannot.
    pub fn play(&self, control: &Control) {
        control.trail(self.intruder.events.clone());
    }

    /// The desk of whoever rebuilds, who is the one that planned.
    pub fn rebuilding(&self, machine: &Machine, endpoint: &str, home: PathBuf, bundle: &Path) -> Desk {
        let env = self.manifest.environment.as_str();
        let first = ["rebuild".into(), env.into(), "--bundle".into(), bundle.into(), "--confirm".into(), env.into()];
        desk(machine, endpoint, &self.ground.planner, home, first.into())
    }

    /// Whose desk that is.
    pub fn rebuilder(&self) -> &str {
        &self.ground.planner.name
    }

    /// One person plans the rebuild and another approves it; a command that does not end with 0 is the last. Their homes are
    /// in `dir`.
    ///
    /// # Errors
    /// A command could not be started or waited for. That it failed is no error.
    pub async fn agree(
        &self,
        machine: &Machine,
        (endpoint, dir, bundle): (&str, &Path, &Path),
        interrupts: &mut Interrupts,
        tell: &dyn Fn(BreachStage<'_>),
    ) -> Result<Vec<Done>, RehearseError> {
        let (env, before) = (self.manifest.environment.as_str(), self.intruder.known_since.to_string());
        let planning: Vec<OsString> = [
            "plan".into(),
            "rebuild".into(),
            env.into(),
            "--clean-before".into(),
            before.into(),
            // What is clean is seconds old in a rehearsal.
            "--margin".into(),
            "1s".into(),
            "--out".into(),
            bundle.into(),
        ]
        .into();
        let approving: Vec<OsString> = ["approve".into(), bundle.into(), "--confirm".into(), env.into()].into();
        let Ground { planner, approver, .. } = &self.ground;
        let mut done = Vec::new();
        for (keys, home, first) in
            [(planner, "home-of-the-planner", planning), (approver, "home-of-the-approver", approving)]
        {
            let desk = desk(machine, endpoint, keys, dir.join(home), first);
            tell(BreachStage::Happened { what: &format!("\n$ lifeboat {}    # {}\n", words(&desk.first), keys.name) });
            let end = desk.start(&desk.first)?.ends(interrupts).await?;
            done.push(Done { command: words(&desk.first), end });
            if end.code != Some(0) {
                break;
            }
        }
        Ok(done)
    }

    /// Judges what a finished rebuild has left in the emulator. `dir` is an empty folder that the evidence is copied to.
    ///
    /// # Errors
    /// The emulator does not answer, or there is no evidence to verify.
    pub async fn judge(&self, endpoint: &str, run_dir: &Path, dir: &Path) -> Result<Verdict, RehearseError> {
        let place = self.rule.place(&self.manifest.primary.name);
        let under = place.under(&run_dir.file_name().unwrap_or_default().to_string_lossy());
        let at = EvidenceAt { bucket: &place.bucket, region: &place.region, under: &under, run_dir };
        std::fs::create_dir(dir).map_err(RehearseError::io(format!("{} cannot be made", dir.display())))?;
        judge(&self.manifest, endpoint, (&self.ground, &self.intruder), at, dir).await
    }
}

/// The blocks without which there is no rebuild.
fn prepared(manifest: &Manifest) -> Result<(&ContainmentRule, &EvidenceRule), RehearseError> {
    let missing = |block| RehearseError::Unsupported(format!("the manifest has no {block} block"));
    let containment = manifest.containment.as_ref().ok_or_else(|| missing("containment"))?;
    Ok((containment, manifest.evidence.as_ref().ok_or_else(|| missing("evidence"))?))
}

/// The runbook that a bundle says.
///
/// # Errors
/// It is no bundle.
pub(crate) fn runbook_of(bundle: &Path) -> Result<Runbook, RehearseError> {
    let read = bundle::read(bundle).map_err(|error| RehearseError::Unsupported(error.to_string()))?;
    Ok(read.steps.runbook)
}

/// The runbook that a rebuild would have, before anything is known of the breach: its steps are those of any.
///
/// # Errors
/// The manifest prepares no rebuild.
pub fn foreseen(manifest: &Manifest) -> Result<Runbook, RehearseError> {
    let (containment, evidence) = prepared(manifest)?;
    let breach_at = Timestamp::now();
    let clean = CleanBefore { before: breach_at, margin: SignedDuration::ZERO, refused_makers: Vec::new() };
    let catalogs = manifest.in_primary().catalogs;
    Ok(Rebuilding { manifest, containment, evidence, breach_at, clean: &clean, catalogs }.runbook())
}

fn desk(machine: &Machine, endpoint: &str, keys: &Keys, home: PathBuf, first: Vec<OsString>) -> Desk {
    let desk = machine.desk(endpoint, home, first);
    Desk { variables: with_keys(desk.variables, keys), ..desk }
}

/// The environment of somebody of their own.
fn with_keys(variables: Vec<(OsString, OsString)>, keys: &Keys) -> Vec<(OsString, OsString)> {
    let own = [("AWS_ACCESS_KEY_ID", &keys.id), ("AWS_SECRET_ACCESS_KEY", &keys.secret)];
    let others = variables.into_iter().filter(|(name, _)| !own.iter().any(|(known, _)| name == *known));
    others.chain(own.map(|(name, value)| (name.into(), value.into()))).collect()
}
