//! The two plans of a recovery: the base plan of everything that waits for no restore, and the adoption plan of the
//! rest. Each is guarded before it is saved; what is saved may be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TerraformError;
use super::args::Selection;
use super::declared::Declared;
use super::destroy::Teardown;
use super::guard::{self, Violation};
use super::look::Surveyed;
use super::plan::{Counts, Plan};
use super::prepare::{read_mark, write_mark};
use super::stage::{self, hex};
use super::state::State;
use super::workdir::{Observer, Planned, Wanted, Workdir};

/// Addresses to ids.
pub type Resources = BTreeMap<String, String>;

/// What Terraform warns of whenever a plan is limited, as the base plan is on purpose.
pub(super) const TARGETED: &str = "Resource targeting is in effect";

/// A plan that has passed its guard and waits to be applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// SHA-256 of the plan's file; `None` where the plan changes nothing, so that there is no file.
    pub(super) sha256: Option<String>,
    pub add: u64,
    pub change: u64,
    pub destroy: u64,
    pub import: u64,
    /// Addresses that are left for the adoption apply.
    pub deferred: Vec<String>,
    pub declared: BTreeMap<String, Declared>,
    /// What Terraform warned of.
    pub warnings: Vec<String>,
    /// What the manifest's guards found and the operator has overridden.
    #[serde(default)]
    pub let_through: Vec<String>,
    /// Of a plan that takes the stack down: what goes, and what stays.
    #[serde(default)]
    pub teardown: Teardown,
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

/// What the operator and the manifest have settled of a base plan.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    adopted: &'a BTreeSet<String>,
    imports: &'a Resources,
    overridden: &'a BTreeSet<String>,
}

/// What there is against a plan.
pub(super) struct Found<'a> {
    /// Nobody can override these.
    pub(super) violations: Vec<Violation>,
    pub(super) guarded: Vec<crate::guard::Violation>,
    pub(super) overridden: &'a BTreeSet<String>,
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
    /// it and is not in the state is imported, not created. `overridden` are the manifest's guards that let through what
    /// they find.
    ///
    /// # Errors
    /// Terraform's own; a root that cannot be split; a plan that its guard or one of the manifest's refuses.
    pub async fn plan_base(
        &self,
        adopted: &BTreeSet<String>,
        imports: &Resources,
        overridden: &BTreeSet<String>,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let _tree = self.tree.lock().await;
        self.forget("base")?;
        let imports = match imports.is_empty() {
            true => Resources::new(),
            false => missing(imports, &self.state(observer).await?)?,
        };
        if adopted.is_empty() {
            let chosen = Chosen { adopted, imports: &imports, overridden };
            return self.save_base(&Selection::All, chosen, Saved::default(), observer).await;
        }
        let staged = self.ready(observer).await?.staged;
        let surveyed = match self.kept_survey(adopted, &staged, observer).await? {
            Some(surveyed) => surveyed,
            None => self.surveyed(adopted, observer).await?,
        };
        let Surveyed { plan: full, split, declared, .. } = surveyed;
        let waiting = full.resources.iter().filter(|it| split.defers(&it.address)).map(|it| it.address.clone());
        let saved = Saved { deferred: waiting.collect(), declared, ..Saved::default() };
        match split.selection(self.binary()?.product)? {
            Some(selection) => {
                let chosen = Chosen { adopted, imports: &imports, overridden };
                self.save_base(&selection, chosen, saved, observer).await
            }
            None => {
                write_mark(&self.path("plans/base.json"), &saved)?;
                Ok(saved)
            }
        }
    }

    async fn save_base(
        &self,
        selection: &Selection,
        chosen: Chosen<'_>,
        mut saved: Saved,
        observer: &dyn Observer,
    ) -> Result<Saved, TerraformError> {
        let Chosen { adopted, imports, overridden } = chosen;
        let ready = self.ready(observer).await?;
        // One that waits for the restores is for the adoption.
        let imports: Resources = imports
            .iter()
            .filter(|(at, _)| !saved.deferred.contains(at))
            .map(|(at, id)| (at.clone(), id.clone()))
            .collect();
        self.import(&ready, &imports)?;
        let copied = self.has_policies();
        let wanted = Wanted { name: "base", selection, refresh: true, lock: true, copied, destroy: false };
        let planned = self.plan(wanted, observer).await;
        self.import(&ready, &Resources::new())?;
        let Planned { mut plan, warnings, copy } = planned?;
        let mut violations = self.misplaced(&mut plan, observer).await?;
        violations.extend(guard::base(&plan, adopted));
        violations.extend(guard::imports(&plan, &imports));
        violations.extend(self.unapproved(&plan));
        let guarded = self.judged(&plan, copy.as_ref()).await;
        let found = Found { violations, guarded, overridden };
        saved.warnings = warnings.into_iter().filter(|it| !it.starts_with(TARGETED)).collect();
        self.save(("base", "infrastructure"), &plan, found, saved)
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
        Ok(self.surveyed(adopted, observer).await?.declared)
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
        overridden: &BTreeSet<String>,
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
        let (selection, copied) = (&Selection::All, self.has_policies());
        let wanted = Wanted { name: "adoption", selection, refresh: true, lock: true, copied, destroy: false };
        let planned = self.plan(wanted, observer).await;
        // The saved plan carries the import blocks with it; what is planned later must not.
        self.import(&ready, &Resources::new())?;
        let Planned { mut plan, warnings, copy } = planned?;
        let mut violations = self.misplaced(&mut plan, observer).await?;
        violations.extend(guard::adoption(&plan, &imports, &held));
        violations.extend(self.unapproved(&plan));
        let guarded = self.judged(&plan, copy.as_ref()).await;
        let found = Found { violations, guarded, overridden };
        self.save(("adoption", "adoption"), &plan, found, Saved { warnings, ..Saved::default() })
    }

    /// What a full plan would still change: nothing, in a settled root.
    ///
    /// # Errors
    /// Terraform's own.
    pub async fn leftovers(&self, observer: &dyn Observer) -> Result<Vec<Leftover>, TerraformError> {
        let _tree = self.tree.lock().await;
        let ready = self.ready(observer).await?;
        self.import(&ready, &Resources::new())?;
        let wanted = Wanted {
            name: "settled",
            selection: &Selection::All,
            refresh: true,
            lock: true,
            copied: false,
            destroy: false,
        };
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

    /// Saves a plan that nothing stands against. It has a name for its file and one for people.
    pub(super) fn save(
        &self,
        (name, called): (&str, &'static str),
        plan: &Plan,
        found: Found<'_>,
        mut saved: Saved,
    ) -> Result<Saved, TerraformError> {
        let Found { violations, guarded, overridden } = found;
        let (guarded, let_through) = crate::guard::sort(guarded, overridden);
        if !violations.is_empty() || !guarded.is_empty() {
            self.discard(name)?;
            return Err(TerraformError::Refused { plan: called, violations, guarded });
        }
        saved.let_through = let_through.iter().map(ToString::to_string).collect();
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
