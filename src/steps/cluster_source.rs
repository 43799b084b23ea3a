//! Which snapshot a cluster is restored from, and what to say when there is none. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Value, json};

use super::recovery_point::{Candidate, CandidateState, NoneUsable, newest};
use super::{Blocked, StepError};
use crate::aws::rds::ClusterSnapshot;
use crate::manifest::{Cluster, ClusterSource};

/// The snapshot that the check settled on, as the restore needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub arn: String,
    pub encrypted: bool,
    pub engine: Option<String>,
    pub engine_version: Option<String>,
}

impl Snapshot {
    /// # Errors
    /// No snapshot was settled.
    pub fn from_facts(facts: &Value) -> Result<Self, StepError> {
        let text = |key: &str| facts.get(key).and_then(Value::as_str).map(str::to_owned);
        let arn = text("recovery_point").ok_or_else(|| StepError::failed("no snapshot was chosen for this run"))?;
        let encrypted = facts.get("encrypted").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { arn, encrypted, engine: text("engine"), engine_version: text("engine_version") })
    }

    /// Its identifier: RDS takes that or the ARN for a snapshot of the account's own.
    pub fn identifier(&self) -> String {
        let id = self.arn.split_once(":cluster-snapshot:").map_or(self.arn.as_str(), |(_, id)| id);
        id.to_owned()
    }
}

/// Chooses among all snapshots of the recovery region, and returns the facts of the choice.
///
/// # Errors
/// None can be restored; the cause says what was looked for, the hint what to do.
pub fn choose(cluster: &Cluster, all: &[ClusterSnapshot], region: &str, primary: &str) -> Result<Value, Blocked> {
    let named = |snapshot: &ClusterSnapshot| match &cluster.from {
        ClusterSource::LatestSnapshot => snapshot.cluster.eq_ignore_ascii_case(&cluster.source),
        ClusterSource::Snapshot(name) => snapshot.id.eq_ignore_ascii_case(name) || snapshot.arn == *name,
        ClusterSource::Global(_) | ClusterSource::PointInTime(_) | ClusterSource::CleanBefore(_) => false,
    };
    let found: Vec<&ClusterSnapshot> = all.iter().filter(|snapshot| named(snapshot)).collect();
    let candidates: Vec<Candidate> = found.iter().map(|snapshot| candidate(snapshot)).collect();
    let chosen = newest(&candidates).map_err(|none| blocked(cluster, none, region, primary))?;
    let snapshot = found[chosen.index];
    let mut warnings = chosen.warnings;
    warnings.extend(doubts(cluster, snapshot));
    Ok(facts(snapshot, &warnings))
}

/// What the check of the step settles.
pub(super) fn facts(snapshot: &ClusterSnapshot, warnings: &[String]) -> Value {
    json!({
        "recovery_point": snapshot.arn,
        "recovery_point_at": data_time(snapshot),
        "engine": snapshot.engine,
        "engine_version": snapshot.engine_version,
        "encrypted": snapshot.encrypted,
        "kms_key": snapshot.kms_key,
        "warnings": warnings,
    })
}

pub(super) fn candidate(snapshot: &ClusterSnapshot) -> Candidate {
    let status = snapshot.status.as_str();
    let state = match status {
        "available" => CandidateState::Usable,
        "creating" | "copying" => CandidateState::Pending(match snapshot.progress_percent {
            Some(percent) => format!("{status}, {percent} %"),
            None => status.to_owned(),
        }),
        status => CandidateState::Unusable(status.to_owned()),
    };
    Candidate { arn: snapshot.arn.clone(), at: data_time(snapshot), state }
}

/// When the data was taken. RDS tells when a copy was made; of an automated snapshot the name still tells the time of
/// the data (`rds:logs-2026-11-21-03-05`, UTC), and the earlier of the two is the honest one.
fn data_time(snapshot: &ClusterSnapshot) -> Option<Timestamp> {
    let named = [Some(snapshot.id.as_str()), snapshot.copy_of.as_deref()].into_iter().flatten().find_map(time_in_name);
    [snapshot.created_at, named].into_iter().flatten().min()
}

fn time_in_name(name: &str) -> Option<Timestamp> {
    let (_, automated) = name.rsplit_once("rds:")?;
    let at = automated.len().checked_sub("2026-11-21-03-05".len())?;
    let stamp = automated.get(at..)?;
    DateTime::strptime("%Y-%m-%d-%H-%M", stamp).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

pub(super) fn doubts(cluster: &Cluster, snapshot: &ClusterSnapshot) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(copied) = snapshot.copy_of.as_deref().filter(|source| time_in_name(source).is_none()) {
        doubts.push(format!(
            "{} is a copy of {copied}, and its data may be older than the time shown, which may be that of the copy",
            snapshot.id
        ));
    }
    if !snapshot.cluster.eq_ignore_ascii_case(&cluster.source) {
        doubts.push(format!("{} was taken of cluster {}, not of {}", snapshot.id, snapshot.cluster, cluster.source));
    }
    doubts
}

fn blocked(cluster: &Cluster, none: NoneUsable, region: &str, primary: &str) -> Blocked {
    let source = &cluster.source;
    let copy = format!(
        "copy one there now: aws rds copy-db-cluster-snapshot --region {region} --source-region {primary} \
         --source-db-cluster-snapshot-identifier SNAPSHOT_ARN --target-db-cluster-snapshot-identifier NAME \
         --kms-key-id KEY_IN_{region}"
    );
    let (cause, hint) = match (none, &cluster.from) {
        (
            NoneUsable::Nothing,
            ClusterSource::LatestSnapshot
            | ClusterSource::Global(_)
            | ClusterSource::PointInTime(_)
            | ClusterSource::CleanBefore(_),
        ) => (format!("no snapshot of cluster {source} stands in {region}: its only source is in {primary}"), copy),
        (NoneUsable::Nothing, ClusterSource::Snapshot(name)) => (
            format!("snapshot {name} does not stand in {region}"),
            format!("correct `from` of aurora \"{}\" in the manifest, or {copy}", cluster.name),
        ),
        (NoneUsable::Pending(pending), _) => (
            format!("the snapshots of cluster {source} in {region} are not ready: {}", pending.join(", ")),
            "wait until one is available and check again".to_owned(),
        ),
        (NoneUsable::Unusable(unusable), _) => {
            (format!("no snapshot of cluster {source} in {region} can be used: {}", unusable.join(", ")), copy)
        }
    };
    Blocked { cause, hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(from: ClusterSource) -> Cluster {
        Cluster {
            name: "logs".into(),
            source: "logs-prod".into(),
            target: "logs-dr".into(),
            from,
            instances: 1,
            adopt: None,
            subnet_group: None,
            security_groups: Vec::new(),
            rows: None,
        }
    }

    fn snapshot(id: &str, cluster: &str, status: &str, at: &str) -> ClusterSnapshot {
        ClusterSnapshot {
            id: id.into(),
            arn: format!("arn:aws:rds:us-east-1:123456789012:cluster-snapshot:{id}"),
            kind: "manual".into(),
            cluster: cluster.into(),
            status: status.into(),
            progress_percent: Some(40),
            created_at: at.parse().ok(),
            copy_of: None,
            engine: "aurora-mysql".into(),
            engine_version: "8.0.mysql_aurora.3.08.2".into(),
            encrypted: true,
            kms_key: None,
            tags: crate::aws::rds::Tags::new(),
        }
    }

    fn chosen(from: ClusterSource, all: &[ClusterSnapshot]) -> Result<Value, Blocked> {
        choose(&cluster(from), all, "us-east-1", "eu-west-2")
    }

    #[test]
    fn the_newest_of_the_source_is_chosen_and_others_are_not_looked_at() {
        let all = [
            snapshot("old", "logs-prod", "available", "2026-11-20T00:00:00Z"),
            snapshot("new", "logs-prod", "available", "2026-11-21T00:00:00Z"),
            snapshot("other", "billing-prod", "available", "2026-11-22T00:00:00Z"),
            snapshot("late", "logs-prod", "copying", "2026-11-22T00:00:00Z"),
        ];
        let facts = chosen(ClusterSource::LatestSnapshot, &all).expect("one is usable");
        assert_eq!(facts["recovery_point"], "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:new");
        assert_eq!(facts["recovery_point_at"], "2026-11-21T00:00:00Z");
        assert!(facts["warnings"][0].as_str().is_some_and(|text| text.contains("copying, 40 %")), "{facts}");
    }

    #[test]
    fn the_data_of_a_copied_automated_snapshot_is_as_old_as_its_name_says() {
        let mut copy = snapshot("copy", "logs-prod", "available", "2026-11-21T09:00:00Z");
        copy.copy_of =
            Some("arn:aws:rds:eu-west-2:123456789012:cluster-snapshot:rds:logs-prod-2026-11-21-03-05".into());
        let facts = chosen(ClusterSource::LatestSnapshot, &[copy.clone()]).expect("it is usable");
        assert_eq!(facts["recovery_point_at"], "2026-11-21T03:05:00Z");
        assert_eq!(facts["warnings"], json!([]));
        copy.copy_of = Some("arn:aws:rds:eu-west-2:123456789012:cluster-snapshot:by-hand".into());
        let facts = chosen(ClusterSource::LatestSnapshot, &[copy]).expect("it is usable");
        assert!(facts["warnings"][0].as_str().is_some_and(|text| text.contains("may be older")), "{facts}");
    }

    #[test]
    fn a_source_only_in_the_failed_region_is_said_before_the_outage() {
        let blocked = chosen(ClusterSource::LatestSnapshot, &[]).expect_err("there is nothing");
        let said = "no snapshot of cluster logs-prod stands in us-east-1: its only source is in eu-west-2";
        assert_eq!(blocked.cause, said);
        assert!(blocked.hint.is_some_and(|hint| hint.contains("aws rds copy-db-cluster-snapshot --region us-east-1")));
    }

    #[test]
    fn a_snapshot_that_is_still_copying_is_named_with_its_progress() {
        let all = [snapshot("late", "logs-prod", "copying", "2026-11-22T00:00:00Z")];
        let blocked = chosen(ClusterSource::LatestSnapshot, &all).expect_err("it is not ready");
        assert!(blocked.cause.ends_with("cluster-snapshot:late (copying, 40 %)"), "{}", blocked.cause);
    }

    #[test]
    fn a_named_snapshot_is_taken_by_identifier_or_arn_and_another_clusters_is_warned_of() {
        let all = [
            snapshot("old", "logs-prod", "available", "2026-11-20T00:00:00Z"),
            snapshot("other", "billing-prod", "available", "2026-11-22T00:00:00Z"),
        ];
        let facts = chosen(ClusterSource::Snapshot("old".into()), &all).expect("it is there");
        assert_eq!(facts["recovery_point"], all[0].arn);
        let facts = chosen(ClusterSource::Snapshot(all[1].arn.clone()), &all).expect("it is there");
        assert_eq!(facts["warnings"], json!(["other was taken of cluster billing-prod, not of logs-prod"]));
        let blocked = chosen(ClusterSource::Snapshot("gone".into()), &all).expect_err("it is not there");
        assert_eq!(blocked.cause, "snapshot gone does not stand in us-east-1");
    }

    #[test]
    fn the_identifier_of_an_automated_snapshot_keeps_its_prefix() {
        let arn = "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:rds:logs-2026-11-21-03-05".to_owned();
        let snapshot = Snapshot { arn, encrypted: true, engine: None, engine_version: None };
        assert_eq!(snapshot.identifier(), "rds:logs-2026-11-21-03-05");
    }
}
