//! CloudWatch's alarms, as far as they watch tables. Thin calls, no decisions.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{AlarmType, Dimension, Metric, MetricAlarm};

use super::{AwsError, Session, explain};

/// The namespace of DynamoDB's metrics, and their dimension that names the table (DynamoDB Developer Guide: "DynamoDB metrics
/// and dimensions").
const NAMESPACE: &str = "AWS/DynamoDB";
const TABLE: &str = "TableName";
/// Alarms that Application Auto Scaling makes and removes with its own policies (Application Auto Scaling User Guide: "How
/// target tracking scaling works").
const SCALING: &str = "TargetTracking-";

/// An alarm that watches a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableAlarm {
    pub name: String,
    pub table: String,
    /// What it watches, whichever table it is of.
    pub watches: Watched,
}

/// A metric of a table: `ConsumedReadCapacityUnits`, with its dimensions beside the table's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    pub metric: String,
    pub dimensions: BTreeMap<String, String>,
}

/// The region's alarms of these tables, without those of the autoscaling. An alarm on an expression counts once for every metric
/// of a table in it (CloudWatch API: "DescribeAlarms").
///
/// # Errors
/// AWS refused.
pub async fn of_tables(session: &Session, tables: &[&str]) -> Result<Vec<TableAlarm>, AwsError> {
    let pages = session.cloudwatch().describe_alarms().alarm_types(AlarmType::MetricAlarm).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(explain("cloudwatch:DescribeAlarms"))?;
    let alarms = pages.iter().flat_map(|page| page.metric_alarms());
    Ok(alarms.flat_map(watching).filter(|alarm| tables.contains(&alarm.table.as_str())).collect())
}

fn watching(alarm: &MetricAlarm) -> Vec<TableAlarm> {
    let name = alarm.alarm_name().unwrap_or_default();
    if name.starts_with(SCALING) {
        return Vec::new();
    }
    let own = of_table(name, alarm.namespace(), alarm.metric_name(), alarm.dimensions());
    let queried = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric());
    let queried = queried.filter_map(|it: &Metric| of_table(name, it.namespace(), it.metric_name(), it.dimensions()));
    own.into_iter().chain(queried).collect()
}

fn of_table(name: &str, namespace: Option<&str>, metric: Option<&str>, dimensions: &[Dimension]) -> Option<TableAlarm> {
    let dimensions = dimensions.iter().filter_map(|it| Some((it.name()?.to_owned(), it.value()?.to_owned())));
    let mut dimensions: BTreeMap<String, String> = dimensions.collect();
    let table = dimensions.remove(TABLE).filter(|_| namespace == Some(NAMESPACE))?;
    Some(TableAlarm { name: name.to_owned(), table, watches: Watched { metric: metric?.to_owned(), dimensions } })
}
