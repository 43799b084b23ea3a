//! Amazon RDS, as far as Aurora clusters need it: snapshots, clusters, instances. Thin calls, no decisions.
//!
//! What is read comes back as plain data with names that do not depend on the SDK. An attribute that RDS did not tell is
//! `None`, which is not the same as "off". Nothing here deletes anything.

mod clusters;
mod globals;
mod instances;
mod master;
mod snapshots;

use std::collections::BTreeMap;

use aws_sdk_rds::types::Tag;

pub use clusters::{
    ClusterChange, ClusterState, Member, RestoreRequest, RestoreSource, Scaling, add_cluster_tags, cluster,
    modify_cluster, recovery_window, restore_cluster,
};
pub use globals::{GlobalCluster, GlobalMember, Moving, fail_over_global, global_cluster};
pub use instances::{InstanceRequest, InstanceState, create_instance, instance, protect_instance};
pub use master::{Master, master, set_master_password};
pub use snapshots::{
    ClusterSnapshot, SnapshotCopy, cluster_answers, cluster_snapshot, cluster_snapshots, copy_cluster_snapshot,
    create_cluster_snapshot, has_cluster_snapshot, has_instance_snapshot,
};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    let tags: Vec<Tag> = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    (!tags.is_empty()).then_some(tags)
}

fn from_tags(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect()
}
