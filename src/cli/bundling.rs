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
use super::inputs;
use super::wiring::{self, Connected, Plans, RunPlace};
use crate::bundle::{
    self, Bundle, Checks, CutoverMoves, Index, Move, Parts, Point, SCHEMA_VERSION, Standing, Steps, Subject, Tool,
    Versions,
};
use crate::engine::{self, Engine, Foreknown, Preflight};
use crate::report::{self, Obstacle, PlanView};
use crate::review::Review;
use crate::runbook::{Action, Runbook, StepId};
use crate::steps::{Blocked, Resolver, foreseen, view_cutover};
use crate::terraform::generate::GeneratedFile;
use crate::terraform::tfvars::RECOVERY;
use crate::terraform::{self, Detail, TerraformError};

/// The step that a plan's troubles are told under.
pub const PLANNING: &str = "infrastructure.plan";

/// As long as a cutover's check waits for Route 53.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// A bundle that is to be made.
pub struct Order<'a> {
    pub plans: Plans,
    pub connected: &'a Connected,
    pub runbook: Runbook,
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
    pub foreknown: &'a Foreknown,
}

/// Asks every step, plans, and seals what was found.
///
/// # Errors
/// There is no usable Terraform, or the operator asked to stop.
pub async fn make(order: Order<'_>, environment: &Environment) -> Result<Made, CliError> {
    let Order { plans, connected, runbook, new, stop, salt } = order;
    let place = RunPlace { run: &new.name, run_dir: &new.dir, runbook, stop, approved: None };
    let (engine, _told) = wiring::engine(plans.clone(), connected.aws.clone(), place, environment).await?;
    report::to_stderr("planning; nothing is changed\n");
    let (found, foreknown, records) =
        tokio::join!(engine::preflight(&engine), engine::ahead(&engine, Detail::Kept), records(&engine));
    let now = Timestamp::now();
    let (foreknown, refusals) = judged(foreknown, &found)?;
    let Some(foreknown) = foreknown else {
        return Ok(Made { bundle: None, view: view(&engine, &found, refusals, &[], now)? });
    };
    let mut view = view(&engine, &found, refusals, &foreknown.warnings, now)?;
    view.not_checked.extend(foreknown.not_checked.iter().cloned());
    let seen = Seen { plans: &plans, connected, engine: &engine, found: &found, foreknown: &foreknown };
    let bundle = sealed(seen, &view, &records, (now, salt), environment)?;
    Ok(Made { bundle: Some(bundle), view })
}

/// The bundle that what a run has found would be, where nothing stands in the way of it.
///
/// # Errors
/// As [`make`].
pub async fn of_run(seen: Seen<'_>, salt: String, environment: &Environment) -> Result<Bundle, CliError> {
    let now = Timestamp::now();
    let mut view = view(seen.engine, seen.found, Vec::new(), &seen.foreknown.warnings, now)?;
    view.not_checked.extend(seen.foreknown.not_checked.iter().cloned());
    let records = records(seen.engine).await;
    sealed(seen, &view, &records, (now, Some(salt)), environment)
}

fn sealed(
    seen: Seen<'_>,
    view: &PlanView,
    records: &[CutoverMoves],
    (now, salt): (Timestamp, Option<String>),
    environment: &Environment,
) -> Result<Bundle, CliError> {
    let Seen { plans, connected, engine, found, foreknown } = seen;
    let (manifest, declared, look) = (&plans.manifest, &plans.declared, &foreknown.look);
    let runbook = engine.runbook.as_ref().clone();
    let binary = engine.world.terraform.binary().map_err(|error| CliError::error(error.to_string()))?;
    let marks = match salt {
        Some(salt) => inputs::salted(manifest, declared, binary, environment, salt)?,
        None => inputs::read(manifest, declared, binary, environment)?,
    };
    let state = (!look.state.lineage.is_empty())
        .then(|| Standing { lineage: look.state.lineage.clone(), serial: look.state.serial });
    let subject = Subject {
        scenario: runbook.scenario.clone(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        region: manifest.recovery.name.clone(),
        workspace: manifest.recovery.workspace.clone(),
        state,
        planner: connected.caller.arn.clone(),
    };
    let index = Index {
        schema_version: SCHEMA_VERSION,
        created_at: now,
        subject,
        versions: Versions {
            lifeboat: env!("CARGO_PKG_VERSION").to_owned(),
            terraform: Tool { product: binary.product.name().to_owned(), version: binary.version.to_string() },
            providers: look.providers.clone(),
        },
        root_sha256: look.staged.clone(),
        manifest_sha256: wiring::sha256(&manifest.path)?,
        inputs: marks,
        files: Vec::new(),
    };
    let steps = Steps { runbook, critical_path: view.critical_path.clone(), expected_rto: view.expected_rto };
    let points: Vec<Point> =
        steps.runbook.steps.iter().filter_map(|it| Point::of(&it.id, &found.facts(&it.id), now)).collect();
    let checks = checks(&steps.runbook, view);
    let parts = Parts { steps: &steps, points: &points, records, checks: &checks };
    bundle::seal(index, files(plans, look)?, &parts)
        .map_err(|error| CliError::error("the bundle cannot be made").cause(error.to_string()))
}

/// The bundle's files that hold what was given and planned, without secrets.
fn files(plans: &Plans, look: &terraform::Look) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let Plans { manifest, generated, sensitive, .. } = plans;
    let Some(masked) = &look.masked else {
        return Err(CliError::error("the bundle cannot be made").cause("the plan was not kept"));
    };
    let text = std::fs::read_to_string(&manifest.path).map_err(|error| {
        CliError::error(format!("{} cannot be read", manifest.path.display())).cause(error.to_string())
    })?;
    let shown = |text: &str| masked.text(text).into_bytes();
    let review = Review::of(&look.plan);
    let mut files = BTreeMap::from([
        ("lifeboat.hcl".to_owned(), shown(&bundle::hide(&text, sensitive))),
        ("plan.json".to_owned(), masked.json.clone()),
        ("review.json".to_owned(), text_of(report::review_json(&review))?),
        ("review.md".to_owned(), report::review_markdown(&review).into_bytes()),
    ]);
    for GeneratedFile { name, contents, .. } in generated {
        let hidden = if name == RECOVERY { bundle::hide(contents, sensitive) } else { contents.clone() };
        files.insert(format!("generated/{name}"), shown(&hidden));
    }
    Ok(files)
}

fn text_of(json: Result<String, serde_json::Error>) -> Result<Vec<u8>, CliError> {
    json.map(String::into_bytes).map_err(|error| CliError::error("the plan is no JSON").cause(error.to_string()))
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

fn checks(runbook: &Runbook, view: &PlanView) -> Checks {
    let checking = |action: &Action| {
        matches!(
            action,
            Action::VerifyCluster { .. }
                | Action::VerifyTable { .. }
                | Action::VerifyBucket { .. }
                | Action::VerifyCatalog { .. }
                | Action::Probe { .. }
                | Action::TerraformSettled
        )
    };
    let made = runbook.steps.iter().filter(|step| checking(&step.action));
    Checks {
        made: made.map(|step| (step.id.clone(), step.title.clone())).collect(),
        blocked: (view.blocked.iter())
            .map(|it| bundle::Obstacle { step: it.step.clone(), cause: it.cause.clone(), hint: it.hint.clone() })
            .collect(),
        warnings: (view.warnings.iter())
            .map(|it| bundle::Warning { step: it.step.clone(), text: it.text.clone() })
            .collect(),
        in_place: view.in_place,
        not_checked: view.not_checked.clone(),
    }
}

/// The records of all cutovers, as they stand and as they shall be.
async fn records(engine: &Engine) -> Vec<CutoverMoves> {
    let world = &engine.world;
    let resolver = Resolver::new(&world.aws, &world.manifest.clusters, &world.manifest.recovery, |_| None);
    let mut all = Vec::new();
    for cutover in &world.manifest.cutovers {
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
