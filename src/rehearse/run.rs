//! The course of a rehearsal: emulator, world, proxy, outage, the command, and what it asked of AWS.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::child::{ChildEnd, Says, private_environment};
use super::fault::{Asked, Fault, Fired, Setting, Trouble};
use super::interrupt::Interrupts;
use super::operator::{Desk, Done, carry_through, words};
use super::pair::race;
use super::played::play;
use super::proxy::{Effect, Pattern, Proxy, ProxyOptions, Summary, read_records};
use super::world::{self, Plenty, World};
use super::{Emulator, EmulatorOptions, RehearseError};
use crate::manifest::Manifest;
use crate::runbook::Runbook;

/// What is rehearsed and how.
#[derive(Clone, Debug)]
pub struct Plan {
    pub manifest: Manifest,
    /// The rehearsal's own folder, which is there: `emulator.log`, `requests.jsonl`, `home/`.
    pub dir: PathBuf,
    /// `moto_server`, or its path.
    pub moto: PathBuf,
    /// Port of the emulator; any free one if none is given.
    pub port: Option<u16>,
    /// The program that is rehearsed: this one.
    pub lifeboat: PathBuf,
    /// `failover prod --confirm prod`
    pub args: Vec<OsString>,
    /// What every command is called with, also those that go on with the run.
    pub common: Vec<OsString>,
    /// The user's environment, of which the command gets what leads to no real account.
    pub variables: Vec<(OsString, OsString)>,
    pub outage: Outage,
    /// How long each restore takes; as long as the emulator needs if nothing is given.
    pub restores_take: Option<Duration>,
    /// Further bad luck, from the declaration on. Its steps are those of `runbook`.
    pub faults: Vec<Asked>,
    pub runbook: Runbook,
    /// What lots are drawn by.
    pub seed: u64,
    /// Whether the emulator lives on afterwards.
    pub keep: bool,
    /// Whether the command's standard output is for something else.
    pub aside: bool,
}

/// How the lost region behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    Refuses,
    Hangs,
    /// It answers, after this long.
    Slow(Duration),
}

/// Where the rehearsal is; each is told when it is reached.
#[derive(Debug)]
pub enum Stage<'a> {
    EmulatorReady {
        endpoint: &'a str,
        took: Duration,
    },
    WorldBuilt {
        world: &'a World,
        took: Duration,
    },
    /// From here on the primary region is lost, and every request is recorded.
    OutageDeclared {
        region: &'a str,
        endpoint: &'a str,
    },
    /// A fault struck, or another command is started.
    Happened {
        what: &'a str,
    },
    CommandEnded {
        end: &'a ChildEnd,
    },
}

/// What a rehearsal showed.
#[derive(Debug)]
pub struct Rehearsal {
    pub world: World,
    /// How the last command ended.
    pub end: ChildEnd,
    /// All commands, in their order.
    pub commands: Vec<Done>,
    /// The second of two operators, where there were two.
    pub other: Option<ChildEnd>,
    /// What each fault did.
    pub fired: Vec<Fired>,
    /// All that was asked for, for those who look for a name that nothing matched.
    pub asked: BTreeSet<(String, String)>,
    /// Requests of the command and all that it started, since the declaration.
    pub requests: Summary,
    /// Requests to the lost region's own services.
    pub requests_to_lost_region: u64,
    /// `requests.jsonl`
    pub requests_log: PathBuf,
    /// Where the command kept its run.
    pub home: PathBuf,
    pub emulator: EmulatorLeft,
}

/// The emulator after the rehearsal. It holds the world as it is then, for as long as this lives, or for good if it
/// was kept.
#[derive(Debug)]
pub struct EmulatorLeft {
    pub endpoint: String,
    pub pid: u32,
    pub kept: bool,
    _emulator: Emulator,
}

/// Rehearses. Nothing is printed; `tell` hears how far it is.
///
/// # Errors
/// The rehearsal could not be held, or was interrupted before the command began. That the command failed is no error.
pub async fn run(plan: Plan, tell: &dyn Fn(Stage<'_>)) -> Result<Rehearsal, RehearseError> {
    let mut interrupts = Interrupts::listen()?;
    let began = Instant::now();
    let mut emulator = interrupts.unless(Emulator::start(&emulator_options(&plan))).await?;
    let endpoint = emulator.endpoint();
    tell(Stage::EmulatorReady { endpoint: &endpoint, took: began.elapsed() });
    let began = Instant::now();
    let world = interrupts.unless(world::build(&plan.manifest, &endpoint, Plenty::USUAL)).await?;
    tell(Stage::WorldBuilt { world: &world, took: began.elapsed() });

    let requests_log = plan.dir.join("requests.jsonl");
    let options = ProxyOptions { upstream: emulator.address(), log: requests_log.clone(), port: None };
    let proxy = Proxy::start(&options).await?;
    declare(&plan, &world, &proxy);
    tell(Stage::OutageDeclared { region: &plan.manifest.primary.name, endpoint: &proxy.endpoint() });
    let home = plan.dir.join("home");
    let mut trouble = Trouble::set(
        &plan.faults,
        &Setting {
            control: proxy.control(),
            home: &home,
            runbook: &plan.runbook,
            manifest: &plan.manifest,
            seed: plan.seed,
        },
    );
    let desk = Desk {
        variables: private_environment(&plan.variables, &proxy.endpoint(), &home),
        lifeboat: plan.lifeboat,
        first: plan.args,
        common: plan.common,
        home: home.clone(),
        says: if plan.aside { Says::Aside } else { Says::Here },
        survives_full_disk: Trouble::is_full_disk_wanted(&plan.faults),
    };
    let happened = |what: &str| tell(Stage::Happened { what });
    let two = plan.faults.iter().any(|asked| asked.fault == Fault::TwoOperators);
    let (commands, other, home) = if two {
        let pair = race(&desk, &plan.dir.join("home-2"), &mut trouble, &mut interrupts, &happened).await?;
        (pair.commands, Some(pair.refused), pair.home)
    } else if plan.faults.is_empty() {
        (vec![alone(&desk, &mut interrupts).await?], None, home)
    } else {
        (carry_through(&desk, &mut trouble, &mut interrupts, &happened).await?, None, home)
    };
    let Some(end) = commands.last().map(|done| done.end) else {
        return Err(RehearseError::Unsupported("no command was started".to_owned()));
    };
    tell(Stage::CommandEnded { end: &end });
    let asked = proxy.control().asked();
    let mut fired = trouble.fired();
    for fired in fired.iter_mut().filter(|fired| fired.fault == "two-operators") {
        fired.times = u64::from(other.is_some());
    }
    proxy.stop().await?;

    let unreadable = RehearseError::io(format!("{} cannot be read", requests_log.display()));
    let requests = Summary::of(&read_records(&requests_log).map_err(unreadable)?);
    let requests_to_lost_region = requests.requests_in(&plan.manifest.primary.name);
    if plan.keep {
        emulator.keep()?;
    }
    let emulator = EmulatorLeft { endpoint, pid: emulator.pid(), kept: plan.keep, _emulator: emulator };
    Ok(Rehearsal {
        world,
        end,
        commands,
        other,
        fired,
        asked,
        requests,
        requests_to_lost_region,
        requests_log,
        home,
        emulator,
    })
}

/// The command without anything that goes wrong: nobody resumes it.
async fn alone(desk: &Desk, interrupts: &mut Interrupts) -> Result<Done, RehearseError> {
    let end = desk.start(&desk.first)?.ends(interrupts).await?;
    Ok(Done { command: words(&desk.first), end })
}

fn emulator_options(plan: &Plan) -> EmulatorOptions {
    EmulatorOptions {
        program: plan.moto.clone(),
        dir: plan.dir.clone(),
        port: plan.port,
        account: plan.manifest.account.clone(),
    }
}

/// The outage begins.
fn declare(plan: &Plan, world: &World, proxy: &Proxy) {
    let control = proxy.control();
    play(&plan.manifest, world, &control, plan.restores_take.unwrap_or_default());
    let lost = Pattern::region(&plan.manifest.primary.name);
    let effect = match plan.outage {
        Outage::Refuses => Effect::Refuse,
        Outage::Hangs => Effect::Hang,
        Outage::Slow(time) => Effect::Delay(time),
    };
    control.add(lost, effect);
    if let Some(time) = plan.restores_take {
        // A cluster can take its instances only once it is available: the two are one restore.
        let half = time / 2;
        let takes = [
            ("dynamodb", "*", time),
            ("rds", "RestoreDBCluster*", half),
            ("rds", "DescribeDBClusters", half),
            ("rds", "CreateDBInstance", half),
            ("rds", "DescribeDBInstances", half),
        ];
        for (service, operation, time) in takes {
            control.add(Pattern::operation(service, operation), Effect::Settle(time));
        }
        let objects = world.buckets.iter().map(|bucket| bucket.objects).max().unwrap_or(1).max(1);
        let apart = time / u32::try_from(objects).unwrap_or(u32::MAX);
        control.add(Pattern::operation("s3", "CopyObject"), Effect::Pace(apart));
    }
}
