//! Athena: a workgroup, and one query from its start to its answer.

mod queries;

use aws_sdk_athena::types::{
    QueryExecutionContext, QueryExecutionState, ResultConfiguration, ResultSet, WorkGroupState,
};

use super::{AwsError, Session, explain};

pub use queries::{holds_queries, past_queries, past_query, saved_queries, saved_query};

/// The header, the one row that is wanted, and one more that tells that there are more.
const ROWS: i32 = 3;

/// A workgroup (Athena API: "WorkGroup", "WorkGroupConfiguration").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkGroup {
    pub enabled: bool,
    /// `s3://bucket/prefix/` for results.
    pub output: Option<String>,
    /// Whether its own settings hold, whatever a query says.
    pub enforced: bool,
    /// Whether Athena keeps the results itself, so that no place is needed.
    pub managed: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    pub workgroup: &'a str,
    pub database: &'a str,
    /// Where the workgroup has no place for results.
    pub output: Option<&'a str>,
    pub sql: &'a str,
    /// 32 to 128 characters. The same token with the same query is the same execution.
    pub token: &'a str,
}

/// How far a query is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// In Athena's own word.
    Waiting(String),
    Succeeded,
    /// `FAILED` or `CANCELLED`, with Athena's reason.
    Ended(String),
}

/// What came: names of the columns, and rows of text, NULL as `None`. The row that repeats the names is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// A workgroup; `None` where there is none of that name (Athena API: "GetWorkGroup").
///
/// # Errors
/// AWS refused.
pub async fn work_group(session: &Session, name: &str) -> Result<Option<WorkGroup>, AwsError> {
    let answer =
        match session.athena().get_work_group().work_group(name).send().await.map_err(explain("athena:GetWorkGroup")) {
            Ok(answer) => answer,
            // Its message alone tells a name that is not there from one that cannot be.
            Err(error) if error.is("InvalidRequestException") && error.message.contains("not found") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
    // An emulator answers with nothing.
    let Some(found) = answer.work_group() else { return Ok(None) };
    let configuration = found.configuration();
    let result = configuration.and_then(|it| it.result_configuration());
    Ok(Some(WorkGroup {
        enabled: found.state() != Some(&WorkGroupState::Disabled),
        output: result.and_then(|it| it.output_location()).filter(|it| !it.is_empty()).map(str::to_owned),
        enforced: configuration.and_then(|it| it.enforce_work_group_configuration()).unwrap_or_default(),
        managed: configuration
            .and_then(|it| it.managed_query_results_configuration())
            .is_some_and(|managed| managed.enabled()),
    }))
}

/// Deletes a workgroup with all that it holds (Athena API: "DeleteWorkGroup", `RecursiveDeleteOption`).
///
/// # Errors
/// AWS refused.
pub async fn delete_work_group(session: &Session, name: &str) -> Result<(), AwsError> {
    let request = session.athena().delete_work_group().work_group(name).recursive_delete_option(true);
    request.send().await.map(drop).map_err(explain("athena:DeleteWorkGroup"))
}

/// Starts a query, or finds the one that was started by its token (Athena API: "StartQueryExecution").
///
/// # Errors
/// AWS refused.
pub async fn start(session: &Session, query: &Query<'_>) -> Result<String, AwsError> {
    let Query { workgroup, database, output, sql, token } = *query;
    let context = QueryExecutionContext::builder().database(database).build();
    let result = output.map(|output| ResultConfiguration::builder().output_location(output).build());
    let start =
        session.athena().start_query_execution().work_group(workgroup).query_string(sql).client_request_token(token);
    let start = start.query_execution_context(context).set_result_configuration(result);
    let answer = start.send().await.map_err(explain("athena:StartQueryExecution"))?;
    answer.query_execution_id().map(str::to_owned).ok_or_else(|| AwsError {
        operation: "athena:StartQueryExecution",
        code: None,
        message: "the answer has no id of the query".to_owned(),
        transient: false,
    })
}

/// How far a query is (Athena API: "GetQueryExecution", "QueryExecutionStatus").
///
/// # Errors
/// AWS refused.
pub async fn execution(session: &Session, id: &str) -> Result<Execution, AwsError> {
    let answer = session.athena().get_query_execution().query_execution_id(id).send().await;
    let answer = answer.map_err(explain("athena:GetQueryExecution"))?;
    let status = answer.query_execution().and_then(|it| it.status());
    Ok(match status.and_then(|it| it.state()) {
        None => Execution::Waiting("not known yet".to_owned()),
        Some(QueryExecutionState::Succeeded) => Execution::Succeeded,
        Some(state @ (QueryExecutionState::Failed | QueryExecutionState::Cancelled)) => {
            let reason = status.and_then(|it| it.state_change_reason()).unwrap_or("no reason is told");
            Execution::Ended(format!("{}: {reason}", state.as_str()))
        }
        Some(state) => Execution::Waiting(state.as_str().to_owned()),
    })
}

/// Ends a query (Athena API: "StopQueryExecution").
///
/// # Errors
/// AWS refused.
pub async fn stop(session: &Session, id: &str) -> Result<(), AwsError> {
    let answer = session.athena().stop_query_execution().query_execution_id(id).send().await;
    answer.map(drop).map_err(explain("athena:StopQueryExecution"))
}

/// The first rows of a query that has succeeded (Athena API: "GetQueryResults").
///
/// # Errors
/// AWS refused.
pub async fn answer(session: &Session, id: &str) -> Result<Answer, AwsError> {
    let results = session.athena().get_query_results().query_execution_id(id).max_results(ROWS).send().await;
    let results = results.map_err(explain("athena:GetQueryResults"))?;
    Ok(results.result_set().map(read).unwrap_or_default())
}

/// Of a SELECT, the first row repeats the names of the columns.
fn read(found: &ResultSet) -> Answer {
    let columns: Vec<String> = found
        .result_set_metadata()
        .map(|it| it.column_info())
        .unwrap_or_default()
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    let row = |row: &aws_sdk_athena::types::Row| -> Vec<Option<String>> {
        row.data().iter().map(|datum| datum.var_char_value().map(str::to_owned)).collect()
    };
    let mut rows: Vec<_> = found.rows().iter().map(row).collect();
    let repeats =
        |row: &Vec<Option<String>>| row.iter().map(Option::as_deref).eq(columns.iter().map(|it| Some(it.as_str())));
    if rows.first().is_some_and(repeats) {
        rows.remove(0);
    }
    Answer { columns, rows }
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::{ColumnInfo, Datum, ResultSetMetadata, Row};

    use super::*;

    #[test]
    fn the_row_of_names_is_no_answer() {
        let row = |value: &str| Row::builder().data(Datum::builder().var_char_value(value).build()).build();
        let column = ColumnInfo::builder().name("_col0").r#type("bigint").build().expect("a column");
        let metadata = ResultSetMetadata::builder().column_info(column).build();
        let set = |rows: &[&str]| {
            let rows = rows.iter().map(|value| row(value)).collect();
            ResultSet::builder().set_rows(Some(rows)).result_set_metadata(metadata.clone()).build()
        };
        assert_eq!(read(&set(&["_col0", "7"])).rows, [[Some("7".to_owned())]]);
        assert_eq!(read(&set(&["7"])).rows, [[Some("7".to_owned())]]);
        assert_eq!(read(&set(&["_col0"])).rows, Vec::<Vec<Option<String>>>::new());
    }
}
