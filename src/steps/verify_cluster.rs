//! Proves that a restored cluster serves as declared, after Terraform has adopted it: cluster and instances are
//! available, one of them writes, there is an endpoint, and no setting differs. Changes nothing.
//!
//! Where the manifest says how, the rows are asked as well. That takes a connection into the VPC, or a tunnel.

use async_trait::async_trait;
use serde_json::json;

use super::answers::{Answer, faults as row_faults};
use super::cluster_look::ClusterLook;
use super::cluster_rows::Asker;
use super::cluster_wanted::Wanted;
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::aws::rds::ClusterState;
use crate::manifest::Cluster;

/// The step for one cluster of the manifest.
pub struct VerifyCluster {
    pub cluster: Cluster,
}

#[async_trait]
impl Step for VerifyCluster {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        can_ask_rows(cx, &self.cluster).await
    }

    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let target = &self.cluster.target;
        let wanted = Wanted::of(cx, &self.cluster, None)?;
        let look = ClusterLook::at(&cx.world.aws, target, &wanted.instances).await?;
        let look = look.ok_or_else(|| StepError::check_failed(format!("cluster {target} is gone")))?;
        let mut faults = look.faults(&wanted.instances);
        faults.extend(look.differences(&wanted.settings, &wanted.instances).iter().map(ToString::to_string));
        if !faults.is_empty() {
            let cause = format!("cluster {target} is not as declared: {}", faults.join("; "));
            return Err(StepError::check_failed(cause).hint("mend it, then retry the step: it looks anew"));
        }
        let mut output = json!({
            "id": target,
            "endpoint": look.cluster.endpoint,
            "instances": wanted.instances.len(),
            "not_compared": wanted.not_as_declared(&look),
        });
        if let Some(answers) = ask_rows(cx, &self.cluster, &look.cluster).await? {
            output["rows"] = json!(answers);
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

/// Who asks the rows must be known before there is anything to ask.
///
/// # Errors
/// The login is not there.
pub(super) async fn can_ask_rows(cx: &Cx, cluster: &Cluster) -> Result<Checked, Blocked> {
    if let Some(rows) = &cluster.rows {
        Asker::of(&cx.world.aws, rows, &cx.world.manifest.path).await?;
    }
    Ok(Checked::default())
}

/// What the rows answer; `None` where the manifest does not say who asks.
///
/// # Errors
/// They cannot be asked, or an answer is another than is expected.
pub(super) async fn ask_rows(
    cx: &Cx,
    cluster: &Cluster,
    state: &ClusterState,
) -> Result<Option<Vec<Answer>>, StepError> {
    let Some(rows) = &cluster.rows else { return Ok(None) };
    let asker = Asker::of(&cx.world.aws, rows, &cx.world.manifest.path)
        .await
        .map_err(|blocked| StepError { hint: blocked.hint, ..StepError::failed(blocked.cause) })?;
    let answers = asker.ask(cx, state).await?;
    if let Some(faults) = row_faults(&answers) {
        let target = &cluster.target;
        return Err(StepError::check_failed(format!("the rows of cluster {target} are not as expected: {faults}"))
            .hint("find out what is missing before any traffic moves; then retry the step: it asks anew"));
    }
    Ok(Some(answers))
}
