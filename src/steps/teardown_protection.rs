//! Switches off what protects a database or a table from deletion, right before the plan that destroys it is applied. What
//! was on is in the journal before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::wait::{Ready, SETTLES, wait_until};
use super::{Cx, StepError};
use crate::aws::AwsError;
use crate::aws::dynamodb::{TableChange, change_table, table};
use crate::aws::rds::{ClusterChange, cluster, instance, modify_cluster, protect_instance};
use crate::terraform::Doomed;
use crate::terraform::destroy::SWITCHED_OFF;

/// The note of the addresses whose protection was on.
pub const PROTECTED: &str = "deletion_protection";

/// Switches off the protection of what is to be destroyed, and waits until that is in force.
///
/// # Errors
/// AWS refused, or the journal cannot be written.
pub(super) async fn unprotect(cx: &Cx, destroys: &BTreeMap<String, Doomed>) -> Result<(), StepError> {
    let mut on = Vec::new();
    for (address, doomed) in destroys.iter().filter(|(_, doomed)| SWITCHED_OFF.contains(&doomed.kind.as_str())) {
        if is_protected(cx, doomed).await? {
            on.push((address, doomed));
        }
    }
    if on.is_empty() {
        return Ok(());
    }
    // What an earlier try has switched off was on before, too.
    let noted: BTreeSet<String> =
        cx.noted(PROTECTED).and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let all: BTreeSet<String> = on.iter().map(|(address, _)| (*address).clone()).chain(noted.clone()).collect();
    if all != noted {
        cx.note(PROTECTED, json!(all)).await?;
    }
    for (address, doomed) in on {
        cx.status(format!("{address}: switching its protection from deletion off"));
        switch_off(cx, doomed).await?;
        wait_until(cx, &format!("the protection of {address}"), SETTLES, async || {
            Ok(match is_protected(cx, doomed).await? {
                true => Ready::NotYet("on".to_owned()),
                false => Ready::Yes(()),
            })
        })
        .await?;
    }
    Ok(())
}

async fn is_protected(cx: &Cx, Doomed { kind, id, .. }: &Doomed) -> Result<bool, AwsError> {
    let session = &cx.world.aws;
    Ok(match kind.as_str() {
        "aws_rds_cluster" => cluster(session, id).await?.and_then(|it| it.deletion_protection) == Some(true),
        "aws_db_instance" => instance(session, id).await?.and_then(|it| it.deletion_protection) == Some(true),
        _ => table(session, id).await?.is_some_and(|it| it.deletion_protection),
    })
}

async fn switch_off(cx: &Cx, Doomed { kind, id, .. }: &Doomed) -> Result<(), AwsError> {
    let session = &cx.world.aws;
    match kind.as_str() {
        "aws_rds_cluster" => {
            let change = ClusterChange { deletion_protection: Some(false), ..ClusterChange::default() };
            modify_cluster(session, id, change).await
        }
        "aws_db_instance" => protect_instance(session, id, false).await,
        _ => change_table(session, id, TableChange::DeletionProtection(false)).await,
    }
}
