//! Moves the traffic: the record sets of one hosted zone, in one change batch.
//!
//! What stood before is in the journal, and the batch that undoes it in the run's folder, before anything is changed.
//! Other record sets of the zone are never touched.

mod batch;
mod by_hand;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

pub use batch::Before;
use batch::{change_batch, clash, desired, is_equal, is_same_set, label, texts, undo_batch, warnings};

use by_hand::or_by_hand;

use super::resolve::{Resolver, reference};
use super::{Blocked, Checked, Compensation, Cx, Output, Ready, Seen, Standing, Step, StepError, wait_until};
use crate::aws::route53::{
    HostedZone, RecordSet, change, dns_name, is_in_sync, record_sets_named, zone_of_id, zones_named,
};
use crate::aws::{AwsError, Session};
use crate::manifest::{Cutover, Record, Zone};

/// Route 53 usually needs less than one minute; an hour of trouble there is an operator's decision.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(900);
/// Another change of the same record is still under way: asked again for so long.
const PRIOR_CHANGE_WITHIN: Duration = Duration::from_secs(120);
/// Nothing is restored while steps are checked, so Route 53 is not waited for longer.
const CHECKED_WITHIN: Duration = Duration::from_secs(20);

/// The step `cutover.NAME`.
pub struct CutoverStep {
    pub cutover: Cutover,
}

impl CutoverStep {
    async fn observed(&self, cx: &Cx) -> Result<Seen, StepError> {
        let view = view_cutover(&cx.world.aws, &self.cutover, &Resolver::of(cx)).await?;
        if !view.is_done() {
            return Ok(Seen::Absent);
        }
        // The list shows a change as soon as it is accepted, long before the name servers answer by it.
        let change = cx.noted("change_id").and_then(|id| id.as_str().map(str::to_owned));
        if let Some(id) = &change {
            await_sync(cx, id).await?;
        }
        Ok(Seen::Done(self.output(cx, &view, change.as_deref())))
    }

    async fn applied(&self, cx: &Cx) -> Result<Output, StepError> {
        let (session, resolver) = (&cx.world.aws, &Resolver::of(cx));
        let ask = async || {
            // Read anew each time: while another change was under way the records may have become others.
            let view = view_cutover(session, &self.cutover, resolver).await?;
            let noted = |before| cx.note("records_before", before);
            match change_records(session, &self.cutover, &view, &cx.world.run, &cx.world.run_dir, noted).await {
                Ok(id) => Ok(Ready::Yes((view, id))),
                Err(ChangeError::Prior) => Ok(Ready::NotYet("behind another change of the same records".to_owned())),
                Err(ChangeError::Failed(error)) => Err(error),
            }
        };
        let what = format!("cutover {}", self.cutover.name);
        let (view, id) = wait_until(cx, &what, PRIOR_CHANGE_WITHIN, ask).await?;
        cx.note("change_id", json!(id)).await?;
        await_sync(cx, &id).await?;
        Ok(self.output(cx, &view, Some(&id)))
    }

    fn output(&self, cx: &Cx, view: &CutoverView, change_id: Option<&str>) -> Output {
        let undo = undo_path(&cx.world.run_dir, &self.cutover.name);
        json!({
            "change_id": change_id,
            "records": view.records.iter().map(|record| label_of(&record.before)).collect::<Vec<_>>(),
            "undo": undo.exists().then(|| undo.display().to_string()),
        })
    }
}

#[async_trait]
impl Step for CutoverStep {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let resolver = Resolver::of(cx);
        let asked = check_cutover(&cx.world.aws, &self.cutover, &resolver);
        match tokio::time::timeout(CHECKED_WITHIN, asked).await {
            Ok(Err(CheckError::Blocked(blocked))) => Err(blocked),
            Ok(Ok(checked)) => Ok(checked),
            Ok(Err(CheckError::Silent(error))) => Ok(unchecked(&self.cutover, &error)),
            Err(_) => Ok(unchecked(&self.cutover, &format!("no answer within {} s", CHECKED_WITHIN.as_secs()))),
        }
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        match self.observed(cx).await {
            Err(error) => Err(or_by_hand(cx, &self.cutover, error).await),
            seen => seen,
        }
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        match self.applied(cx).await {
            Err(error) => Err(or_by_hand(cx, &self.cutover, error).await),
            output => output,
        }
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let view = view_cutover(&cx.world.aws, &self.cutover, &Resolver::of(cx)).await?;
        match view.records.iter().find(|record| !record.is_done()) {
            None => Ok(()),
            Some(record) => {
                let text = format!("{} does not answer as the cutover made it", label_of(&record.before));
                Err(StepError::check_failed(text).hint("something else changed it since: look at the zone, then retry"))
            }
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual(format!(
            "aws route53 change-resource-record-sets --hosted-zone-id ZONE --change-batch file://{}, \
             with the zone and the folder that the run's report names",
            undo_name(&self.cutover.name)
        ))
    }
}

/// Waits until all name servers have a change. One that Route 53 does not know any more is long done.
async fn await_sync(cx: &Cx, id: &str) -> Result<(), StepError> {
    wait_until(cx, &format!("change {id}"), IN_SYNC_WITHIN, async || match is_in_sync(&cx.world.aws, id).await {
        Ok(false) => Ok(Ready::NotYet("PENDING".to_owned())),
        Ok(true) => Ok(Ready::Yes(())),
        Err(error) if error.is("NoSuchChange") => Ok(Ready::Yes(())),
        Err(error) => Err(error.into()),
    })
    .await
}

/// A cutover's records as they stand and as they shall be.
#[derive(Clone, Debug, PartialEq)]
pub struct CutoverView {
    pub zone_id: String,
    pub records: Vec<RecordView>,
}

/// One record set of a cutover.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordView {
    pub before: Before,
    /// `None` while something that it refers to is not known; `missing` names it then.
    pub desired: Option<RecordSet>,
    pub missing: Option<String>,
    /// Why Route 53 would refuse it.
    pub clash: Option<String>,
    pub warnings: Vec<String>,
}

impl CutoverView {
    /// Whether every record answers as desired.
    pub fn is_done(&self) -> bool {
        self.records.iter().all(RecordView::is_done)
    }

    fn befores(&self) -> Vec<Before> {
        self.records.iter().map(|record| record.before.clone()).collect()
    }
}

impl RecordView {
    fn is_done(&self) -> bool {
        matches!((&self.desired, &self.before.record_set), (Some(a), Some(b)) if is_equal(a, b))
    }
}

fn label_of(before: &Before) -> String {
    let set = RecordSet {
        name: before.name.clone(),
        kind: before.kind.clone(),
        set_identifier: before.set_identifier.clone(),
        ..RecordSet::default()
    };
    label(&set)
}

/// Why a cutover could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("{}", .0.cause)]
    Blocked(Blocked),
    /// Route 53 does not answer. That is no reason to leave the data where it is.
    #[error("{0}")]
    Silent(String),
}

/// What is left of a check that Route 53 did not answer.
fn unchecked(cutover: &Cutover, why: &str) -> Checked {
    let warning = format!(
        "Route 53's control plane does not answer, so that nothing of cutover {} is checked; everything else is restored, \
         and the run is held there if it stays silent: {why}",
        cutover.name
    );
    Checked { facts: json!({ "warnings": [warning] }), standing: Standing::Unknown }
}

/// May the records be changed; do they stand as desired already?
///
/// # Errors
/// The zone is missing or ambiguous, a record is outside it or would be refused, or AWS refused to tell; or it is silent.
pub async fn check_cutover(
    session: &Session,
    cutover: &Cutover,
    resolver: &Resolver<'_>,
) -> Result<Checked, CheckError> {
    let view = view_cutover(session, cutover, resolver).await.map_err(|error| match error.transient {
        true => CheckError::Silent(error.cause),
        false => CheckError::Blocked(Blocked { cause: error.cause, hint: error.hint }),
    })?;
    let clashes: Vec<&str> = view.records.iter().filter_map(|record| record.clash.as_deref()).collect();
    if !clashes.is_empty() {
        let cause = format!("Route 53 would refuse the cutover: {}", clashes.join("; "));
        let hint = Some("give the record the routing policy of those that stand".to_owned());
        return Err(CheckError::Blocked(Blocked { cause, hint }));
    }
    let warnings: Vec<&String> = view.records.iter().flat_map(|record| &record.warnings).collect();
    let facts = json!({ "zone_id": view.zone_id, "records_before": view.befores(), "warnings": warnings });
    let standing = if view.is_done() { Standing::InPlace } else { Standing::Unknown };
    Ok(Checked { facts, standing })
}

/// Reads the records and resolves what they shall be.
///
/// # Errors
/// As [`check_cutover`], but for clashes, which are in the view.
pub async fn view_cutover(
    session: &Session,
    cutover: &Cutover,
    resolver: &Resolver<'_>,
) -> Result<CutoverView, StepError> {
    let zone = find_zone(session, &cutover.zone).await?;
    let mut records = Vec::with_capacity(cutover.records.len());
    for record in &cutover.records {
        let name = dns_name(&record.name);
        if name != zone.name && !name.ends_with(&format!(".{}", zone.name)) {
            let text = format!("record {} is not in hosted zone {} ({})", record.name, zone.name, zone.id);
            return Err(StepError::failed(text));
        }
        let standing = record_sets_named(session, &zone.id, &record.name).await?;
        let before = standing.iter().find(|set| is_same_set(record, set)).cloned();
        let wanted = wanted(record, resolver).await?;
        records.push(RecordView {
            desired: wanted.as_ref().ok().cloned(),
            missing: wanted.err(),
            clash: clash(record, &standing),
            warnings: before.as_ref().map(|before| warnings(record, before)).unwrap_or_default(),
            before: Before {
                name,
                kind: record.kind.clone(),
                set_identifier: record.set_identifier.clone(),
                record_set: before,
            },
        });
    }
    Ok(CutoverView { zone_id: zone.id, records })
}

/// The record set that a record shall be, or the reference of which the value is not known.
async fn wanted(record: &Record, resolver: &Resolver<'_>) -> Result<Result<RecordSet, String>, StepError> {
    let mut resolved = Vec::new();
    for text in texts(record) {
        match resolver.resolve(text).await? {
            Some(value) => resolved.push(value),
            None => return Ok(Err(reference(text))),
        }
    }
    Ok(Ok(desired(record, &resolved)))
}

/// The record set that a record shall be, with the manifest's references in place of what is not known yet; and whether
/// there are any.
///
/// # Errors
/// As [`check_cutover`].
pub async fn foreseen(record: &Record, resolver: &Resolver<'_>) -> Result<(RecordSet, bool), StepError> {
    let (mut resolved, mut known) = (Vec::new(), true);
    for text in texts(record) {
        let value = resolver.resolve(text).await?;
        known &= value.is_some();
        resolved.push(value.unwrap_or_else(|| reference(text)));
    }
    Ok((desired(record, &resolved), known))
}

async fn find_zone(session: &Session, zone: &Zone) -> Result<HostedZone, StepError> {
    match zone {
        Zone::Id(id) => {
            let missing = || StepError::failed(format!("hosted zone {id} does not exist"));
            zone_of_id(session, id).await?.ok_or_else(missing)
        }
        Zone::Name(name) => {
            let mut zones = zones_named(session, name).await?;
            match (zones.pop(), zones.is_empty()) {
                (None, _) => Err(StepError::failed(format!("no hosted zone is called {name}"))),
                (Some(zone), true) => Ok(zone),
                (Some(last), false) => {
                    zones.push(last);
                    let said: Vec<String> = zones.iter().map(describe).collect();
                    let text = format!("{} hosted zones are called {name}: {}", zones.len(), said.join(", "));
                    Err(StepError::failed(text).hint("name the zone by its id"))
                }
            }
        }
    }
}

fn describe(zone: &HostedZone) -> String {
    format!("{} ({})", zone.id, if zone.private { "private" } else { "public" })
}

/// Why a batch was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("Route 53 is still working on another change of the same records")]
    Prior,
    #[error(transparent)]
    Failed(#[from] StepError),
}

impl From<AwsError> for ChangeError {
    fn from(error: AwsError) -> Self {
        if error.is("PriorRequestNotComplete") { Self::Prior } else { Self::Failed(error.into()) }
    }
}

/// Notes what stands, keeps the batch that undoes the change in `run_dir`, then sends the change. Gives back its id.
///
/// # Errors
/// Something is not known, what stands could not be noted or kept, in which case nothing was sent; or Route 53 refused.
pub async fn change_records<N: Future<Output = Result<(), StepError>>>(
    session: &Session,
    cutover: &Cutover,
    view: &CutoverView,
    run: &str,
    run_dir: &Path,
    note: impl FnOnce(Value) -> N,
) -> Result<String, ChangeError> {
    let mut sets = Vec::with_capacity(view.records.len());
    for record in &view.records {
        let missing = record.missing.as_deref().unwrap_or_default();
        let unknown = || StepError::failed(format!("{} needs {missing}, which is not known", label_of(&record.before)));
        sets.push(record.desired.clone().ok_or_else(unknown)?);
    }
    let before = view.befores();
    note(json!({ "zone_id": view.zone_id, "records": before })).await?;
    let undo = undo_batch(&before, &sets, run, &cutover.name);
    let path = free_undo_path(run_dir, &cutover.name);
    write(&path, &serde_json::to_vec_pretty(&undo).map_err(|error| unwritten(&path, &error))?)
        .map_err(|error| unwritten(&path, &error))?;
    Ok(change(session, &view.zone_id, &change_batch(&sets, run, &cutover.name)).await?)
}

fn unwritten(path: &Path, error: &dyn std::error::Error) -> StepError {
    StepError::failed(format!("{} cannot be written: {error}", path.display())).hint("nothing was changed")
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn undo_path(run_dir: &Path, cutover: &str) -> PathBuf {
    run_dir.join(undo_name(cutover))
}

/// The first undo of a run is the one that leads back to what stood before it: later attempts leave it alone.
fn free_undo_path(run_dir: &Path, cutover: &str) -> PathBuf {
    let first = undo_path(run_dir, cutover);
    let later = (2..).map(|attempt: u32| run_dir.join(format!("undo-{}.{attempt}.json", file_name(cutover))));
    std::iter::once(first.clone()).chain(later).find(|path| !path.exists()).unwrap_or(first)
}

/// No name from a manifest leads out of the run's folder.
fn undo_name(cutover: &str) -> String {
    format!("undo-{}.json", file_name(cutover))
}

/// A name as part of a file's name.
pub(super) fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    name.chars().map(safe).take(100).collect()
}
