//! Restores a DynamoDB table, from a backup that stands in the region or to a point in time of a table that does, and puts
//! back what a restore loses: tags, time to live, point-in-time recovery, stream, billing mode, table class, deletion protection.
//!
//! One table whatever happens: its name is the manifest's, and its own description says which backup it came from. A
//! table of that name that is neither this run's nor in the recovery state is never touched. One that is in the
//! recovery state is waited for and left as it is.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::declared::{declared, declared_at};
use super::ownership::{Owner, address_taken, conflict, in_place, run_tags};
use super::table_attached::Attached;
use super::table_point::{self, ATTACHED};
use super::table_settings::{Change, TableSettings};
use super::{
    APPEARS, Blocked, Checked, Compensation, Cx, Output, Ready, SETTLES, Seen, Standing, Step, StepError, deadline,
    wait_until,
};
use super::{clean_found, table_found, table_job};
use crate::aws::AwsError;
use crate::aws::backup::RestoreJob;
use crate::aws::dynamodb::{self, RestoreSource, TableState};
use crate::manifest::{Component, Table, TableSource};

/// More changes than there are settings: the end of a table that would not take one.
const CHANGES: usize = 16;
/// Notes when a table was restored that stood before this run's restore could be accepted.
const FOREIGN: &str = "foreign_table";
/// Answers to a change that come too early.
const BUSY: [&str; 3] = ["ResourceInUseException", "LimitExceededException", "ContinuousBackupsUnavailableException"];

/// The step for one table of the manifest.
pub struct RestoreTable {
    pub table: Table,
}

/// How the table shall be; from the backup's facts where no root declares it.
pub(super) fn wanted(cx: &Cx, table: &Table, facts: &Value) -> Result<TableSettings, StepError> {
    match &table.adopt {
        Some(address) => Ok(TableSettings::declared(&declared_at(&declared(cx)?, address)?)),
        // Of a table that stands the check has read them.
        None => match facts.get("settings") {
            Some(settings) => serde_json::from_value(settings.clone())
                .map_err(|error| StepError::failed(format!("the settings in the journal are not understood: {error}"))),
            None => Ok(TableSettings::of_backup(facts)),
        },
    }
}

#[async_trait]
impl Step for RestoreTable {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        if let TableSource::PointInTime(at) = self.table.from {
            return table_point::check(&cx.world.aws, &self.table, at).await;
        }
        if let TableSource::CleanBefore(rule) = &self.table.from {
            return clean_found::table(cx, &self.table, rule).await;
        }
        let (session, manifest) = (&cx.world.aws, &cx.world.manifest);
        let region = &manifest.recovery.name;
        let target = &self.table.target;
        let stands = dynamodb::table(session, target).await?.is_some();
        let mut chosen = match table_found::find(session, &self.table, manifest).await {
            Ok(chosen) => chosen,
            Err(blocked) if stands => {
                let facts = in_place(cx, self.table.adopt.as_deref(), target, blocked).await?;
                return Ok(Checked { facts, standing: Standing::Unknown });
            }
            Err(blocked) => return Err(blocked),
        };
        if stands {
            chosen.warnings.push(format!(
                "table {target} stands in {region} already: it is left as it is where the recovery state holds it, and \
                 is a conflict otherwise"
            ));
        }
        let standing = if stands { Standing::Unknown } else { Standing::Absent };
        let facts = table_found::settle(session, &self.table, manifest, chosen, stands).await?;
        Ok(Checked { facts, standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let wanted = wanted(cx, &self.table, cx.facts())?;
        if let Some((cause, hint)) = address_taken(cx, self.table.adopt.as_deref(), &self.table.target) {
            return Ok(Seen::Conflict { cause, hint: Some(hint) });
        }
        let job = match table_job::restores(cx.facts()) {
            true => table_job::of_run(cx, &self.table).await?,
            false => None,
        };
        let Some(state) = self.look(cx).await? else {
            let under_way = job.as_ref().and_then(table_job::under_way);
            return Ok(under_way.map_or(Seen::Absent, Seen::InProgress));
        };
        let settled = match self.owner(cx, &state, cx.begun(), job.as_ref()) {
            Owner::Other(run) => {
                let (cause, hint) =
                    conflict(cx, &self.what(), self.table.adopt.as_deref(), &self.table.target, run.as_deref());
                return Ok(Seen::Conflict { cause, hint: Some(hint) });
            }
            Owner::Terraform => true,
            Owner::ThisRun => {
                let settled = self.with_run_tags(cx, wanted.clone())?.next_change(&state).is_none();
                settled && unready(&state).is_none() && self.unattached(cx, &state).await?.is_none()
            }
        };
        Ok(match unready(&state) {
            Some(status) => Seen::InProgress(format!("table {}: {status}", self.table.target)),
            None if settled => Seen::Done(self.output(cx, &state, &wanted)),
            None => Seen::InProgress(format!("table {}: ACTIVE, with other settings", self.table.target)),
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let wanted = wanted(cx, &self.table, cx.facts())?;
        let mut begun = cx.begun();
        let started = Timestamp::now();
        let absent = self.look(cx).await?.is_none();
        let job = match table_job::restores(cx.facts()) {
            true => table_job::run(cx, &self.table, &wanted, absent).await?,
            false => None,
        };
        let accepted = job.is_some() || absent && self.begin(cx, &wanted).await?;
        let seen = self.appeared(cx).await?;
        if absent && !accepted && !begun && !restored_since(&seen, started) {
            // Known to later attempts, which would otherwise take it for what this one began.
            cx.note_if_journalled(FOREIGN, json!(seen.restored_at)).await?;
        } else if absent {
            begun = true;
        }
        if let Owner::Other(run) = self.owner(cx, &seen, begun, job.as_ref()) {
            let (cause, hint) =
                conflict(cx, &self.what(), self.table.adopt.as_deref(), &self.table.target, run.as_deref());
            return Err(StepError::conflict(cause).hint(hint));
        }
        let mut state = self.active(cx).await?;
        if self.owner(cx, &state, begun, job.as_ref()) == Owner::ThisRun {
            state = self.mend(cx, &self.with_run_tags(cx, wanted.clone())?, state).await?;
            if let Some((wanted, actual)) = self.unattached(cx, &state).await? {
                cx.status(format!("{}: setting resource policy and autoscaling", self.what()));
                wanted.put(&cx.world.aws, &state.arn, &actual).await?;
                state = self.all_attached(cx).await?;
            }
        }
        Ok(self.output(cx, &state, &wanted))
    }

    async fn verify(&self, cx: &Cx, _output: &Output) -> Result<(), StepError> {
        let wanted = wanted(cx, &self.table, cx.facts())?;
        let state = self.look(cx).await?;
        let state = state.ok_or_else(|| StepError::check_failed(format!("{} is gone", self.what())))?;
        let mut faults: Vec<String> = unready(&state).into_iter().collect();
        // Indexes that the backup does not have are made by the adopting apply, and verified after it.
        if self.owner(cx, &state, true, None) == Owner::ThisRun {
            faults.extend(wanted.differences(&state).iter().map(ToString::to_string));
            if matches!(self.table.from, TableSource::PointInTime(_)) {
                faults.extend(wanted.index_differences(&state).iter().map(ToString::to_string));
            }
            if let Some((wanted, actual)) = self.unattached(cx, &state).await? {
                faults.extend(wanted.differences(&actual));
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(StepError::check_failed(format!("{} is not as declared: {}", self.what(), faults.join("; ")))
            .hint("retry the step: it sets again what can be set; the rest has to be changed in the Terraform root"))
    }

    fn compensation(&self) -> Compensation {
        let target = &self.table.target;
        Compensation::Manual(format!(
            "switch deletion protection of table {target} off and delete it, if it carries the tag lifeboat:run of this \
             run; once Terraform has adopted it, `terraform destroy` of it in the recovery workspace"
        ))
    }
}

impl RestoreTable {
    fn what(&self) -> String {
        format!("table {}", self.table.target)
    }

    async fn look(&self, cx: &Cx) -> Result<Option<TableState>, StepError> {
        let state = dynamodb::table(&cx.world.aws, &self.table.target).await?;
        let lost = |status: &str| {
            matches!(status, "DELETING" | "ARCHIVING" | "ARCHIVED" | "INACCESSIBLE_ENCRYPTION_CREDENTIALS")
        };
        match state {
            Some(state) if lost(&state.status) => {
                Err(StepError::failed(format!("{} is {}", self.what(), state.status))
                    .hint("look at it, mend it or wait until it is gone, then retry the step"))
            }
            state => Ok(state),
        }
    }

    /// A table cannot be tagged while it is restored. Until it is, it is this run's when the run has begun to restore
    /// it, no other run has tagged it, and it comes from the very backup that was chosen. One that AWS Backup restores is
    /// this run's when its job has made it.
    fn owner(&self, cx: &Cx, state: &TableState, begun: bool, job: Option<&RestoreJob>) -> Owner {
        let chosen = cx.facts().get("recovery_point").and_then(Value::as_str);
        match Owner::of(cx, self.table.adopt.as_deref(), &self.table.target, &state.tags) {
            Owner::Other(None) if table_job::restores(cx.facts()) => match job {
                Some(job) if table_job::made(job, &state.arn) => Owner::ThisRun,
                _ => Owner::Other(None),
            },
            Owner::Other(None) if begun && chosen.is_some() && state.restored_from.as_deref() == chosen => {
                if was_foreign(cx, state) {
                    Owner::Other(None)
                } else {
                    Owner::ThisRun
                }
            }
            // What stood before the breach is never taken for what was restored after it.
            Owner::Terraform if matches!(self.table.from, TableSource::CleanBefore(_)) => Owner::Other(None),
            owner => owner,
        }
    }

    fn backup<'a>(&self, cx: &'a Cx) -> Result<&'a str, StepError> {
        let arn = cx.facts().get("recovery_point").and_then(Value::as_str);
        arn.ok_or_else(|| StepError::failed("no backup was chosen for this run"))
    }

    fn with_run_tags(&self, cx: &Cx, mut wanted: TableSettings) -> Result<TableSettings, StepError> {
        wanted.tags.extend(run_tags(&cx.world.run, self.backup(cx)?));
        Ok(wanted)
    }

    /// Sends the restore; whether it was accepted. "Exists already" may be the answer to a request of ours whose reply
    /// was lost; whose it is is looked at afterwards.
    async fn begin(&self, cx: &Cx, wanted: &TableSettings) -> Result<bool, StepError> {
        let backup = self.backup(cx)?;
        cx.status(format!("{}: restoring from {backup}", self.what()));
        let source = match self.table.from {
            TableSource::PointInTime(at) => RestoreSource::PointInTime { table: self.table.source.clone(), at },
            TableSource::LatestBackup | TableSource::Replica | TableSource::Backup(_) | TableSource::CleanBefore(_) => {
                RestoreSource::Backup(backup.to_owned())
            }
        };
        match dynamodb::restore_table(&cx.world.aws, wanted.restore(&self.table.target, source)).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_any(&["TableAlreadyExistsException", "TableInUseException"]) => Ok(false),
            Err(error) if error.is("BackupNotFoundException") => Err(StepError::from(error)
                .hint("the backup is gone since it was chosen: start a new run, which chooses another")),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until DescribeTable shows the table: it may lag behind a moment.
    async fn appeared(&self, cx: &Cx) -> Result<TableState, StepError> {
        wait_until(cx, &self.what(), APPEARS, async || {
            let state = self.look(cx).await?;
            Ok(state.map_or_else(|| Ready::NotYet("not there yet".into()), Ready::Yes))
        })
        .await
    }

    async fn active(&self, cx: &Cx) -> Result<TableState, StepError> {
        wait_until(cx, &self.what(), deadline(cx, Component::Table), async || {
            let state = self.look(cx).await?.ok_or_else(|| self.gone())?;
            Ok(unready(&state).map_or(Ready::Yes(state), Ready::NotYet))
        })
        .await
    }

    /// What is to be attached to the table as it is to its source, beside what is, where something is missing.
    async fn unattached(&self, cx: &Cx, state: &TableState) -> Result<Option<(Attached, Attached)>, StepError> {
        let Some(found) = cx.facts().get(ATTACHED) else { return Ok(None) };
        let found: Attached = serde_json::from_value(found.clone())
            .map_err(|error| StepError::failed(format!("the settings in the journal are not understood: {error}")))?;
        let Table { source, target, .. } = &self.table;
        let wanted = found.of_copy((source, self.backup(cx)?), (target, &state.arn));
        if wanted == Attached::default() {
            return Ok(None);
        }
        let actual = Attached::of(&cx.world.aws, target, state).await?.attached;
        Ok((!wanted.differences(&actual).is_empty()).then_some((wanted, actual)))
    }

    /// Waits until what was attached is told: a policy that was put a moment ago may not be (DynamoDB API:
    /// "GetResourcePolicy").
    async fn all_attached(&self, cx: &Cx) -> Result<TableState, StepError> {
        wait_until(cx, &self.what(), APPEARS, async || {
            let state = self.look(cx).await?.ok_or_else(|| self.gone())?;
            if let Some(status) = unready(&state) {
                return Ok(Ready::NotYet(status));
            }
            let missing = self.unattached(cx, &state).await?.map(|(wanted, actual)| wanted.differences(&actual));
            Ok(missing.map_or(Ready::Yes(state), |missing| Ready::NotYet(missing.join("; "))))
        })
        .await
    }

    fn gone(&self) -> StepError {
        StepError::failed(format!("{} is gone while it was being restored", self.what()))
            .hint("see in CloudTrail who deleted it, then retry the step")
    }

    /// Makes the changes that are needed, each in force before the next.
    async fn mend(&self, cx: &Cx, wanted: &TableSettings, mut state: TableState) -> Result<TableState, StepError> {
        for _ in 0..CHANGES {
            let Some(change) = wanted.next_change(&state) else { return Ok(state) };
            cx.status(format!("{}: setting {}", self.what(), change.what()));
            self.change(cx, &state, &change).await?;
            state = wait_until(cx, &self.what(), SETTLES, async || {
                let state = self.look(cx).await?.ok_or_else(|| self.gone())?;
                if let Some(status) = unready(&state) {
                    return Ok(Ready::NotYet(status));
                }
                let again = wanted.next_change(&state).as_ref() == Some(&change);
                Ok(if again { Ready::NotYet(format!("setting {}", change.what())) } else { Ready::Yes(state) })
            })
            .await?;
        }
        Err(StepError::failed(format!("{} does not keep its settings", self.what()))
            .hint("see what else changes it, stop that, then retry the step"))
    }

    async fn change(&self, cx: &Cx, state: &TableState, change: &Change) -> Result<(), StepError> {
        let session = &cx.world.aws;
        let name = &self.table.target;
        wait_until(cx, &self.what(), SETTLES, async || {
            let answer: Result<(), AwsError> = match change.clone() {
                Change::Tags(tags) => dynamodb::tag_table(session, &state.arn, &tags).await,
                Change::TimeToLive(attribute) => dynamodb::set_time_to_live(session, name, &attribute).await,
                Change::PointInTimeRecovery { period_days } => {
                    dynamodb::set_point_in_time_recovery(session, name, period_days).await
                }
                Change::Table(change) => dynamodb::change_table(session, name, change).await,
            };
            match answer {
                Ok(()) => Ok(Ready::Yes(())),
                Err(error) if error.is_any(&BUSY) => Ok(Ready::NotYet(format!("not ready for its {}", change.what()))),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    fn output(&self, cx: &Cx, state: &TableState, wanted: &TableSettings) -> Output {
        let adopt = self.table.adopt.iter().map(|address| json!({ "address": address, "id": self.table.target }));
        let restored = self.owner(cx, state, true, None) == Owner::ThisRun;
        let by_job = table_job::restores(cx.facts());
        let from = if by_job { self.backup(cx).ok() } else { state.restored_from.as_deref() };
        json!({
            "name": self.table.target,
            "arn": state.arn,
            "adopt": adopt.collect::<Vec<_>>(),
            "restored": restored,
            "recovery_point": restored.then_some(from),
            "restore_job": (restored && by_job).then(|| table_job::id(cx)),
            "approximate_items": cx.facts().get("approximate_items"),
            "bytes": cx.facts().get("bytes"),
            "not_set": wanted.not_set,
        })
    }
}

/// Whether the table was restored no earlier than that. DynamoDB tells whole seconds.
fn restored_since(state: &TableState, started: Timestamp) -> bool {
    state.restored_at.is_some_and(|at| at.as_second() >= started.as_second())
}

/// Whether an earlier attempt found this very table to be somebody else's.
fn was_foreign(cx: &Cx, state: &TableState) -> bool {
    let steps = cx.journal.as_ref().map(|journal| journal.state().steps);
    let note = steps.and_then(|mut steps| steps.remove(&cx.step)).and_then(|mut step| step.notes.remove(FOREIGN));
    note.is_some_and(|restored_at| restored_at == json!(state.restored_at))
}

/// What keeps a table from being used, in AWS's words.
pub(super) fn unready(state: &TableState) -> Option<String> {
    if state.status != "ACTIVE" {
        return Some(state.status.clone());
    }
    if state.restore_in_progress {
        return Some("restore in progress".to_owned());
    }
    let index = state.indexes.iter().find(|(_, index)| index.status != "ACTIVE");
    index.map(|(name, index)| format!("index {name} is {}", index.status))
}
