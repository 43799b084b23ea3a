//! What a restored cluster shall be: as the Terraform root or the manifest says, or as the cluster was found that it is restored
//! beside. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster_instances::{InstanceSettings, instances};
use super::cluster_look::ClusterLook;
use super::cluster_settings::ClusterSettings;
use super::cluster_source::Snapshot;
use super::declared::{DeclaredSet, declared};
use super::{Cx, StepError};
use crate::aws::rds::{RestoreRequest, Scaling};
use crate::manifest::{Cluster, ClusterSource};

/// The capacity of serverless instances that the Terraform root declares none for, in Aurora capacity units: enough to
/// serve at first, and said in what was not set.
const CAPACITY: Scaling = Scaling { min: 0.5, max: 16.0, pause_after_seconds: None };
/// The fact, and the part of the output, that tells how the source of a restore to a point in time was.
pub(super) const WANTED: &str = "wanted";

/// What the cluster shall be.
#[derive(Serialize, Deserialize)]
pub(super) struct Wanted {
    pub settings: ClusterSettings,
    pub instances: Vec<InstanceSettings>,
}

impl Wanted {
    pub(super) fn of(cx: &Cx, cluster: &Cluster, engine: Option<&str>) -> Result<Self, StepError> {
        match (&cluster.from, found(cx, cluster)) {
            (_, Some(found)) => return read(found),
            (ClusterSource::PointInTime(_), None) => {
                return Err(StepError::failed(format!("how {} was is not in the journal", cluster.source)));
            }
            (_, None) => {}
        }
        let set = if cluster.adopt.is_some() { declared(cx)? } else { DeclaredSet::new() };
        let settings = ClusterSettings::of(cluster, &set)?;
        let engine = settings.engine.as_deref().or(engine).unwrap_or_default();
        let instances = instances(cluster, &set, engine);
        Ok(Self { settings, instances })
    }

    /// What to ask for: also a capacity for serverless instances that nothing declares, because RDS makes no such
    /// instance without (RDS API: "CreateDBInstance"; Amazon Aurora User Guide: "Using Aurora Serverless v2").
    pub(super) fn restore(&self, target: &str, snapshot: &Snapshot) -> Result<RestoreRequest, StepError> {
        let mut request = self.settings.restore(target, snapshot)?;
        if self.needs_capacity() {
            request.scaling = Some(CAPACITY);
        }
        Ok(request)
    }

    fn needs_capacity(&self) -> bool {
        self.settings.scaling.is_none() && self.instances.iter().any(InstanceSettings::is_serverless)
    }

    /// What was left to RDS or to lifeboat, with the values that matter, in Terraform's names.
    pub(super) fn not_as_declared(&self, look: &ClusterLook) -> Vec<String> {
        let mut left = self.settings.not_as_declared(&look.cluster);
        let scaling = look.cluster.scaling.as_ref().filter(|_| self.needs_capacity());
        if let Some(scaling) = scaling {
            let name = "serverlessv2_scaling_configuration";
            left.retain(|setting| setting != name);
            left.push(format!("{name} (is {} to {} ACU)", scaling.min, scaling.max));
        }
        left
    }
}

/// How the check of the restore has found the source that it is restored beside.
fn found(cx: &Cx, cluster: &Cluster) -> Option<Value> {
    let restored = || cx.output(&format!("restore.aurora.{}", cluster.name))?.get(WANTED).cloned();
    cx.facts().get(WANTED).cloned().or_else(restored)
}

fn read(found: Value) -> Result<Wanted, StepError> {
    serde_json::from_value(found)
        .map_err(|error| StepError::failed(format!("the settings in the journal are not understood: {error}")))
}
