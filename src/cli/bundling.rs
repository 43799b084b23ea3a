//! Makes a bundle: asks every step whether it may start, looks at what Terraform would do, reads the records, and seals what
//! was found. Nothing is changed, here or in the cloud, but for a work folder.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::environment::Environment;
use super::error::CliError;
use super::home::NewRun;
use super::preflight::unless_stopped;
use super::sealing::{Making, sealed};
use super::wiring::{self, Connected, Plans, RunPlace};
use crate::aws::Session;
use crate::bundle::{Bundle, CutoverMoves, Index, Move};
use crate::engine::{self, Engine, Foreknown, Preflight};
use crate::report::{self, Obstacle, PlanView};
use crate::runbook::{Action, Runbook, StepId};
use crate::steps::{Blocked, Resolver, foreseen, view_cutover};
use crate::terraform::{Detail, TerraformError};

/// The step that a plan's troubles are told under.
pub const PLANNING: &str = "infrastructure.plan";

/// As long as a cutover's check waits for Route 53.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// A bundle that is to be made.
pub struct Order<'a> {
    pub plans: Plans,
    pub connected: &'a Connected,
    /// Clients for the region that is worked in.
    pub aws: Session,
    pub runbook: Runbook,
    /// The command that makes such a bundle.
    pub command: String,
    /// A folder to work in.
    pub new: &'a NewRun,
    pub stop: watch::Receiver<bool>,
    /// Of the bundle that it shall be compared with.
    pub salt: Option<String>,
}

/// What was made.
pub struct Made {
    /// `None` where Terraform could not plan.
    pub bundle: Option<Bundle>,
    pub view: PlanView,
}

/// What was found out before anything began.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub plans: &'a Plans,
    pub connected: &'a Connected,
    pub engine: &'a Engine,
    pub found: &'a Preflight,
    /// What Terraform would do; `None` of a scenario that is done without it.
    pub foreknown: Option<&'a Foreknown>,
}

/// Asks every step, plans, and seals what was found.
///
/// # Errors
/// There is no usable Terraform, or the operator asked to stop.
pub async fn make(order: Order<'_>, environment: &Environment) -> Result<Made, CliError> {
    let Order { plans, connected, aws, runbook, command, new, stop, salt } = order;
    let place = RunPlace { run: &new.name, run_dir: &new.dir, runbook, stop, approved: None };
    let (engine, _told) = wiring::engine(plans.clone(), aws, place, environment).await?;
    report::to_stderr("planning; nothing is changed\n");
    if !engine.runbook.uses_terraform() {
        let found = unless_stopped(&engine, async { Ok(engine::preflight(&engine).await) }).await?;
        let (now, view) = (Timestamp::now(), view(&engine, &found, Vec::new(), &[], Timestamp::now())?);
        let seen = Seen { plans: &plans, connected, engine: &engine, found: &found, foreknown: None };
        let bundle = sealed(seen, &view, &[], Making { now, salt, command }, environment)?;
        return Ok(Made { bundle: Some(bundle), view });
    }
    let (found, foreknown, records) =
        tokio::join!(engine::preflight(&engine), engine::ahead(&engine, Detail::Kept), records(&engine));
    let now = Timestamp::now();
    let (foreknown, refusals) = judged(foreknown, &found)?;
    let Some(foreknown) = foreknown else {
        return Ok(Made { bundle: None, view: view(&engine, &found, refusals, &[], now)? });
    };
    let mut view = view(&engine, &found, refusals, &foreknown.warnings, now)?;
    view.not_checked.extend(foreknown.not_checked.iter().cloned());
    let seen = Seen { plans: &plans, connected, engine: &engine, found: &found, foreknown: Some(&foreknown) };
    let bundle = sealed(seen, &view, &records, Making { now, salt, command }, environment)?;
    Ok(Made { bundle: Some(bundle), view })
}

/// The bundle that what a run has found would be, where nothing stands in the way of it; `approved` is the one that it goes by.
///
/// # Errors
/// As [`make`].
pub async fn of_run(seen: Seen<'_>, approved: &Index, environment: &Environment) -> Result<Bundle, CliError> {
    let warnings = seen.foreknown.map_or(&[][..], |foreknown| &foreknown.warnings);
    let now = Timestamp::now();
    let mut view = view(seen.engine, seen.found, Vec::new(), warnings, now)?;
    view.not_checked.extend(seen.foreknown.iter().flat_map(|foreknown| foreknown.not_checked.iter().cloned()));
    let records = records(seen.engine).await;
    let salt = approved.inputs.as_ref().map(|inputs| inputs.salt.clone());
    sealed(seen, &view, &records, Making { now, salt, command: approved.command.clone() }, environment)
}

/// What Terraform's part shows, and what of it stands in the way.
fn judged(
    foreknown: Result<Foreknown, TerraformError>,
    found: &Preflight,
) -> Result<(Option<Foreknown>, Vec<Obstacle>), CliError> {
    match foreknown {
        Ok(foreknown) => {
            let by_lifeboat = foreknown.look.refused.iter().map(|it| obstacle(it.to_string(), None));
            let by_guards = foreknown.violations.iter().map(|it| obstacle(it.to_string(), it.hint.clone()));
            let refusals = by_lifeboat.chain(by_guards).collect();
            Ok((Some(foreknown), refusals))
        }
        Err(error @ (TerraformError::Interrupted { .. } | TerraformError::StoppedWaiting { .. })) => {
            Err(CliError::error("interrupted; nothing was changed").cause(error.to_string()))
        }
        // The preparation has said the same already where the root itself is wrong.
        Err(_) if found.blocked.iter().any(|(step, _)| step.as_str() == "infrastructure.prepare") => Ok((None, vec![])),
        Err(error) => Ok((None, vec![obstacle(error.to_string(), error.hint())])),
    }
}

fn obstacle(cause: String, hint: Option<String>) -> Obstacle {
    Obstacle { step: StepId::new(PLANNING), cause, hint }
}

fn view(
    engine: &Engine,
    found: &Preflight,
    refusals: Vec<Obstacle>,
    warnings: &[String],
    now: Timestamp,
) -> Result<PlanView, CliError> {
    let mut facts: BTreeMap<StepId, Value> =
        found.checked.iter().map(|(step, checked)| (step.clone(), checked.facts.clone())).collect();
    if !warnings.is_empty() {
        facts.insert(StepId::new(PLANNING), json!({ "warnings": warnings }));
    }
    let blocked = found.blocked.iter().cloned();
    let blocked = blocked.map(|(step, Blocked { cause, hint })| Obstacle { step, cause, hint }).chain(refusals);
    PlanView::of(&engine.runbook, &facts, blocked.collect(), found.in_place, now).map_err(unsound)
}

pub fn unsound(error: crate::runbook::GraphError) -> CliError {
    CliError::error("the runbook is not sound").cause(error.to_string())
}

/// The records of the runbook's cutovers, as they stand and as they shall be.
async fn records(engine: &Engine) -> Vec<CutoverMoves> {
    let world = &engine.world;
    let resolver = Resolver::new(&world.aws, &world.manifest.clusters, &world.manifest.recovery, |_| None);
    let mut all = Vec::new();
    let cutovers = engine.runbook.steps.iter().filter_map(|step| match &step.action {
        Action::Cutover { cutover } => Some(cutover),
        _ => None,
    });
    for cutover in cutovers {
        let read = async {
            let view = view_cutover(&world.aws, cutover, &resolver).await?;
            let mut records = Vec::new();
            for (record, standing) in cutover.records.iter().zip(view.records) {
                let (after, known) = foreseen(record, &resolver).await?;
                let before = standing.before;
                let (name, kind, set_identifier) = (before.name, before.kind, before.set_identifier);
                records.push(Move { name, kind, set_identifier, before: before.record_set, after, known });
            }
            Ok::<_, crate::steps::StepError>((view.zone_id, records))
        };
        let cutover = cutover.name.clone();
        let read = tokio::time::timeout(READ_WITHIN, read).await;
        let silent = |_| Err(crate::steps::StepError::failed("Route 53 does not answer"));
        all.push(match read.unwrap_or_else(silent) {
            Ok((zone, records)) => CutoverMoves { cutover, zone_id: Some(zone), records, not_read: None },
            Err(error) => {
                CutoverMoves { cutover, zone_id: None, records: Vec::new(), not_read: Some(error.to_string()) }
            }
        });
    }
    all
}
