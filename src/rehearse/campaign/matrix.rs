//! Every step of the runbook, disturbed in every way, each in a rehearsal of its own or a few after one another in one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde::Serialize;

use super::disturbed::{self, Wanted, nothing_of};
use super::forget::dependents;
use super::ground::{CampaignPlan, Ground, Told};
use crate::rehearse::RehearseError;
use crate::rehearse::fault::Way;
use crate::rehearse::interrupt::Interrupts;
use crate::runbook::{Runbook, StepSpec};

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Green,
    Red,
    /// The step asked for nothing, so that no reply can be lost.
    NotApplicable,
    /// The matrix was interrupted before it. Nothing is known.
    NotRun,
}

/// One step disturbed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    pub step: String,
    pub way: Way,
    pub answer: Answer,
    /// What happened, in words.
    pub seen: String,
    /// Why it is not green.
    pub problems: Vec<String>,
    pub wall_ms: u64,
}

impl Cell {
    /// One that no rehearsal was held for.
    fn without(spec: &StepSpec, way: Way, answer: Answer, why: &str) -> Self {
        let problems = if answer == Answer::NotRun { vec!["it was not run".to_owned()] } else { Vec::new() };
        Self { step: spec.id.to_string(), way, answer, seen: why.to_owned(), problems, wall_ms: 0 }
    }
}

/// The whole grid, or the part of it that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Of the runbook whose steps are disturbed.
    pub scenario: String,
    /// By step in the order of the runbook, then by way.
    pub cells: Vec<Cell>,
    pub undisturbed_ms: u64,
    pub wall_ms: u64,
    pub side_by_side: usize,
    /// How many steps at most were disturbed in one rehearsal.
    pub together: usize,
}

impl Matrix {
    pub fn is_green(&self) -> bool {
        !self.cells.is_empty()
            && self.cells.iter().all(|cell| matches!(cell.answer, Answer::Green | Answer::NotApplicable))
    }
}

/// Runs the cells of a step, or of all steps.
///
/// # Errors
/// The campaign could not be held, or the undisturbed rehearsal did not end well. A red cell is no error.
pub async fn matrix(
    plan: CampaignPlan,
    step: Option<&str>,
    way: Option<Way>,
    tell: &dyn Fn(Told<'_>),
) -> Result<Matrix, RehearseError> {
    let began = Instant::now();
    let mut interrupts = Interrupts::listen()?;
    let ground = interrupts.unless(Ground::build(plan, tell)).await?;
    let baseline = interrupts.unless(ground.undisturbed(tell)).await?;
    let side_by_side = ground.plan.side_by_side;
    let steps = ground.scene.runbook.steps.iter().filter(|spec| step.is_none_or(|step| spec.id.as_str() == step));
    let steps = steps.flat_map(|spec| Way::ALL.map(|way| (spec, way)));
    let all: Vec<(&StepSpec, Way)> = steps.filter(|(_, known)| way.is_none_or(|way| way == *known)).collect();
    let (mut cells, mut rehearsals) = (BTreeMap::new(), Vec::new());
    // Whoever interrupts it has every step in some ways, not some steps in every way.
    for way in Way::ALL {
        let mut wanted = Vec::new();
        for (index, (spec, _)) in all.iter().enumerate().filter(|(_, (_, of))| *of == way) {
            match nothing_of(spec, &ground, &baseline).filter(|_| way == Way::ReplyLost) {
                Some(why) => drop(cells.insert(index, Cell::without(spec, way, Answer::NotApplicable, why))),
                None => wanted.push(Wanted { index, spec }),
            }
        }
        rehearsals.extend(
            apart(&wanted, ground.plan.together, &ground.scene.runbook).into_iter().map(|wanted| (way, wanted)),
        );
    }
    let (ground_, baseline_) = (&ground, &baseline);
    let running = futures::stream::iter(rehearsals)
        .map(|(way, wanted)| async move { disturbed::cells(ground_, baseline_, way, &wanted).await });
    let mut running = std::pin::pin!(running.buffer_unordered(side_by_side));
    // What was shown until an interrupt is worth keeping; the rest says that it was not.
    while let Some(shown) = tokio::select! { next = running.next() => next, _ = interrupts.next() => None } {
        for (index, cell) in shown? {
            let which = format!("{} {}", cell.step, cell.way.name());
            let what = if cell.problems.is_empty() { cell.seen.clone() } else { cell.problems.join("; ") };
            let well = cell.answer != Answer::Red;
            cells.insert(index, cell);
            tell(Told::Done { done: cells.len(), of: all.len(), which: &which, well, what: &what });
        }
    }
    for (index, (spec, way)) in all.into_iter().enumerate() {
        cells.entry(index).or_insert_with(|| Cell::without(spec, way, Answer::NotRun, "interrupted before it"));
    }
    let cells = cells.into_values().collect();
    let (scenario, together) = (ground.scene.runbook.scenario.clone(), ground.plan.together);
    let (undisturbed_ms, wall_ms) = (ms(baseline.wall), ms(began.elapsed()));
    Ok(Matrix { scenario, cells, undisturbed_ms, wall_ms, side_by_side, together })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Steps in lots of a few, each of which waits for the others before it: of two that go on side by side, one would be disturbed in
/// the other's place. Pure.
fn apart<'a>(wanted: &[Wanted<'a>], together: usize, runbook: &Runbook) -> Vec<Vec<Wanted<'a>>> {
    let mut lots: Vec<Vec<Wanted<'a>>> = Vec::new();
    for new in wanted {
        let later = dependents(&new.spec.id, runbook);
        let comes_later = |of: &Wanted<'_>| later.contains(of.spec.id.as_str());
        let comes_before = |of: &Wanted<'_>| dependents(&of.spec.id, runbook).contains(new.spec.id.as_str());
        let fits = |lot: &&mut Vec<Wanted<'_>>| {
            lot.len() < together && lot.iter().all(|other| comes_later(other) || comes_before(other))
        };
        match lots.iter_mut().find(fits) {
            Some(lot) => lot.insert(lot.iter().position(comes_later).unwrap_or(lot.len()), *new),
            None => lots.push(vec![*new]),
        }
    }
    lots
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest;
    use crate::rehearse::breach::foreseen;

    #[test]
    fn every_step_is_in_one_lot_and_none_goes_on_beside_another_of_its_lot() {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = manifest::load(&environments, "prod").expect("the example");
        let runbook = foreseen(&manifest).expect("a rebuild is prepared");
        let wanted: Vec<Wanted<'_>> =
            runbook.steps.iter().enumerate().map(|(index, spec)| Wanted { index, spec }).collect();
        for together in [1, 4, 100] {
            let lots = apart(&wanted, together, &runbook);
            let mut all: Vec<usize> = lots.iter().flatten().map(|wanted| wanted.index).collect();
            all.sort_unstable();
            assert_eq!(all, (0..wanted.len()).collect::<Vec<_>>(), "{together}");
            for lot in lots {
                assert!((1..=together).contains(&lot.len()), "{together}");
                for pair in lot.windows(2) {
                    let (first, then) = (&pair[0].spec.id, &pair[1].spec.id);
                    assert!(dependents(first, &runbook).contains(then.as_str()), "{then} does not wait for {first}");
                }
            }
        }
        assert!(apart(&wanted, 4, &runbook).len() < wanted.len() / 2);
        assert!(apart(&[], 4, &runbook).is_empty());
    }
}
