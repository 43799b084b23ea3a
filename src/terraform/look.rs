//! A look at what all of the root would do, for whoever reviews it or is about to begin a run. It changes nothing in the
//! cloud, takes no lock, and nothing of it can be applied.
//!
//! Where the recovery region's workspace is not there yet, Terraform could only plan in it after making it. So what is
//! planned is an empty state of that name in a folder: `terraform.workspace` says the same, and the plan is the one that
//! the new workspace would get.
//!
//! The first step that plans takes the survey over, as long as files and state are still the ones that it was made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::args::Selection;
use super::declared::{self, Declared};
use super::guard;
use super::json_copy::JsonCopy;
use super::overlay::{self, BACKEND_OVERRIDE};
use super::plan::masked::{Masked, masked};
use super::plan::{Plan, PlanError};
use super::prepare::Ready;
use super::scope::Resources;
use super::source::Source;
use super::state::State;
use super::targets::{self, Split};
use super::workdir::{Observer, Planned, Wanted, Workdir};
use super::workspace::InitMark;
use super::{TerraformError, args, lock_file, stage};
use crate::guard::Violation;

/// Where Terraform works while there is no workspace, beside `data`.
pub(super) const FOLDER: &str = "ahead";

/// How much of a look is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The plan and what is said of it.
    Judged,
    /// Also the plan's JSON without its secrets, fit to be kept.
    Kept,
}

/// What all of the root would do, and what of that is not allowed.
#[derive(Debug)]
pub struct Look {
    pub plan: Arc<Plan>,
    /// The plan's JSON without its secrets, and what masks them elsewhere; of [`Detail::Kept`].
    pub masked: Option<Masked>,
    /// What lifeboat itself refuses, whatever is approved.
    pub refused: Vec<guard::Violation>,
    /// What the manifest's guards refuse, as far as the plan and policies tell it.
    pub violations: Vec<Violation>,
    /// What the state was that it was planned on; nothing where there is no workspace yet.
    pub state: State,
    /// What Terraform warned of.
    pub warnings: Vec<String>,
    /// SHA-256 of the staged copy of the root.
    pub staged: String,
    /// Which commit that is of.
    pub source: Source,
    /// Versions by address of the provider.
    pub providers: BTreeMap<String, String>,
}

/// A full plan that is only read, with what follows from it.
pub(super) struct Surveyed {
    pub plan: Arc<Plan>,
    /// What is not in the recovery region.
    misplaced: Vec<guard::Violation>,
    pub split: Split,
    pub declared: BTreeMap<String, Declared>,
    warnings: Vec<String>,
    copy: Option<JsonCopy>,
}

/// A survey that waits to be taken over.
pub(super) struct Kept {
    surveyed: Surveyed,
    adopted: BTreeSet<String>,
    staged: String,
    state: State,
}

/// Where a look is taken.
pub(super) struct Ground {
    pub ready: Ready,
    pub state: State,
}

impl Workdir {
    /// Plans all of the root and judges it, without an effect anywhere but in the run's folder.
    ///
    /// # Errors
    /// Terraform's own; a root that cannot be split.
    pub async fn look(
        &self,
        adopted: &BTreeSet<String>,
        detail: Detail,
        observer: &dyn Observer,
    ) -> Result<Look, TerraformError> {
        let _tree = self.tree.lock().await;
        let (mut ready, mark) = self.initialized(observer).await?;
        let there = self.has_workspace(&ready).await?;
        let look = if there {
            self.enter(&mut ready, mark, observer).await?;
            let state = self.pull(&ready).await?;
            self.looked(Ground { ready, state }, adopted, detail, observer).await
        } else {
            let look = match self.beside(&ready, None, observer).await {
                Ok(ready) => self.looked(Ground { ready, state: State::default() }, adopted, detail, observer).await,
                Err(error) => Err(error),
            };
            // Whoever is next makes it ready with the backend that it is for.
            *self.ready.lock().await = None;
            stage::remove_folder(&self.path(FOLDER))?;
            look
        };
        let (look, surveyed) = look?;
        let (state, staged) = (look.state.clone(), look.staged.clone());
        *self.kept.lock().await = Some(Kept { surveyed, adopted: adopted.clone(), staged, state });
        Ok(look)
    }

    /// Goes into a workspace that is there.
    pub(super) async fn enter(
        &self,
        ready: &mut Ready,
        mark: InitMark,
        observer: &dyn Observer,
    ) -> Result<(), TerraformError> {
        self.select(ready, observer).await?;
        self.assert_workspace(ready).await?;
        ready.created = self.chosen(mark, false)?;
        Ok(())
    }

    pub(super) async fn looked(
        &self,
        Ground { ready, state }: Ground,
        adopted: &BTreeSet<String>,
        detail: Detail,
        observer: &dyn Observer,
    ) -> Result<(Look, Surveyed), TerraformError> {
        *self.ready.lock().await = Some(ready.clone());
        let wanted = Wanted {
            name: "survey",
            selection: &Selection::All,
            // What was destroyed by hand would otherwise be taken for replaced.
            refresh: !state.resources.is_empty(),
            lock: false,
            copied: detail == Detail::Kept || self.has_policies(),
            destroy: false,
        };
        let mut surveyed = self.survey(adopted, wanted, observer).await?;
        let copy = surveyed.copy.take();
        let violations = self.judged(&surveyed.plan, copy.as_ref()).await;
        let masked = match copy.filter(|_| detail == Detail::Kept) {
            Some(copy) => Some(self.masked(copy).await?),
            None => None,
        };
        let mut refused = std::mem::take(&mut surveyed.misplaced);
        refused.extend(guard::losses(&surveyed.plan));
        let look = Look {
            plan: surveyed.plan.clone(),
            masked,
            refused,
            violations,
            state,
            warnings: surveyed.warnings.clone(),
            providers: lock_file::versions(&ready.root),
            staged: ready.staged,
            source: ready.source,
        };
        Ok((look, surveyed))
    }

    /// Reads a plan's JSON more than once: the secrets that are to be masked are known only at its end.
    pub(super) async fn masked(&self, copy: JsonCopy) -> Result<Masked, TerraformError> {
        let tree = self.path("tree");
        let read = move || {
            let unread = |error: io::Error| PlanError::Json(serde_json::Error::io(error));
            masked(|| File::open(copy.path()).map_err(unread), &tree)
        };
        let masked = tokio::task::spawn_blocking(read).await;
        Ok(masked.map_err(|error| TerraformError::Run { verb: "show", source: io::Error::other(error) })??)
    }

    /// What all of the root would do, for a step that needs to know what there is, what waits, and what is declared for
    /// it. Whoever calls it holds `tree`.
    ///
    /// # Errors
    /// Terraform's own; a plan in the wrong region; a root that cannot be split.
    pub(super) async fn surveyed(
        &self,
        adopted: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<Surveyed, TerraformError> {
        let wanted = Wanted {
            name: "survey",
            selection: &Selection::All,
            refresh: false,
            lock: false,
            copied: false,
            destroy: false,
        };
        let mut surveyed = self.survey(adopted, wanted, observer).await?;
        let violations = std::mem::take(&mut surveyed.misplaced);
        match violations.is_empty() {
            true => Ok(surveyed),
            false => Err(TerraformError::Refused { plan: "infrastructure", violations, guarded: Vec::new() }),
        }
    }

    /// A full plan that is only read, with the graph.
    async fn survey(
        &self,
        adopted: &BTreeSet<String>,
        wanted: Wanted<'_>,
        observer: &dyn Observer,
    ) -> Result<Surveyed, TerraformError> {
        let ready = self.ready(observer).await?;
        self.import(&ready, &Resources::new())?;
        let (planned, graph) = tokio::join!(self.plan(wanted, observer), self.graph(observer));
        self.discard(wanted.name)?;
        let (Planned { mut plan, warnings, copy }, graph) = (planned?, graph?);
        let misplaced = self.misplaced(&mut plan, observer).await?;
        let split = targets::split(&plan, &graph, adopted)?;
        let declared = declared::declared(&plan, &graph, adopted);
        Ok(Surveyed { plan: Arc::new(plan), misplaced, split, declared, warnings, copy })
    }

    /// The same work folder with a state of the workspace's name in a folder beside: `state`, or an empty one.
    pub(super) async fn beside(
        &self,
        ready: &Ready,
        state: Option<&[u8]>,
        observer: &dyn Observer,
    ) -> Result<Ready, TerraformError> {
        let folder = self.path(FOLDER);
        stage::remove_folder(&folder)?;
        let beside = Ready { data: folder.join("data"), ..ready.clone() };
        let states = folder.join("states");
        let made = [&folder, &beside.data, &states].into_iter().try_for_each(|it| stage::private_folder(it));
        made?;
        // What `init` has installed is found there, and not fetched again.
        for installed in ["providers", "modules"] {
            let (from, to) = (ready.data.join(installed), beside.data.join(installed));
            if from.is_dir() {
                symlink(&from, &to).map_err(stage::at(&to, "made"))?;
            }
        }
        let backend = overlay::local_backend(&states);
        stage::write(&ready.root.join(BACKEND_OVERRIDE), backend.as_bytes())?;
        let timeout = self.manifest.terraform.lock_timeout;
        self.follow(&beside, "init", args::init(self.binary()?.product, &[], timeout), &[0], observer).await?;
        let workspace = &self.manifest.recovery.workspace;
        if let Some(state) = state {
            let folder = if workspace == "default" { states.clone() } else { states.join(workspace) };
            stage::private_folder(&folder)?;
            let name = if workspace == "default" { "default.tfstate" } else { "terraform.tfstate" };
            stage::write(&folder.join(name), state)?;
            self.select(&beside, observer).await?;
        } else if workspace != "default" {
            let new = args::workspace_new(workspace, timeout);
            self.follow(&beside, "workspace-new", new, &[0], observer).await?;
        }
        self.assert_workspace(&beside).await?;
        Ok(beside)
    }

    /// The survey of the look ahead, if it still holds. It is given once: later plans are of another state.
    pub(super) async fn kept_survey(
        &self,
        adopted: &BTreeSet<String>,
        staged: &str,
        observer: &dyn Observer,
    ) -> Result<Option<Surveyed>, TerraformError> {
        let Some(kept) = self.kept.lock().await.take() else { return Ok(None) };
        if kept.adopted != *adopted || kept.staged != staged {
            return Ok(None);
        }
        let now = self.state(observer).await?;
        Ok(same(&kept.state, &now).then_some(kept.surveyed))
    }
}

/// Whether a plan of the one state is a plan of the other. One that was not there is the same as one that holds nothing.
fn same(then: &State, now: &State) -> bool {
    match then.lineage.is_empty() {
        true => now.resources.is_empty() && now.outputs.is_empty(),
        false => then.lineage == now.lineage && then.serial == now.serial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_holds_as_long_as_the_state_is_the_same() {
        let state = |lineage: &str, serial, resource: Option<&str>| State {
            lineage: lineage.into(),
            serial,
            resources: resource.map(|it| (it.to_owned(), String::new())).into_iter().collect(),
            ..State::default()
        };
        let held = Some("aws_vpc.v");
        assert!(same(&state("a", 3, held), &state("a", 3, held)));
        assert!(!same(&state("a", 3, held), &state("a", 4, held)), "somebody has applied");
        assert!(!same(&state("a", 3, held), &state("b", 3, held)), "it was replaced");
        assert!(same(&State::default(), &state("b", 1, None)), "the workspace was made since, with an empty state");
        assert!(!same(&State::default(), &state("b", 1, held)), "somebody else has made it, and used it");
    }
}
