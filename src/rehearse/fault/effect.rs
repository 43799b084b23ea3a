//! Which requests are a step's own effects. Pure.
//!
//! Steps that run side by side are told apart by who asks (Terraform or lifeboat), the service, and the resource where
//! the request shows it.

use crate::containment::{Containment, Release};
use crate::evidence::Evidence;
use crate::manifest::Manifest;
use crate::rehearse::proxy::Call;
use crate::rotation::Rotation;
use crate::runbook::{Action, StepSpec};

/// Beginnings of the names of operations that change nothing.
const READS: [&str; 11] =
    ["BatchGet", "Check", "Describe", "GET ", "Get", "HEAD ", "Head", "List", "Query", "Scan", "Select"];
/// Beginnings of the names of operations that say what shall be, or shall not: saying it again changes nothing.
const SETTINGS: [&str; 8] = ["Attach", "Delete", "Detach", "Modify", "Put", "Set", "Tag", "Update"];

/// Whether a request may change something.
pub fn changes(service: &str, operation: &str) -> bool {
    let reads = READS.iter().any(|verb| operation.starts_with(verb));
    // STS hands out credentials, it changes nothing.
    !reads && service != "sts" && service != "-"
}

/// The requests that are a step's effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    agent: &'static str,
    service: Option<&'static str>,
    /// Only requests about this one.
    resource: Option<String>,
    /// Bucket of Terraform's state, which every plan writes its lock to.
    state: Option<String>,
}

/// The effects of a step; `None` for a step that changes nothing outside lifeboat's own folder.
pub fn effect_of(step: &StepSpec, manifest: &Manifest) -> Option<Effects> {
    let state = manifest.recovery.backend.bucket.clone();
    let lifeboat = |service, resource: Option<&String>| {
        Some(Effects { agent: "lifeboat", service: Some(service), resource: resource.cloned(), state: None })
    };
    match &step.action {
        Action::TerraformPrepare => {
            Some(Effects { agent: "terraform", service: Some("s3"), resource: Some(state), state: None })
        }
        Action::TerraformApply { .. } => {
            Some(Effects { agent: "terraform", service: None, resource: None, state: Some(state) })
        }
        Action::PreservePoint { .. } | Action::RestoreCluster { .. } => lifeboat("rds", None),
        // AWS Backup begins it, and DynamoDB takes the rest.
        Action::RestoreTable { table } if table.aws_backup.is_some() => {
            Some(Effects { agent: "lifeboat", service: None, resource: Some(table.target.clone()), state: None })
        }
        Action::RestoreTable { table } => lifeboat("dynamodb", Some(&table.target)),
        Action::RestoreBucket { bucket } => lifeboat("s3", Some(&bucket.target)),
        Action::RollBackBucket { rollback } => lifeboat("s3", Some(&rollback.bucket)),
        Action::RestoreCatalog { .. } => lifeboat("glue", None),
        Action::Cutover { .. } => lifeboat("route53", None),
        Action::Contain { what } => match what {
            Containment::User(user) => lifeboat("iam", Some(&user.name)),
            Containment::Role(role) => lifeboat("iam", Some(&role.name)),
            Containment::Addresses(_) | Containment::Instance(_) => lifeboat("ec2", None),
            Containment::IpSet(_) => lifeboat("wafv2", None),
            Containment::Bucket(bucket) => lifeboat("s3", Some(&bucket.name)),
        },
        Action::Release { what } => match what {
            Release::User { user, .. } => lifeboat("iam", Some(&user.name)),
            Release::Role { role, .. } => lifeboat("iam", Some(&role.name)),
            Release::Addresses { .. } | Release::Instance { .. } => lifeboat("ec2", None),
            Release::IpSet { .. } => lifeboat("wafv2", None),
            Release::Bucket { bucket, .. } => lifeboat("s3", Some(&bucket.name)),
        },
        Action::Rotate { what: Rotation::Secret { .. } } => lifeboat("secretsmanager", None),
        Action::Rotate { what: Rotation::Master(_) } => lifeboat("rds", None),
        Action::Rotate { what: Rotation::Keys(keys) } => lifeboat("iam", Some(&keys.user)),
        Action::Evidence { evidence } => match &evidence.what {
            Evidence::Cluster(_) => lifeboat("rds", None),
            Evidence::Table(table) => lifeboat("dynamodb", Some(table)),
            Evidence::Logs { .. } => lifeboat("logs", None),
            Evidence::Verify => None,
            _ => lifeboat("s3", Some(&evidence.place.bucket)),
        },
        Action::EmptyBucket { bucket } => lifeboat("s3", Some(bucket)),
        Action::DeleteWorkGroup { .. } => lifeboat("athena", None),
        Action::TeardownDestroy => {
            Some(Effects { agent: "terraform", service: None, resource: None, state: Some(state) })
        }
        Action::TeardownNames { .. } => lifeboat("secretsmanager", None),
        Action::TerraformPlan { .. }
        | Action::TerraformDeclare
        | Action::TerraformSettled
        | Action::TeardownPlan
        | Action::TeardownProof
        | Action::VerifyCluster { .. }
        | Action::VerifyTable { .. }
        | Action::VerifyBucket { .. }
        | Action::VerifyCatalog { .. }
        | Action::VerifyRollback { .. }
        | Action::Probe { .. } => None,
    }
}

impl Effects {
    pub fn include(&self, call: &Call, agent: &str) -> bool {
        let is = |wanted: &Option<String>| wanted.as_ref().is_some_and(|name| call.resource.as_ref() == Some(name));
        agent == self.agent
            && self.service.is_none_or(|service| service == call.service)
            && (self.resource.is_none() || is(&self.resource))
            && !(call.service == "s3" && is(&self.state))
            && changes(&call.service, &call.operation)
    }

    /// Whether the reply to such a request can be lost without a trace that nobody but its sender could clear up.
    /// lifeboat looks for what it may have made. Terraform's provider sends a creation again: one without a name or a
    /// token (`ec2:CreateVpc`) is then made twice, and one with a name (`logs:CreateLogGroup`) is refused, and stands
    /// outside its state.
    pub fn repeatable(call: &Call, agent: &str) -> bool {
        agent != "terraform" || SETTINGS.iter().any(|verb| call.operation.starts_with(verb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &str, operation: &str, resource: Option<&str>) -> Call {
        Call {
            service: service.into(),
            operation: operation.into(),
            region: "us-east-1".into(),
            resource: resource.map(str::to_owned),
        }
    }

    #[test]
    fn reads_are_no_effects() {
        for (service, operation) in [("rds", "DescribeDBClusters"), ("s3", "HeadObject"), ("dynamodb", "BatchGetItem")]
        {
            assert!(!changes(service, operation), "{operation}");
        }
        for (service, operation) in [("rds", "RestoreDBClusterFromSnapshot"), ("lambda", "POST /functions")] {
            assert!(changes(service, operation), "{operation}");
        }
        assert!(!changes("sts", "AssumeRole"));
    }

    #[test]
    fn two_that_are_shut_out_at_once_are_told_apart() {
        let environments = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = crate::manifest::load(&environments, "prod").expect("the example");
        let runbook = crate::rehearse::breach::foreseen(&manifest).expect("a rebuild is prepared");
        let of = |id: &str| runbook.step(&id.into()).and_then(|step| effect_of(step, &manifest)).expect("a step");
        let (user, role) = (of("contain.user.streaming-logs-deploy"), of("contain.role.streaming-logs-ci"));
        let of_user = call("iam", "AttachUserPolicy", Some("streaming-logs-deploy"));
        let of_role = call("iam", "PutRolePolicy", Some("streaming-logs-ci"));
        assert!(user.include(&of_user, "lifeboat") && role.include(&of_role, "lifeboat"));
        assert!(!user.include(&of_role, "lifeboat") && !role.include(&of_user, "lifeboat"));
    }

    #[test]
    fn terraforms_locks_are_no_effects_of_its_apply() {
        let apply = Effects { agent: "terraform", service: None, resource: None, state: Some("state".into()) };
        assert!(apply.include(&call("ec2", "CreateVpc", None), "terraform"));
        assert!(apply.include(&call("s3", "CreateBucket", Some("logs")), "terraform"));
        assert!(!apply.include(&call("s3", "PutObject", Some("state")), "terraform"));
        assert!(!apply.include(&call("dynamodb", "RestoreTableFromBackup", Some("t")), "lifeboat"));
        assert!(!Effects::repeatable(&call("ec2", "CreateVpc", None), "terraform"));
        assert!(Effects::repeatable(&call("monitoring", "PutDashboard", None), "terraform"));
        assert!(Effects::repeatable(&call("ec2", "DeleteVpc", None), "terraform"));
        assert!(Effects::repeatable(&call("rds", "CreateDBInstance", None), "lifeboat"));
    }
}
