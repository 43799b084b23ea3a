//! What a workgroup holds: saved queries, and the history of those that ran.

use serde_json::Value;

use crate::aws::{Answer, AwsError, Session, explain};

/// Whether a workgroup holds saved queries or a history of queries (Athena API: "ListNamedQueries",
/// "ListQueryExecutions").
///
/// # Errors
/// AWS refused.
pub async fn holds_queries(session: &Session, workgroup: &str) -> Result<bool, AwsError> {
    let saved = session.athena().list_named_queries().work_group(workgroup).max_results(1).send().await;
    if !saved.map_err(explain("athena:ListNamedQueries"))?.named_query_ids().is_empty() {
        return Ok(true);
    }
    let history = session.athena().list_query_executions().work_group(workgroup).max_results(1).send().await;
    Ok(!history.map_err(explain("athena:ListQueryExecutions"))?.query_execution_ids().is_empty())
}

/// Ids of the saved queries.
///
/// # Errors
/// AWS refused.
pub async fn saved_queries(session: &Session, workgroup: &str) -> Result<Vec<String>, AwsError> {
    let pages = session.athena().list_named_queries().work_group(workgroup).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(explain("athena:ListNamedQueries"))?;
    Ok(pages.iter().flat_map(|page| page.named_query_ids()).cloned().collect())
}

/// Ids of the queries that ran; Athena keeps them for 45 days (Athena User Guide: "View recent queries").
///
/// # Errors
/// AWS refused.
pub async fn past_queries(session: &Session, workgroup: &str) -> Result<Vec<String>, AwsError> {
    let pages = session.athena().list_query_executions().work_group(workgroup).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(explain("athena:ListQueryExecutions"))?;
    Ok(pages.iter().flat_map(|page| page.query_execution_ids()).cloned().collect())
}

/// All that Athena tells of a saved query (Athena API: "GetNamedQuery").
///
/// # Errors
/// AWS refused.
pub async fn saved_query(session: &Session, id: &str) -> Result<Value, AwsError> {
    const OPERATION: &str = "athena:GetNamedQuery";
    let answer = Answer::default();
    let asked = session.athena().get_named_query().named_query_id(id).customize().interceptor(answer.clone());
    asked.send().await.map_err(explain(OPERATION))?;
    Ok(answer.json(OPERATION)?["NamedQuery"].clone())
}

/// All that Athena tells of a query that ran (Athena API: "GetQueryExecution").
///
/// # Errors
/// AWS refused.
pub async fn past_query(session: &Session, id: &str) -> Result<Value, AwsError> {
    const OPERATION: &str = "athena:GetQueryExecution";
    let answer = Answer::default();
    let asked = session.athena().get_query_execution().query_execution_id(id).customize().interceptor(answer.clone());
    asked.send().await.map_err(explain(OPERATION))?;
    Ok(answer.json(OPERATION)?["QueryExecution"].clone())
}
