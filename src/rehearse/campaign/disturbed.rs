//! Rehearsals in which steps are disturbed, and what each of them shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::forget::forget;
use super::ground::{Ground, LONGEST, Left, Rig};
use super::matrix::{Answer, Cell};
use super::verdict::{Baseline, end_problem, problems};
use crate::rehearse::RehearseError;
use crate::rehearse::fault::{Asked, Fault, Mark, Place, Setting, Trouble, Way, effect_of, reached, run_of};
use crate::rehearse::interrupt::Interrupts;
use crate::rehearse::operator::{Desk, Done, carry_through, go_on, words};
use crate::rehearse::proxy::Catch;
use crate::runbook::{StepId, StepSpec};

/// How often the journal is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A step to disturb, with its place in the matrix.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub index: usize,
    pub spec: &'a StepSpec,
}

/// The cells of steps that are disturbed in one way: one after the other in one rehearsal, and each in one of its own where that
/// comes to another end than an undisturbed one.
///
/// # Errors
/// A rehearsal could not be held. That it came to another end is no error.
pub(super) async fn cells(
    ground: &Ground,
    baseline: &Baseline,
    way: Way,
    wanted: &[Wanted<'_>],
) -> Result<Vec<(usize, Cell)>, RehearseError> {
    let together = one(ground, baseline, way, wanted).await?;
    if wanted.len() == 1 || together.iter().all(|(_, cell)| cell.answer == Answer::Green) {
        return Ok(together);
    }
    let mut alone = Vec::new();
    for wanted in wanted {
        alone.extend(one(ground, baseline, way, std::slice::from_ref(wanted)).await?);
    }
    Ok(alone)
}

/// Why a step has no reply that can be lost.
pub(super) fn nothing_of(spec: &StepSpec, ground: &Ground, baseline: &Baseline) -> Option<&'static str> {
    match effect_of(spec, &ground.scene.seen) {
        None => Some("it changes nothing: there is no reply to lose"),
        Some(_) if baseline.idle.contains(&spec.id) => Some("it finds nothing to change: there is no reply to lose"),
        Some(_) => None,
    }
}

/// One rehearsal, and the cells of all that was disturbed in it.
async fn one(
    ground: &Ground,
    baseline: &Baseline,
    way: Way,
    wanted: &[Wanted<'_>],
) -> Result<Vec<(usize, Cell)>, RehearseError> {
    let began = Instant::now();
    let more = wanted.len().saturating_sub(1);
    let first = wanted.first().map_or("", |wanted| wanted.spec.id.as_str());
    let name = if more == 0 { String::new() } else { format!("-and-{more}-more") };
    let rig = ground.stand(&format!("{first}-{}{name}", way.name())).await?;
    let disturbed = async {
        match way {
            Way::Before | Way::After | Way::ReplyLost => faulted(ground, baseline, &rig, way, wanted).await,
            Way::Twice => twice(ground, &rig, wanted).await,
        }
    };
    let cell = |seen: String, problems: Vec<String>, wanted: &Wanted<'_>| {
        let answer = if problems.is_empty() { Answer::Green } else { Answer::Red };
        let wall_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (wanted.index, Cell { step: wanted.spec.id.to_string(), way, answer, seen, problems, wall_ms })
    };
    let longest = LONGEST * u32::try_from(wanted.len()).unwrap_or(1);
    let Ok(course) = tokio::time::timeout(longest, disturbed).await else {
        let why = format!("it did not end within {} s", longest.as_secs());
        return Ok(wanted.iter().map(|wanted| cell(String::new(), vec![why.clone()], wanted)).collect());
    };
    let Course { done, shown } = course?;
    let left = rig.leave(ground).await?;
    let end = outcome(&done, &left, more);
    let of_all: Vec<String> = end_problem(&done, &left).into_iter().chain(problems(&left, baseline)).collect();
    let told = wanted.iter().zip(shown).map(|(wanted, Shown { seen, wrong })| {
        cell(format!("{seen}; {end}"), wrong.into_iter().chain(of_all.iter().cloned()).collect(), wanted)
    });
    Ok(told.collect())
}

/// How often somebody had to resume.
fn outcome(done: &[Done], left: &Left, more: usize) -> String {
    let resumes = done.len().saturating_sub(1);
    let told = match (end_problem(done, left).is_none(), resumes) {
        (true, 0) => "done without a resume".to_owned(),
        (true, 1) => "done by one resume".to_owned(),
        (true, _) => format!("done by {resumes} resumes"),
        _ => format!("not done by {resumes} resumes"),
    };
    if more == 0 { told } else { format!("{told}, with {more} more steps disturbed") }
}

/// How a disturbed rehearsal went.
struct Course {
    done: Vec<Done>,
    /// Of each step that was to be disturbed.
    shown: Vec<Shown>,
}

struct Shown {
    seen: String,
    wrong: Option<String>,
}

async fn faulted(
    ground: &Ground,
    baseline: &Baseline,
    rig: &Rig,
    way: Way,
    wanted: &[Wanted<'_>],
) -> Result<Course, RehearseError> {
    let fault = |wanted: &Wanted<'_>| {
        let id = wanted.spec.id.to_string();
        let place = match nothing_of(wanted.spec, ground, baseline) {
            None => Place::Step(id),
            Some(_) => Place::Journal(id),
        };
        let fault = match way {
            Way::ReplyLost => Fault::LoseReply { place, nth: 1 },
            Way::Before => Fault::Kill { when: Catch::Before, place, nth: 1 },
            Way::After | Way::Twice => Fault::Kill { when: Catch::After, place, nth: 1 },
        };
        Asked { text: way.name().to_owned(), fault }
    };
    let faults: Vec<Asked> = wanted.iter().map(fault).collect();
    let mut trouble = trouble(ground, rig, &faults);
    let mut interrupts = Interrupts::listen()?;
    let done = carry_through(&rig.desk, &mut trouble, &mut interrupts, &|_| {}).await?;
    let shown = trouble.fired().into_iter().map(|fired| {
        let seen = match (way, fired.what) {
            (Way::ReplyLost, at) => format!("the reply was lost of {}", at.unwrap_or_default()),
            (_, Some(at)) => format!("killed at {at}"),
            (Way::Before, None) => "killed when its start was in the journal".to_owned(),
            (_, None) => "killed when its result was in the journal".to_owned(),
        };
        Shown { seen, wrong: (fired.times == 0).then(|| "the fault never fired".to_owned()) }
    });
    Ok(Course { shown: shown.collect(), done })
}

/// Killed once the step is done, made to forget that, and resumed; the same for each step that is to be done twice.
async fn twice(ground: &Ground, rig: &Rig, wanted: &[Wanted<'_>]) -> Result<Course, RehearseError> {
    let mut interrupts = Interrupts::listen()?;
    let (mut done, mut shown) = (Vec::new(), Vec::new());
    for Wanted { spec, .. } in wanted {
        let args = if done.is_empty() { Some(rig.desk.first.clone()) } else { rig.desk.next() };
        let wrong = match args {
            Some(args) => killed_once_done(&rig.desk, &args, &spec.id, &mut done, &mut interrupts).await?,
            None => Some("the run had its end before it"),
        };
        if let Some(run) = run_of(&rig.desk.home).filter(|_| wrong.is_none()) {
            let (runbook, manifest) = (&ground.scene.runbook, &ground.plan.manifest);
            forget(&run, &spec.id, runbook, manifest, &rig.endpoint()).await?;
        }
        let seen = "done, forgotten, and done again".to_owned();
        shown.push(Shown { seen, wrong: wrong.map(str::to_owned) });
    }
    go_on(&rig.desk, &mut done, &mut trouble(ground, rig, &[]), &mut interrupts, &|_| {}).await?;
    Ok(Course { done, shown })
}

/// Begins or resumes, and kills it once the journal says that the step is done. Why it could not, where it could not.
async fn killed_once_done(
    desk: &Desk,
    args: &[std::ffi::OsString],
    step: &StepId,
    done: &mut Vec<Done>,
    interrupts: &mut Interrupts,
) -> Result<Option<&'static str>, RehearseError> {
    let mut running = desk.start(args)?;
    let applied = async {
        while !reached(&desk.home, step, Mark::Applied) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let ended = tokio::select! {
        end = running.ends(interrupts) => Some(end?),
        () = applied => None,
    };
    let (end, wrong) = match ended {
        Some(end) => (end, Some("it ended before the step was done")),
        None => (running.kill().await?, None),
    };
    done.push(Done { command: words(args), end });
    Ok(wrong)
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
