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
    let to = at(
        &|event| matches!(event, Event::StepApplied { step, .. } | Event::StepReconciled { step, .. } if step == id),
    )?;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::SignedDuration;
    use serde_json::Value;

    use super::*;
    use crate::manifest;
    use crate::rehearse::breach::foreseen;
    use crate::rehearse::proxy::RequestOutcome;

    const CONTAINS: &str = "contain.user.streaming-logs-deploy";
    const NAMES: &str = "teardown.names";

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn record(second: i64, event: Event) -> Record {
        Record { v: 1, seq: 0, at: at(second), mono_ms: 0, prev: String::new(), event }
    }

    fn request(second: i64, service: &str, operation: &str, resource: Option<&str>) -> RequestRecord {
        RequestRecord {
            time: at(second),
            service: service.into(),
            operation: operation.into(),
            region: "eu-west-2".into(),
            resource: resource.map(str::to_owned),
            agent: "lifeboat".into(),
            status: 200,
            outcome: RequestOutcome::Forwarded,
            lost_status: None,
            duration_ms: 1,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    #[test]
    fn a_step_is_idle_that_asked_for_nothing_while_it_was_under_way() {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = manifest::load(&environments, "prod").expect("the example");
        let runbook = foreseen(&manifest).expect("a rebuild is prepared");
        let records: Vec<Record> = [(CONTAINS, 10), (NAMES, 30)]
            .into_iter()
            .flat_map(|(id, from)| {
                let (step, same) = (StepId::from(id), StepId::from(id));
                let started = Event::StepStarted { step, attempt: 1 };
                [record(from, started), record(from + 10, Event::StepApplied { step: same, output: Value::Null })]
            })
            .collect();
        let requests = [
            request(15, "iam", "AttachUserPolicy", Some("streaming-logs-deploy")),
            // Before it, and no change.
            request(25, "secretsmanager", "DeleteSecret", None),
            request(35, "secretsmanager", "ListSecrets", None),
        ];
        let idle = idle((&runbook, &manifest.in_primary()), &records, &requests);
        assert!(!idle.contains(&StepId::from(CONTAINS)), "{idle:?}");
        assert!(idle.contains(&StepId::from(NAMES)), "{idle:?}");
        assert!(!idle.contains(&StepId::from("teardown.plan")), "it has no effect to look for: {idle:?}");
    }
}
