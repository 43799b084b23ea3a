//! `quotas`: whether what a plan makes fits into the account's quotas in the recovery region. Pure: what a plan needs, and
//! what is wrong with it beside what was asked. A quota that is not known is said, and stands in nobody's way.

use super::{QUOTAS, Violation};
use crate::terraform::plan::Plan;

/// A quota by the codes of Service Quotas (AWS General Reference: "Service endpoints and quotas", page of the service).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota {
    /// The resources that count towards it.
    pub kinds: &'static [&'static str],
    pub service: &'static str,
    pub code: &'static str,
    /// As the service's page calls it.
    pub name: &'static str,
}

/// The quotas that recoveries run into.
pub const TABLE: &[Quota] = &[
    Quota { kinds: &["aws_vpc"], service: "vpc", code: "L-F678F1CE", name: "VPCs per Region" },
    Quota {
        kinds: &["aws_internet_gateway"],
        service: "vpc",
        code: "L-A4707A72",
        name: "Internet gateways per Region",
    },
    Quota {
        kinds: &["aws_security_group"],
        service: "vpc",
        code: "L-E79EC296",
        name: "VPC security groups per Region",
    },
    Quota { kinds: &["aws_eip"], service: "ec2", code: "L-0263D0A3", name: "EC2-VPC Elastic IPs" },
    Quota { kinds: &["aws_rds_cluster"], service: "rds", code: RDS_CLUSTERS, name: "DB clusters" },
    Quota {
        kinds: &["aws_rds_cluster_instance", "aws_db_instance"],
        service: "rds",
        code: RDS_INSTANCES,
        name: "DB instances",
    },
    Quota { kinds: &["aws_dynamodb_table"], service: "dynamodb", code: TABLES, name: "Maximum number of tables" },
    Quota { kinds: &["aws_s3_bucket"], service: "s3", code: BUCKETS, name: "General purpose buckets" },
];

/// The quotas of which what stands is counted as well.
pub const RDS_CLUSTERS: &str = "L-952B80B8";
pub const RDS_INSTANCES: &str = "L-7B6409FD";
pub const TABLES: &str = "L-F98FE922";
pub const BUCKETS: &str = "L-DC2B2D3D";

/// What a plan needs of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub quota: Quota,
    /// How many the plan makes; what it replaces was there.
    pub made: u64,
}

/// What was asked about a need; why it is not known, where it is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub need: Need,
    pub limit: Result<f64, String>,
    /// How many stand; `Err` also where that is not counted.
    pub standing: Result<u64, String>,
}

/// What a plan needs. Adopted resources are made as well, though not by Terraform.
pub fn needs(plan: &Plan) -> Vec<Need> {
    let made = |kinds: &[&str]| {
        let new = plan.changes().filter(|it| it.creates() && !it.is_replaced() && it.importing.is_none());
        new.filter(|it| kinds.contains(&it.kind.as_str())).count() as u64
    };
    let needs = TABLE.iter().map(|quota| Need { quota: *quota, made: made(quota.kinds) });
    needs.filter(|need| need.made > 0).collect()
}

/// What does not fit, and warnings of what is not known.
pub fn judge(asked: &[Asked]) -> (Vec<Violation>, Vec<String>) {
    let (mut violations, mut warnings) = (Vec::new(), Vec::new());
    for Asked { need: Need { quota, made }, limit, standing } in asked {
        let Quota { name, code, .. } = quota;
        let limit = match limit {
            Ok(limit) => *limit,
            Err(why) => {
                warnings.push(format!("whether {made} more fit into the quota {name} ({code}) is not known: {why}"));
                continue;
            }
        };
        let stand = *standing.as_ref().unwrap_or(&0);
        #[expect(clippy::cast_precision_loss, reason = "a count of resources")]
        let needed = (stand + made) as f64;
        if needed > limit {
            let beside = if stand > 0 { format!(" beside {stand} that stand") } else { String::new() };
            let what = format!("{made} more{beside} do not fit into the quota {name} ({code}), which is {limit}");
            violations.push(
                Violation::new(QUOTAS, "", what)
                    .hint(format!("have {name} raised with Service Quotas in the recovery region")),
            );
        } else if let Err(why) = standing {
            warnings.push(format!(
                "{made} more fit into the quota {name} ({code}), which is {limit}, if few enough stand: {why}"
            ));
        }
    }
    (violations, warnings)
}
