//! Service Quotas: how much of something the account may have in the region.

use super::{AwsError, Session, explain};

/// The value of a quota: the account's own, or the default where nothing was applied for (Service Quotas API:
/// "GetServiceQuota", "GetAWSDefaultServiceQuota").
///
/// # Errors
/// AWS refused, or does not know the quota in this region.
pub async fn limit(session: &Session, service: &str, code: &str) -> Result<f64, AwsError> {
    const OWN: &str = "servicequotas:GetServiceQuota";
    const DEFAULT: &str = "servicequotas:GetAWSDefaultServiceQuota";
    let client = session.quotas();
    let own = client.get_service_quota().service_code(service).quota_code(code).send().await;
    match own.map_err(explain(OWN)) {
        Ok(answer) => value(OWN, answer.quota()),
        Err(error) if error.is("NoSuchResourceException") => {
            let default = client.get_aws_default_service_quota().service_code(service).quota_code(code).send().await;
            value(DEFAULT, default.map_err(explain(DEFAULT))?.quota())
        }
        Err(error) => Err(error),
    }
}

fn value(operation: &'static str, quota: Option<&aws_sdk_servicequotas::types::ServiceQuota>) -> Result<f64, AwsError> {
    let message = "the answer has no value".to_owned();
    quota.and_then(|quota| quota.value()).ok_or(AwsError { operation, code: None, message, transient: false })
}
