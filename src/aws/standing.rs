//! What stands in the region, of any service: whether a name is taken, and how many there are of something.

use super::dynamodb;
use super::s3::{BucketPlace, find_bucket};
use super::secrets::{SecretState, secret};
use super::{AwsError, Session, athena, explain, firehose, glue, iam, logs, rds};
use crate::guard::names::{Claim, Kind, Standing};
use crate::guard::quotas::{BUCKETS, RDS_CLUSTERS, RDS_INSTANCES, TABLES};

/// How a name stands. That it cannot be told is an answer too.
pub async fn standing(session: &Session, claim: &Claim) -> Standing {
    look(session, claim).await.unwrap_or_else(|error| Standing::Unknown(error.to_string()))
}

async fn look(session: &Session, Claim { kind, name, .. }: &Claim) -> Result<Standing, AwsError> {
    let there = |there: bool| if there { Standing::Taken("there already".into()) } else { Standing::Free };
    Ok(match kind {
        Kind::Bucket => return bucket(session, name).await,
        Kind::Table => there(dynamodb::has_table(session, name).await?),
        Kind::LogGroup => there(logs::has_log_group(session, name).await?),
        Kind::Secret => match secret(session, name).await? {
            SecretState::Missing => Standing::Free,
            SecretState::Present => there(true),
            SecretState::Deleting { until } => {
                Standing::Deleting(until.map_or_else(|| "its recovery window is over".into(), |it| it.to_string()))
            }
        },
        Kind::Cluster => there(rds::cluster(session, name).await?.is_some()),
        Kind::Instance => there(rds::instance(session, name).await?.is_some()),
        Kind::Database => there(glue::database(session, name).await?.is_some()),
        Kind::ClusterSnapshot => there(rds::has_cluster_snapshot(session, name).await?),
        Kind::InstanceSnapshot => there(rds::has_instance_snapshot(session, name).await?),
    })
}

/// A bucket's name is shared by all accounts; S3 refuses to show the buckets of others.
async fn bucket(session: &Session, name: &str) -> Result<Standing, AwsError> {
    match find_bucket(session, name).await {
        Ok(BucketPlace::Missing) => Ok(Standing::Free),
        Ok(BucketPlace::Here) => Ok(Standing::Taken("there already".into())),
        Ok(BucketPlace::Elsewhere(region)) => Ok(Standing::Taken(format!("in {region}"))),
        Err(error) if error.is("AccessDenied") => {
            Ok(Standing::Taken("there already: another account's, or not for you to see".into()))
        }
        Err(error) => Err(error),
    }
}

/// Whether a resource of Terraform's `kind` and `id` stands; `None` where that is not looked up for its kind. A secret that
/// is being deleted stands.
///
/// # Errors
/// AWS refused, or could not be asked.
pub async fn stands(session: &Session, kind: &str, id: &str) -> Result<Option<bool>, AwsError> {
    let last = |separator: char| id.rsplit(separator).next().unwrap_or(id);
    let named = |kind, name: &str| Claim { address: String::new(), kind, name: name.to_owned() };
    let claim = match kind {
        "aws_s3_bucket" => named(Kind::Bucket, id),
        "aws_dynamodb_table" => named(Kind::Table, id),
        "aws_cloudwatch_log_group" => named(Kind::LogGroup, id),
        "aws_secretsmanager_secret" => named(Kind::Secret, id),
        "aws_rds_cluster" => named(Kind::Cluster, id),
        "aws_rds_cluster_instance" | "aws_db_instance" => named(Kind::Instance, id),
        // `account:name`
        "aws_glue_catalog_database" => named(Kind::Database, last(':')),
        "aws_athena_workgroup" => return Ok(Some(athena::work_group(session, id).await?.is_some())),
        "aws_iam_role" => return Ok(Some(iam::role(session, id).await?.is_some())),
        "aws_iam_user" => return Ok(Some(iam::user_exists(session, id).await?)),
        "aws_kinesis_firehose_delivery_stream" => {
            return found(firehose::delivery(session, last('/')).await.map(drop), &["ResourceNotFoundException"]);
        }
        "aws_vpc" => {
            let asked = session.ec2().describe_vpcs().vpc_ids(id).send().await;
            return found(asked.map(drop).map_err(explain("ec2:DescribeVpcs")), &["InvalidVpcID.NotFound"]);
        }
        "aws_subnet" => {
            let asked = session.ec2().describe_subnets().subnet_ids(id).send().await;
            return found(asked.map(drop).map_err(explain("ec2:DescribeSubnets")), &["InvalidSubnetID.NotFound"]);
        }
        "aws_security_group" => {
            let asked = session.ec2().describe_security_groups().group_ids(id).send().await;
            let missing = ["InvalidGroup.NotFound", "InvalidGroupId.NotFound"];
            return found(asked.map(drop).map_err(explain("ec2:DescribeSecurityGroups")), &missing);
        }
        _ => return Ok(None),
    };
    Ok(Some(look(session, &claim).await? != Standing::Free))
}

fn found(asked: Result<(), AwsError>, missing: &[&str]) -> Result<Option<bool>, AwsError> {
    match asked {
        Ok(()) => Ok(Some(true)),
        Err(error) if error.is_any(missing) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

/// How many stand of what counts towards a quota; `None` where that is not counted.
///
/// # Errors
/// AWS refused, or a page could not be read: a part is never taken for all.
pub async fn count(session: &Session, quota: &str) -> Result<Option<u64>, AwsError> {
    let count = match quota {
        RDS_CLUSTERS => {
            let mut pages = session.rds().describe_db_clusters().into_paginator().items().send();
            let mut count = 0;
            while let Some(item) = pages.next().await {
                item.map_err(explain("rds:DescribeDBClusters"))?;
                count += 1;
            }
            count
        }
        RDS_INSTANCES => {
            let mut pages = session.rds().describe_db_instances().into_paginator().items().send();
            let mut count = 0;
            while let Some(item) = pages.next().await {
                item.map_err(explain("rds:DescribeDBInstances"))?;
                count += 1;
            }
            count
        }
        TABLES => {
            let mut pages = session.dynamodb().list_tables().into_paginator().items().send();
            let mut count = 0;
            while let Some(item) = pages.next().await {
                item.map_err(explain("dynamodb:ListTables"))?;
                count += 1;
            }
            count
        }
        BUCKETS => {
            let listed = session.s3().list_buckets().send().await.map_err(explain("s3:ListAllMyBuckets"))?;
            listed.buckets().len() as u64
        }
        _ => return Ok(None),
    };
    Ok(Some(count))
}
