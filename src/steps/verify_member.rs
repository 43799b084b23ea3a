//! Proves that the global database was failed over: its cluster in the recovery region is the one that writes, an instance of
//! it is available as the writer, and there is an endpoint. The rows are asked where the manifest says how. Changes nothing.

use async_trait::async_trait;
use serde_json::json;

use super::fail_over_cluster::{FailOverCluster, PROMOTED};
use super::verify_cluster::{ask_rows, can_ask_rows};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::manifest::Cluster;

/// The step for one global database of the manifest.
pub struct VerifyMember {
    pub cluster: Cluster,
}

#[async_trait]
impl Step for VerifyMember {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        can_ask_rows(cx, &self.cluster).await
    }

    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let step = FailOverCluster { cluster: self.cluster.clone(), within: PROMOTED };
        let member = step.writes(cx).await?;
        let mut output = json!({
            "id": self.cluster.target,
            "endpoint": member.cluster.endpoint,
            "instances": member.instances.len(),
            "global": self.cluster.global(),
        });
        if let Some(answers) = ask_rows(cx, &self.cluster, &member.cluster).await? {
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
