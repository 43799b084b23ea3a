//! Application Auto Scaling, as far as tables need it. Thin calls, no decisions.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::error::BuildError;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction,
    ScalingPolicy as SdkPolicy, ScheduledAction, ServiceNamespace, SuspendedState,
    TargetTrackingScalingPolicyConfiguration,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AwsError, Session, explain, timestamp};

/// A capacity that is scaled by itself (Application Auto Scaling API: "ScalableTarget").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaledCapacity {
    /// `table/NAME` or `table/NAME/index/INDEX`
    pub resource: String,
    /// `dynamodb:table:ReadCapacityUnits` and the like.
    pub dimension: String,
    /// Capacity units.
    pub min: i32,
    pub max: i32,
    pub suspended: Suspended,
    pub policies: Vec<ScalingPolicy>,
    /// Names of policies that track no predefined metric.
    pub other_policies: Vec<String>,
    /// When its bounds change by themselves. A journal of before they were read has none.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
}

/// Bounds that come into force at times (Application Auto Scaling API: "ScheduledAction").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub name: String,
    /// `cron(…)`, `rate(…)` or `at(…)`
    pub schedule: String,
    /// `Europe/London` and the like; UTC without one.
    pub timezone: Option<String>,
    /// Not before and not after.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Capacity units; the bound that is not named stays.
    pub min: Option<i32>,
    pub max: Option<i32>,
}

/// What of the scaling stands still (Application Auto Scaling API: "SuspendedState").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    pub scale_in: bool,
    pub scale_out: bool,
    pub scheduled: bool,
}

/// A policy that tracks a target (Application Auto Scaling API: "TargetTrackingScalingPolicyConfiguration").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingPolicy {
    pub name: String,
    /// `DynamoDBReadCapacityUtilization` and the like.
    pub metric: String,
    pub target: f64,
    pub scale_in_cooldown_seconds: Option<i32>,
    pub scale_out_cooldown_seconds: Option<i32>,
    pub disable_scale_in: Option<bool>,
}

/// What is scaled of tables and indexes (Application Auto Scaling API: "DescribeScalableTargets", "DescribeScalingPolicies").
///
/// # Errors
/// AWS refused.
pub async fn scaled(session: &Session, resources: &[String]) -> Result<Vec<ScaledCapacity>, AwsError> {
    let client = session.autoscaling();
    let pages = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Dynamodb)
        .set_resource_ids(Some(resources.to_vec()))
        .into_paginator()
        .items()
        .send();
    let targets = pages.collect::<Result<Vec<_>, _>>().await;
    let mut found = Vec::new();
    for target in targets.map_err(explain("application-autoscaling:DescribeScalableTargets"))? {
        let policies = client
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Dynamodb)
            .resource_id(target.resource_id())
            .scalable_dimension(target.scalable_dimension().clone())
            .into_paginator()
            .items()
            .send();
        let policies = policies.collect::<Result<Vec<_>, _>>().await;
        let policies = policies.map_err(explain("application-autoscaling:DescribeScalingPolicies"))?;
        let tracking: Vec<ScalingPolicy> = policies.iter().filter_map(tracking).collect();
        let other =
            policies.iter().map(SdkPolicy::policy_name).filter(|name| !tracking.iter().any(|it| it.name == *name));
        let other_policies = other.map(str::to_owned).collect();
        let schedules = schedules(&client, target.resource_id(), target.scalable_dimension()).await?;
        found.push(ScaledCapacity {
            resource: target.resource_id().to_owned(),
            dimension: target.scalable_dimension().as_str().to_owned(),
            min: target.min_capacity(),
            max: target.max_capacity(),
            suspended: suspended(target.suspended_state()),
            policies: tracking,
            other_policies,
            schedules,
        });
    }
    Ok(found)
}

/// When the bounds of one capacity change (Application Auto Scaling API: "DescribeScheduledActions").
async fn schedules(client: &Client, resource: &str, dimension: &ScalableDimension) -> Result<Vec<Schedule>, AwsError> {
    let actions = client
        .describe_scheduled_actions()
        .service_namespace(ServiceNamespace::Dynamodb)
        .resource_id(resource)
        .scalable_dimension(dimension.clone())
        .into_paginator()
        .items()
        .send();
    let actions = actions.collect::<Result<Vec<_>, _>>().await;
    let actions = actions.map_err(explain("application-autoscaling:DescribeScheduledActions"))?;
    Ok(actions.iter().map(schedule).collect())
}

fn schedule(action: &ScheduledAction) -> Schedule {
    let bounds = action.scalable_target_action();
    Schedule {
        name: action.scheduled_action_name().to_owned(),
        schedule: action.schedule().to_owned(),
        timezone: action.timezone().map(str::to_owned),
        from: action.start_time().and_then(timestamp),
        until: action.end_time().and_then(timestamp),
        min: bounds.and_then(ScalableTargetAction::min_capacity),
        max: bounds.and_then(ScalableTargetAction::max_capacity),
    }
}

fn suspended(state: Option<&SuspendedState>) -> Suspended {
    let is = |of: fn(&SuspendedState) -> Option<bool>| state.and_then(of).unwrap_or_default();
    Suspended {
        scale_in: is(SuspendedState::dynamic_scaling_in_suspended),
        scale_out: is(SuspendedState::dynamic_scaling_out_suspended),
        scheduled: is(SuspendedState::scheduled_scaling_suspended),
    }
}

fn tracking(policy: &SdkPolicy) -> Option<ScalingPolicy> {
    let tracked = policy.target_tracking_scaling_policy_configuration()?;
    Some(ScalingPolicy {
        name: policy.policy_name().to_owned(),
        metric: tracked.predefined_metric_specification()?.predefined_metric_type().as_str().to_owned(),
        target: tracked.target_value(),
        scale_in_cooldown_seconds: tracked.scale_in_cooldown(),
        scale_out_cooldown_seconds: tracked.scale_out_cooldown(),
        disable_scale_in: tracked.disable_scale_in(),
    })
}

fn at(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}

/// Has a capacity scaled by itself; the same again changes nothing (Application Auto Scaling API: "RegisterScalableTarget",
/// "PutScalingPolicy", "PutScheduledAction"). The role is the service's own.
///
/// # Errors
/// AWS refused.
pub async fn scale(session: &Session, capacity: &ScaledCapacity) -> Result<(), AwsError> {
    let client = session.autoscaling();
    let dimension = ScalableDimension::from(capacity.dimension.as_str());
    client
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Dynamodb)
        .resource_id(&capacity.resource)
        .scalable_dimension(dimension.clone())
        .min_capacity(capacity.min)
        .max_capacity(capacity.max)
        .suspended_state(
            SuspendedState::builder()
                .dynamic_scaling_in_suspended(capacity.suspended.scale_in)
                .dynamic_scaling_out_suspended(capacity.suspended.scale_out)
                .scheduled_scaling_suspended(capacity.suspended.scheduled)
                .build(),
        )
        .send()
        .await
        .map_err(explain("application-autoscaling:RegisterScalableTarget"))?;
    for policy in &capacity.policies {
        let operation = "application-autoscaling:PutScalingPolicy";
        let unbuilt =
            |error: BuildError| AwsError { operation, code: None, message: error.to_string(), transient: false };
        let metric =
            PredefinedMetricSpecification::builder().predefined_metric_type(MetricType::from(policy.metric.as_str()));
        let tracked = TargetTrackingScalingPolicyConfiguration::builder()
            .target_value(policy.target)
            .predefined_metric_specification(metric.build().map_err(unbuilt)?)
            .set_scale_in_cooldown(policy.scale_in_cooldown_seconds)
            .set_scale_out_cooldown(policy.scale_out_cooldown_seconds)
            .set_disable_scale_in(policy.disable_scale_in);
        client
            .put_scaling_policy()
            .policy_name(&policy.name)
            .service_namespace(ServiceNamespace::Dynamodb)
            .resource_id(&capacity.resource)
            .scalable_dimension(dimension.clone())
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(tracked.build().map_err(unbuilt)?)
            .send()
            .await
            .map_err(explain(operation))?;
    }
    for it in &capacity.schedules {
        let bounds = ScalableTargetAction::builder().set_min_capacity(it.min).set_max_capacity(it.max).build();
        client
            .put_scheduled_action()
            .scheduled_action_name(&it.name)
            .service_namespace(ServiceNamespace::Dynamodb)
            .resource_id(&capacity.resource)
            .scalable_dimension(dimension.clone())
            .schedule(&it.schedule)
            .set_timezone(it.timezone.clone())
            .set_start_time(it.from.map(at))
            .set_end_time(it.until.map(at))
            .scalable_target_action(bounds)
            .send()
            .await
            .map_err(explain("application-autoscaling:PutScheduledAction"))?;
    }
    Ok(())
}
