//! Killed at moments drawn by a seed, each in a rehearsal of its own, and resumed until done.
//!
//! Moments are drawn from the time of an undisturbed run, evenly, and meant as "so long after this record of the
//! journal": a slower machine, or several at once, are killed at the same places.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde::Serialize;

use super::disturbed::trouble;
use super::ground::{CampaignPlan, Ground, LONGEST, Told};
use super::verdict::{Baseline, end_problem, problems};
use crate::rehearse::RehearseError;
use crate::rehearse::fault::{Draw, run_of};
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Done, go_on, words};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A moment of a run: so many records are in its journal, and so long ago was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Kill {
    pub records: usize,
    pub after_ms: u64,
}

/// What came of all kills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KillTally {
    pub seed: u64,
    pub killed: usize,
    /// Those that came to the same end, with one effect each and a whole journal.
    pub well: usize,
    /// Which did not, and why.
    pub problems: Vec<(Kill, Vec<String>)>,
    pub wall_ms: u64,
}

/// Draws the moments. Pure.
pub(super) fn draw(seed: u64, number: u32, moments: &[Duration]) -> Vec<Kill> {
    let mut lots = Draw::new(seed);
    let whole = moments.last().copied().unwrap_or_default();
    (0..number)
        .map(|_| {
            let at = whole.mul_f64(lots.share());
            let records = moments.iter().filter(|moment| **moment <= at).count().max(1);
            let since = moments.get(records - 1).copied().unwrap_or_default();
            Kill { records, after_ms: u64::try_from(at.saturating_sub(since).as_millis()).unwrap_or(0) }
        })
        .collect()
}

/// Holds the campaign.
///
/// # Errors
/// It could not be held. That a run did not come to a good end is no error.
pub async fn kills(plan: CampaignPlan, number: u32, tell: &dyn Fn(Told<'_>)) -> Result<KillTally, RehearseError> {
    Interrupts::listen()?.unless(hold(plan, number, tell)).await
}

async fn hold(plan: CampaignPlan, number: u32, tell: &dyn Fn(Told<'_>)) -> Result<KillTally, RehearseError> {
    let began = Instant::now();
    let ground = Ground::build(plan, tell).await?;
    let baseline = ground.undisturbed(tell).await?;
    let drawn = draw(ground.plan.seed, number, &baseline.moments);
    let (of, seed, side_by_side) = (drawn.len(), ground.plan.seed, ground.plan.side_by_side);
    let (ground, baseline) = (&ground, &baseline);
    let running = futures::stream::iter(drawn.into_iter().enumerate())
        .map(|(index, kill)| async move { (kill, one(ground, baseline, index, kill).await) });
    let mut running = std::pin::pin!(running.buffer_unordered(side_by_side));
    let mut tally = KillTally { seed, killed: 0, well: 0, problems: Vec::new(), wall_ms: 0 };
    while let Some((kill, problems)) = running.next().await {
        let problems = problems?;
        tally.killed += 1;
        tally.well += usize::from(problems.is_empty());
        let which = format!("killed {} ms after record {}", kill.after_ms, kill.records);
        let what = if problems.is_empty() { "same end".to_owned() } else { problems.join("; ") };
        tell(Told::Done { done: tally.killed, of, which: &which, well: problems.is_empty(), what: &what });
        if !problems.is_empty() {
            tally.problems.push((kill, problems));
        }
    }
    tally.wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(tally)
}

async fn one(ground: &Ground, baseline: &Baseline, index: usize, kill: Kill) -> Result<Vec<String>, RehearseError> {
    let rig = ground.stand(&format!("kill-{index}")).await?;
    let course = async {
        let mut interrupts = Interrupts::listen()?;
        let mut running = rig.desk.start(&rig.desk.first)?;
        let ended = tokio::select! {
            end = running.ends(&mut interrupts) => Some(end?),
            () = come(&rig.desk.home, kill) => None,
        };
        let early = ended.is_some();
        let end = match ended {
            Some(end) => end,
            None => running.kill().await?,
        };
        let mut done = vec![Done { command: words(&rig.desk.first), end }];
        go_on(&rig.desk, &mut done, &mut trouble(ground, &rig, &[]), &mut interrupts, &|_| {}).await?;
        Ok::<_, RehearseError>((done, early))
    };
    let Ok(course) = tokio::time::timeout(LONGEST, course).await else {
        return Ok(vec![format!("it did not end within {} s", LONGEST.as_secs())]);
    };
    let (done, early) = course?;
    let left = rig.leave(ground).await?;
    let mut found = problems(&left, baseline);
    if early {
        found.push("it had ended before the moment came".to_owned());
    }
    found.extend(end_problem(&done, &left));
    Ok(found)
}

/// Waits for the moment; a run that is already past it is killed where it is.
async fn come(home: &std::path::Path, kill: Kill) {
    let written = || {
        let journal = run_of(home).and_then(|run| std::fs::read(run.join("journal.jsonl")).ok()).unwrap_or_default();
        journal.iter().filter(|byte| **byte == b'\n').count()
    };
    while written() < kill.records {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(kill.after_ms) && written() == kill.records {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_moments_and_all_lie_within_the_run() {
        let moments: Vec<Duration> = [0, 10, 20, 5_000, 60_000].map(Duration::from_millis).into();
        let drawn = draw(1, 200, &moments);
        assert_eq!(drawn, draw(1, 200, &moments));
        assert_ne!(drawn, draw(2, 200, &moments));
        assert!(drawn.iter().all(|kill| (1..=4).contains(&kill.records) && kill.after_ms < 55_000));
        let long = drawn.iter().filter(|kill| kill.records == 4).count();
        assert!((150..200).contains(&long), "most of the time is after the fourth record: {long}");
    }
}
