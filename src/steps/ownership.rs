//! How a restored resource is recognised as a run's own, so that nothing else is ever touched.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::declared::id_in_state;
use super::{Blocked, Cx};
use crate::aws::s3;

/// Carries the run's id. Terraform's adoption takes it away where the root neither declares nor ignores it.
pub const RUN_TAG: &str = "lifeboat:run";
/// Carries the ARN of the recovery point, as long as the run's tag.
pub const RECOVERY_POINT_TAG: &str = "lifeboat:recovery-point";

/// Whose a resource is that stands under the target's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This run began to restore it.
    ThisRun,
    /// Terraform's recovery state held it before this run: what is to be changed there, Terraform changes.
    Terraform,
    /// Neither; with the run that its tag names.
    Other(Option<String>),
}

impl Owner {
    /// Of a resource with those tags, which would be adopted at `address` under `id`.
    pub fn of(cx: &Cx, address: Option<&str>, id: &str, tags: &BTreeMap<String, String>) -> Self {
        match tags.get(RUN_TAG) {
            Some(run) if *run == cx.world.run => Self::ThisRun,
            _ if id_in_state(cx, address).as_deref() == Some(id) => Self::Terraform,
            run => Self::Other(run.cloned()),
        }
    }
}

/// The tags of a resource that its copy shall have: without AWS's own, which cannot be set, and those of the run that made
/// it, which is not the one that copies it.
pub fn copied_tags(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let by_others = |key: &str| key.starts_with("aws:") || [RUN_TAG, RECOVERY_POINT_TAG].contains(&key);
    tags.iter().filter(|(key, _)| !by_others(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What to say of a resource that is not ours: cause and hint. A run reads the recovery state only once, so that what is
/// imported there serves a new run.
pub fn conflict(cx: &Cx, what: &str, address: Option<&str>, id: &str, run: Option<&str>) -> (String, String) {
    let region = cx.world.aws.region();
    let of = run.map_or_else(|| "this run did not make it".to_owned(), |run| format!("run {run} made it"));
    let cause = format!("{what} stands in {region} already: {of}, and the recovery state does not hold it");
    let keep = address.map(|address| {
        let workspace = &cx.world.manifest.recovery.workspace;
        format!("; or keep it: terraform import '{address}' {id} in workspace {workspace}, then start a new run")
    });
    let keep = keep.unwrap_or_default();
    let hint = match run {
        Some(run) => {
            format!("resume run {run} where it is unfinished; else look at it and delete it, then retry{keep}")
        }
        None => {
            format!("look at it and delete or rename it, or choose another `target` in the manifest; then retry{keep}")
        }
    };
    (cause, hint)
}

/// The facts of a step without a recovery point that nevertheless has nothing to restore: the recovery state holds the
/// target, which stands, at the address where it would be adopted.
///
/// # Errors
/// As `blocked` says, where the state holds it not, or cannot be read.
pub async fn in_place(cx: &Cx, address: Option<&str>, id: &str, blocked: Blocked) -> Result<Value, Blocked> {
    let Some(address) = address else { return Err(blocked) };
    match s3::recovery_resources(&cx.world.aws, &cx.world.manifest.recovery).await {
        Ok(held) if held.get(address).is_some_and(|held| held == id) => Ok(json!({
            "warnings": [format!("{}; none is needed, because the recovery state holds {id} at {address}", blocked.cause)],
        })),
        Ok(_) => Err(blocked),
        Err(error) => Err(Blocked {
            cause: format!("{}; and whether the recovery state holds {id} cannot be told: {error}", blocked.cause),
            ..blocked
        }),
    }
}

/// Whether Terraform's recovery state holds something else at the address, so that what is restored could not be
/// adopted there: what to say then, cause and hint.
pub fn address_taken(cx: &Cx, address: Option<&str>, id: &str) -> Option<(String, String)> {
    let held = id_in_state(cx, address).filter(|held| held != id)?;
    let address = address.unwrap_or_default();
    let cause = format!("the recovery state holds {held} at {address}, where {id} would be adopted");
    Some((cause, "correct `target` in the manifest, or `terraform state rm` it in the recovery workspace".to_owned()))
}

/// The tags that a run puts on what it restores.
pub fn run_tags(run: &str, recovery_point: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(RUN_TAG.to_owned(), run.to_owned()), (RECOVERY_POINT_TAG.to_owned(), recovery_point.to_owned())])
}
