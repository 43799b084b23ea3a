//! The manifest, `lifeboat.hcl`: what a service consists of, where it recovers to, and what proves that it did.
//!
//! `load` finds and reads the file. `reader` and `values` are what it is read with; `service`, `stores`, `check`,
//! `cutover`, `guards` and `rebuild` read its blocks; `names` and `routing` are the rules of AWS; `cross` judges what refers to something else.
//! All that is wrong is found at once and shown with its place. `model` is what the rest of lifeboat works with.

mod athena;
mod aws_backup;
mod batch;
mod catalog;
mod check;
mod clean;
mod cluster;
mod containment;
mod cross;
mod cutover;
mod duration;
mod evidence;
mod guards;
mod in_primary;
mod load;
mod model;
mod names;
mod reader;
mod rebuild;
mod rotation;
mod routing;
mod rows;
mod service;
mod sides;
mod stores;
mod values;

pub use crate::document::{Invalid, Problem};
pub use aws_backup::AwsBackup;
pub use batch::{BATCH_ABOVE, Batch, CopyEngine};
pub use catalog::{Athena, AthenaCheck, Catalog, CatalogSource, ExportVersion};
pub use check::MARK;
pub use clean::CleanBefore;
pub use containment::{ContainmentRule, identity_fault, instance_fault, ip_set_fault, network_acl_fault, vpc_fault};
pub use duration::parse as read_duration;
pub use evidence::EvidenceRule;
pub use load::{FILE, environments, load, load_file};
pub use model::*;
pub use names::{bucket_name_fault, cluster_name_fault, database_name_fault};
pub use rebuild::{CommitRule, LingeringSecrets, Rebuild};
pub use rotation::RotationRule;
pub use rows::{host_and_port, is_question, read_row_check};
