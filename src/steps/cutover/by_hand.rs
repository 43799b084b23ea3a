//! What can be done while Route 53's control plane does not answer: the change, ready to be sent by anybody who reaches
//! it.
//!
//! It is in us-east-1 for everybody (Route 53 Developer Guide: "Resilience in Amazon Route 53"). Record sets are answered
//! from elsewhere meanwhile, as they stand.

use super::batch::change_batch;
use super::{file_name, unwritten, wanted, write};
use crate::manifest::{Cutover, Zone};
use crate::steps::resolve::Resolver;
use crate::steps::{Cx, StepError};

/// Says how the change can be sent by hand, where an error is that Route 53 does not answer. The change batch is left in
/// the run's folder, if everything that it refers to is known.
pub(super) async fn or_by_hand(cx: &Cx, cutover: &Cutover, error: StepError) -> StepError {
    if !error.transient {
        return error;
    }
    let retry = format!("once Route 53 answers: lifeboat resume {} --retry {}", cx.world.run, cx.step);
    let hint = match command(cx, cutover).await {
        Ok(command) => format!("{retry}; by hand, from wherever it can be reached: {command}; resume finds it done"),
        Err(why) => format!("{retry}; the change is not written down for sending it by hand: {why}"),
    };
    error.hint(hint)
}

async fn command(cx: &Cx, cutover: &Cutover) -> Result<String, StepError> {
    let resolver = Resolver::of(cx);
    let mut sets = Vec::with_capacity(cutover.records.len());
    for record in &cutover.records {
        let unknown = |missing| StepError::failed(format!("{} needs {missing}, which is not known", record.name));
        sets.push(wanted(record, &resolver).await?.map_err(unknown)?);
    }
    let path = cx.world.run_dir.join(format!("cutover-{}.json", file_name(&cutover.name)));
    let batch = change_batch(&sets, &cx.world.run, &cutover.name);
    let json = serde_json::to_vec_pretty(&batch).map_err(|error| unwritten(&path, &error))?;
    write(&path, &json).map_err(|error| unwritten(&path, &error))?;
    let found = cx.facts().get("zone_id").and_then(|id| id.as_str().map(str::to_owned));
    let zone = match (cutover.zone.clone(), found) {
        (Zone::Id(id), _) | (Zone::Name(_), Some(id)) => id,
        (Zone::Name(name), None) => format!("ID-OF-{name}"),
    };
    Ok(format!(
        "aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch file://{}",
        path.display()
    ))
}
