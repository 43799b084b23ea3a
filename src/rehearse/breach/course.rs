//! The course of a breach's rehearsal: emulator, stack, intruder, plan, approval, rebuild, verdict.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::attack::attack;
use super::ground::{Keys, fill, prepare};
use super::stand::{Site, stand};
use super::verdict::{EvidenceAt, Verdict, judge};
use crate::bundle;
use crate::manifest::Manifest;
use crate::rehearse::child::{ChildEnd, Says, private_environment};
use crate::rehearse::fault::{Asked, Fired, Setting, Trouble, check_steps, run_of};
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Desk, Done, carry_through, words};
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
    /// Bad luck of the rebuild.
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
    let Some(rule) = &manifest.evidence else {
        return Err(RehearseError::Unsupported("the manifest has no evidence block".to_owned()));
    };
    let options = EmulatorOptions {
        program: plan.moto.clone(),
        dir: dir.clone(),
        port: plan.port,
        account: manifest.account.clone(),
    };
    let emulator = interrupts.unless(Emulator::start(&options)).await?;
    let endpoint = emulator.endpoint();
    tell(BreachStage::EmulatorReady { endpoint: &endpoint });
    let began = Instant::now();
    let people = interrupts.unless(prepare(manifest, &endpoint)).await?;
    let work = dir.join("stand");
    std::fs::create_dir(&work).map_err(RehearseError::io(format!("{} cannot be made", work.display())))?;
    let environment = private_environment(&plan.variables, &endpoint, &work);
    let site = Site { dir: &work, endpoint: &endpoint, environment: &environment, binary: plan.binary.as_deref() };
    interrupts.unless(stand(manifest, site)).await?;
    let ground = interrupts.unless(fill(manifest, &endpoint, people)).await?;
    tell(BreachStage::Stands { took: began.elapsed() });
    let intruder = interrupts.unless(attack(manifest, &endpoint)).await?;
    tell(BreachStage::BrokenInto);

    let requests_log = dir.join("requests.jsonl");
    let options = ProxyOptions { upstream: emulator.address(), log: requests_log.clone(), port: None };
    let proxy = Proxy::start(&options).await?;
    proxy.control().trail(intruder.events.clone());
    let env = manifest.environment.clone();
    let (home, bundle_dir) = (dir.join("home"), dir.join("bundle"));
    let desk = |keys: &Keys, home: PathBuf, first: Vec<OsString>| Desk {
        lifeboat: plan.lifeboat.clone(),
        first,
        common: plan.common.clone(),
        variables: with_keys(private_environment(&plan.variables, &proxy.endpoint(), &home), keys),
        home,
        says: Says::Aside,
        survives_full_disk: Trouble::is_full_disk_wanted(&plan.faults),
    };
    let bundle_name = bundle_dir.clone().into_os_string();
    let before = intruder.known_since.to_string();
    let mut commands = Vec::new();
    let planning: Vec<OsString> = [
        "plan".into(),
        "rebuild".into(),
        env.clone().into(),
        "--clean-before".into(),
        before.into(),
        // What is clean is seconds old in a rehearsal.
        "--margin".into(),
        "1s".into(),
        "--out".into(),
        bundle_name.clone(),
    ]
    .into();
    let approving: Vec<OsString> =
        ["approve".into(), bundle_name.clone(), "--confirm".into(), env.clone().into()].into();
    for (keys, home, first) in
        [(&ground.planner, "home-of-the-planner", planning), (&ground.approver, "home-of-the-approver", approving)]
    {
        let desk = desk(keys, dir.join(home), first);
        tell(BreachStage::Happened { what: &format!("\n$ lifeboat {}    # {}\n", words(&desk.first), keys.name) });
        let end = desk.start(&desk.first)?.ends(&mut interrupts).await?;
        commands.push(Done { command: words(&desk.first), end });
        if end.code != Some(0) {
            let requests = requests(proxy, &requests_log).await?;
            let (fired, asked) = (Vec::new(), BTreeSet::new());
            return Ok(BreachRehearsal {
                commands,
                end,
                fired,
                asked,
                verdict: None,
                requests,
                requests_log,
                home: dir.join("home"),
                _emulator: emulator,
            });
        }
    }
    let runbook = bundle::read(&bundle_dir).map_err(|error| RehearseError::Unsupported(error.to_string()))?;
    let runbook = runbook.steps.runbook;
    check_steps(&plan.faults, &runbook, manifest)
        .map_err(|error| RehearseError::Unsupported(format!("--fault {}: {}", error.fault, error.why)))?;
    let setting = Setting { control: proxy.control(), home: &home, runbook: &runbook, manifest, seed: plan.seed };
    let mut trouble = Trouble::set(&plan.faults, &setting);
    let rebuilding: Vec<OsString> =
        ["rebuild".into(), env.clone().into(), "--bundle".into(), bundle_name, "--confirm".into(), env.clone().into()]
            .into();
    let desk = desk(&ground.planner, home.clone(), rebuilding);
    let happened = |what: &str| tell(BreachStage::Happened { what });
    happened(&format!("\n$ lifeboat {}    # {}\n", words(&desk.first), ground.planner.name));
    commands.extend(carry_through(&desk, &mut trouble, &mut interrupts, &happened).await?);
    let end = commands.last().map_or(commands[0].end, |done| done.end);
    let (fired, asked) = (trouble.fired(), proxy.control().asked());
    let requests = requests(proxy, &requests_log).await?;
    let verdict = match (end.code, run_of(&home)) {
        (Some(0), Some(run)) => {
            let place = rule.place(&manifest.primary.name);
            let under = place.under(&run.file_name().unwrap_or_default().to_string_lossy());
            let at = EvidenceAt { bucket: &place.bucket, region: &place.region, under: &under, run_dir: &run };
            let copy = dir.join("evidence");
            std::fs::create_dir(&copy).map_err(RehearseError::io(format!("{} cannot be made", copy.display())))?;
            Some(judge(manifest, &endpoint, (&ground, &intruder), at, &copy).await?)
        }
        _ => None,
    };
    Ok(BreachRehearsal { commands, end, fired, asked, verdict, requests, requests_log, home, _emulator: emulator })
}

async fn requests(proxy: Proxy, log: &std::path::Path) -> Result<Summary, RehearseError> {
    proxy.stop().await?;
    let unreadable = RehearseError::io(format!("{} cannot be read", log.display()));
    Ok(Summary::of(&read_records(log).map_err(unreadable)?))
}

/// The environment of somebody of their own.
fn with_keys(variables: Vec<(OsString, OsString)>, keys: &Keys) -> Vec<(OsString, OsString)> {
    let own = [("AWS_ACCESS_KEY_ID", &keys.id), ("AWS_SECRET_ACCESS_KEY", &keys.secret)];
    let others = variables.into_iter().filter(|(name, _)| !own.iter().any(|(known, _)| name == *known));
    others.chain(own.map(|(name, value)| (name.into(), value.into()))).collect()
}
