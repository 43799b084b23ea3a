//! Looks for clean recovery points of a cluster or a table in the region: all that stand there, who made them by CloudTrail, and
//! whether the key of the one that would be taken can be used. Changes nothing. That the store still stands is no reason to
//! wait: the choice is made before anything is torn down.

use serde_json::{Value, json};

use super::clean_point::{CANDIDATES, Made, Point, Weighed, doubt, none, weigh};
use super::cluster_rows::can_be_asked;
use super::cluster_wanted::WANTED;
use super::recovery_point::CandidateState;
use super::table_source::{ChosenBackup, Found};
use super::{Blocked, Checked, Cx, Standing, clean_beside, cluster_source, table_found, table_source, vault_point};
use crate::aws::cloudtrail_makers::{Makers, makers};
use crate::aws::dynamodb::{self};
use crate::aws::kms::{self, Key};
use crate::aws::rds::{self, ClusterSnapshot};
use crate::aws::{AwsError, Session};
use crate::manifest::{CleanBefore, Cluster, Table};

/// What a cluster is restored from.
///
/// # Errors
/// It has no clean recovery point, or AWS could not be asked.
pub(super) async fn cluster(cx: &Cx, cluster: &Cluster, rule: &CleanBefore) -> Result<Checked, Blocked> {
    let session = &cx.world.aws;
    let mut all = rds::cluster_snapshots(session).await?;
    all.retain(|snapshot| snapshot.cluster.eq_ignore_ascii_case(&cluster.source));
    let makers = asked(session, &["CreateDBClusterSnapshot", "CopyDBClusterSnapshot", "StartBackupJob"]).await?;
    let mut points: Vec<Point> = all.iter().map(|snapshot| of_snapshot(snapshot, &all, &makers)).collect();
    let what = format!("cluster {}", cluster.source);
    let settled = settle(session, &mut points, rule, &what).await?;
    let snapshot = &all[settled.index];
    can_be_asked(cluster, Some(&snapshot.engine))?;
    let mut warnings = settled.warnings;
    warnings.extend(cluster_source::doubts(cluster, snapshot));
    let mut facts = cluster_source::facts(snapshot, &[]);
    facts["snapshot_kind"] = json!(snapshot.kind);
    facts[CANDIDATES] = json!(settled.weighed);
    let stands = match clean_beside::is_cluster(cluster) {
        true => clean_beside::cluster(session, cluster, &mut facts).await.map(|()| false)?,
        false => rds::cluster(session, &cluster.target).await?.is_some(),
    };
    let gone = cluster.adopt.is_none() && !stands && facts.get(WANTED).is_none();
    warnings.extend(gone.then(|| clean_beside::cluster_gone(cluster)));
    warnings.extend(stands.then(|| still_stands(&format!("cluster {}", cluster.target))));
    facts["warnings"] = json!(warnings);
    Ok(Checked { facts, standing: standing(stands) })
}

/// What a table is restored from.
///
/// # Errors
/// It has no clean recovery point, or AWS could not be asked.
pub(super) async fn table(cx: &Cx, table: &Table, rule: &CleanBefore) -> Result<Checked, Blocked> {
    let (session, manifest) = (&cx.world.aws, &cx.world.manifest);
    let mut found = Found { backups: dynamodb::backups(session, &table.source).await?, ..Found::default() };
    let mut warnings = Vec::new();
    if let Some(access) = &table.aws_backup {
        match table_found::points(session, table, access, manifest).await {
            Ok(points) => found.points = points,
            Err(error) if error.credentials_expired() => return Err(error.into()),
            Err(error) => warnings.push(format!("AWS Backup could not be asked for recovery points: {error}")),
        }
    }
    let makers = asked(session, &["CreateBackup", "StartBackupJob"]).await?;
    let (vaulted, own) = table_source::apart(&found);
    let in_vaults = vaulted.iter().map(|point| Point {
        candidate: vault_point::candidate(point),
        kind: format!("recovery point of AWS Backup in vault {}", point.vault),
        key: point.kms_key.clone(),
        key_fault: None,
        made: Made::of(&[&point.arn], &makers),
    });
    let backups = own.iter().map(|backup| Point {
        candidate: table_source::candidate(table, backup),
        kind: "on-demand backup".to_owned(),
        key: None,
        key_fault: None,
        made: Made::of(&[&backup.arn], &makers),
    });
    let mut points: Vec<Point> = in_vaults.chain(backups).collect();
    let settled = settle(session, &mut points, rule, &format!("table {}", table.source)).await.map_err(|blocked| {
        let unasked = warnings.iter().map(|warning| format!("; {warning}")).collect::<String>();
        Blocked { cause: blocked.cause + &unasked, ..blocked }
    })?;
    warnings.extend(settled.warnings);
    let vaulted = vaulted.get(settled.index).map(|point| (*point).clone());
    let chosen = ChosenBackup { arn: points[settled.index].candidate.arn.clone(), vaulted, warnings };
    // The key is judged although the table stands: it is restored once that is gone.
    let mut facts = table_found::settle(session, table, manifest, chosen, false).await?;
    facts[CANDIDATES] = json!(settled.weighed);
    let mut more = Vec::new();
    let stands = match clean_beside::is_table(table) {
        true => clean_beside::table(session, table, &mut facts).await.map(|()| false)?,
        false => dynamodb::table(session, &table.target).await?.is_some(),
    };
    let gone = table.adopt.is_none() && !stands && facts.get("settings").is_none();
    more.extend(gone.then(|| clean_beside::table_gone(table)));
    more.extend(stands.then(|| still_stands(&format!("table {}", table.target))));
    if let Some(warnings) = facts["warnings"].as_array_mut() {
        warnings.extend(more.into_iter().map(Value::from));
    }
    Ok(Checked { facts, standing: standing(stands) })
}

struct Settled {
    index: usize,
    weighed: Vec<Weighed>,
    warnings: Vec<String>,
}

/// The newest clean one whose key can be used; keys of others are not asked for.
async fn settle(session: &Session, points: &mut [Point], rule: &CleanBefore, what: &str) -> Result<Settled, Blocked> {
    loop {
        let (taken, _) = weigh(points, rule);
        let Some(index) = taken else { return Err(none(what, rule, &weigh(points, rule).1)) };
        let point = &mut points[index];
        if point.candidate.arn.split(':').nth(2) == Some("dynamodb") {
            match dynamodb::backup(session, &point.candidate.arn).await? {
                Some(detail) => point.key = detail.kms_key,
                None => {
                    point.candidate.state = CandidateState::Unusable("listed, but cannot be described".to_owned());
                    continue;
                }
            }
        }
        let mut warnings: Vec<String> = doubt(point).into_iter().collect();
        match key_fault(session, point.key.as_deref()).await? {
            KeyLook::Usable => {}
            KeyLook::Unknown(why) => warnings.push(why),
            KeyLook::Fault(fault) => {
                point.key_fault = Some(fault);
                continue;
            }
        }
        return Ok(Settled { index, weighed: weigh(points, rule).1, warnings });
    }
}

enum KeyLook {
    Usable,
    Unknown(String),
    Fault(String),
}

async fn key_fault(session: &Session, key: Option<&str>) -> Result<KeyLook, AwsError> {
    let Some(key) = key.filter(|key| key.starts_with("arn:")) else { return Ok(KeyLook::Usable) };
    Ok(match kms::key(session, key).await {
        Ok(Key::Usable) => KeyLook::Usable,
        Ok(Key::Unusable(state)) => KeyLook::Fault(format!("its key {key} is {state}")),
        Ok(Key::Missing) => KeyLook::Fault(format!("its key {key} does not exist")),
        Err(error) if error.is_any(&["AccessDeniedException", "AccessDenied"]) => {
            KeyLook::Unknown(format!("nobody knows whether key {key} can be used: {error}"))
        }
        Err(error) => return Err(error),
    })
}

/// The makers as far as CloudTrail tells them. Where it does not answer all are unknown, which is said of each.
async fn asked(session: &Session, events: &[&str]) -> Result<Makers, Blocked> {
    match makers(session, events).await {
        Ok(makers) => Ok(makers),
        Err(error) if error.credentials_expired() => Err(error.into()),
        Err(error) => Ok(Makers::unasked(format!("CloudTrail could not be asked: {error}"))),
    }
}

fn of_snapshot(snapshot: &ClusterSnapshot, all: &[ClusterSnapshot], makers: &Makers) -> Point {
    let made = match snapshot.kind.as_str() {
        "automated" => Made::Service("RDS: an automated snapshot".to_owned()),
        _ => Made::of(&origins(snapshot, all), makers),
    };
    let kind = if snapshot.kind.is_empty() { "snapshot" } else { &snapshot.kind }.to_owned();
    let candidate = cluster_source::candidate(snapshot);
    Point { candidate, kind, key: snapshot.kms_key.clone(), key_fault: None, made }
}

/// The ARNs and identifiers of a snapshot and of all that it is a copy of, as far as those still stand: what was copied is no
/// cleaner than its original.
fn origins<'a>(snapshot: &'a ClusterSnapshot, all: &'a [ClusterSnapshot]) -> Vec<&'a str> {
    let mut names = vec![snapshot.arn.as_str(), snapshot.id.as_str()];
    let mut copied = snapshot.copy_of.as_deref();
    while let Some(of) = copied.filter(|of| !names.contains(of)) {
        names.push(of);
        names.extend(of.split_once(":cluster-snapshot:").map(|(_, id)| id));
        copied = all.iter().find(|it| it.arn == of).and_then(|it| it.copy_of.as_deref());
    }
    names
}

fn still_stands(what: &str) -> String {
    format!("{what} stands now: the clean one is restored only once it is gone, and until then it is a conflict")
}

fn standing(stands: bool) -> Standing {
    if stands { Standing::Unknown } else { Standing::Absent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::cloudtrail_makers::Maker;

    fn snapshot(id: &str, copy_of: Option<&str>) -> ClusterSnapshot {
        let arn = |id: &str| format!("arn:aws:rds:r:1:cluster-snapshot:{id}");
        ClusterSnapshot {
            id: id.into(),
            arn: arn(id),
            kind: "manual".into(),
            copy_of: copy_of.map(arn),
            ..Default::default()
        }
    }

    #[test]
    fn a_copy_of_a_copy_counts_as_made_by_whoever_made_the_first() {
        let event = json!({ "eventName": "CreateDBClusterSnapshot", "userIdentity": { "userName": "mallory" },
            "requestParameters": { "dBClusterSnapshotIdentifier": "hers" } });
        let makers = Makers::of([&event]);
        let all = [snapshot("hers", None), snapshot("copy", Some("hers")), snapshot("copy2", Some("copy"))];
        let Made::By(by) = of_snapshot(&all[2], &all, &makers).made else { panic!("nobody") };
        assert_eq!(by, [Maker { who: "mallory".into(), names: vec!["mallory".into()], at: None }]);
        let round = [snapshot("a", Some("b")), snapshot("b", Some("a"))];
        assert!(matches!(of_snapshot(&round[0], &round, &makers).made, Made::Unknown(_)));
    }
}
