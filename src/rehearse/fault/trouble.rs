//! Faults put in force: rules and traps in the proxy, and what the operator's machine has to do when one of them closes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::moment::{Mark, half_way, reached, run_of};
use super::{Asked, Effects, Fault, Place, Weather, effect_of};
use crate::manifest::Manifest;
use crate::rehearse::proxy::{Catch, Caught, Control, Effect, Matches, Pattern, RuleId, Trap};
use crate::runbook::{Runbook, StepId};

/// How often the journal is looked at for a step that asks for nothing.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is done when a moment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Kill,
    Expire,
    FillDisk,
    /// The proxy has done it.
    Nothing,
}

/// A moment that has come.
#[derive(Debug)]
pub(crate) struct Strike {
    pub fault: usize,
    pub deed: Deed,
    /// The request that is waiting, where one is.
    pub caught: Option<Caught>,
}

/// A fault and how often it fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fired {
    pub fault: String,
    /// Requests that it met, or 1 where it did its one deed.
    pub times: u64,
    /// What it met, in words.
    pub what: Option<String>,
}

/// The faults of one rehearsal.
pub(crate) struct Trouble {
    control: Arc<Control>,
    fired: Vec<Fired>,
    /// Rules with the fault that each is of.
    rules: Vec<(usize, RuleId)>,
    strikes: mpsc::UnboundedReceiver<Strike>,
    /// Ends with this.
    _watching: JoinSet<()>,
}

/// What faults are set in.
pub(crate) struct Setting<'a> {
    pub control: Arc<Control>,
    pub home: &'a Path,
    pub runbook: &'a Runbook,
    pub manifest: &'a Manifest,
    pub seed: u64,
}

impl Trouble {
    /// Puts the faults in force; their steps were checked before.
    pub fn set(faults: &[Asked], setting: &Setting<'_>) -> Self {
        let (tell, strikes) = mpsc::unbounded_channel();
        let mut trouble = Self {
            control: Arc::clone(&setting.control),
            fired: Vec::new(),
            rules: Vec::new(),
            strikes,
            _watching: JoinSet::new(),
        };
        for (index, asked) in faults.iter().enumerate() {
            trouble.fired.push(Fired { fault: asked.text.clone(), times: 0, what: None });
            trouble.put(index, &asked.fault, setting, &tell);
        }
        trouble
    }

    fn put(&mut self, index: usize, fault: &Fault, setting: &Setting<'_>, tell: &mpsc::UnboundedSender<Strike>) {
        let half_way = half_way(setting.runbook).map(|step| Place::Step(step.id.to_string()));
        let (place, catch, nth, deed) = match fault {
            Fault::Weather { pattern, kind } => {
                let effect = match *kind {
                    Weather::Refuse => Effect::Refuse,
                    Weather::Hang => Effect::Hang,
                    Weather::Slow(time) => Effect::Delay(time),
                    Weather::Throttle(share) => Effect::Throttle { share, seed: setting.seed },
                    Weather::Reset(share) => Effect::Reset { share, seed: setting.seed },
                };
                return self.rules.push((index, self.control.add(pattern.clone(), effect)));
            }
            Fault::TwoOperators => return,
            Fault::LoseReply { place, nth } => (Some(place.clone()), Catch::LoseReply, *nth, Deed::Nothing),
            Fault::Kill { when, place, nth } => (Some(place.clone()), *when, *nth, Deed::Kill),
            Fault::Expire { place } => (place.clone().or(half_way), Catch::Before, 1, Deed::Expire),
            Fault::DiskFull { place } => (place.clone().or(half_way), Catch::Before, 1, Deed::FillDisk),
        };
        let Some(place) = place else { return };
        let tell = tell.clone();
        let matches = match requests(&place, catch, setting) {
            Moment::Requests(matches) => matches,
            Moment::Journal(step) => {
                let mark = if catch == Catch::Before { Mark::Started } else { Mark::Applied };
                let home = setting.home.to_owned();
                self._watching.spawn(async move {
                    said(&home, &step, mark).await;
                    tell.send(Strike { fault: index, deed, caught: None }).ok();
                });
                return;
            }
        };
        let caught = self.control.trap(Trap { matches, nth, catch });
        self._watching.spawn(async move {
            if let Ok(caught) = caught.await {
                tell.send(Strike { fault: index, deed, caught: Some(caught) }).ok();
            }
        });
    }

    /// Waits for the next moment; for ever where there is none left.
    pub async fn strike(&mut self) -> Strike {
        let Some(strike) = self.strikes.recv().await else { return std::future::pending().await };
        if let Some(fired) = self.fired.get_mut(strike.fault) {
            fired.times += 1;
            fired.what = strike.caught.as_ref().map(|caught| {
                let call = &caught.call;
                format!("{}:{} of {}", call.service, call.operation, caught.agent)
            });
        }
        if strike.deed == Deed::Expire {
            self.rules.push((strike.fault, self.control.add(Pattern::default(), Effect::Expire)));
        }
        strike
    }

    /// The trouble passes: what would go on for ever ends here. What has not come yet still comes.
    pub fn passes(&mut self) {
        for (_, rule) in &self.rules {
            self.control.remove(*rule);
        }
    }

    pub fn is_full_disk_wanted(faults: &[Asked]) -> bool {
        faults.iter().any(|asked| matches!(asked.fault, Fault::DiskFull { .. }))
    }

    /// What each fault did.
    pub fn fired(mut self) -> Vec<Fired> {
        while let Ok(strike) = self.strikes.try_recv() {
            if let Some(fired) = self.fired.get_mut(strike.fault).filter(|_| strike.deed == Deed::Nothing) {
                fired.times += 1;
            }
        }
        for (fault, rule) in &self.rules {
            if let Some(fired) = self.fired.get_mut(*fault) {
                fired.times += self.control.hits(*rule);
            }
        }
        self.fired
    }
}

enum Moment {
    Requests(Matches),
    /// Nothing is asked for: the journal says when.
    Journal(StepId),
}

fn requests(place: &Place, catch: Catch, setting: &Setting<'_>) -> Moment {
    let name = match place {
        Place::Request(pattern) => {
            let pattern = pattern.clone();
            return Moment::Requests(Box::new(move |call, _| pattern.matches(call)));
        }
        Place::Journal(name) => return Moment::Journal(StepId::new(name.as_str())),
        Place::Step(name) => name,
    };
    let id = StepId::new(name.as_str());
    let effects = setting.runbook.step(&id).and_then(|step| effect_of(step, setting.manifest));
    match effects {
        Some(effects) => Moment::Requests(under_way(effects, catch, setting.home.to_owned(), id)),
        None => Moment::Journal(id),
    }
}

/// The effects of a step while it is under way. A reply is only lost where asking again is not making another.
fn under_way(effects: Effects, catch: Catch, home: PathBuf, step: StepId) -> Matches {
    Box::new(move |call, agent| {
        effects.include(call, agent)
            && (catch != Catch::LoseReply || Effects::repeatable(call, agent))
            && reached(&home, &step, Mark::UnderWay)
    })
}

async fn said(home: &Path, step: &StepId, mark: Mark) {
    let mut read = 0;
    loop {
        let length = run_of(home).and_then(|run| std::fs::metadata(run.join("journal.jsonl")).ok());
        let length = length.map_or(0, |file| file.len());
        if length != read && reached(home, step, mark) {
            return;
        }
        read = length;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
