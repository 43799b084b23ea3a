//! Proves that a restored cluster serves as declared, after Terraform has adopted it: cluster and instances are
//! available, one of them writes, there is an endpoint, and no setting differs. Changes nothing.
//!
//! The rows are not looked at here: that takes a connection into the VPC, which is what the manifest's checks are for.

use async_trait::async_trait;
use serde_json::json;

use super::cluster_look::ClusterLook;
use super::restore_cluster::Wanted;
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::manifest::Cluster;

/// The step for one cluster of the manifest.
pub struct VerifyCluster {
    pub cluster: Cluster,
}

#[async_trait]
impl Step for VerifyCluster {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
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
        Ok(json!({
            "id": target,
            "endpoint": look.cluster.endpoint,
            "instances": wanted.instances.len(),
            "not_compared": wanted.not_as_declared(&look),
        }))
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}
