//! What all rehearsals of a campaign stand on: one world, and a rig for each of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::idle::idle;
use super::scene::{Ended, Scenario, Scene};
use super::sweep;
use super::verdict::{Baseline, Effects};
use crate::journal::{self, Loaded, Outcome, Record};
use crate::manifest::{Manifest, ObjectiveKind};
use crate::rehearse::child::Says;
use crate::rehearse::fault::run_of;
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Desk, Machine};
use crate::rehearse::proxy::{Control, Proxy, ProxyOptions, RequestRecord, Summary, read_records};
use crate::rehearse::world::{self, RunNames};
use crate::rehearse::{EmulatorOptions, Fork, Forkable, RehearseError};
use crate::report::{self, Verdict};

/// One disturbed rehearsal takes no longer than this, also beside others: then it is not well.
pub(super) const LONGEST: Duration = Duration::from_secs(1800);

/// What a campaign is held with.
#[derive(Clone, Debug)]
pub struct CampaignPlan {
    pub manifest: Manifest,
    pub scenario: Scenario,
    /// The campaign's own folder, which is there.
    pub dir: PathBuf,
    pub moto: PathBuf,
    pub lifeboat: PathBuf,
    pub common: Vec<OsString>,
    pub variables: Vec<(OsString, OsString)>,
    pub seed: u64,
    /// How many rehearsals go on at the same time.
    pub side_by_side: usize,
    /// How many steps of a matrix are disturbed in one rehearsal, one after the other.
    pub together: usize,
}

impl CampaignPlan {
    /// The machine of a rehearsal's operator.
    pub(super) fn machine(&self, says: Says) -> Machine {
        Machine {
            lifeboat: self.lifeboat.clone(),
            common: self.common.clone(),
            variables: self.variables.clone(),
            says,
            survives_full_disk: false,
        }
    }
}

/// How far a campaign is.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something that comes before all rehearsals.
    Prepared {
        what: &'a str,
    },
    WorldBuilt {
        took: Duration,
    },
    Undisturbed {
        took: Duration,
    },
    /// One more is done: how many of how many, which, and what came of it.
    Done {
        done: usize,
        of: usize,
        which: &'a str,
        well: bool,
        what: &'a str,
    },
}

/// A world that copies are made of. Its processes end with it.
pub(super) struct Ground {
    pub plan: CampaignPlan,
    pub scene: Scene,
    forkable: Forkable,
    /// Holds the socket that copies are asked for at.
    _socket: SocketDir,
}

/// One rehearsal's own world, proxy and home.
pub(super) struct Rig {
    pub desk: Desk,
    pub dir: PathBuf,
    fork: Fork,
    proxy: Proxy,
}

/// What a rehearsal left behind.
pub(super) struct Left {
    pub after: world::After,
    pub effects: Effects,
    pub requests: Vec<RequestRecord>,
    /// What the scenario asks for and does not hold.
    pub wrong: Vec<String>,
    /// The journal, or why it cannot be trusted.
    pub journal: Result<Vec<Record>, String>,
    pub finished: bool,
    /// Whether its journal says that it came to its end with nothing missed or left out.
    pub well: bool,
    /// Whether the run is short of nothing but the age of its recovery points: nobody makes new ones in a world that
    /// stands for as long as a campaign takes.
    pub only_aged: bool,
}

impl Ground {
    pub async fn build(plan: CampaignPlan, tell: &dyn Fn(Told<'_>)) -> Result<Self, RehearseError> {
        let began = Instant::now();
        let plan = CampaignPlan { variables: thrifty(plan.variables), ..plan };
        let options = EmulatorOptions {
            program: plan.moto.clone(),
            dir: plan.dir.clone(),
            port: None,
            account: plan.manifest.account.clone(),
        };
        let socket = SocketDir::new()?;
        let forkable = Forkable::start(&options, &socket.0).await?;
        let scene = Scene::make(&plan, &forkable, tell).await?;
        tell(Told::WorldBuilt { took: began.elapsed() });
        Ok(Self { plan, scene, forkable, _socket: socket })
    }

    /// A rig in a folder of this name.
    pub async fn stand(&self, name: &str) -> Result<Rig, RehearseError> {
        let dir = self.plan.dir.join("cells").join(name.replace('/', "_"));
        std::fs::create_dir_all(&dir).map_err(RehearseError::io(format!("cannot make {}", dir.display())))?;
        let fork = self.forkable.fork().await?;
        let options = ProxyOptions { upstream: fork.address(), log: dir.join("requests.jsonl"), port: None };
        let proxy = Proxy::start(&options).await?;
        self.scene.play(&self.plan.manifest, &proxy.control());
        let machine = self.plan.machine(Says::File(dir.join("said.log")));
        let desk = self.scene.desk(&machine, &proxy.endpoint(), dir.join("home"));
        Ok(Rig { desk, dir, fork, proxy })
    }

    /// Carries an undisturbed rehearsal through, to compare the others with.
    ///
    /// # Errors
    /// It did not end well: then nothing can be compared with it.
    pub async fn undisturbed(&self, tell: &dyn Fn(Told<'_>)) -> Result<Baseline, RehearseError> {
        let began = Instant::now();
        let rig = self.stand("undisturbed").await?;
        let mut interrupts = Interrupts::listen()?;
        let end = rig.desk.start(&rig.desk.first)?.ends(&mut interrupts).await?;
        let said = rig.dir.join("said.log");
        let left = rig.leave(self).await?;
        let records = match left.journal {
            Ok(records) if end.code == Some(0) && left.finished && left.wrong.is_empty() => records,
            _ => {
                let how = [end.how()].into_iter().chain(left.wrong).collect::<Vec<_>>().join("; ");
                return Err(RehearseError::Undisturbed { how, said });
            }
        };
        tell(Told::Undisturbed { took: began.elapsed() });
        let idle = idle((&self.scene.runbook, &self.scene.seen), &records, &left.requests);
        Ok(Baseline { after: left.after, effects: left.effects, idle, wall: end.wall, moments: moments(&records) })
    }
}

/// Terraform and its provider live for seconds: a third of their processor time goes to collecting garbage that their
/// end would free (Go, package runtime: `GOGC`). Only campaigns set it: a single rehearsal runs them as a failover does.
fn thrifty(mut variables: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    if !variables.iter().any(|(name, _)| name == "GOGC") {
        variables.push(("GOGC".into(), "1000".into()));
    }
    variables
}

/// Whether a run came to a good end, and whether it is short of nothing but the age of its recovery points.
fn judged(loaded: &Loaded) -> (bool, bool) {
    let done = matches!(loaded.state.outcome, Some(Outcome::Done { .. }));
    let summary = report::summarize(loaded, false, Timestamp::now()).filter(|_| done);
    let Some(summary) = summary.filter(|it| !it.skipped() && it.failed().next().is_none()) else {
        return (false, false);
    };
    let mut missed = summary.objectives.iter().filter(|it| it.verdict() == Some(Verdict::Missed));
    (!summary.missed(), summary.missed() && missed.all(|it| it.kind == ObjectiveKind::Rpo))
}

/// Milliseconds from the start to each of the journal's records.
fn moments(records: &[Record]) -> Vec<Duration> {
    let Some(first) = records.first() else { return Vec::new() };
    let since = |at: Timestamp| at.duration_since(first.at);
    records.iter().map(|record| Duration::try_from(since(record.at)).unwrap_or_default()).collect()
}

impl Rig {
    pub fn control(&self) -> std::sync::Arc<Control> {
        self.proxy.control()
    }

    /// The emulator itself, past the proxy.
    pub fn endpoint(&self) -> String {
        self.fork.endpoint()
    }

    /// Looks at what is left, and ends everything.
    pub async fn leave(self, ground: &Ground) -> Result<Left, RehearseError> {
        let Self { desk, dir, fork, proxy } = self;
        let manifest = &ground.plan.manifest;
        let run = run_of(&desk.home);
        let name = run.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let names = RunNames::of(&name, manifest);
        let loaded = run.as_deref().map_or_else(
            || Err("there is no journal".to_owned()),
            |run| journal::load(run).map_err(|error| error.to_string()),
        );
        let finished = loaded.as_ref().is_ok_and(|loaded| loaded.state.outcome.is_some());
        let (well, only_aged) = loaded.as_ref().map_or((false, false), judged);
        let after = world::after(manifest, &fork.endpoint(), &names).await?;
        proxy.stop().await?;
        // A Terraform that outlived its run would ask an emulator that is gone.
        sweep::processes_in(&dir);
        let log = dir.join("requests.jsonl");
        let requests = read_records(&log).map_err(RehearseError::io(format!("{} cannot be read", log.display())))?;
        let (endpoint, ended) = (&fork.endpoint(), run.as_deref().filter(|_| finished));
        let asked = Summary::of(&requests);
        let ended = Ended { endpoint, finished: ended, requests: &asked, dir: &dir };
        let wrong = ground.scene.judge(manifest, ended).await;
        let effects = Effects::of(&requests, &names);
        let journal = loaded.map(|loaded| loaded.records);
        Ok(Left { after, effects, requests, wrong, journal, finished, well, only_aged })
    }
}

impl Rig {
    /// Ends everything without a look at what is left.
    pub fn end(self) {
        sweep::processes_in(&self.dir);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        sweep::processes_in(&self.plan.dir);
    }
}

/// A folder with a short path, gone with its owner.
struct SocketDir(PathBuf);

impl SocketDir {
    fn new() -> Result<Self, RehearseError> {
        let lot = Timestamp::now().as_nanosecond() % 1_000_000_000;
        let dir = std::env::temp_dir().join(format!("lifeboat-{}-{lot}", std::process::id()));
        let private = std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&dir);
        private.map_err(RehearseError::io(format!("cannot make {}", dir.display())))?;
        Ok(Self(dir))
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "the folder of a socket stays");
        }
    }
}
