//! What a failover that began now would come to: the age of what each store would be restored from, and the expected end
//! of each component's last step, against the manifest's objectives.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::manifest::{Component, Objective, ObjectiveKind};
use crate::runbook::{Action, GraphError, NotChecked, Runbook, StepId};

/// One store that would be restored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Store {
    pub component: Component,
    /// As the manifest calls it.
    pub name: String,
    pub step: StepId,
    pub recovery_point: Option<String>,
    pub recovery_point_at: Option<Timestamp>,
    /// How old it is now: what would be lost.
    pub age_seconds: Option<i64>,
    pub rpo_seconds: Option<i64>,
    /// `None` where the age is not known, or there is no objective.
    pub met: Option<bool>,
}

/// One objective of one component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    pub component: Component,
    pub kind: ObjectiveKind,
    pub target_seconds: i64,
    /// Of an RPO the age of the oldest recovery point now, of an RTO the time that the steps usually take.
    pub expected_seconds: Option<i64>,
    /// `None` where it is not known.
    pub met: Option<bool>,
}

impl Forecast {
    /// What is not known of it.
    pub(super) fn unknown(&self) -> Option<NotChecked> {
        let (objective, why) = match self.kind {
            ObjectiveKind::Rpo => ("RPO", "the time of a recovery point is not known"),
            ObjectiveKind::Rto => ("RTO", "the failover has no step for it"),
        };
        let component = self.component.name();
        self.met.is_none().then(|| NotChecked { what: format!("the {objective} of {component}"), why: why.to_owned() })
    }
}

pub(super) fn stores(runbook: &Runbook, facts: &BTreeMap<StepId, Value>, now: Timestamp) -> Vec<Store> {
    let store = |spec: &crate::runbook::StepSpec| {
        let (component, name) = restored(&spec.action)?;
        let facts = facts.get(&spec.id).unwrap_or(&Value::Null);
        let at = facts["recovery_point_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let age = at.map(|at| now.duration_since(at).max(SignedDuration::ZERO));
        let rpo = objective(runbook, component).and_then(|it| it.rpo);
        Some(Store {
            component,
            name: name.to_owned(),
            step: spec.id.clone(),
            recovery_point: facts["recovery_point"].as_str().map(str::to_owned),
            recovery_point_at: at,
            age_seconds: age.map(|age| age.as_secs()),
            rpo_seconds: rpo.map(|rpo| rpo.as_secs()),
            met: age.zip(rpo).map(|(age, rpo)| age <= rpo),
        })
    };
    runbook.steps.iter().filter_map(store).collect()
}

/// What a step restores.
fn restored(action: &Action) -> Option<(Component, &str)> {
    match action {
        Action::RestoreCluster { cluster } => Some((Component::Aurora, &cluster.name)),
        Action::RestoreTable { table } => Some((Component::Table, &table.name)),
        Action::RestoreBucket { bucket } => Some((Component::Bucket, &bucket.name)),
        Action::RestoreCatalog { catalog } => Some((Component::Catalog, &catalog.name)),
        _ => None,
    }
}

fn objective(runbook: &Runbook, component: Component) -> Option<Objective> {
    runbook.objectives.iter().find(|(of, _)| *of == component).map(|(_, objective)| *objective)
}

pub(super) fn objectives(runbook: &Runbook, stores: &[Store]) -> Result<Vec<Forecast>, GraphError> {
    let ends = runbook.expected_ends()?;
    let components: BTreeSet<Component> = runbook.objectives.iter().map(|(component, _)| *component).collect();
    let mut forecasts = Vec::new();
    for component in components {
        let Some(Objective { rto, rpo }) = objective(runbook, component) else { continue };
        let counts = |of: Option<Component>| component == Component::System || of == Some(component);
        let steps = runbook.steps.iter().filter(|step| counts(step.component));
        let end = steps.filter_map(|step| ends.get(&step.id)).max().map(|end| end.as_secs());
        forecasts.extend(rto.map(|rto| forecast(component, ObjectiveKind::Rto, rto, end, end)));
        let of: Vec<&Store> = stores.iter().filter(|store| counts(Some(store.component))).collect();
        // One that is not known may be older than all others; what is known is enough to miss an objective.
        let oldest = of.iter().filter_map(|store| store.age_seconds).max();
        let all = oldest.filter(|_| of.iter().all(|store| store.age_seconds.is_some()));
        forecasts.extend(rpo.map(|rpo| forecast(component, ObjectiveKind::Rpo, rpo, all, oldest)));
    }
    Ok(forecasts)
}

/// `at_least` is known also where `expected` is not.
fn forecast(
    component: Component,
    kind: ObjectiveKind,
    target: SignedDuration,
    expected: Option<i64>,
    at_least: Option<i64>,
) -> Forecast {
    let target_seconds = target.as_secs();
    let missed = at_least.is_some_and(|seconds| seconds > target_seconds);
    let met = if missed { Some(false) } else { expected.map(|_| true) };
    Forecast { component, kind, target_seconds, expected_seconds: if missed { at_least } else { expected }, met }
}
