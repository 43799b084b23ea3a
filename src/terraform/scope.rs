//! The two plans of a recovery: the base plan of everything that waits for no restore, and the adoption plan of the
//! rest. Each is guarded before it is saved; what is saved may be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TerraformError;
use super::args::Selection;
use super::declared::{self, Declared};
use super::guard::{self, Violation};
use super::plan::{Counts, Plan};
use super::prepare::{read_mark, write_mark};
use super::stage::{self, hex};
use super::state::State;
use super::targets::{self, Split};
use super::workdir::{Observer, Wanted, Workdir};

/// Addresses to ids.
pub type Resources = BTreeMap<String, String>;

/// What Terraform warns of whenever a plan is limited, as the base plan is on purpose.
const TARGETED: &str = "Resource targeting is in effect";

/// A plan that has passed its guard and waits to be applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// SHA-256 of the plan's file; `None` where the plan changes nothing, so that there is no file.
    sha256: Option<String>,
    pub add: u64,
    pub change: u64,
    pub destroy: u64,
    pub import: u64,
    /// Addresses that are left for the adoption apply.
    pub deferred: Vec<String>,
    pub declared: BTreeMap<String, Declared>,
    /// What Terraform warned of.
    pub warnings: Vec<String>,
}

impl Saved {
    /// Whether applying it would change nothing, not even an output.
    pub fn is_empty(&self) -> bool {
        self.sha256.is_none()
    }

    /// How many operations an apply reports as it goes.
    pub fn operations(&self) -> u64 {
        self.add + self.change + self.destroy
    }

    fn count(&mut self, counts: Counts) {
        let Counts { add, change, destroy, import } = counts;
        (self.add, self.change, self.destroy, self.import) = (add, change, destroy, import);
    }
}

/// What is left to change in a root that should be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub address: String,
    /// `changed`, `created`, …
    pub verb: &'static str,
    pub attributes: Vec<String>,
}

impl Workdir {
    /// Makes the base plan: everything but `adopted` and what depends on it. What of `imports` (address to id) belongs to
    /// it and is not in the state is imported, not created.
    ///
    /// # Errors
    /// Terraform's own; a root that cannot be split; a plan that its guard refuses.
    pub async fn plan_base(
        &self,
        adopted: &BTreeSet<String>,
        imports: &Resources,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let _tree = self.tree.lock().await;
        self.forget("base")?;
        let imports = match imports.is_empty() {
            true => Resources::new(),
            false => missing(imports, &self.state(observer).await?)?,
        };
        if adopted.is_empty() {
            return self.save_base(&Selection::All, adopted, &imports, Saved::default(), observer).await;
        }
        let (full, split, declared) = self.survey(adopted, observer).await?;
        let waiting = full.resources.iter().filter(|it| split.defers(&it.address)).map(|it| it.address.clone());
        let saved = Saved { deferred: waiting.collect(), declared, ..Saved::default() };
        match split.selection(self.binary.product)? {
            Some(selection) => self.save_base(&selection, adopted, &imports, saved, observer).await,
            None => {
                write_mark(&self.path("plans/base.json"), &saved)?;
                Ok(saved)
            }
        }
    }

    async fn save_base(
        &self,
        selection: &Selection,
        adopted: &BTreeSet<String>,
        imports: &Resources,
        mut saved: Saved,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let ready = self.ready(observer).await?;
        // One that waits for the restores is for the adoption.
        let imports: Resources = imports
            .iter()
            .filter(|(at, _)| !saved.deferred.contains(at))
            .map(|(at, id)| (at.clone(), id.clone()))
            .collect();
        self.import(&ready, &imports)?;
        let wanted = Wanted { name: "base", selection, refresh: true, lock: true };
        let planned = self.plan(wanted, observer).await;
        self.import(&ready, &Resources::new())?;
        let mut planned = planned?;
        let mut violations = self.misplaced(&mut planned.plan, observer).await?;
        violations.extend(guard::base(&planned.plan, adopted));
        violations.extend(guard::imports(&planned.plan, &imports));
        violations.extend(self.unapproved(&planned.plan));
        saved.warnings = planned.warnings.into_iter().filter(|it| !it.starts_with(TARGETED)).collect();
        self.save("base", "infrastructure", &planned.plan, violations, saved)
    }

    /// What the root declares for `adopted` and what depends on it, as far as it is known now.
    ///
    /// # Errors
    /// As [`Workdir::plan_base`].
    pub async fn declared(
        &self,
        adopted: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<BTreeMap<String, Declared>, TerraformError> {
        let _tree = self.tree.lock().await;
        Ok(self.survey(adopted, observer).await?.2)
    }

    /// A full plan that is only read, with the graph: what there is, what waits, and what is declared for it. Whoever
    /// calls it holds `tree`.
    async fn survey(
        &self,
        adopted: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<(Plan, Split, BTreeMap<String, Declared>), TerraformError> {
        let ready = self.ready(observer).await?;
        self.import(&ready, &Resources::new())?;
        let wanted = Wanted { name: "survey", selection: &Selection::All, refresh: false, lock: false };
        let (planned, graph) = tokio::join!(self.plan(wanted, observer), self.graph(observer));
        self.discard("survey")?;
        let (mut plan, graph) = (planned?.plan, graph?);
        let violations = self.misplaced(&mut plan, observer).await?;
        if !violations.is_empty() {
            return Err(TerraformError::Refused { plan: "infrastructure", violations });
        }
        let split = targets::split(&plan, &graph, adopted)?;
        let declared = declared::declared(&plan, &graph, adopted);
        Ok((plan, split, declared))
    }

    /// Makes the adoption plan: everything, with import blocks for what of `restored` (address to id) the state does
    /// not hold yet. `adopted` are the addresses that must neither be created, replaced nor destroyed. `lineage` is what
    /// the state must have, where that is known.
    ///
    /// # Errors
    /// Terraform's own; a state of another lineage, a state that holds one of them as something else; a plan that its guard refuses.
    pub async fn plan_adoption(
        &self,
        adopted: &BTreeSet<String>,
        restored: &Resources,
        lineage: Option<&str>,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let _tree = self.tree.lock().await;
        self.forget("adoption")?;
        let state = self.state_of(lineage, observer).await?;
        let imports = missing(restored, &state)?;
        let held: BTreeSet<String> =
            adopted.iter().chain(restored.keys()).filter(|it| state.resources.contains_key(*it)).cloned().collect();
        let ready = self.ready(observer).await?;
        self.import(&ready, &imports)?;
        let wanted = Wanted { name: "adoption", selection: &Selection::All, refresh: true, lock: true };
        let planned = self.plan(wanted, observer).await;
        // The saved plan carries the import blocks with it; what is planned later must not.
        self.import(&ready, &Resources::new())?;
        let mut planned = planned?;
        let mut violations = self.misplaced(&mut planned.plan, observer).await?;
        violations.extend(guard::adoption(&planned.plan, &imports, &held));
        violations.extend(self.unapproved(&planned.plan));
        let saved = Saved { warnings: planned.warnings, ..Saved::default() };
        self.save("adoption", "adoption", &planned.plan, violations, saved)
    }

    /// What a full plan would still change: nothing, in a settled root.
    ///
    /// # Errors
    /// Terraform's own.
    pub async fn leftovers(&self, observer: &dyn Observer) -> Result<Vec<Leftover>, TerraformError> {
        let _tree = self.tree.lock().await;
        let ready = self.ready(observer).await?;
        self.import(&ready, &Resources::new())?;
        let wanted = Wanted { name: "settled", selection: &Selection::All, refresh: true, lock: true };
        let planned = self.plan(wanted, observer).await;
        self.discard("settled")?;
        let plan = planned?.plan;
        let resources = plan.changes().map(|it| Leftover {
            address: it.address.clone(),
            verb: it.verb(),
            attributes: it.changed.clone(),
        });
        let outputs = plan.outputs.keys().map(|name| Leftover {
            address: format!("output.{name}"),
            verb: "changed (an output only)",
            attributes: vec![],
        });
        Ok(resources.chain(outputs).collect())
    }

    /// The plan that was saved under a name, if it is whole and still there.
    pub fn saved(&self, name: &str) -> Option<Saved> {
        let saved: Saved = read_mark(&self.path(&format!("plans/{name}.json")))?;
        let there = fs::read(self.plan_file(name)).ok().map(|content| hex(&Sha256::digest(content)));
        (there == saved.sha256).then_some(saved)
    }

    /// Drops a saved plan with what is known of it.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn forget(&self, name: &str) -> Result<(), TerraformError> {
        stage::remove(&self.path(&format!("plans/{name}.json")))?;
        self.discard(name)
    }

    fn save(
        &self,
        name: &str,
        plan_name: &'static str,
        plan: &Plan,
        violations: Vec<Violation>,
        mut saved: Saved,
    ) -> Result<Saved, TerraformError> {
        if !violations.is_empty() {
            self.discard(name)?;
            return Err(TerraformError::Refused { plan: plan_name, violations });
        }
        saved.count(plan.counts());
        if plan.is_empty() {
            self.discard(name)?;
        } else {
            let file = self.plan_file(name);
            let content = fs::read(&file).map_err(stage::at(&file, "read"))?;
            stage::restrict(&file)?;
            saved.sha256 = Some(hex(&Sha256::digest(content)));
        }
        write_mark(&self.path(&format!("plans/{name}.json")), &saved)?;
        Ok(saved)
    }

    /// What of a plan is not what was approved, where the run is bound to that.
    fn unapproved(&self, plan: &Plan) -> Vec<Violation> {
        self.approved.as_ref().map(|it| it.violations(plan, &self.path("tree"))).unwrap_or_default()
    }

    /// What of a plan would be in another region. Whoever calls it holds `tree`.
    pub(super) async fn misplaced(
        &self,
        plan: &mut Plan,
        observer: &dyn Observer,
    ) -> Result<Vec<Violation>, TerraformError> {
        self.ask_regions(plan, observer).await?;
        Ok(guard::regions(plan, &self.manifest.recovery.name, &self.manifest.primary.name))
    }
}

/// What of `restored` the state does not hold yet.
fn missing(restored: &Resources, state: &State) -> Result<Resources, TerraformError> {
    let mut missing = Resources::new();
    for (address, id) in restored {
        match state.resources.get(address) {
            None => {
                missing.insert(address.clone(), id.clone());
            }
            Some(held) if held == id => {}
            Some(held) => {
                let (address, held, id) = (address.clone(), held.clone(), id.clone());
                return Err(TerraformError::HeldAsOther { address, held, id });
            }
        }
    }
    Ok(missing)
}
