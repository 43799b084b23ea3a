//! `lifeboat contain ENV`: whoever broke in is shut out, reversibly; `--undo RUN` lets them in again by that run's journal.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home;
use super::lease::Desk;
use super::recover::{Named, Recovery, RunArgs};
use super::wiring::{self, Connected};
use crate::engine::Preflight;
use crate::journal::{self, Loaded};
use crate::manifest::{ContainmentRule, Manifest, identity_fault};
use crate::runbook::{Action, Runbook};
use crate::scenario::{self, CONTAIN, RELEASE};

#[derive(Args)]
pub struct Contain {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    /// Shut this IAM user out (repeatable); whoever is named here or with --role stands in for the manifest's users and roles
    #[arg(long, value_name = "NAME", value_parser = identity)]
    user: Vec<String>,
    /// Shut the sessions of this IAM role out (repeatable)
    #[arg(long, value_name = "NAME", value_parser = identity)]
    role: Vec<String>,
    /// Let nobody but the break-glass principals begin new sessions of the roles either
    #[arg(long)]
    narrow_trust: bool,
    /// Take back what this run has contained
    #[arg(long, value_name = "RUN", conflicts_with_all = ["user", "role", "narrow_trust"])]
    undo: Option<String>,
    /// Print every document that would be written, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// Exit 2 for a manifest that is not valid or names nobody; 3 where somebody is needed who would be shut out, or anything
/// else stands in the way; nothing was changed then.
pub async fn run(command: &Contain, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    command.run.plausible(&command.env, declared_at)?;
    let plans = wiring::read(&command.env, environment)?;
    let manifest = plans.manifest.clone();
    let rule = match &command.undo {
        None => Some(command.rule(&manifest)?),
        Some(_) => None,
    };
    let connected = wiring::connect(&manifest).await?;
    let runbook = match (&command.undo, &rule) {
        (Some(run), _) => release(run, &manifest, &connected, environment).await?,
        (None, Some(rule)) => scenario::contain(&manifest, &manifest.primary.name, rule),
        (None, None) => return Err(CliError::usage("who shall be contained?")),
    };
    let aws = connected.aws_in(&runbook.to_region).await;
    // Used where an approval is asked for, which no containment can have.
    let planned_by = format!("lifeboat contain {} --dry-run", command.env);
    let named = Named { plans, connected, aws, runbook, planned_by };
    Recovery { run: &command.run, declared_at, named, bundle: None, dry_run: command.dry_run }
        .carry_out(environment)
        .await
}

impl Contain {
    /// Whom to shut out: those of the command line, or those of the manifest. Who is spared, the manifest alone says.
    fn rule(&self, manifest: &Manifest) -> Result<ContainmentRule, CliError> {
        let Some(mut rule) = manifest.containment.clone() else {
            return Err(CliError::usage(format!("{} has no containment block", manifest.path.display()))
                .cause("it says who is never shut out")
                .hint("write containment { break_glass = [\"arn:aws:iam::ACCOUNT:role/NAME\"] }"));
        };
        if !self.user.is_empty() || !self.role.is_empty() {
            (rule.users, rule.roles) = (self.user.clone(), self.role.clone());
        }
        rule.narrow_trust |= self.narrow_trust;
        if rule.users.is_empty() && rule.roles.is_empty() {
            return Err(CliError::usage("nobody is named to be contained")
                .hint("name users and roles in the containment block, or with --user and --role"));
        }
        Ok(rule)
    }
}

fn identity(text: &str) -> Result<String, String> {
    identity_fault(text).map_or_else(|| Ok(text.to_owned()), |fault| Err(fault.to_owned()))
}

/// The runbook that takes a run back, by its journal here, or by the copy in the state bucket.
async fn release(
    run: &str,
    manifest: &Manifest,
    connected: &Connected,
    environment: &Environment,
) -> Result<Runbook, CliError> {
    let loaded = contained(run, manifest, connected, environment).await?;
    let of = loaded.state.started.as_ref().map(|it| (&it.runbook.account, &it.runbook.environment));
    if of != Some((&manifest.account, &manifest.environment)) {
        return Err(CliError::blocked(format!(
            "run {run} is not one of {}; nothing was changed",
            manifest.environment
        )));
    }
    let runbook = scenario::release(manifest, &loaded.state).filter(|runbook| !runbook.steps.is_empty());
    runbook.ok_or_else(|| {
        CliError::blocked(format!("run {run} has contained nothing")).next(format!("lifeboat report {run}"))
    })
}

async fn contained(
    run: &str,
    manifest: &Manifest,
    connected: &Connected,
    environment: &Environment,
) -> Result<Loaded, CliError> {
    let unreadable = |error: String| CliError::blocked(format!("the journal of run {run} cannot be read")).cause(error);
    match home::find_run(&environment.home, run) {
        Ok(dir) => journal::load(&dir).map_err(|error| unreadable(error.to_string())),
        Err(missing) if !home::is_plain(run) => Err(missing),
        Err(missing) => {
            let place = Desk::of(environment, connected, manifest, None).place(run);
            let copy = place.fetch().await.map_err(|error| unreadable(error.to_string()))?;
            if copy.is_empty() {
                return Err(missing);
            }
            let path = Path::new(run).join("journal.jsonl");
            journal::check(&copy, &path).map_err(|error| unreadable(error.to_string()))
        }
    }
}

/// Whether a runbook is a containment or its release.
pub fn is_one(runbook: &Runbook) -> bool {
    [CONTAIN, RELEASE].contains(&runbook.scenario.as_str())
}

/// What would be written, document by document; verbatim, as JSON.
pub fn writes(runbook: &Runbook, found: &Preflight) -> String {
    let mut text = String::new();
    for step in &runbook.steps {
        let (Action::Contain { .. } | Action::Release { .. } | Action::Evidence { .. }) = &step.action else {
            continue;
        };
        text += &format!("{}: {}\n", step.id, step.title);
        let facts = found.facts(&step.id);
        let writes = facts["writes"].as_array().cloned().unwrap_or_default();
        if writes.is_empty() {
            text += "  nothing to do\n";
        }
        for write in writes {
            for (what, value) in write.as_object().into_iter().flatten() {
                text += &match value {
                    Value::String(words) if what != "document" => format!("  {} {words}\n", what.replace('_', " ")),
                    Value::String(document) => format!("    {document}\n"),
                    document => format!("    {document}\n"),
                };
            }
        }
    }
    text
}
