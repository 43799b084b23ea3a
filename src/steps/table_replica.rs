//! A global table needs no restore: its replica stands in the recovery region, and takes reads and writes there. What is looked
//! at is that it is one, and that it serves (DynamoDB Developer Guide: "Global tables: multi-Region replication").

use async_trait::async_trait;
use serde_json::json;

use super::restore_table::unready;
use super::{Blocked, Checked, Compensation, Cx, Output, Ready, SETTLES, Seen, Standing, Step, StepError, wait_until};
use crate::aws::dynamodb::{self, TableState};
use crate::manifest::Table;

/// The step for one global table of the manifest.
pub struct UseReplica {
    pub table: Table,
}

#[async_trait]
impl Step for UseReplica {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let manifest = &cx.world.manifest;
        let (name, region, primary) = (&self.table.target, &manifest.recovery.name, &manifest.primary.name);
        let Some(state) = dynamodb::table(&cx.world.aws, name).await? else {
            return Err(Blocked {
                cause: format!("table {name} has no replica in {region}: no table of that name stands there"),
                hint: Some(format!(
                    "add the replica in the root that declares the table, or restore it from a backup; a \
                                    replica that is added takes all items over from {primary}, which must be there for it"
                )),
            });
        };
        is_replica(&state, region, primary)?;
        let warnings = vec![format!(
            "how far the replica of table {name} in {region} is behind is not known: its replication latency is a metric of \
             {primary}"
        )];
        let facts = json!({
            "recovery_point": state.arn,
            "bytes": state.approximate_bytes,
            "replicas": state.replicas,
            "warnings": warnings,
        });
        let standing = if unready(&state).is_none() { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts, standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let state = self.look(cx).await?;
        Ok(match unready(&state) {
            None => Seen::Done(self.output(&state)),
            Some(status) => Seen::InProgress(format!("table {}: {status}", self.table.target)),
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let what = format!("the replica of table {}", self.table.target);
        let state = wait_until(cx, &what, SETTLES, async || {
            let state = self.look(cx).await?;
            Ok(unready(&state).map_or(Ready::Yes(state), Ready::NotYet))
        })
        .await?;
        Ok(self.output(&state))
    }

    async fn verify(&self, cx: &Cx, _output: &Output) -> Result<(), StepError> {
        match unready(&self.look(cx).await?) {
            None => Ok(()),
            Some(status) => Err(StepError::check_failed(format!("table {} is {status}", self.table.target))
                .hint("wait until it is ACTIVE, then retry the step")),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

impl UseReplica {
    /// It must be there, and be one.
    async fn look(&self, cx: &Cx) -> Result<TableState, StepError> {
        let (name, manifest) = (&self.table.target, &cx.world.manifest);
        let region = &manifest.recovery.name;
        let state = dynamodb::table(&cx.world.aws, name).await?;
        let state = state.ok_or_else(|| {
            StepError::failed(format!("the replica of table {name} in {region} is gone"))
                .hint("see in CloudTrail who removed it; restore the table from a backup")
        })?;
        match is_replica(&state, region, &manifest.primary.name) {
            Ok(()) => Ok(state),
            Err(blocked) => Err(StepError { hint: blocked.hint, ..StepError::conflict(blocked.cause) }),
        }
    }

    fn output(&self, state: &TableState) -> Output {
        json!({
            "name": self.table.target,
            "arn": state.arn,
            "adopt": [],
            "restored": false,
            "replicas": state.replicas,
            "bytes": state.approximate_bytes,
        })
    }
}

/// Another table may have the name: one that nobody writes to from the primary region holds none of its items.
fn is_replica(state: &TableState, region: &str, primary: &str) -> Result<(), Blocked> {
    if state.replicas.iter().any(|replica| replica == primary) {
        return Ok(());
    }
    let of = match state.replicas.as_slice() {
        [] => "it is no global table".to_owned(),
        others => format!("its replicas are in {}", others.join(", ")),
    };
    Err(Blocked {
        cause: format!("table {} in {region} is no replica of the table in {primary}: {of}", state.name),
        hint: Some("correct `source` and `from` of the table in the manifest, or add the replica; a global table of version 2017.11.29 \
                    does not tell its replicas: upgrade it"
            .to_owned()),
    })
}
