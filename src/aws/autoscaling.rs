//! Application Auto Scaling, as far as tables need it. Thin calls, no decisions.

use aws_sdk_applicationautoscaling::error::BuildError;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalingPolicy as SdkPolicy,
    ServiceNamespace, SuspendedState, TargetTrackingScalingPolicyConfiguration,
};
use serde::{Deserialize, Serialize};

use super::{AwsError, Session, explain};

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
        found.push(ScaledCapacity {
            resource: target.resource_id().to_owned(),
            dimension: target.scalable_dimension().as_str().to_owned(),
            min: target.min_capacity(),
            max: target.max_capacity(),
            suspended: suspended(target.suspended_state()),
            policies: tracking,
            other_policies,
        });
    }
    Ok(found)
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

/// Has a capacity scaled by itself; the same again changes nothing (Application Auto Scaling API: "RegisterScalableTarget",
/// "PutScalingPolicy"). The role is the service's own.
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
    Ok(())
}
