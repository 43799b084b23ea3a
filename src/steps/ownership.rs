//! How a restored resource is recognised as a run's own, so that nothing else is ever touched. Pure.

use std::collections::BTreeMap;

use super::Cx;
use super::declared::id_in_state;

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

/// What to say of a resource that is not ours: cause and hint.
pub fn conflict(what: &str, region: &str, run: Option<&str>) -> (String, String) {
    let of = run.map_or_else(|| "this run did not make it".to_owned(), |run| format!("run {run} made it"));
    let cause = format!("{what} stands in {region} already: {of}, and the recovery state does not hold it");
    let hint = match run {
        Some(run) => format!("resume run {run}, or look at it and delete it, then retry"),
        None => "look at it and delete or rename it, or choose another `target` in the manifest; then retry".to_owned(),
    };
    (cause, hint)
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
