//! The operator's choices about failed steps, checked against the journal: which are tried again, which are left out.

use super::error::CliError;
use super::resume::Resume;
use crate::journal::{RunState, StepPhase};
use crate::manifest::Manifest;
use crate::runbook::StepId;
use crate::steps::adopted;
use crate::terraform::{Address, outside_quotes};

/// What becomes of the failed steps of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub retry: Vec<StepId>,
    pub skip: Vec<StepId>,
}

/// Something that stands and is to be Terraform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub address: String,
    pub id: String,
}

/// Reads `ADDRESS=ID`; an empty ID takes an earlier choice back. An instance key in the address may hold anything, in
/// quotes.
pub fn import(text: &str) -> Result<Import, String> {
    let Some(at) = outside_quotes(text, '=') else { return Err("it has no =: ADDRESS=ID is wanted".to_owned()) };
    let (address, id) = (&text[..at], &text[at + 1..]);
    if Address::parse(address).is_none() {
        return Err(format!("{address:?} is no address of a resource"));
    }
    Ok(Import { address: address.to_owned(), id: id.to_owned() })
}

/// Whether what is to be imported can still be: Terraform has applies before it, and no restore claims its address.
///
/// # Errors
/// Exit 2 for an address that a restore is adopted at; 3 where every apply is done.
pub fn importable(imports: &[Import], manifest: &Manifest, state: &RunState) -> Result<(), CliError> {
    let Some(first) = imports.first() else { return Ok(()) };
    let adopted = adopted(manifest);
    if let Some(claimed) = imports.iter().find(|it| adopted.contains(&it.address)) {
        return Err(CliError::usage(format!("{} is adopted from its restore", claimed.address))
            .hint("leave the --import of it out"));
    }
    let applies = state.steps.iter().filter(|(id, _)| id.as_str().ends_with(".apply"));
    if applies.clone().count() > 0 && applies.clone().all(|(_, step)| matches!(step.phase, StepPhase::Verified { .. }))
    {
        return Err(CliError::blocked(format!("{} cannot be imported any more", first.address))
            .cause("every apply of the run is done"));
    }
    Ok(())
}

impl Choice {
    /// Reads the choices. All failed steps have to be chosen for or none goes on: the operator has seen why each failed.
    ///
    /// # Errors
    /// Exit 2 for a step that has not failed, or is chosen for twice; 3 for a failed one without a choice, and for one that
    /// the run cannot go on without.
    pub fn of(command: &Resume, run: &str, state: &RunState) -> Result<Self, CliError> {
        let has_failed = |id: &StepId| state.steps.get(id).is_some_and(|it| matches!(it.phase, StepPhase::Failed(_)));
        let failed: Vec<&StepId> = state.steps.keys().filter(|id| has_failed(id)).collect();
        let ids = |names: &[String]| names.iter().map(|id| StepId::new(id.as_str())).collect::<Vec<_>>();
        let choice = Self { retry: ids(&command.retry), skip: ids(&command.skip) };
        let mut unknown = choice.retry.iter().filter(|id| !state.may_be_tried_again(id, &choice.retry));
        let mut not_open = choice.skip.iter().filter(|id| !has_failed(id));
        if let Some(unknown) = unknown.next().or_else(|| not_open.next()) {
            return Err(not_failed(unknown, &failed));
        }
        if let Some(both) = choice.retry.iter().find(|id| choice.skip.contains(id)) {
            return Err(CliError::usage(format!("step {both} can be tried again or left out, not both")));
        }
        for id in &choice.skip {
            dispensable(id, run, state)?;
        }
        if let Some(open) = failed.iter().find(|id| !choice.steps().any(|chosen| chosen == **id)) {
            let why = match &state.steps[*open].phase {
                StepPhase::Failed(failure) => failure.cause.clone(),
                _ => String::new(),
            };
            return Err(open_choice(run, open, &why, &failed));
        }
        Ok(choice)
    }

    fn steps(&self) -> impl Iterator<Item = &StepId> {
        self.retry.iter().chain(&self.skip)
    }
}

fn not_failed(unknown: &StepId, failed: &[&StepId]) -> CliError {
    let names: Vec<&str> = failed.iter().map(|id| id.as_str()).collect();
    CliError::usage(format!("step {unknown} has not failed")).cause(match names.len() {
        0 => "no step has".to_owned(),
        _ => format!("these have: {}", names.join(", ")),
    })
}

fn dispensable(id: &StepId, run: &str, state: &RunState) -> Result<(), CliError> {
    let spec = state.started.as_ref().and_then(|started| started.runbook.step(id));
    match spec.and_then(|spec| spec.action.indispensable()) {
        None => Ok(()),
        Some(why) => Err(CliError::blocked(format!("step {id} cannot be left out"))
            .cause(why)
            .next(format!("lifeboat resume {run} --retry {id}"))),
    }
}

fn open_choice(run: &str, open: &StepId, why: &str, failed: &[&StepId]) -> CliError {
    let retries: Vec<String> = failed.iter().map(|id| format!("--retry {id}")).collect();
    CliError::blocked(format!("run {run} waits for a choice: step {open} failed"))
        .cause(why)
        .hint(format!(
            "try again once the cause is gone, or go on without it: --skip {open} --because \"…\"; then the report says so"
        ))
        .next(format!("lifeboat resume {run} {}", retries.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_split_at_the_first_equals_sign_outside_quotes() {
        let read = |text: &str| import(text).map(|it| (it.address, it.id));
        let of = |address: &str, id: &str| Ok((address.to_owned(), id.to_owned()));
        assert_eq!(read("aws_sqs_queue.jobs=https://sqs/1?a=b"), of("aws_sqs_queue.jobs", "https://sqs/1?a=b"));
        assert_eq!(
            read(r#"module.m["a=b"].aws_vpc.v["q\"="]=vpc-1"#),
            of(r#"module.m["a=b"].aws_vpc.v["q\"="]"#, "vpc-1")
        );
        assert_eq!(read("aws_vpc.v="), of("aws_vpc.v", ""));
        for wrong in ["aws_vpc.v", "=vpc-1", "vpc=1", "data.aws_vpc.v=1", r#"aws_vpc.v["a=b"]"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
