//! The plan before the run: what stands against it blocks while nothing has been changed, and nothing is left behind that
//! would have to be resumed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::bundling::PLANNING;
use super::error::CliError;
use crate::engine::{Engine, Foreknown, Preflight, ahead};
use crate::guard;
use crate::report;
use crate::runbook::StepId;
use crate::terraform::stage::StageError;
use crate::terraform::{Detail, TerraformError, list};

/// Plans, and refuses what may not be done; `bundle` is what the run goes by. What was let through is in `found` afterwards: the journal gets it with the
/// checks of the steps.
///
/// # Errors
/// Exit 3: the plan is refused, or cannot be made.
pub async fn look(
    engine: &Engine,
    bundle: Option<&Path>,
    overridden: &BTreeSet<String>,
    found: &mut Preflight,
) -> Result<Foreknown, CliError> {
    report::to_stderr("planning, to see what the guards say of it; nothing is changed\n");
    // What goes by a bundle is compared with it afterwards.
    let detail = if bundle.is_some() { Detail::Kept } else { Detail::Judged };
    let foreknown = ahead(engine, detail).await.map_err(unplanned)?;
    let (blocking, let_through) = guard::sort(foreknown.violations.clone(), overridden);
    let refused_by_lifeboat = &foreknown.look.refused;
    if !refused_by_lifeboat.is_empty() || !blocking.is_empty() {
        return Err(refused(engine, bundle, refused_by_lifeboat, &blocking, overridden));
    }
    let let_through: Vec<String> = let_through.iter().map(ToString::to_string).collect();
    for line in &let_through {
        report::to_stderr(&format!("warning: let through: {}\n", report::escape(line)));
    }
    remember(found, &foreknown, &let_through);
    Ok(foreknown)
}

/// Adds to what the first plan's step was checked for.
fn remember(found: &mut Preflight, foreknown: &Foreknown, let_through: &[String]) {
    let checked = found.checked.entry(StepId::from(PLANNING)).or_default();
    let mut facts = checked.facts.as_object().cloned().unwrap_or_default();
    facts.insert(report::SOURCE.to_owned(), json!(foreknown.look.source));
    for (key, more) in [("warnings", foreknown.warnings.as_slice()), ("let_through", let_through)] {
        if more.is_empty() {
            continue;
        }
        let mut list = facts.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        list.extend(more.iter().map(|it| json!(it)));
        facts.insert(key.to_owned(), Value::Array(list));
    }
    checked.facts = Value::Object(facts);
}

fn unplanned(error: TerraformError) -> CliError {
    let blocked = match error {
        TerraformError::Interrupted { .. } => {
            return CliError::error("interrupted before the run began; nothing was changed");
        }
        TerraformError::Stage(StageError::Io { .. }) => {
            return CliError::error("the run's folder cannot be written, so nothing was changed")
                .cause(error.to_string())
                .hint("make room, or give another folder with --home or LIFEBOAT_HOME");
        }
        _ => CliError::blocked("the plan cannot be made; nothing was changed"),
    };
    let blocked = blocked.cause(error.to_string());
    match error.advice() {
        Some(advice) => blocked.hint(advice),
        None => blocked,
    }
}

fn refused(
    engine: &Engine,
    bundle: Option<&Path>,
    fixed: &[crate::terraform::guard::Violation],
    blocking: &[guard::Violation],
    overridden: &BTreeSet<String>,
) -> CliError {
    let guards = guard::violated(blocking);
    let error = CliError::blocked("the plan is refused; nothing was changed").cause(list(fixed, blocking));
    let hint = blocking.iter().find_map(|it| it.hint.clone());
    let root =
        "change the root, the variables of the recovery region or the guards, so that nothing of this is planned";
    let error = error.hint(hint.map_or_else(|| root.to_owned(), |hint| format!("{hint}; or {root}")));
    if !fixed.is_empty() {
        return error;
    }
    let all = overridden.iter().map(String::as_str).chain(guards).collect::<BTreeSet<_>>();
    let overrides: String = all.iter().map(|guard| format!(" --override {guard}")).collect();
    let bundle = bundle.map_or_else(String::new, |path| format!(" --bundle {}", path.display()));
    let (scenario, env) = (&engine.runbook.scenario, &engine.world.manifest.environment);
    error.next(format!("lifeboat {scenario} {env}{bundle}{overrides} --because \"…\""))
}
