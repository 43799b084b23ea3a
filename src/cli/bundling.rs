//! Makes a bundle: asks every step whether it may start, looks at what Terraform would do, reads the records, and seals what
//! was found. Nothing is changed, here or in the cloud, but for a work folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::environment::Environment;
use super::error::CliError;
use super::inputs;
use super::wiring::{self, Connected, Plans, Purpose, RunPlace};
use crate::aws::s3::recovery_state;
use crate::bundle::{
    self, Bundle, Checks, CutoverMoves, Index, Move, Parts, Point, SCHEMA_VERSION, Standing, Steps, Tool, Versions,
};
use crate::engine::{self, Engine, Preflight};
use crate::report::{self, Obstacle, PlanView};
use crate::review::Review;
use crate::runbook::{Action, Runbook, StepId};
use crate::steps::{Blocked, Resolver, adopted, foreseen, view_cutover};
use crate::terraform::generate::GeneratedFile;
use crate::terraform::tfvars::RECOVERY;
use crate::terraform::{Ground, Looked, Observer, TerraformError, events};

/// The step that a plan's troubles are told under.
pub const PLANNING: &str = "infrastructure.plan";

/// As long as a cutover's check waits for Route 53.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// What a bundle is made of.
pub struct Order<'a> {
    pub plans: Plans,
    pub connected: &'a Connected,
    pub runbook: Runbook,
    /// A folder to work in.
    pub dir: &'a Path,
    pub stop: watch::Receiver<bool>,
    /// Of the bundle that it shall be compared with.
    pub salt: Option<String>,
}

/// What was found.
pub struct Made {
    /// `None` where Terraform could not plan.
    pub bundle: Option<Bundle>,
    pub view: PlanView,
}

/// # Errors
/// The state cannot be read, there is no usable Terraform, or the operator asked to stop.
pub async fn make(order: Order<'_>, environment: &Environment) -> Result<Made, CliError> {
    let Order { plans, connected, runbook, dir, stop, salt } = order;
    let (manifest, declared) = (plans.manifest.clone(), plans.declared.clone());
    let (generated, sensitive) = (plans.generated.clone(), plans.sensitive.clone());
    let standing = recovery_state(&connected.aws, &manifest.recovery).await.map_err(|error| {
        CliError::blocked("the recovery region's Terraform state cannot be read; nothing was changed")
            .cause(error.to_string())
    })?;
    let ground = if standing.is_some() { Ground::Backend } else { Ground::Empty };
    let purpose = Purpose::Look(ground);
    let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = RunPlace { run: &run, run_dir: dir, runbook: runbook.clone(), stop: stop.clone(), purpose };
    let (engine, _told) = wiring::engine(plans, connected.aws.clone(), place, environment).await?;
    let (adopted, watching) = (adopted(&manifest), Watching(stop));
    let (found, looked, records) =
        tokio::join!(engine::preflight(&engine), engine.world.terraform.look(&adopted, &watching), moves(&engine),);
    let (looked, mut refusals) = judged(looked, &found)?;
    let (mut guarded, mut not_checked) = (Vec::new(), Vec::new());
    if let Some(looked) = &looked {
        let judged = engine::judged(&engine, &looked.plan).await;
        refusals.extend(judged.violations.into_iter().map(|it| obstacle(it.to_string(), it.hint)));
        guarded = judged.warnings;
        not_checked = judged.not_checked;
    }
    let now = Timestamp::now();
    let warnings = looked.iter().flat_map(|looked| looked.warnings.iter().cloned()).chain(guarded).collect();
    let mut view = view(&engine, &found, refusals, warnings, now)?;
    view.not_checked.extend(not_checked);
    let Some(looked) = looked else { return Ok(Made { bundle: None, view }) };
    let binary = engine.world.terraform.binary();
    let marks = match salt {
        Some(salt) => inputs::salted(&manifest, &declared, binary, environment, salt)?,
        None => inputs::read(&manifest, &declared, binary, environment)?,
    };
    let index = Index {
        schema_version: SCHEMA_VERSION,
        created_at: now,
        scenario: runbook.scenario.clone(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        region: manifest.recovery.name.clone(),
        workspace: manifest.recovery.workspace.clone(),
        state: standing.map(|it| Standing { lineage: it.lineage, serial: it.serial }),
        planner: connected.caller.arn.clone(),
        versions: Versions {
            lifeboat: env!("CARGO_PKG_VERSION").to_owned(),
            terraform: Tool { product: binary.product.name().to_owned(), version: binary.version.to_string() },
            providers: looked.providers.clone(),
        },
        root_sha256: looked.staged.clone(),
        manifest_sha256: wiring::sha256(&manifest.path)?,
        inputs: marks,
        files: Vec::new(),
    };
    let text = std::fs::read_to_string(&manifest.path).map_err(|error| {
        CliError::error(format!("{} cannot be read", manifest.path.display())).cause(error.to_string())
    })?;
    let shown = |text: &str| looked.masked.text(text).into_bytes();
    let mut files = BTreeMap::from([
        ("lifeboat.hcl".to_owned(), shown(&bundle::hide(&text, &sensitive))),
        ("plan.json".to_owned(), looked.masked.json.clone()),
    ]);
    for GeneratedFile { name, contents, .. } in generated {
        let contents = if name == RECOVERY { bundle::hide(&contents, &sensitive) } else { contents };
        files.insert(format!("generated/{name}"), shown(&contents));
    }
    let review = Review::of(&looked.plan);
    files.insert("review.json".to_owned(), text_of(report::review_json(&review))?);
    files.insert("review.md".to_owned(), report::review_markdown(&review).into_bytes());
    let steps = Steps { runbook, critical_path: view.critical_path.clone(), expected_rto: view.expected_rto };
    let points: Vec<Point> =
        engine.runbook.steps.iter().filter_map(|it| Point::of(&it.id, &found.facts(&it.id), now)).collect();
    let checks = checks(&steps.runbook, &view);
    let parts = Parts { steps: &steps, points: &points, records: &records, checks: &checks };
    let bundle = bundle::seal(index, files, &parts)
        .map_err(|error| CliError::error("the bundle cannot be made").cause(error.to_string()))?;
    Ok(Made { bundle: Some(bundle), view })
}

fn text_of(json: Result<String, serde_json::Error>) -> Result<Vec<u8>, CliError> {
    json.map(String::into_bytes).map_err(|error| CliError::error("the plan is no JSON").cause(error.to_string()))
}

/// What Terraform's part shows, and what of it stands in the way.
fn judged(
    looked: Result<Looked, TerraformError>,
    found: &Preflight,
) -> Result<(Option<Looked>, Vec<Obstacle>), CliError> {
    match looked {
        Ok(looked) => {
            let refused = looked.violations.iter().map(|it| obstacle(it.to_string(), None)).collect();
            Ok((Some(looked), refused))
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
    warnings: Vec<String>,
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
async fn moves(engine: &Engine) -> Vec<CutoverMoves> {
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

/// Follows Terraform, and asks it to stop when the operator does.
struct Watching(watch::Receiver<bool>);

#[async_trait]
impl Observer for Watching {
    fn event(&self, _event: &events::Event) {}

    fn status(&self, text: &str) {
        report::to_stderr(&format!("{}\n", report::escape(text)));
    }

    async fn stopped(&self) {
        let mut stop = self.0.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
