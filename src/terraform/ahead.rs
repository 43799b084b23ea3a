//! The look ahead: what all of the root would do, planned before a run begins. It changes nothing in the cloud, not even
//! the list of workspaces: where the recovery region's workspace is not there yet, what is planned is an empty state of
//! that name in a folder.
//!
//! The first step that plans takes the survey over, as long as files and state are still the ones that it was made of.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::args::Selection;
use super::declared::{self, Declared};
use super::guard;
use super::overlay::{self, BACKEND_OVERRIDE};
use super::plan::Plan;
use super::policies::PolicyCopy;
use super::prepare::Ready;
use super::scope::Resources;
use super::state::State;
use super::targets::{self, Split};
use super::workdir::{Observer, Planned, Wanted, Workdir};
use super::{TerraformError, args, stage};
use crate::guard::Violation;

/// Where Terraform works while there is no workspace, beside `data`.
const FOLDER: &str = "ahead";

/// What all of the root would do, and what of that is not allowed.
#[derive(Clone, Debug)]
pub struct Ahead {
    pub plan: Arc<Plan>,
    /// What lifeboat itself refuses.
    pub refused: Vec<guard::Violation>,
    /// What the manifest's guards refuse, as far as the plan and policies tell it.
    pub violations: Vec<Violation>,
    /// What the state was that it was planned on; nothing where there is no workspace yet.
    pub state: State,
    /// What Terraform warned of.
    pub warnings: Vec<String>,
}

/// A full plan that is only read, with what follows from it.
pub(super) struct Surveyed {
    pub plan: Arc<Plan>,
    pub split: Split,
    pub declared: BTreeMap<String, Declared>,
    pub warnings: Vec<String>,
    pub copy: Option<PolicyCopy>,
}

/// A survey that waits to be taken over.
pub(super) struct Kept {
    surveyed: Surveyed,
    adopted: BTreeSet<String>,
    staged: String,
    state: State,
}

impl Workdir {
    /// Plans all of the root and judges it, without an effect anywhere but in the run's folder.
    ///
    /// # Errors
    /// Terraform's own; a root that cannot be split; a plan in the wrong region.
    pub async fn look_ahead(
        &self,
        adopted: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<Ahead, TerraformError> {
        let _tree = self.tree.lock().await;
        let (mut ready, mark) = self.initialized(observer).await?;
        let there = self.has_workspace(&ready).await?;
        if there {
            self.select(&ready, observer).await?;
            self.assert_workspace(&ready).await?;
            ready.created = self.chosen(mark, false)?;
        }
        let state = if there { self.pull(&ready).await? } else { State::default() };
        let looked = match there {
            true => self.looked(ready.clone(), adopted, &state, observer).await,
            false => match self.beside(&ready, observer).await {
                Ok(beside) => self.looked(beside, adopted, &state, observer).await,
                Err(error) => Err(error),
            },
        };
        if !there {
            // Whoever is next makes it ready with the backend that it is for.
            *self.ready.lock().await = None;
            stage::remove_folder(&self.path(FOLDER))?;
        }
        let (surveyed, violations) = looked?;
        let ahead = Ahead {
            plan: surveyed.plan.clone(),
            refused: guard::losses(&surveyed.plan),
            violations,
            state: state.clone(),
            warnings: surveyed.warnings.clone(),
        };
        *self.kept.lock().await = Some(Kept { surveyed, adopted: adopted.clone(), staged: ready.staged, state });
        Ok(ahead)
    }

    async fn looked(
        &self,
        ready: Ready,
        adopted: &BTreeSet<String>,
        state: &State,
        observer: &dyn Observer,
    ) -> Result<(Surveyed, Vec<Violation>), TerraformError> {
        *self.ready.lock().await = Some(ready);
        // What was destroyed by hand would otherwise be taken for replaced.
        let refresh = !state.resources.is_empty();
        let mut surveyed = self.survey(adopted, refresh, observer).await?;
        let violations = self.judged(&surveyed.plan, surveyed.copy.take()).await;
        Ok((surveyed, violations))
    }

    /// A full plan that is only read, with the graph: what there is, what waits, and what is declared for it. Whoever
    /// calls it holds `tree`.
    pub(super) async fn survey(
        &self,
        adopted: &BTreeSet<String>,
        refresh: bool,
        observer: &dyn Observer,
    ) -> Result<Surveyed, TerraformError> {
        let ready = self.ready(observer).await?;
        self.import(&ready, &Resources::new())?;
        let wanted = Wanted { name: "survey", selection: &Selection::All, refresh, lock: false };
        let (planned, graph) = tokio::join!(self.plan(wanted, observer), self.graph(observer));
        self.discard("survey")?;
        let (Planned { mut plan, warnings, copy }, graph) = (planned?, graph?);
        let violations = self.misplaced(&mut plan, observer).await?;
        if !violations.is_empty() {
            return Err(TerraformError::Refused { plan: "infrastructure", violations, guarded: Vec::new() });
        }
        let split = targets::split(&plan, &graph, adopted)?;
        let declared = declared::declared(&plan, &graph, adopted);
        Ok(Surveyed { plan: Arc::new(plan), split, declared, warnings, copy })
    }

    /// The same work folder with an empty state of the workspace's name, in a folder beside.
    async fn beside(&self, ready: &Ready, observer: &dyn Observer) -> Result<Ready, TerraformError> {
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
        self.follow(&beside, "init", args::init(self.binary.product, &[], timeout), &[0], observer).await?;
        let workspace = &self.manifest.recovery.workspace;
        if workspace != "default" {
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
