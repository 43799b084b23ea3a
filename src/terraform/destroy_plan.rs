//! The plan of a teardown: made of the state, guarded, and saved like the other plans of a run.

use std::collections::BTreeSet;

use super::TerraformError;
use super::args::Selection;
use super::destroy::{self, Teardown};
use super::guard::Violation;
use super::prepare::write_mark;
use super::scope::{Found, Resources, Saved, TARGETED};
use super::state::State;
use super::workdir::{Observer, Planned, Wanted, Workdir};
use crate::terraform::plan::Plan;

/// The name of its file.
pub const DESTROY: &str = "destroy";
/// How people call it.
const CALLED: &str = "teardown";

/// A destroy plan that has been judged.
struct Judged {
    plan: Plan,
    teardown: Teardown,
    violations: Vec<Violation>,
    guarded: Vec<crate::guard::Violation>,
    warnings: Vec<String>,
}

impl Workdir {
    /// What a teardown would do, without an effect and without the state lock; nothing where there is no workspace.
    ///
    /// # Errors
    /// Terraform's own; a plan that is refused.
    pub async fn look_at_teardown(
        &self,
        overridden: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let _tree = self.tree.lock().await;
        let (mut ready, mark) = self.initialized(observer).await?;
        if !self.has_workspace(&ready).await? {
            return Ok(Saved::default());
        }
        self.enter(&mut ready, mark, observer).await?;
        let state = self.pull(&ready).await?;
        *self.ready.lock().await = Some(ready);
        let name = "teardown-ahead";
        let judged = self.judge_teardown(name, false, &state, None, observer).await;
        self.discard(name)?;
        let Some(Judged { plan, teardown, violations, guarded, warnings }) = judged? else {
            return Ok(self.nothing_left(&state));
        };
        let (guarded, let_through) = crate::guard::sort(guarded, overridden);
        if !violations.is_empty() || !guarded.is_empty() {
            return Err(TerraformError::Refused { plan: CALLED, violations, guarded });
        }
        let let_through = let_through.iter().map(ToString::to_string).collect();
        Ok(Saved { destroy: plan.counts().destroy, warnings, let_through, teardown, ..Saved::default() })
    }

    /// Makes the destroy plan of everything but what is kept, and saves it. `foreseen` are the addresses that may be
    /// destroyed, where that is settled already; `lineage` is what the state must have, where that is known.
    ///
    /// # Errors
    /// Terraform's own; a state of another lineage; a plan that is refused.
    pub async fn plan_destroy(
        &self,
        foreseen: Option<&BTreeSet<String>>,
        lineage: Option<&str>,
        overridden: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let _tree = self.tree.lock().await;
        self.forget(DESTROY)?;
        let state = self.state_of(lineage, observer).await?;
        let judged = self.judge_teardown(DESTROY, true, &state, foreseen, observer).await?;
        let Some(Judged { plan, teardown, violations, guarded, warnings }) = judged else {
            let saved = self.nothing_left(&state);
            write_mark(&self.path(&format!("plans/{DESTROY}.json")), &saved)?;
            return Ok(saved);
        };
        let found = Found { violations, guarded, overridden };
        self.save((DESTROY, CALLED), &plan, found, Saved { warnings, teardown, ..Saved::default() })
    }

    /// `None` where all that the state holds is kept.
    async fn judge_teardown(
        &self,
        name: &str,
        lock: bool,
        state: &State,
        foreseen: Option<&BTreeSet<String>>,
        observer: &dyn Observer,
    ) -> Result<Option<Judged>, TerraformError> {
        let division = self.divided(state);
        let selection = match division.selection()? {
            Some(selection) => selection,
            // A misspelt pattern keeps nothing: with nothing to destroy it does no harm either.
            None => return Ok(None),
        };
        let ready = self.ready(observer).await?;
        self.import(&ready, &Resources::new())?;
        let copied = self.has_policies();
        let wanted = Wanted { name, selection: &selection, refresh: true, lock, copied, destroy: true };
        let Planned { mut plan, warnings, copy } = self.plan(wanted, observer).await?;
        let mut violations = self.misplaced(&mut plan, observer).await?;
        violations.extend(destroy::violations(&plan, state, &division, &self.manifest, foreseen));
        let guarded = self.judged_as_teardown(&plan, copy.as_ref()).await;
        let limited = selection != Selection::All;
        let warnings = warnings.into_iter().filter(|it| !(limited && it.starts_with(TARGETED))).collect();
        let teardown = destroy::teardown(&plan, state, &division);
        Ok(Some(Judged { plan, teardown, violations, guarded, warnings }))
    }

    fn divided(&self, state: &State) -> destroy::Division {
        destroy::divide(state, &self.manifest.rebuild.keep, &self.manifest.guards)
    }

    fn nothing_left(&self, state: &State) -> Saved {
        let teardown = Teardown { stays: self.divided(state).stays, ..Teardown::default() };
        Saved { teardown, ..Saved::default() }
    }
}
