//! The dependency graph of a runbook: its soundness and its critical path.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::{Runbook, StepId, StepSpec};

/// Why a set of steps is not a runbook.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("two steps are called {0}")]
    Duplicate(StepId),
    #[error("step {step} waits for {missing}, which is not in the runbook")]
    Missing { step: StepId, missing: StepId },
    #[error("the steps {} wait for one another", .0.iter().map(StepId::as_str).collect::<Vec<_>>().join(", "))]
    Cycle(Vec<StepId>),
}

/// The longest chain of steps by expected time.
#[derive(Clone, Debug, PartialEq)]
pub struct CriticalPath {
    pub steps: Vec<StepId>,
    pub total: SignedDuration,
}

type Ends<'a> = BTreeMap<&'a StepId, (SignedDuration, Option<&'a StepId>)>;

impl Runbook {
    /// The steps in an order in which each stands after all that it waits for.
    ///
    /// # Errors
    /// Two steps of one name, a dependency on a step that is not there, or a cycle.
    pub fn order(&self) -> Result<Vec<&StepSpec>, GraphError> {
        let mut known = BTreeSet::new();
        for step in &self.steps {
            if !known.insert(&step.id) {
                return Err(GraphError::Duplicate(step.id.clone()));
            }
        }
        for step in &self.steps {
            if let Some(missing) = step.after.iter().find(|id| !known.contains(id)) {
                return Err(GraphError::Missing { step: step.id.clone(), missing: missing.clone() });
            }
        }
        let mut placed = BTreeSet::new();
        let mut order = Vec::with_capacity(self.steps.len());
        while order.len() < self.steps.len() {
            let ready: Vec<&StepSpec> = self
                .steps
                .iter()
                .filter(|step| !placed.contains(&step.id) && step.after.iter().all(|id| placed.contains(id)))
                .collect();
            if ready.is_empty() {
                let left = self.steps.iter().map(|step| &step.id).filter(|id| !placed.contains(*id));
                return Err(GraphError::Cycle(left.cloned().collect()));
            }
            placed.extend(ready.iter().map(|step| &step.id));
            order.extend(ready);
        }
        Ok(order)
    }

    /// All steps that wait for this one, directly or through others, in the order of the runbook.
    pub fn dependents(&self, id: &StepId) -> Vec<StepId> {
        let mut waiting = BTreeSet::from([id]);
        loop {
            let more = self.steps.iter().filter(|step| step.after.iter().any(|id| waiting.contains(id)));
            let more: Vec<&StepId> = more.map(|step| &step.id).filter(|id| !waiting.contains(id)).collect();
            if more.is_empty() {
                break;
            }
            waiting.extend(more);
        }
        waiting.remove(id);
        self.steps.iter().map(|step| &step.id).filter(|id| waiting.contains(id)).cloned().collect()
    }

    /// The critical path by the expected time of each step.
    ///
    /// # Errors
    /// As [`Runbook::order`].
    pub fn critical_path(&self) -> Result<CriticalPath, GraphError> {
        self.critical_path_by(|step| step.expected)
    }

    /// The critical path by any measure of a step's time, for example the time it took.
    ///
    /// # Errors
    /// As [`Runbook::order`].
    pub fn critical_path_by(&self, time: impl Fn(&StepSpec) -> SignedDuration) -> Result<CriticalPath, GraphError> {
        let ends = self.ends_by(time)?;
        let mut steps = Vec::new();
        let mut at = ends.iter().max_by_key(|(_, (end, _))| *end).map(|(id, _)| *id);
        let total = at.map_or(SignedDuration::ZERO, |id| ends[id].0);
        while let Some(id) = at {
            steps.push(id.clone());
            at = ends[id].1;
        }
        steps.reverse();
        Ok(CriticalPath { steps, total })
    }

    /// When each step ends by its expected time, counted from the start of the run.
    ///
    /// # Errors
    /// As [`Runbook::order`].
    pub fn expected_ends(&self) -> Result<BTreeMap<&StepId, SignedDuration>, GraphError> {
        Ok(self.ends_by(|step| step.expected)?.into_iter().map(|(id, (end, _))| (id, end)).collect())
    }

    /// The end of each step, and the one that it waits for longest.
    fn ends_by(&self, time: impl Fn(&StepSpec) -> SignedDuration) -> Result<Ends<'_>, GraphError> {
        let mut ends = Ends::new();
        for step in self.order()? {
            let latest = step.after.iter().max_by_key(|id| ends[id].0);
            let start = latest.map_or(SignedDuration::ZERO, |id| ends[id].0);
            ends.insert(&step.id, (start + time(step), latest));
        }
        Ok(ends)
    }
}
