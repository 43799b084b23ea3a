//! How security groups and network ACLs are set, as AWS tells it, for who keeps it as evidence.

use serde_json::Value;

use crate::aws::{Answer, AwsError, Session, explain};

/// One page of what there is, each in the words of the EC2 API reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub items: Vec<Value>,
    pub next: Option<String>,
}

const PAGE: i32 = 1000;

/// A page of the region's security groups with their rules (EC2 API: "DescribeSecurityGroups").
///
/// # Errors
/// AWS refused.
pub async fn security_groups(session: &Session, next: Option<String>) -> Result<Page, AwsError> {
    let operation = "ec2:DescribeSecurityGroups";
    let answer = Answer::default();
    let asked = session.ec2().describe_security_groups().max_results(PAGE).set_next_token(next);
    let told = asked.customize().interceptor(answer.clone()).send().await.map_err(explain(operation))?;
    page(&answer.json(operation)?, "securityGroupInfo", told.next_token())
}

/// A page of the region's network ACLs with their entries (EC2 API: "DescribeNetworkAcls").
///
/// # Errors
/// AWS refused.
pub async fn network_acls(session: &Session, next: Option<String>) -> Result<Page, AwsError> {
    let operation = "ec2:DescribeNetworkAcls";
    let answer = Answer::default();
    let asked = session.ec2().describe_network_acls().max_results(PAGE).set_next_token(next);
    let told = asked.customize().interceptor(answer.clone()).send().await.map_err(explain(operation))?;
    page(&answer.json(operation)?, "networkAclSet", told.next_token())
}

fn page(answer: &Value, list: &str, next: Option<&str>) -> Result<Page, AwsError> {
    let items = answer[list].as_array().cloned().unwrap_or_default();
    Ok(Page { items, next: next.filter(|token| !token.is_empty()).map(str::to_owned) })
}
