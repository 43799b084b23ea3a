//! `lifeboat recover aurora NAME --to TIME|--clean-before TIME`: a cluster is restored to a point in time, beside itself.

use clap::Args;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::moment::Moment;
use super::recover::{Named, RunArgs, Subject, beside, given};
use super::recover_region::{Sought, region_of};
use super::wiring;
use crate::aws::{AwsError, Session, rds};
use crate::manifest::{
    Cluster, ClusterSource, Manifest, RowCheck, Rows, cluster_name_fault, host_and_port, read_row_check,
};
use crate::scenario;
use crate::steps::DELETED_CLUSTER;

/// The most characters of an identifier (Amazon RDS User Guide: "Naming constraints in Amazon RDS").
const MOST: usize = 63;
/// The same where instances are named after the cluster: there are sixteen of them at most.
const LONGEST: usize = MOST - "-16".len();

/// A cluster at a time.
#[derive(Args)]
pub struct PointOfCluster {
    /// The cluster's identifier
    name: String,
    /// Identifier of the restored cluster [default: the cluster's, with the time]
    #[arg(long = "as", value_name = "NAME")]
    target: Option<String>,
    /// The region of the cluster, where both have one of that name or one of them does not answer
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What its rows must answer, besides what the manifest asks (repeatable): 'sql("SELECT COUNT(*) FROM logs") >= 1'
    #[arg(long, value_name = "QUESTION", value_parser = read_row_check)]
    expect: Vec<RowCheck>,
    /// A tunnel to the restored cluster, where its endpoint cannot be reached from here
    #[arg(long, value_name = "HOST:PORT", value_parser = tunnel)]
    via: Option<String>,
    #[command(flatten)]
    moment: Moment,
}

#[derive(Args)]
pub struct RecoverAurora {
    #[command(flatten)]
    cluster: PointOfCluster,
    /// Say whether it can be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverAurora, environment: &Environment) -> Result<Exit, CliError> {
    let RecoverAurora { cluster, dry_run, run } = command;
    beside(cluster, run, *dry_run, environment).await
}

impl Subject for PointOfCluster {
    fn moment(&self) -> &Moment {
        &self.moment
    }

    async fn named(&self, environment: &Environment) -> Result<Named, CliError> {
        let Self { name, target: identifier, region, expect, via, moment } = self;
        let target = identifier.clone().unwrap_or_else(|| name_at(name, moment.at()));
        plausible(name, MOST)?;
        plausible(&target, LONGEST)?;
        let plans = wiring::read(&moment.env, environment)?;
        let connected = wiring::connect(&plans.manifest).await?;
        let sought = Sought {
            what: format!("cluster {name}"),
            deleted: DELETED_CLUSTER,
            doubled: "a global database replicates corruption as well",
        };
        let has =
            async |session: &Session| -> Result<bool, AwsError> { Ok(rds::cluster(session, name).await?.is_some()) };
        let aws = region_of(sought, region.as_deref(), &plans.manifest, &connected, &has).await?;
        let clean = moment.clean(&plans.manifest);
        if clean.is_some() && target == *name && has(&aws).await.map_err(|error| unasked(name, &error))? {
            return Err(CliError::blocked(format!(
                "cluster {name} stands in {} already; nothing was changed",
                aws.region()
            ))
            .hint("it is restored beside itself: choose another name with --as"));
        }
        let cluster = Cluster {
            name: name.clone(),
            source: name.clone(),
            target,
            // Of a cluster that is gone nobody tells how many it had.
            instances: u32::from(clean.is_some()),
            from: clean.map_or_else(|| ClusterSource::PointInTime(moment.at()), ClusterSource::CleanBefore),
            adopt: None,
            subnet_group: None,
            security_groups: Vec::new(),
            rows: rows(self, &plans.manifest)?,
        };
        let runbook = scenario::recover_cluster(&plans.manifest, aws.region(), &cluster);
        let expected: Vec<String> = expect.iter().map(ToString::to_string).collect();
        let more = given("--as", identifier.as_deref()).chain(given("--region", region.as_deref()));
        let more = more.chain(given("--via", via.as_deref()));
        let more: Vec<_> = more.chain(expected.iter().map(|it| ("--expect", it.as_str()))).collect();
        let planned_by = moment.planned_by(["aurora", name], &more);
        Ok(Named { plans, connected, aws, runbook, planned_by })
    }
}

/// What the manifest asks of this cluster in a failover, and more; by a way of its own, because its tunnel leads elsewhere.
fn rows(command: &PointOfCluster, manifest: &Manifest) -> Result<Option<Rows>, CliError> {
    let named = |cluster: &&Cluster| [&cluster.source, &cluster.target].contains(&&command.name);
    let known = manifest.clusters.iter().find(named).and_then(|cluster| cluster.rows.clone());
    match known {
        Some(mut rows) => {
            rows.via.clone_from(&command.via);
            rows.verify.extend(command.expect.iter().cloned());
            Ok(Some(rows))
        }
        None if command.expect.is_empty() && command.via.is_none() => Ok(None),
        None => {
            let cause =
                format!("{} has no aurora block of {} with an sql block", manifest.path.display(), command.name);
            Err(CliError::usage("nobody knows who shall ask the rows")
                .cause(cause)
                .hint("write sql { login = secret(\"name\") } into its aurora block"))
        }
    }
}

fn unasked(name: &str, error: &AwsError) -> CliError {
    CliError::blocked(format!("cluster {name} cannot be looked for; nothing was changed")).cause(error.to_string())
}

fn tunnel(text: &str) -> Result<String, String> {
    host_and_port(text).map(|_| text.to_owned()).ok_or_else(|| "write HOST:PORT, such as 127.0.0.1:3306".to_owned())
}

fn plausible(name: &str, longest: usize) -> Result<(), CliError> {
    let long = (name.len() > longest).then_some("its instances would have names of more than 63 characters");
    match cluster_name_fault(name).or(long) {
        None => Ok(()),
        Some(fault) => Err(CliError::usage(format!("{name} is no identifier of a cluster")).cause(fault)),
    }
}

/// `logs-20261122t030000z`, cut so that its instances can be named after it. RDS knows no capitals.
fn name_at(cluster: &str, at: Timestamp) -> String {
    let suffix = at.strftime("-%Y%m%dt%H%M%Sz").to_string();
    let kept: String = cluster.chars().take(LONGEST - suffix.len()).collect();
    format!("{}{suffix}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_cluster_is_named_after_the_time_as_rds_takes_it() {
        let at: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let long = format!("{}-{}", "x".repeat(42), "y".repeat(20));
        for name in ["logs", &long, &"x".repeat(63)] {
            let named = name_at(name, at);
            assert!(named.ends_with("-20261122t030000z"), "{named}");
            assert!(plausible(&named, LONGEST).is_ok(), "{named}");
        }
        assert!(plausible(&"x".repeat(61), LONGEST).is_err());
        assert!(plausible("a--b", LONGEST).is_err());
    }
}
