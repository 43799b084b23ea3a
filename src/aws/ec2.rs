//! Amazon EC2: what shuts addresses and instances out, and how security groups and network ACLs are set, as AWS tells it.

mod acls;
mod evidence;
mod groups;
mod instances;

pub use acls::{NetworkAcl, create_entry, delete_entry, network_acl, network_acls_of};
pub use evidence::{Page, network_acls, security_groups};
pub use groups::{Group, create_group, delete_group, find_group, interfaces_with, revoke_rules};
pub use instances::{Instance, NetworkInterface, instance, interfaces, interfaces_of, set_groups};

use aws_sdk_ec2::types::Filter;

use super::AwsError;

/// `None` where the answer is that there is no such thing.
fn unless_missing<T>(answer: Result<T, AwsError>, missing: &[&str]) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_any(missing) => Ok(None),
        Err(error) => Err(error),
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}
