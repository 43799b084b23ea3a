//! The resource policy of a table.

use crate::aws::{AwsError, Session, explain};

/// Its text (DynamoDB API: "GetResourcePolicy"); `None` where the table has none.
///
/// # Errors
/// AWS refused.
pub async fn resource_policy(session: &Session, arn: &str) -> Result<Option<String>, AwsError> {
    let answer = session.dynamodb().get_resource_policy().resource_arn(arn).send().await;
    match answer.map_err(explain("dynamodb:GetResourcePolicy")) {
        Ok(answer) => Ok(answer.policy().map(str::to_owned)),
        Err(error) if error.is("PolicyNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets it (DynamoDB API: "PutResourcePolicy").
///
/// # Errors
/// AWS refused, for example because the policy is not valid.
pub async fn put_resource_policy(session: &Session, arn: &str, policy: &str) -> Result<(), AwsError> {
    let put = session.dynamodb().put_resource_policy().resource_arn(arn).policy(policy);
    put.send().await.map_err(explain("dynamodb:PutResourcePolicy"))?;
    Ok(())
}
