//! The plan of a teardown: made of the state, guarded, held against what was approved, and saved like the other plans of a
//! run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::TerraformError;
use super::args::Selection;
use super::destroy::{self, Doomed, Teardown};
use super::guard::Violation;
use super::json_copy::JsonCopy;
use super::plan::Plan;
use super::prepare::write_mark;
use super::scope::{Found, Resources, Saved, TARGETED};
use super::state::State;
use super::workdir::{Observer, Planned, Wanted, Workdir};

/// The name of its file.
pub const DESTROY: &str = "destroy";
/// How people call it.
const CALLED: &str = "teardown";
/// The name of a plan that is only looked at.
const AHEAD: &str = "teardown-ahead";

/// What a teardown would do, known before a run begins.
pub struct TeardownLook {
    pub plan: Plan,
    /// The plan's JSON without its secrets.
    pub json: Vec<u8>,
    pub teardown: Teardown,
    /// What Terraform warned of.
    pub warnings: Vec<String>,
    /// What the manifest's guards found: the operator may override them.
    pub guarded: Vec<crate::guard::Violation>,
    /// The state that it was made of.
    pub state: State,
}

/// The plan and its JSON are left out: they are large.
impl fmt::Debug for TeardownLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeardownLook").field("teardown", &self.teardown).finish_non_exhaustive()
    }
}

/// A destroy plan that has been judged.
struct Judged {
    plan: Plan,
    teardown: Teardown,
    violations: Vec<Violation>,
    guarded: Vec<crate::guard::Violation>,
    warnings: Vec<String>,
    copy: Option<JsonCopy>,
}

/// How a destroy plan is made.
#[derive(Clone, Copy)]
struct Making<'a> {
    name: &'a str,
    /// Whether it may be applied: then the state is locked, and the plan held against what was approved.
    binding: bool,
    /// What may be destroyed, where that is settled already.
    foreseen: Option<&'a BTreeMap<String, Doomed>>,
}

impl Workdir {
    /// What a teardown would do, without an effect and without the state lock; `None` where it would destroy nothing. As
    /// long as the state is the same, it is planned once, whoever asks.
    ///
    /// # Errors
    /// Terraform's own; a plan that lifeboat itself refuses.
    pub async fn look_at_teardown(&self, observer: &dyn Observer) -> Result<Option<Arc<TeardownLook>>, TerraformError> {
        let _tree = self.tree.lock().await;
        let (mut ready, mark) = self.initialized(observer).await?;
        if !self.has_workspace(&ready).await? {
            return Ok(None);
        }
        self.enter(&mut ready, mark, observer).await?;
        let state = self.pull(&ready).await?;
        *self.ready.lock().await = Some(ready);
        let mut known = self.teardown.lock().await;
        if let Some(look) = known.as_ref().filter(|it| it.state == state) {
            return Ok(Some(Arc::clone(look)));
        }
        let making = Making { name: AHEAD, binding: false, foreseen: None };
        let judged = self.judge_teardown(making, &state, observer).await;
        self.discard(AHEAD)?;
        let Some(Judged { plan, teardown, violations, guarded, warnings, copy }) = judged? else { return Ok(None) };
        if !violations.is_empty() {
            return Err(TerraformError::Refused { plan: CALLED, violations, guarded });
        }
        let json = match copy {
            Some(copy) => self.masked(copy).await?.json,
            None => Vec::new(),
        };
        let look = Arc::new(TeardownLook { plan, json, teardown, warnings, guarded, state });
        *known = Some(Arc::clone(&look));
        Ok(Some(look))
    }

    /// Makes the destroy plan of everything but what stays, and saves it. `foreseen` is what may be destroyed, where that is
    /// settled already; `lineage` is what the state must have, where that is known.
    ///
    /// # Errors
    /// Terraform's own; a state of another lineage; a plan that is refused, or does what was not approved.
    pub async fn plan_destroy(
        &self,
        foreseen: Option<&BTreeMap<String, Doomed>>,
        lineage: Option<&str>,
        overridden: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let _tree = self.tree.lock().await;
        self.forget(DESTROY)?;
        let state = self.state_of(lineage, observer).await?;
        let making = Making { name: DESTROY, binding: true, foreseen };
        let judged = self.judge_teardown(making, &state, observer).await?;
        let Some(Judged { plan, teardown, violations, guarded, warnings, .. }) = judged else {
            let saved = self.nothing_left(&state);
            write_mark(&self.path(&format!("plans/{DESTROY}.json")), &saved)?;
            return Ok(saved);
        };
        let found = Found { violations, guarded, overridden };
        self.save((DESTROY, CALLED), &plan, found, Saved { warnings, teardown, ..Saved::default() })
    }

    /// `None` where all that the state holds stays.
    async fn judge_teardown(
        &self,
        Making { name, binding, foreseen }: Making<'_>,
        state: &State,
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
        let copied = !binding || self.has_policies();
        let wanted = Wanted { name, selection: &selection, refresh: true, lock: binding, copied, destroy: true };
        let Planned { mut plan, warnings, copy } = self.plan(wanted, observer).await?;
        let mut violations = self.misplaced(&mut plan, observer).await?;
        violations.extend(destroy::violations(&plan, state, &division, &self.manifest, foreseen));
        if binding && let Some(approved) = &self.approved {
            violations.extend(approved.teardown_violations(&plan, &self.path("tree")));
        }
        let guarded = self.judged_as_teardown(&plan, copy.as_ref()).await;
        let limited = selection != Selection::All;
        let warnings = warnings.into_iter().filter(|it| !(limited && it.starts_with(TARGETED))).collect();
        let teardown = destroy::teardown(&plan, state, &division);
        Ok(Some(Judged { plan, teardown, violations, guarded, warnings, copy }))
    }

    fn divided(&self, state: &State) -> destroy::Division {
        destroy::divide(state, &self.manifest.rebuild, &self.manifest.guards)
    }

    fn nothing_left(&self, state: &State) -> Saved {
        let teardown = Teardown { stays: self.divided(state).stays, ..Teardown::default() };
        Saved { teardown, ..Saved::default() }
    }
}
