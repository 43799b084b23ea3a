//! Steps that may change something and found nothing to change in an undisturbed run: they are disturbed by what their journal
//! says, as there is no request to wait for. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::journal::{Event, Record};
use crate::manifest::Manifest;
use crate::rehearse::fault::effect_of;
use crate::rehearse::proxy::{Call, RequestRecord};
use crate::runbook::{Runbook, StepId};

/// The steps of a runbook that asked for no effect of theirs while they were under way.
pub(super) fn idle(
    (runbook, seen): (&Runbook, &Manifest),
    records: &[Record],
    requests: &[RequestRecord],
) -> BTreeSet<StepId> {
    let nothing_of = |id: &StepId| {
        let Some(effects) = runbook.step(id).and_then(|spec| effect_of(spec, seen)) else { return false };
        let under_way = span(records, id);
        !requests.iter().any(|request| {
            let while_under_way = under_way.is_some_and(|(from, to)| (from..=to).contains(&request.time));
            while_under_way && effects.include(&call(request), &request.agent)
        })
    };
    runbook.steps.iter().map(|spec| spec.id.clone()).filter(nothing_of).collect()
}

/// From a step's start to its result.
fn span(records: &[Record], id: &StepId) -> Option<(Timestamp, Timestamp)> {
    let at = |is: &dyn Fn(&Event) -> bool| records.iter().find(|record| is(&record.event)).map(|record| record.at);
    let from = at(&|event| matches!(event, Event::StepStarted { step, .. } if step == id))?;
    let to = at(&|event| {
        matches!(event, Event::StepApplied { step, .. } | Event::StepReconciled { step, .. } if step == id)
    })?;
    Some((from, to))
}

fn call(request: &RequestRecord) -> Call {
    Call {
        service: request.service.clone(),
        operation: request.operation.clone(),
        region: request.region.clone(),
        resource: request.resource.clone(),
    }
}
