//! What belongs to a table and is kept beside it: its resource policy, and what scales its capacity. A restore brings neither
//! (DynamoDB Developer Guide: "Restoring a DynamoDB table from a backup").

use serde::{Deserialize, Serialize};

use crate::aws::alarms;
use crate::aws::autoscaling::{self, ScaledCapacity};
use crate::aws::dynamodb::{self, TableState};
use crate::aws::{AwsError, Session};

/// Of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attached {
    /// The policy's text.
    pub policy: Option<String>,
    pub scaled: Vec<ScaledCapacity>,
}

/// What could be read of it, and what not, in words.
pub struct Read {
    pub attached: Attached,
    pub doubts: Vec<String>,
}

impl Attached {
    /// Of a table that stands. What the caller may not read is a doubt, not an error: the data come first.
    ///
    /// # Errors
    /// AWS could not be asked.
    pub async fn of(session: &Session, table: &str, state: &TableState) -> Result<Read, AwsError> {
        let mut doubts = Vec::new();
        let mut may = |error: AwsError, what: &str| match error.is_any(&["AccessDeniedException", "AccessDenied"]) {
            true => {
                doubts.push(format!("{what} of table {table} is not read, and will not be there: {error}"));
                Ok(())
            }
            false => Err(error),
        };
        let policy = match dynamodb::resource_policy(session, &state.arn).await {
            Ok(policy) => policy,
            Err(error) => may(error, "the resource policy").map(|()| None)?,
        };
        let scaled = match autoscaling::scaled(session, &resources(table, state)).await {
            Ok(scaled) => scaled,
            Err(error) => may(error, "the autoscaling").map(|()| Vec::new())?,
        };
        let others = scaled.iter().flat_map(|it| it.other_policies.iter());
        doubts.extend(
            others.map(|name| {
                format!("scaling policy {name} of table {table} tracks no predefined metric: it is not set")
            }),
        );
        Ok(Read { attached: Self { policy, scaled }, doubts })
    }

    /// The same of its copy: what names the table names the other one.
    #[must_use]
    pub fn of_copy(&self, (from, from_arn): (&str, &str), (to, to_arn): (&str, &str)) -> Self {
        let own =
            |resource: &str| resource == format!("table/{from}") || resource.starts_with(&format!("table/{from}/"));
        let renamed = |resource: &str| format!("table/{to}{}", &resource["table/".len() + from.len()..]);
        let scaled = self.scaled.iter().filter(|it| own(&it.resource)).map(|it| ScaledCapacity {
            resource: renamed(&it.resource),
            other_policies: Vec::new(),
            ..it.clone()
        });
        let policy = self.policy.as_ref().map(|policy| with_arn(policy, from_arn, to_arn));
        Self { policy, scaled: scaled.collect() }
    }

    /// What another has not of it, in words.
    pub fn differences(&self, actual: &Self) -> Vec<String> {
        let mut said = Vec::new();
        if self.policy.is_some() && !same_policy(self.policy.as_deref(), actual.policy.as_deref()) {
            said.push("its resource policy is another".to_owned());
        }
        for wanted in self.missing(actual) {
            said.push(format!("{} of {} is not scaled as it was", wanted.dimension, wanted.resource));
        }
        said
    }

    fn missing<'a>(&'a self, actual: &Self) -> impl Iterator<Item = &'a ScaledCapacity> {
        let has = |wanted: &ScaledCapacity| {
            actual.scaled.iter().any(|it| {
                let capacity =
                    |it: &ScaledCapacity| (it.resource.clone(), it.dimension.clone(), it.min, it.max, it.suspended);
                capacity(it) == capacity(wanted)
                    && wanted.policies.iter().all(|policy| it.policies.contains(policy))
                    && wanted.schedules.iter().all(|schedule| it.schedules.contains(schedule))
            })
        };
        let missing: Vec<&ScaledCapacity> = self.scaled.iter().filter(|wanted| !has(wanted)).collect();
        missing.into_iter()
    }

    /// Puts what is missing.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn put(&self, session: &Session, arn: &str, actual: &Self) -> Result<(), AwsError> {
        if let Some(policy) = &self.policy
            && !same_policy(Some(policy), actual.policy.as_deref())
        {
            dynamodb::put_resource_policy(session, arn, policy).await?;
        }
        for wanted in self.missing(actual) {
            autoscaling::scale(session, wanted).await?;
        }
        Ok(())
    }
}

/// What watches a table and nothing of the kind watches its copy, in words. No alarm is made: its name is a Terraform root's, and
/// whom it calls is not to be called by a copy unasked. That they cannot be read never holds the data up.
pub async fn unwatched(session: &Session, table: &str, copy: &str) -> Vec<String> {
    let alarms = match alarms::of_tables(session, &[table, copy]).await {
        Ok(alarms) => alarms,
        Err(error) => return vec![format!("whether alarms watch table {table} is not known: {error}")],
    };
    let (copies, own): (Vec<_>, Vec<_>) = alarms.into_iter().partition(|alarm| alarm.table == copy);
    let missing = own.iter().filter(|it| !copies.iter().any(|copy| copy.watches == it.watches));
    let mut said: Vec<String> = missing
        .map(|it| {
            let (name, metric) = (&it.name, &it.watches.metric);
            format!("alarm {name} watches {metric} of table {table}, and none watches that of table {copy}")
        })
        .collect();
    said.dedup();
    said
}

/// The table and its indexes, as Application Auto Scaling names them.
fn resources(table: &str, state: &TableState) -> Vec<String> {
    let indexes = state.indexes.keys().map(|index| format!("table/{table}/index/{index}"));
    std::iter::once(format!("table/{table}")).chain(indexes).collect()
}

/// The policy with another table's ARN: in whole names, also of its indexes and streams, and not where another table's name
/// only begins alike.
fn with_arn(policy: &str, from: &str, to: &str) -> String {
    let mut pieces = policy.split(from);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let longer = piece.starts_with(|next: char| next.is_ascii_alphanumeric() || "_.-".contains(next));
        text.push_str(if longer { from } else { to });
        text.push_str(piece);
    }
    text
}

/// DynamoDB gives a policy back with other blanks.
fn same_policy(one: Option<&str>, other: Option<&str>) -> bool {
    let read = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    read(one) == read(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::autoscaling::{ScalingPolicy, Schedule, Suspended};

    fn scaled(resource: &str) -> ScaledCapacity {
        let policy = ScalingPolicy {
            name: "reads".into(),
            metric: "DynamoDBReadCapacityUtilization".into(),
            target: 70.0,
            scale_in_cooldown_seconds: Some(60),
            scale_out_cooldown_seconds: None,
            disable_scale_in: None,
        };
        ScaledCapacity {
            resource: resource.into(),
            dimension: "dynamodb:table:ReadCapacityUnits".into(),
            min: 5,
            max: 50,
            suspended: Suspended::default(),
            policies: vec![policy],
            other_policies: Vec::new(),
            schedules: vec![Schedule {
                name: "nights".into(),
                schedule: "cron(0 22 * * ? *)".into(),
                timezone: None,
                from: None,
                until: None,
                min: Some(1),
                max: None,
            }],
        }
    }

    #[test]
    fn what_names_the_table_names_its_copy_and_no_other_that_begins_alike() {
        let arn = |name: &str| format!("arn:aws:dynamodb:us-east-1:1:table/{name}");
        let policy = format!(r#"["{0}","{0}/index/*","{0}-old"]"#, arn("logs"));
        let attached = Attached {
            policy: Some(policy),
            scaled: vec![scaled("table/logs"), scaled("table/logs/index/by-day"), scaled("table/logs-old")],
        };
        let (from, to) = (arn("logs"), arn("then"));
        let copy = attached.of_copy(("logs", &from), ("then", &to));
        assert_eq!(copy.policy, Some(format!(r#"["{0}","{0}/index/*","{1}-old"]"#, to, from)));
        let names: Vec<&str> = copy.scaled.iter().map(|it| it.resource.as_str()).collect();
        assert_eq!(names, ["table/then", "table/then/index/by-day"]);
    }

    #[test]
    fn what_is_there_is_no_difference_and_more_is_none_either() {
        let wanted = Attached { policy: Some(r#"{"a": 1}"#.into()), scaled: vec![scaled("table/then")] };
        let there =
            Attached { policy: Some(r#"{"a":1}"#.into()), scaled: vec![scaled("table/then"), scaled("table/other")] };
        assert!(wanted.differences(&there).is_empty());
        assert_eq!(wanted.differences(&Attached::default()).len(), 2);
        let mut fewer = there.clone();
        fewer.scaled[0].policies.clear();
        assert_eq!(wanted.differences(&fewer).len(), 1);
        let mut never = there.clone();
        never.scaled[0].schedules.clear();
        assert_eq!(wanted.differences(&never).len(), 1);
        assert!(Attached::default().differences(&there).is_empty());
    }
}
