//! What stands in the region, of any service: whether a name is taken, and how many there are of something.

use super::dynamodb;
use super::s3::{BucketPlace, find_bucket};
use super::secrets::{SecretState, secret};
use super::{AwsError, Session, explain, glue, logs, rds};
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
