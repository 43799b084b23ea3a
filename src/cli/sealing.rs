//! Seals what was found before anything began: what a bundle is of, what it was made with, and its files. Asks nobody.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bundling::Seen;
use super::environment::Environment;
use super::error::CliError;
use super::inputs;
use super::wiring::{self, Plans};
use crate::bundle::{
    self, Bundle, Checks, CutoverMoves, Found, Index, Parts, Point, SCHEMA_VERSION, Standing, Steps, Subject, Tool,
    Versions, lasting,
};
use crate::report::{self, PlanView};
use crate::review::Review;
use crate::runbook::{Action, Runbook};
use crate::terraform::Look;
use crate::terraform::generate::GeneratedFile;
use crate::terraform::tfvars::RECOVERY;

/// When, by which command, and with which salt a bundle is made: of marks with another salt nobody can say whether they differ.
pub struct Making {
    pub now: Timestamp,
    pub salt: Option<String>,
    pub command: String,
}

/// # Errors
/// Something that goes into the bundle cannot be read.
pub fn sealed(
    seen: Seen<'_>,
    view: &PlanView,
    records: &[CutoverMoves],
    making: Making,
    environment: &Environment,
) -> Result<Bundle, CliError> {
    let Seen { plans, engine, found, foreknown, .. } = seen;
    let (runbook, now) = (engine.runbook.as_ref().clone(), making.now);
    let index = index(seen, &runbook, making, environment)?;
    let steps = Steps { runbook, critical_path: view.critical_path.clone(), expected_rto: view.expected_rto };
    let points: Vec<Point> =
        steps.runbook.steps.iter().filter_map(|it| Point::of(&it.id, &found.facts(&it.id), now)).collect();
    let checks = checks(&steps.runbook, view);
    let (files, settled) = match foreknown {
        Some(foreknown) => {
            let mut files = planned(plans, &foreknown.look)?;
            if let Some(look) = &foreknown.teardown {
                files.insert(bundle::TEARDOWN_PLAN.to_owned(), look.json.clone());
                let review = report::review_markdown(&Review::of(&look.plan));
                files.insert("teardown-review.md".to_owned(), review.into_bytes());
                files.insert(bundle::TEARDOWN.to_owned(), bytes(serde_json::to_string_pretty(&look.teardown))?);
            }
            (files, None)
        }
        None => {
            let settled = found.checked.iter().map(|(step, checked)| (step.clone(), lasting(&checked.facts)));
            let manifest = bundle::hide(&text(plans)?, &plans.sensitive);
            (BTreeMap::from([(MANIFEST.to_owned(), manifest.into_bytes())]), Some(settled.collect::<Found>()))
        }
    };
    let parts = Parts { steps: &steps, points: &points, records, checks: &checks, found: settled.as_ref() };
    bundle::seal(index, files, &parts)
        .map_err(|error| CliError::error("the bundle cannot be made").cause(error.to_string()))
}

const MANIFEST: &str = "lifeboat.hcl";

fn index(
    seen: Seen<'_>,
    runbook: &Runbook,
    Making { now, salt, command }: Making,
    environment: &Environment,
) -> Result<Index, CliError> {
    let Seen { plans, connected, engine, foreknown, .. } = seen;
    let (manifest, declared) = (&plans.manifest, &plans.declared);
    let mut index = Index {
        schema_version: SCHEMA_VERSION,
        created_at: now,
        subject: Subject {
            scenario: runbook.scenario.clone(),
            environment: manifest.environment.clone(),
            service: manifest.service.clone(),
            account: manifest.account.clone(),
            region: runbook.to_region.clone(),
            workspace: manifest.recovery.workspace.clone(),
            state: None,
            planner: connected.caller.arn.clone(),
        },
        command,
        versions: Versions {
            lifeboat: env!("CARGO_PKG_VERSION").to_owned(),
            terraform: None,
            providers: BTreeMap::new(),
        },
        root_sha256: None,
        source: None,
        manifest_sha256: wiring::sha256(&manifest.path)?,
        inputs: None,
        files: Vec::new(),
    };
    let Some(foreknown) = foreknown else { return Ok(index) };
    let Look { state, staged, source, providers, .. } = &foreknown.look;
    let binary = engine.world.terraform.binary().map_err(|error| CliError::error(error.to_string()))?;
    index.subject.state =
        (!state.lineage.is_empty()).then(|| Standing { lineage: state.lineage.clone(), serial: state.serial });
    index.versions.terraform =
        Some(Tool { product: binary.product.name().to_owned(), version: binary.version.to_string() });
    index.versions.providers.clone_from(providers);
    index.root_sha256 = Some(staged.clone());
    index.source = Some(source.clone());
    index.inputs = Some(match salt {
        Some(salt) => inputs::salted(manifest, declared, binary, environment, salt)?,
        None => inputs::read(manifest, declared, binary, environment)?,
    });
    Ok(index)
}

/// The files that hold what was given to Terraform and planned by it, without secrets.
fn planned(plans: &Plans, look: &Look) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let Plans { generated, sensitive, .. } = plans;
    let Some(masked) = &look.masked else {
        return Err(CliError::error("the bundle cannot be made").cause("the plan was not kept"));
    };
    let shown = |text: &str| masked.text(text).into_bytes();
    let review = Review::of(&look.plan);
    let mut files = BTreeMap::from([
        (MANIFEST.to_owned(), shown(&bundle::hide(&text(plans)?, sensitive))),
        ("plan.json".to_owned(), masked.json.clone()),
        ("review.json".to_owned(), bytes(report::review_json(&review))?),
        ("review.md".to_owned(), report::review_markdown(&review).into_bytes()),
    ]);
    for GeneratedFile { name, contents, .. } in generated {
        let hidden = if name == RECOVERY { bundle::hide(contents, sensitive) } else { contents.clone() };
        files.insert(format!("generated/{name}"), shown(&hidden));
    }
    Ok(files)
}

/// The manifest as it is written.
fn text(plans: &Plans) -> Result<String, CliError> {
    let path = &plans.manifest.path;
    std::fs::read_to_string(path)
        .map_err(|error| CliError::error(format!("{} cannot be read", path.display())).cause(error.to_string()))
}

fn bytes(json: Result<String, serde_json::Error>) -> Result<Vec<u8>, CliError> {
    json.map(String::into_bytes).map_err(|error| CliError::error("the plan is no JSON").cause(error.to_string()))
}

fn checks(runbook: &Runbook, view: &PlanView) -> Checks {
    let checking = |action: &Action| {
        matches!(
            action,
            Action::VerifyCluster { .. }
                | Action::VerifyTable { .. }
                | Action::VerifyBucket { .. }
                | Action::VerifyCatalog { .. }
                | Action::VerifyRollback { .. }
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
