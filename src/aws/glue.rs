//! Glue: databases, tables and partitions of the recovery region's catalog.
//!
//! Every list is read to its last page, however many entries a page has; a page that repeats the token before it is
//! an error. Nothing here updates or deletes.

mod convert;

use std::collections::BTreeMap;

use aws_sdk_glue::error::BuildError;
use futures::{StreamExt, TryStreamExt, stream};

use super::{AwsError, Session, explain};
use crate::catalog::{Catalog, Database, Partition, Table};

/// Glue's limit on one request (Glue API: "BatchCreatePartition").
const PARTITIONS_A_REQUEST: usize = 100;
const REQUESTS_AT_ONCE: usize = 8;

fn incomplete(operation: &'static str) -> impl FnOnce(BuildError) -> AwsError {
    move |error| AwsError { operation, code: None, message: error.to_string(), transient: false }
}

/// The token of the next page.
fn next_page(operation: &'static str, before: Option<&String>, next: Option<&str>) -> Result<Option<String>, AwsError> {
    match next.filter(|next| !next.is_empty()) {
        Some(next) if before.is_some_and(|before| before == next) => Err(AwsError {
            operation,
            code: None,
            message: "the list does not go on: its token repeats".to_owned(),
            transient: false,
        }),
        next => Ok(next.map(str::to_owned)),
    }
}

/// The database of that name; `None` where there is none.
///
/// # Errors
/// AWS refused.
pub async fn database(session: &Session, name: &str) -> Result<Option<Database>, AwsError> {
    let answer = session.glue().get_database().name(name).send().await;
    match answer.map_err(explain("glue:GetDatabase")) {
        Ok(answer) => Ok(answer.database().map(convert::database)),
        Err(error) if error.is("EntityNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

/// All tables of a database.
///
/// # Errors
/// AWS refused, or the list does not end.
pub async fn tables(session: &Session, database: &str) -> Result<Vec<Table>, AwsError> {
    let operation = "glue:GetTables";
    let (mut tables, mut token) = (Vec::new(), None);
    loop {
        let request = session.glue().get_tables().database_name(database).set_next_token(token.clone());
        let answer = request.send().await.map_err(explain(operation))?;
        tables.extend(answer.table_list().iter().map(convert::table));
        token = next_page(operation, token.as_ref(), answer.next_token())?;
        if token.is_none() {
            return Ok(tables);
        }
    }
}

/// All partitions of a table.
///
/// # Errors
/// AWS refused, or the list does not end.
pub async fn partitions(session: &Session, database: &str, table: &str) -> Result<Vec<Partition>, AwsError> {
    let operation = "glue:GetPartitions";
    let (mut partitions, mut token) = (Vec::new(), None);
    loop {
        let request = session.glue().get_partitions().database_name(database).table_name(table);
        let answer = request.set_next_token(token.clone()).send().await.map_err(explain(operation))?;
        partitions.extend(answer.partitions().iter().map(convert::partition));
        token = next_page(operation, token.as_ref(), answer.next_token())?;
        if token.is_none() {
            return Ok(partitions);
        }
    }
}

/// A database with everything in it; `None` where there is none.
///
/// # Errors
/// AWS refused, a list does not end, or the catalog contradicts itself.
pub async fn catalog(session: &Session, name: &str) -> Result<Option<Catalog>, AwsError> {
    let Some(found) = database(session, name).await? else { return Ok(None) };
    let tables = tables(session, name).await?;
    let mut by_table = BTreeMap::new();
    for table in tables.iter().filter(|table| !table.partition_keys.is_empty()) {
        by_table.insert(table.name.clone(), partitions(session, name, &table.name).await?);
    }
    let built = Catalog::build(found, tables, by_table);
    built.map(Some).map_err(|error| AwsError {
        operation: "glue:GetPartitions",
        code: None,
        message: format!("catalog {name} cannot be understood: {error}"),
        transient: false,
    })
}

/// Creates a database. One of that name that came to be meanwhile is left as it is.
///
/// # Errors
/// AWS refused.
pub async fn create_database(session: &Session, name: &str, like: &Database) -> Result<(), AwsError> {
    let operation = "glue:CreateDatabase";
    let input = convert::database_input(name, like).map_err(incomplete(operation))?;
    let answer = session.glue().create_database().database_input(input).send().await;
    ignore_existing(answer.map(drop).map_err(explain(operation)))
}

/// Creates a table. One of that name that came to be meanwhile is left as it is.
///
/// # Errors
/// AWS refused.
pub async fn create_table(session: &Session, database: &str, table: &Table) -> Result<(), AwsError> {
    let operation = "glue:CreateTable";
    let input = convert::table_input(table).map_err(incomplete(operation))?;
    let answer = session.glue().create_table().database_name(database).table_input(input).send().await;
    ignore_existing(answer.map(drop).map_err(explain(operation)))
}

fn ignore_existing(answer: Result<(), AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if error.is("AlreadyExistsException") => Ok(()),
        answer => answer,
    }
}

/// Creates partitions, a hundred in a request. Those that came to be meanwhile are left as they are.
///
/// # Errors
/// AWS refused a request, or one of its partitions.
pub async fn create_partitions(
    session: &Session,
    database: &str,
    table: &str,
    partitions: &[Partition],
    done: impl Fn(usize) + Sync,
) -> Result<(), AwsError> {
    let batches: Vec<_> =
        partitions.chunks(PARTITIONS_A_REQUEST).map(|batch| create_batch(session, database, table, batch)).collect();
    let mut batches = stream::iter(batches).buffer_unordered(REQUESTS_AT_ONCE);
    while let Some(count) = batches.try_next().await? {
        done(count);
    }
    Ok(())
}

async fn create_batch(session: &Session, database: &str, table: &str, batch: &[Partition]) -> Result<usize, AwsError> {
    let operation = "glue:BatchCreatePartition";
    let inputs = batch.iter().map(convert::partition_input).collect::<Result<Vec<_>, _>>();
    let request = session.glue().batch_create_partition().database_name(database).table_name(table);
    let request = request.set_partition_input_list(Some(inputs.map_err(incomplete(operation))?));
    let answer = request.send().await.map_err(explain(operation))?;
    let refused = answer.errors().iter().find_map(|error| {
        let detail = error.error_detail()?;
        let code = detail.error_code().unwrap_or_default();
        (code != "AlreadyExistsException").then(|| AwsError {
            operation,
            code: Some(code.to_owned()),
            message: format!(
                "partition {} of table {table}: {code}: {}",
                error.partition_values().join("/"),
                detail.error_message().unwrap_or_default()
            ),
            transient: false,
        })
    });
    refused.map_or(Ok(batch.len()), Err)
}
