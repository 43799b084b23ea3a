//! Restores an Aurora cluster from a snapshot that stands in the recovery region, with the instances and settings that
//! the Terraform root declares for it, so that Terraform can adopt it without a change; or to a point in time of a cluster
//! that stands, beside it and as it is.
//!
//! One cluster whatever happens: its identifier is the manifest's, and it carries the run's id. A cluster of that name
//! that is neither this run's nor in the recovery state is never touched. One that is in the recovery state is waited
//! for and left as it is.

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::clean_found;
use super::cluster_instances::InstanceSettings;
use super::cluster_look::ClusterLook;
use super::cluster_point;
use super::cluster_rows::can_be_asked;
use super::cluster_source::{Snapshot, choose};
use super::cluster_wanted::{WANTED, Wanted};
use super::encryption::check_key;
use super::ownership::{Owner, address_taken, conflict, in_place, run_tags};
use super::preserve_point::preserved;
use super::{
    APPEARS, Blocked, Checked, Compensation, Cx, Output, Ready, SETTLES, Seen, Standing, Step, StepError, deadline,
    wait_until,
};
use crate::aws::AwsError;
use crate::aws::rds;
use crate::manifest::{Cluster, ClusterSource, Component};
use crate::verify::in_words;

/// How many instances are created at a time.
const CREATES: usize = 4;

/// The step for one cluster of the manifest.
pub struct RestoreCluster {
    pub cluster: Cluster,
}

#[async_trait]
impl Step for RestoreCluster {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        if let ClusterSource::PointInTime(at) = self.cluster.from {
            return cluster_point::check(&cx.world.aws, &self.cluster, at).await;
        }
        if let ClusterSource::CleanBefore(rule) = &self.cluster.from {
            return clean_found::cluster(cx, &self.cluster, rule).await;
        }
        let manifest = &cx.world.manifest;
        let all = rds::cluster_snapshots(&cx.world.aws).await?;
        let target = &self.cluster.target;
        let stands = rds::cluster(&cx.world.aws, target).await?.is_some();
        let mut facts = match choose(&self.cluster, &all, &manifest.recovery.name, &manifest.primary.name) {
            Ok(facts) => facts,
            Err(blocked) if stands => in_place(cx, self.cluster.adopt.as_deref(), target, blocked).await?,
            Err(blocked) => return Err(blocked),
        };
        can_be_asked(&self.cluster, facts.get("engine").and_then(|engine| engine.as_str()))?;
        if !stands {
            let text = |name: &str| facts.get(name).and_then(|value| value.as_str());
            let what = format!("snapshot {}", text("recovery_point").unwrap_or_default());
            let doubt = check_key(&cx.world.aws, text("kms_key"), &what).await?;
            if let Some(warnings) = facts.get_mut("warnings").and_then(|warnings| warnings.as_array_mut()) {
                warnings.extend(doubt.map(|doubt| json!(doubt)));
            }
        }
        if stands && let Some(warnings) = facts.get_mut("warnings").and_then(|warnings| warnings.as_array_mut()) {
            warnings.push(json!(format!(
                "cluster {target} stands in {} already: it is left as it is where the recovery state holds it, and \
                 is a conflict otherwise",
                manifest.recovery.name
            )));
        }
        let standing = if stands { Standing::Unknown } else { Standing::Absent };
        Ok(Checked { facts, standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let wanted = self.wanted(cx)?;
        let target = &self.cluster.target;
        if let Some((cause, hint)) = address_taken(cx, self.cluster.adopt.as_deref(), target) {
            return Ok(Seen::Conflict { cause, hint: Some(hint) });
        }
        if let Some((cause, hint)) = self.taken(cx, &wanted).await? {
            return Ok(Seen::Conflict { cause, hint: Some(hint) });
        }
        let Some(look) = self.look(cx, &wanted).await? else { return Ok(Seen::Absent) };
        let parity = match self.owner(cx, &look) {
            Owner::Other(run) => {
                let (cause, hint) =
                    conflict(cx, &self.what(), self.cluster.adopt.as_deref(), &self.cluster.target, run.as_deref());
                return Ok(Seen::Conflict { cause, hint: Some(hint) });
            }
            Owner::Terraform => true,
            Owner::ThisRun => look.differences(&wanted.settings, &wanted.instances).is_empty(),
        };
        let faults = look.faults(&wanted.instances);
        Ok(match faults.first() {
            Some(fault) => Seen::InProgress(fault.clone()),
            None if parity => Seen::Done(self.output(cx, &look, &wanted)),
            None => Seen::InProgress(format!("cluster {} is available, with other settings", self.cluster.target)),
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let wanted = self.wanted(cx)?;
        self.untaken(cx, &wanted).await?;
        if self.look(cx, &wanted).await?.is_none() {
            self.begin(cx, &wanted).await?;
        }
        let look = self.available(cx, &wanted).await?;
        match self.owner(cx, &look) {
            Owner::Other(run) => {
                let (cause, hint) =
                    conflict(cx, &self.what(), self.cluster.adopt.as_deref(), &self.cluster.target, run.as_deref());
                return Err(StepError::conflict(cause).hint(hint));
            }
            Owner::Terraform => {}
            Owner::ThisRun => {
                self.complete(cx, &wanted, &look).await?;
                self.mend(cx, &wanted, &look).await?;
            }
        }
        self.serving(cx, &wanted).await?;
        let look = self.settled(cx, &wanted).await?;
        Ok(self.output(cx, &look, &wanted))
    }

    async fn verify(&self, cx: &Cx, _output: &Output) -> Result<(), StepError> {
        let wanted = self.wanted(cx)?;
        let look = self.look(cx, &wanted).await?;
        let look = look.ok_or_else(|| StepError::check_failed(format!("{} is gone", self.what())))?;
        let mut faults = look.faults(&wanted.instances);
        if self.owner(cx, &look) == Owner::ThisRun {
            let differences = look.differences(&wanted.settings, &wanted.instances);
            faults.extend(differences.iter().map(ToString::to_string));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(StepError::check_failed(format!("{} is not as declared: {}", self.what(), faults.join("; ")))
            .hint("retry the step: it sets again what can be set; the rest has to be changed in the Terraform root"))
    }

    fn compensation(&self) -> Compensation {
        let target = &self.cluster.target;
        Compensation::Manual(format!(
            "delete the instances of cluster {target}, then the cluster itself, if it carries the tag lifeboat:run of \
             this run; once Terraform has adopted it, `terraform destroy` of it in the recovery workspace"
        ))
    }
}

impl RestoreCluster {
    fn what(&self) -> String {
        format!("cluster {}", self.cluster.target)
    }

    fn gone(&self) -> StepError {
        StepError::failed(format!("{} is gone while it was being restored", self.what()))
            .hint("look at the RDS events of the region for the reason, then retry the step")
    }

    fn wanted(&self, cx: &Cx) -> Result<Wanted, StepError> {
        Wanted::of(cx, &self.cluster, cx.facts().get("engine").and_then(|engine| engine.as_str()))
    }

    async fn look(&self, cx: &Cx, wanted: &Wanted) -> Result<Option<ClusterLook>, StepError> {
        ClusterLook::at(&cx.world.aws, &self.cluster.target, &wanted.instances).await
    }

    fn owner(&self, cx: &Cx, look: &ClusterLook) -> Owner {
        match Owner::of(cx, self.cluster.adopt.as_deref(), &self.cluster.target, &look.cluster.tags) {
            // What stood before the breach is never taken for what was restored after it.
            Owner::Terraform if matches!(self.cluster.from, ClusterSource::CleanBefore(_)) => Owner::Other(None),
            owner => owner,
        }
    }

    /// An instance of another cluster, or of none, under the identifier of one that is wanted: cause and hint.
    async fn taken(&self, cx: &Cx, wanted: &Wanted) -> Result<Option<(String, String)>, StepError> {
        for instance in &wanted.instances {
            let id = &instance.request.id;
            let Some(seen) = rds::instance(&cx.world.aws, id).await? else { continue };
            if seen.cluster.as_deref() != Some(self.cluster.target.as_str()) {
                let of = seen.cluster.map_or_else(|| "no cluster".to_owned(), |cluster| format!("cluster {cluster}"));
                let cause = format!("instance {id} stands in {} already, in {of}", cx.world.aws.region());
                return Ok(Some((cause, "look at it and delete or rename it, then retry".to_owned())));
            }
        }
        Ok(None)
    }

    async fn untaken(&self, cx: &Cx, wanted: &Wanted) -> Result<(), StepError> {
        match self.taken(cx, wanted).await? {
            Some((cause, hint)) => Err(StepError::conflict(cause).hint(hint)),
            None => Ok(()),
        }
    }

    /// Sends the restore. "Exists already" may be the answer to a request of ours whose reply was lost; whose it is
    /// is looked at afterwards.
    async fn begin(&self, cx: &Cx, wanted: &Wanted) -> Result<(), StepError> {
        let Cluster { target, from, .. } = &self.cluster;
        let snapshot = preserved(cx, &self.cluster, Snapshot::from_facts(cx.facts())?)?;
        let mut request = match from {
            ClusterSource::PointInTime(at) => cluster_point::request(&wanted.settings, &self.cluster, *at),
            ClusterSource::LatestSnapshot
            | ClusterSource::Snapshot(_)
            | ClusterSource::Global(_)
            | ClusterSource::CleanBefore(_) => wanted.restore(target, &snapshot)?,
        };
        request.tags.extend(run_tags(&cx.world.run, &snapshot.arn));
        cx.status(format!("{}: restoring from {}", self.what(), snapshot.arn));
        match rds::restore_cluster(&cx.world.aws, request).await {
            Ok(()) => Ok(()),
            // The emulator reports the automated snapshot that it would make of the second cluster.
            Err(error) if error.is_any(&["DBClusterAlreadyExistsFault", "DBClusterSnapshotAlreadyExistsFault"]) => {
                Ok(())
            }
            Err(error) => Err(match from {
                ClusterSource::PointInTime(_) => cluster_point::explained(error, &snapshot.arn),
                ClusterSource::LatestSnapshot
                | ClusterSource::Snapshot(_)
                | ClusterSource::Global(_)
                | ClusterSource::CleanBefore(_) => explained(error, &snapshot),
            }),
        }
    }

    async fn available(&self, cx: &Cx, wanted: &Wanted) -> Result<ClusterLook, StepError> {
        wait_until(cx, &self.what(), APPEARS, async || {
            let look = self.look(cx, wanted).await?;
            Ok(look.map_or_else(|| Ready::NotYet("not there yet".into()), |_| Ready::Yes(())))
        })
        .await?;
        wait_until(cx, &self.what(), deadline(cx, Component::Aurora), async || {
            let look = self.look(cx, wanted).await?.ok_or_else(|| self.gone())?;
            let status = look.cluster.status.clone();
            Ok(if status == "available" { Ready::Yes(look) } else { Ready::NotYet(status) })
        })
        .await
    }

    /// Creates the instances that are missing.
    async fn complete(&self, cx: &Cx, wanted: &Wanted, look: &ClusterLook) -> Result<(), StepError> {
        let mut creates = Vec::new();
        for (instance, seen) in wanted.instances.iter().zip(&look.instances) {
            if seen.is_none() {
                creates.push(self.create(cx, instance));
            }
        }
        // The first one that a cluster has is the one that writes.
        if look.cluster.members.is_empty() && !creates.is_empty() {
            creates.remove(0).await?;
        }
        futures::stream::iter(creates).buffer_unordered(CREATES).try_collect::<Vec<()>>().await?;
        // "Exists already" may have been the answer to a request of ours, or said of somebody else's.
        self.untaken(cx, wanted).await
    }

    async fn create(&self, cx: &Cx, instance: &InstanceSettings) -> Result<(), StepError> {
        let mut request = instance.request.clone();
        if request.engine.is_empty() {
            let state = rds::cluster(&cx.world.aws, &self.cluster.target).await?;
            request.engine = state.map(|state| state.engine).unwrap_or_default();
        }
        let what = format!("instance {}", request.id);
        wait_until(cx, &what, SETTLES, async || match rds::create_instance(&cx.world.aws, request.clone()).await {
            Ok(()) => Ok(Ready::Yes(())),
            Err(error) if error.is_any(&["DBInstanceAlreadyExists", "DBInstanceAlreadyExistsFault"]) => {
                Ok(Ready::Yes(()))
            }
            Err(error) if error.is("InvalidDBClusterStateFault") => Ok(Ready::NotYet("waiting to be made".into())),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Sets what the restore could not, or what it left different.
    async fn mend(&self, cx: &Cx, wanted: &Wanted, look: &ClusterLook) -> Result<(), StepError> {
        let session = &cx.world.aws;
        if let Some(change) = wanted.settings.change(&look.cluster) {
            wait_until(cx, &self.what(), SETTLES, async || {
                match rds::modify_cluster(session, &self.cluster.target, change.clone()).await {
                    Ok(()) => Ok(Ready::Yes(())),
                    Err(error) if error.is("InvalidDBClusterStateFault") => {
                        Ok(Ready::NotYet("not ready to be modified".into()))
                    }
                    Err(error) => Err(error.into()),
                }
            })
            .await?;
        }
        let missing = |(key, value): &(&String, &String)| look.cluster.tags.get(*key) != Some(*value);
        let tags = wanted.settings.tags.iter().filter(missing);
        let tags: rds::Tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !tags.is_empty() {
            rds::add_cluster_tags(session, &look.cluster.arn, &tags).await?;
        }
        Ok(())
    }

    async fn serving(&self, cx: &Cx, wanted: &Wanted) -> Result<(), StepError> {
        wait_until(cx, &self.what(), deadline(cx, Component::Aurora), async || {
            let look = self.look(cx, wanted).await?.ok_or_else(|| self.gone())?;
            let faults = look.faults(&wanted.instances);
            Ok(if faults.is_empty() { Ready::Yes(()) } else { Ready::NotYet(faults.join(", ")) })
        })
        .await
    }

    /// Waits until settings that take time (log exports, parameter groups) are in force.
    async fn settled(&self, cx: &Cx, wanted: &Wanted) -> Result<ClusterLook, StepError> {
        wait_until(cx, &self.what(), SETTLES, async || {
            let look = self.look(cx, wanted).await?.ok_or_else(|| self.gone())?;
            if self.owner(cx, &look) != Owner::ThisRun {
                return Ok(Ready::Yes(look));
            }
            let differences = look.differences(&wanted.settings, &wanted.instances);
            Ok(if differences.is_empty() { Ready::Yes(look) } else { Ready::NotYet(in_words(&differences)) })
        })
        .await
    }

    fn output(&self, cx: &Cx, look: &ClusterLook, wanted: &Wanted) -> Output {
        let cluster = self.cluster.adopt.iter().map(|address| (address, &self.cluster.target));
        let instances = wanted.instances.iter();
        let instances = instances.filter_map(|instance| Some((instance.address.as_ref()?, &instance.request.id)));
        let adopt: Vec<_> =
            cluster.chain(instances).map(|(address, id)| json!({ "address": address, "id": id })).collect();
        let ids: Vec<&String> = wanted.instances.iter().map(|instance| &instance.request.id).collect();
        let restored = self.owner(cx, look) == Owner::ThisRun;
        let mut output = json!({
            "id": self.cluster.target,
            "arn": look.cluster.arn,
            "endpoint": look.cluster.endpoint,
            "reader_endpoint": look.cluster.reader_endpoint,
            "instances": ids,
            "adopt": adopt,
            "restored": restored,
            "recovery_point": restored.then(|| cx.facts().get("recovery_point")).flatten(),
            "not_set": wanted.not_as_declared(look),
        });
        // For the proof, which has no other way to know how the source was.
        if let Some(wanted) = cx.facts().get(WANTED) {
            output[WANTED] = wanted.clone();
        }
        output
    }
}

fn explained(error: AwsError, snapshot: &Snapshot) -> StepError {
    let hint = match error.code.as_deref() {
        Some("KMSKeyNotAccessibleFault") => format!(
            "enable the KMS key of {} in this region and allow its use, or choose another snapshot with `from`",
            snapshot.arn
        ),
        Some("DBClusterSnapshotNotFoundFault") => {
            "the snapshot is gone since it was chosen: start a new run, which chooses another".to_owned()
        }
        _ => return error.into(),
    };
    StepError::from(error).hint(hint)
}
