//! Proves that a restored table holds what the manifest expects and is as the root declares it, after Terraform has
//! adopted it: every item is counted. Of a table whose source stands beside it a sample is compared. Changes nothing.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::restore_table::{unready, wanted};
use super::table_sample::sampled;
use super::{Blocked, Checked, Compensation, Cx, Output, Progress, Seen, Step, StepError};
use crate::aws::dynamodb::{self, TableState};
use crate::manifest::{Quantity, Table, TableSource};
use crate::verify::{CountError, Width, count_items};

/// How often the count so far is told.
const TELL: Duration = Duration::from_millis(500);

/// The step for one table of the manifest.
pub struct VerifyTable {
    pub table: Table,
}

#[async_trait]
impl Step for VerifyTable {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        let odd = self.table.verify.iter().find(|expectation| expectation.quantity != Quantity::Items);
        match odd {
            None => Ok(Checked::default()),
            Some(odd) => Err(Blocked {
                cause: format!("`{odd}` cannot be counted in table \"{}\"", self.table.name),
                hint: Some("expect `items` of a table".to_owned()),
            }),
        }
    }

    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let target = &self.table.target;
        let state = dynamodb::table(&cx.world.aws, target).await?;
        let state = state.ok_or_else(|| StepError::check_failed(format!("table {target} is gone")))?;
        let mut faults = self.faults(cx, &state)?;
        if self.table.from == TableSource::Replica && self.table.verify.is_empty() && faults.is_empty() {
            // It serves already: a scan would take its capacity, and nobody expects a number.
            return Ok(json!({ "name": target, "expected": [] }));
        }
        let items = self.count(cx, &state).await?;
        let broken = self.table.verify.iter().filter(|expectation| !expectation.holds(items));
        faults.extend(broken.map(|expectation| format!("it holds {items} items, expected {expectation}")));
        if !faults.is_empty() {
            let cause = format!("table {target} is not as expected: {}", faults.join("; "));
            return Err(StepError::check_failed(cause).hint(
                "find out what is missing before any traffic moves: another backup may have it; then retry the step",
            ));
        }
        let expected: Vec<String> = self.table.verify.iter().map(ToString::to_string).collect();
        let mut output = json!({ "name": target, "items": items, "expected": expected });
        if let TableSource::PointInTime(_) = self.table.from {
            // Its source stands beside it. That of a failover is in a region that is not asked.
            let keys: Vec<String> = state.hash_key.iter().chain(&state.range_key).cloned().collect();
            output["sample"] = sampled(&cx.world.aws, &self.table.source, target, &keys, &|| cx.stopping()).await;
        }
        Ok(output)
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

impl VerifyTable {
    fn faults(&self, cx: &Cx, state: &TableState) -> Result<Vec<String>, StepError> {
        let wanted = wanted(cx, &self.table, &Value::Null)?;
        let mut faults: Vec<String> = unready(state).into_iter().collect();
        let differences = wanted.differences(state).into_iter().chain(wanted.index_differences(state));
        faults.extend(differences.map(|difference| difference.to_string()));
        Ok(faults)
    }

    async fn count(&self, cx: &Cx, state: &TableState) -> Result<u64, StepError> {
        let restored = cx.output(&format!("restore.table.{}", self.table.name));
        let told = |key: &str| restored.as_ref().and_then(|output| output.get(key)).and_then(Value::as_u64);
        // A table that was just restored does not know its size yet; its backup does.
        let bytes = state.approximate_bytes.max(told("bytes").unwrap_or_default());
        let total = told("approximate_items");
        let last = Mutex::new(Instant::now());
        let counted = |done: u64| {
            let Ok(mut last) = last.lock() else { return };
            if last.elapsed() >= TELL {
                *last = Instant::now();
                cx.progress(Progress::Count { done, total, unit: "items".to_owned() });
            }
        };
        let stopping = || cx.stopping();
        let width = Width::of(bytes, state.read_capacity);
        let count = count_items(&cx.world.aws, &self.table.target, width, &counted, &stopping).await;
        count.map_err(|error| match error {
            CountError::Aws(error) => error.into(),
            CountError::Stopped => {
                StepError::interrupted(format!("stopped while counting table {}", self.table.target))
            }
        })
    }
}
