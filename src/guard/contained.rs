//! What is contained and what Terraform would set back: a rebuild that contains something which stays, and whose containment
//! the root declares otherwise, would undo it by the way, or be held by a plan that nobody has approved. No manifest lets that
//! through.

use std::collections::BTreeMap;

use crate::containment::{AclPlace, Containment};
use crate::terraform::Doomed;
use crate::terraform::guard::Violation;
use crate::terraform::plan::{Action, Plan, ResourceChange};

/// What of `contained` the root would set back with `plan`, which is made as if what is `gone` were destroyed already. What
/// goes with the stack is contained until then, and is none of it.
pub fn set_back(plan: &Plan, gone: &BTreeMap<String, Doomed>, contained: &[&Containment]) -> Vec<Violation> {
    let managed = plan.resources.iter().filter(|it| it.managed);
    let found = managed.filter_map(|change| {
        let what = contained.iter().find_map(|it| by(change, gone, it))?;
        let why = format!(
            "declares {what}, which stays and is contained: the apply would set that back; leave it out of the containment block, \
             and contain it once the rebuild is done"
        );
        Some(Violation { address: change.address.clone(), why })
    });
    found.collect()
}

/// What a resource declares of something that is contained.
fn by(change: &ResourceChange, gone: &BTreeMap<String, Doomed>, contained: &Containment) -> Option<String> {
    let is = |name: &str, value: &str| change.values.get(name).and_then(|it| it.as_str()) == Some(value);
    let stays = !change.does(Action::Create);
    match (contained, change.kind.as_str()) {
        (Containment::Bucket(bucket), "aws_s3_bucket_policy" | "aws_s3_bucket_public_access_block") => {
            let goes = gone.values().any(|it| it.kind == "aws_s3_bucket" && it.id == bucket.name);
            (is("bucket", &bucket.name) && !goes).then(|| format!("how bucket {} is closed", bucket.name))
        }
        (Containment::Addresses(block), "aws_network_acl" | "aws_default_network_acl") => {
            let named = match &block.place {
                AclPlace::NetworkAcl(id) => is("id", id),
                AclPlace::Vpc(id) => is("vpc_id", id),
            };
            (named && stays).then(|| format!("the entries of {}", block.place))
        }
        (Containment::IpSet(block), "aws_wafv2_ip_set") => {
            (is("id", &block.set.id) && stays).then(|| format!("the addresses in IP set {}", block.set.name))
        }
        (Containment::Instance(instance), "aws_instance") => {
            (is("id", &instance.id) && stays).then(|| format!("the security groups of instance {}", instance.id))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{change, plan};
    use super::*;
    use crate::containment::{AddressBlock, SpareBucket, SpareInstance};

    #[test]
    fn what_stays_and_is_declared_is_not_contained_and_what_goes_may_be() {
        let bucket = Containment::Bucket(SpareBucket {
            name: "logs".into(),
            investigators: Vec::new(),
            break_glass: Vec::new(),
        });
        let instance = Containment::Instance(SpareInstance { id: "i-1".into(), break_glass: Vec::new() });
        let place = AclPlace::Vpc("vpc-1".into());
        let addresses = Containment::Addresses(AddressBlock {
            cidrs: Vec::new(),
            place,
            elsewhere: Vec::new(),
            break_glass: Vec::new(),
        });
        let plan = plan(&[
            change("aws_s3_bucket_policy.logs", "aws_s3_bucket_policy", &["create"], json!({"bucket": "logs"})),
            change("aws_s3_bucket_policy.other", "aws_s3_bucket_policy", &["no-op"], json!({"bucket": "other"})),
            change("aws_instance.web", "aws_instance", &["no-op"], json!({"id": "i-1"})),
            change("aws_network_acl.kept", "aws_network_acl", &["no-op"], json!({"vpc_id": "vpc-1"})),
            change("aws_network_acl.new", "aws_network_acl", &["create"], json!({"vpc_id": "vpc-1"})),
        ]);
        let all = [&bucket, &instance, &addresses];
        let found = set_back(&plan, &BTreeMap::new(), &all);
        let addresses: Vec<&str> = found.iter().map(|it| it.address.as_str()).collect();
        assert_eq!(addresses, ["aws_s3_bucket_policy.logs", "aws_instance.web", "aws_network_acl.kept"]);
        assert!(found[0].why.contains("how bucket logs is closed, which stays and is contained"), "{found:?}");
        let doomed = Doomed { kind: "aws_s3_bucket".into(), id: "logs".into(), ..Doomed::default() };
        let gone = [("aws_s3_bucket.logs".to_owned(), doomed)].into();
        assert_eq!(set_back(&plan, &gone, &[&bucket]), [], "it goes with the stack");
    }
}
