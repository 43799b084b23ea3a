//! Every step of the runbook, disturbed in every way, each in a rehearsal of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde::Serialize;

use super::forget::forget;
use super::ground::{CampaignPlan, Ground, LONGEST, Left, Rig, Told};
use super::verdict::{Baseline, end_problem, problems};
use crate::rehearse::RehearseError;
use crate::rehearse::fault::{Asked, Fault, Mark, Place, Setting, Trouble, Way, effect_of, reached, run_of};
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Done, carry_through, go_on, words};
use crate::rehearse::proxy::Catch;
use crate::runbook::StepSpec;

/// How often the journal is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

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
    fn not_run(step: String, way: Way) -> Self {
        let (seen, problems) = ("interrupted before it".to_owned(), vec!["it was not run".to_owned()]);
        Self { step, way, answer: Answer::NotRun, seen, problems, wall_ms: 0 }
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
    let steps = ground.scene.runbook.steps.iter().filter(|spec| step.is_none_or(|step| spec.id.as_str() == step));
    let wanted: Vec<(&StepSpec, Way)> = steps
        .flat_map(|spec| {
            Way::ALL.into_iter().filter(|known| way.is_none_or(|way| way == *known)).map(move |way| (spec, way))
        })
        .collect();
    let of = wanted.len();
    let all: Vec<(String, Way)> = wanted.iter().map(|(spec, way)| (spec.id.to_string(), *way)).collect();
    let side_by_side = ground.plan.side_by_side;
    let (ground_, baseline_) = (&ground, &baseline);
    let running = futures::stream::iter(wanted.into_iter().enumerate())
        .map(|(index, (spec, way))| async move { (index, cell(ground_, baseline_, spec, way).await) });
    let mut running = std::pin::pin!(running.buffer_unordered(side_by_side));
    let mut cells = Vec::new();
    // What was shown until an interrupt is worth keeping; the rest says that it was not.
    while let Some((index, cell)) = tokio::select! { next = running.next() => next, _ = interrupts.next() => None } {
        let cell = cell?;
        let which = format!("{} {}", cell.step, cell.way.name());
        let what = if cell.problems.is_empty() { cell.seen.clone() } else { cell.problems.join("; ") };
        cells.push((index, cell));
        let well = cells.last().is_some_and(|(_, cell)| cell.answer != Answer::Red);
        tell(Told::Done { done: cells.len(), of, which: &which, well, what: &what });
    }
    let mut cells: BTreeMap<usize, Cell> = cells.into_iter().collect();
    for (index, (step, way)) in all.into_iter().enumerate() {
        cells.entry(index).or_insert_with(|| Cell::not_run(step, way));
    }
    let cells = cells.into_values().collect();
    let scenario = ground.scene.runbook.scenario.clone();
    Ok(Matrix { scenario, cells, undisturbed_ms: ms(baseline.wall), wall_ms: ms(began.elapsed()), side_by_side })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn cell(ground: &Ground, baseline: &Baseline, spec: &StepSpec, way: Way) -> Result<Cell, RehearseError> {
    let began = Instant::now();
    let cell = |answer, seen: String, problems| Cell {
        step: spec.id.to_string(),
        way,
        answer,
        seen,
        problems,
        wall_ms: ms(began.elapsed()),
    };
    let nothing = match effect_of(spec, &ground.scene.seen) {
        None => Some("it changes nothing"),
        Some(_) if baseline.idle.contains(&spec.id) => Some("it finds nothing to change"),
        Some(_) => None,
    };
    if let Some(nothing) = nothing.filter(|_| way == Way::ReplyLost) {
        return Ok(cell(Answer::NotApplicable, format!("{nothing}: there is no reply to lose"), vec![]));
    }
    let place = match nothing {
        None => Place::Step(spec.id.to_string()),
        Some(_) => Place::Journal(spec.id.to_string()),
    };
    let rig = ground.stand(&format!("{}-{}", spec.id, way.name())).await?;
    let disturbed = async {
        match way {
            Way::Before | Way::After | Way::ReplyLost => faulted(ground, &rig, place, way).await,
            Way::Twice => twice(ground, &rig, spec).await,
        }
    };
    let Ok(course) = tokio::time::timeout(LONGEST, disturbed).await else {
        let why = format!("it did not end within {} s", LONGEST.as_secs());
        return Ok(cell(Answer::Red, String::new(), vec![why]));
    };
    let Course { seen, done, mut wrong } = course?;
    let left = rig.leave(ground).await?;
    wrong.extend(end_problem(&done, &left));
    wrong.extend(problems(&left, baseline));
    let seen = format!("{seen}; {}", outcome(&done, &left));
    Ok(cell(if wrong.is_empty() { Answer::Green } else { Answer::Red }, seen, wrong))
}

/// How often somebody had to resume.
fn outcome(done: &[Done], left: &Left) -> String {
    let resumes = done.len().saturating_sub(1);
    match (end_problem(done, left).is_none(), resumes) {
        (true, 0) => "done without a resume".to_owned(),
        (true, 1) => "done by one resume".to_owned(),
        (true, _) => format!("done by {resumes} resumes"),
        _ => format!("not done by {resumes} resumes"),
    }
}

/// How a disturbed rehearsal went.
struct Course {
    seen: String,
    done: Vec<Done>,
    wrong: Vec<String>,
}

async fn faulted(ground: &Ground, rig: &Rig, place: Place, way: Way) -> Result<Course, RehearseError> {
    let fault = match way {
        Way::ReplyLost => Fault::LoseReply { place, nth: 1 },
        Way::Before => Fault::Kill { when: Catch::Before, place, nth: 1 },
        Way::After | Way::Twice => Fault::Kill { when: Catch::After, place, nth: 1 },
    };
    let mut trouble = trouble(ground, rig, &[Asked { text: way.name().to_owned(), fault }]);
    let mut interrupts = Interrupts::listen()?;
    let done = carry_through(&rig.desk, &mut trouble, &mut interrupts, &|_| {}).await?;
    let fired = trouble.fired().pop();
    let at = fired.as_ref().and_then(|fired| fired.what.clone());
    let seen = match (way, at) {
        (Way::ReplyLost, at) => format!("the reply was lost of {}", at.unwrap_or_default()),
        (_, Some(at)) => format!("killed at {at}"),
        (Way::Before, None) => "killed when its start was in the journal".to_owned(),
        (_, None) => "killed when its result was in the journal".to_owned(),
    };
    let never = fired.is_none_or(|fired| fired.times == 0);
    let wrong = if never { vec!["the fault never fired".to_owned()] } else { Vec::new() };
    Ok(Course { seen, done, wrong })
}

/// Killed once the step is done, made to forget that, and resumed.
async fn twice(ground: &Ground, rig: &Rig, spec: &StepSpec) -> Result<Course, RehearseError> {
    let mut interrupts = Interrupts::listen()?;
    let mut running = rig.desk.start(&rig.desk.first)?;
    let applied = async {
        while !reached(&rig.desk.home, &spec.id, Mark::Applied) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let ended = tokio::select! {
        end = running.ends(&mut interrupts) => Some(end?),
        () = applied => None,
    };
    let mut wrong = Vec::new();
    let end = match ended {
        Some(end) => {
            wrong.push("it ended before the step was done".to_owned());
            end
        }
        None => running.kill().await?,
    };
    let mut done = vec![Done { command: words(&rig.desk.first), end }];
    if let Some(run) = run_of(&rig.desk.home).filter(|_| wrong.is_empty()) {
        let (runbook, manifest) = (&ground.scene.runbook, &ground.plan.manifest);
        forget(&run, &spec.id, runbook, manifest, &rig.endpoint()).await?;
        go_on(&rig.desk, &mut done, &mut trouble(ground, rig, &[]), &mut interrupts, &|_| {}).await?;
    }
    Ok(Course { seen: "done, forgotten, and done again".to_owned(), done, wrong })
}

pub(super) fn trouble(ground: &Ground, rig: &Rig, faults: &[Asked]) -> Trouble {
    Trouble::set(
        faults,
        &Setting {
            control: Arc::clone(&rig.control()),
            home: &rig.desk.home,
            runbook: &ground.scene.runbook,
            manifest: &ground.scene.seen,
            seed: ground.plan.seed,
        },
    )
}
