//! `names`: whether what a plan makes has a name that is still free. Pure: which names a plan claims, and what is wrong
//! with what was seen of them. A name that could not be looked up is never taken for free.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{NAMES, Violation};
use crate::runbook::NotChecked;
use crate::terraform::graph::configured;
use crate::terraform::plan::{Action, Plan, ResourceChange};

/// What a name is of: each kind is looked up in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Bucket names are shared by all accounts and regions of a partition.
    Bucket,
    Table,
    LogGroup,
    Secret,
    Cluster,
    Instance,
    Database,
    ClusterSnapshot,
    InstanceSnapshot,
}

/// Types that are looked up, and the attribute that is the name.
const LOOKED_UP: &[(&str, &str, Kind)] = &[
    ("aws_s3_bucket", "bucket", Kind::Bucket),
    ("aws_dynamodb_table", "name", Kind::Table),
    ("aws_cloudwatch_log_group", "name", Kind::LogGroup),
    ("aws_secretsmanager_secret", "name", Kind::Secret),
    ("aws_rds_cluster", "cluster_identifier", Kind::Cluster),
    ("aws_rds_cluster_instance", "identifier", Kind::Instance),
    ("aws_db_instance", "identifier", Kind::Instance),
    ("aws_glue_catalog_database", "name", Kind::Database),
];

/// Types that leave a snapshot when they are destroyed.
const SNAPSHOTS: &[(&str, Kind)] =
    &[("aws_rds_cluster", Kind::ClusterSnapshot), ("aws_db_instance", Kind::InstanceSnapshot)];

/// A name that a plan needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub address: String,
    pub kind: Kind,
    pub name: String,
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Free,
    /// It is there, in these words: "there already", "in eu-west-2".
    Taken(String),
    /// It is deleted and its name still kept, until then.
    Deleting(String),
    /// Nobody could say, and why.
    Unknown(String),
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Table => "table",
            Self::LogGroup => "log group",
            Self::Secret => "secret",
            Self::Cluster => "DB cluster",
            Self::Instance => "DB instance",
            Self::Database => "Glue database",
            Self::ClusterSnapshot => "DB cluster snapshot",
            Self::InstanceSnapshot => "DB snapshot",
        }
    }
}

/// The names that a plan needs, and what of it is not looked up. What is restored and adopted is not made by Terraform:
/// its restore looks for itself.
pub fn claims(plan: &Plan, adopted: &BTreeSet<String>) -> (Vec<Claim>, Vec<NotChecked>) {
    let adopted: BTreeSet<String> = adopted.iter().map(|it| configured(it)).collect();
    let (mut claims, mut not_checked, mut others) = (Vec::new(), Vec::new(), BTreeMap::<&str, usize>::new());
    for change in plan.changes() {
        if let Some(claim) = final_snapshot(change) {
            claims.push(claim);
        }
        // A replaced one has its own name.
        let made = change.creates() && !change.is_replaced() && change.importing.is_none();
        if !made || adopted.contains(&configured(&change.address)) {
            continue;
        }
        let Some((_, attribute, kind)) = LOOKED_UP.iter().find(|(of, ..)| *of == change.kind) else {
            if change.values.get("name").is_some_and(Value::is_string) {
                *others.entry(&change.kind).or_default() += 1;
            }
            continue;
        };
        match change.values.get(attribute).and_then(Value::as_str) {
            Some(name) => claims.push(Claim { address: change.address.clone(), kind: *kind, name: name.to_owned() }),
            // Without a name, or with a prefix, the provider makes up one that is free.
            None if !change.unknown.iter().any(|it| it == attribute) || is_made_up(change, attribute) => {}
            None => not_checked.push(NotChecked {
                what: format!("guard {NAMES}: {}", change.address),
                why: "its name is known only after the apply".into(),
            }),
        }
    }
    if !others.is_empty() {
        let types: Vec<String> = others.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        not_checked.push(NotChecked {
            what: format!("guard {NAMES}: {}", types.join(", ")),
            why: "whether such names are free is not looked up".into(),
        });
    }
    (claims, not_checked)
}

/// A name that the provider computes is unknown in a plan, as is one that another resource will tell. Only the former is
/// asked for by a prefix or by nothing at all; of the two that can be told apart, only a prefix can.
fn is_made_up(change: &ResourceChange, attribute: &str) -> bool {
    change.values.get(&format!("{attribute}_prefix")).is_some_and(Value::is_string)
}

fn final_snapshot(change: &ResourceChange) -> Option<Claim> {
    let (_, kind) = SNAPSHOTS.iter().find(|(of, _)| *of == change.kind)?;
    let before = |name: &str| change.gone.get(name);
    if !change.does(Action::Delete) || before("skip_final_snapshot").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let name = before("final_snapshot_identifier")?.as_str()?;
    Some(Claim { address: change.address.clone(), kind: *kind, name: name.to_owned() })
}

/// What is wrong with the names.
pub fn judge(seen: &[(Claim, Standing)]) -> Vec<Violation> {
    let of = |(claim, standing): &(Claim, Standing)| {
        let (noun, name) = (claim.kind.noun(), &claim.name);
        let violation = |what: String| Violation::new(NAMES, &claim.address, what);
        match standing {
            Standing::Free => None,
            Standing::Taken(how) => Some(violation(format!("needs the name {name}, and a {noun} of it is {how}")).hint(
                "rename or remove what stands; if it is this stack's own, let it through and give it to Terraform with \
                 lifeboat resume --import",
            )),
            Standing::Deleting(until) => Some(
                violation(format!("needs the name {name}, and a {noun} of it is scheduled for deletion until {until}"))
                    .hint("restore it, or delete it without a recovery window, so that its name is free"),
            ),
            Standing::Unknown(why) => Some(
                violation(format!("needs the name {name}, and whether a {noun} of it stands cannot be told: {why}"))
                    .hint("allow the look-up for the role that runs lifeboat"),
            ),
        }
    };
    seen.iter().filter_map(of).collect()
}
