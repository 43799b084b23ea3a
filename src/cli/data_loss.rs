//! `--allow-data-loss`: the failover of a global database does not wait for what is not replicated. Whether that may be lost is
//! for the operator to say, before anything is changed.

use serde_json::json;

use crate::engine::Preflight;
use crate::runbook::StepId;
use crate::steps::{Blocked, DATA_LOSS, DATA_LOSS_ALLOWED};

/// Holds what the checks have found against what the operator allows. What is allowed stands with what was found from then on,
/// and so in the journal; `by` is the caller's ARN. What is not allowed stands in the way.
pub fn judge(found: &mut Preflight, allowed: bool, by: &str) {
    let loses = |facts: &serde_json::Value| facts.get(DATA_LOSS).and_then(|loss| loss.as_str().map(str::to_owned));
    let losses: Vec<(StepId, String)> =
        found.checked.iter().filter_map(|(step, checked)| Some((step.clone(), loses(&checked.facts)?))).collect();
    for (step, loss) in losses {
        if allowed {
            if let Some(facts) = found.checked.get_mut(&step).and_then(|checked| checked.facts.as_object_mut()) {
                facts.insert(DATA_LOSS_ALLOWED.to_owned(), json!(by));
                if let Some(warnings) = facts.get_mut("warnings").and_then(|warnings| warnings.as_array_mut()) {
                    warnings.push(json!(format!("{by} allows that this is lost: --allow-data-loss")));
                }
            }
        } else {
            found.blocked.push((step, unallowed(&loss)));
        }
    }
}

fn unallowed(loss: &str) -> Blocked {
    Blocked {
        cause: loss.to_owned(),
        hint: Some(
            "allow it with --allow-data-loss; where the primary region is well, move the writer without a loss instead (aws rds \
             switchover-global-cluster, in the primary region), and fail over then"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Checked;

    fn found() -> Preflight {
        let facts = json!({ "data_loss": "the newest 4 s may be lost", "warnings": ["the newest 4 s may be lost"] });
        let mut found = Preflight::default();
        found.checked.insert("restore.aurora.logs".into(), Checked { facts, ..Checked::default() });
        found.checked.insert("restore.table.metadata".into(), Checked { facts: json!({}), ..Checked::default() });
        found
    }

    #[test]
    fn what_may_be_lost_stands_in_the_way_until_it_is_allowed() {
        let mut refused = found();
        judge(&mut refused, false, "arn:ops");
        let [(step, blocked)] = refused.blocked.as_slice() else { panic!("{:?}", refused.blocked) };
        assert_eq!((step.as_str(), blocked.cause.as_str()), ("restore.aurora.logs", "the newest 4 s may be lost"));
        assert!(blocked.hint.as_deref().is_some_and(|hint| hint.contains("--allow-data-loss")));

        let mut allowed = found();
        judge(&mut allowed, true, "arn:ops");
        assert!(allowed.blocked.is_empty());
        let facts = allowed.facts(&"restore.aurora.logs".into());
        assert_eq!(facts[DATA_LOSS_ALLOWED], "arn:ops");
        assert!(facts["warnings"][1].as_str().is_some_and(|warning| warning.starts_with("arn:ops allows")), "{facts}");
        assert_eq!(allowed.facts(&"restore.table.metadata".into()), json!({}));
    }
}
