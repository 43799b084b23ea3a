//! Two operators start the same failover at once, again and again, each pair in a world of its own: exactly one goes on.
//!
//! To be quick, the one that goes on is stopped with Ctrl-C once it is clear that it does.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt;
use rustix::process::Signal;
use serde::Serialize;

use super::ground::{CampaignPlan, Ground, Told};
use crate::journal::{self, Event};
use crate::rehearse::RehearseError;
use crate::rehearse::child::{Running, Says, private_home};
use crate::rehearse::fault::run_of;
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::Desk;

/// Until it must be clear who goes on, and until a stopped one has ended.
const CLEAR_WITHIN: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const REFUSED: i32 = 3;

/// What came of all races.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RaceTally {
    pub races: usize,
    /// Exactly one went on, and the other was refused.
    pub one_went_on: usize,
    pub both_went_on: usize,
    pub none_went_on: usize,
    pub wall_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    One,
    Both,
    None,
}

/// Holds the races.
///
/// # Errors
/// They could not be held. That both went on is no error.
pub async fn race(plan: CampaignPlan, number: u32, tell: &dyn Fn(Told<'_>)) -> Result<RaceTally, RehearseError> {
    Interrupts::listen()?.unless(hold(plan, number, tell)).await
}

async fn hold(plan: CampaignPlan, number: u32, tell: &dyn Fn(Told<'_>)) -> Result<RaceTally, RehearseError> {
    let began = Instant::now();
    let ground = Ground::build(plan, tell).await?;
    let ground = &ground;
    let of = number as usize;
    let running = futures::stream::iter(0..number).map(|index| async move { one(ground, index).await });
    let mut running = std::pin::pin!(running.buffer_unordered(ground.plan.side_by_side));
    let mut tally = RaceTally::default();
    while let Some(outcome) = running.next().await {
        let (index, outcome) = outcome?;
        tally.races += 1;
        let (count, what) = match outcome {
            Outcome::One => (&mut tally.one_went_on, "one went on, the other was refused"),
            Outcome::Both => (&mut tally.both_went_on, "both went on"),
            Outcome::None => (&mut tally.none_went_on, "none went on"),
        };
        *count += 1;
        let which = format!("race {}", index + 1);
        tell(Told::Done { done: tally.races, of, which: &which, well: outcome == Outcome::One, what });
    }
    tally.wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(tally)
}

async fn one(ground: &Ground, index: u32) -> Result<(u32, Outcome), RehearseError> {
    let rig = ground.stand(&format!("race-{index}")).await?;
    let home = rig.dir.join("home-2");
    let other = Desk {
        variables: private_home(&rig.desk.variables, &home),
        home,
        says: Says::File(rig.dir.join("said-2.log")),
        ..rig.desk.clone()
    };
    let mut one = Racer { running: rig.desk.start(&rig.desk.first)?, home: &rig.desk.home, code: None };
    let mut two = Racer { running: other.start(&other.first)?, home: &other.home, code: None };
    let (mut interrupts, mut more) = (Interrupts::listen()?, Interrupts::listen()?);
    let began = Instant::now();
    loop {
        tokio::select! {
            end = one.running.ends(&mut interrupts), if one.code.is_none() => one.code = Some(end?.code),
            end = two.running.ends(&mut more), if two.code.is_none() => two.code = Some(end?.code),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let clear = [&one, &two].iter().all(|racer| racer.code.is_some() || racer.works());
        if clear || began.elapsed() > CLEAR_WITHIN {
            break;
        }
    }
    let outcome = match (one.went_on(), two.went_on()) {
        (true, true) => Outcome::Both,
        (true, false) if two.code == Some(Some(REFUSED)) => Outcome::One,
        (false, true) if one.code == Some(Some(REFUSED)) => Outcome::One,
        _ => Outcome::None,
    };
    for (racer, interrupts) in [(&mut one, &mut interrupts), (&mut two, &mut more)] {
        racer.stop(interrupts).await?;
    }
    rig.end();
    Ok((index, outcome))
}

struct Racer<'a> {
    running: Running,
    home: &'a Path,
    /// Once it has ended: its exit code, or `None` for a signal.
    code: Option<Option<i32>>,
}

impl Racer<'_> {
    /// Whether a step of its own run has begun.
    fn works(&self) -> bool {
        let records = run_of(self.home).and_then(|run| journal::load(&run).ok()).map(|loaded| loaded.records);
        records.unwrap_or_default().iter().any(|record| matches!(record.event, Event::StepTaken { .. }))
    }

    fn went_on(&self) -> bool {
        self.works() || self.code == Some(Some(0))
    }

    /// Ctrl-C, as somebody would who sees that it works; killed if that does not help.
    async fn stop(&mut self, interrupts: &mut Interrupts) -> Result<(), RehearseError> {
        if self.code.is_some() {
            return Ok(());
        }
        self.running.send(Signal::INT);
        if tokio::time::timeout(CLEAR_WITHIN, self.running.ends(interrupts)).await.is_err() {
            self.running.kill().await?;
        }
        Ok(())
    }
}
