//! `lifeboat approve BUNDLE`: somebody answers for what a bundle would do, after having seen it.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::gate::{approvals, run_by, same_place, unreachable};
use super::screen::{Screen, view_of};
use super::{confirm, plan, wiring};
use crate::bundle::{self, Approval, Bundle, GivenApproval, NotUsable, Outcome, same_person};
use crate::report;

#[derive(Args)]
pub struct Approve {
    /// The bundle: a folder or an archive that lifeboat plan has written
    pub bundle: PathBuf,
    /// The environment's name, instead of typing it when asked
    #[arg(long, value_name = "ENV")]
    pub confirm: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub because: Option<String>,
}

/// # Errors
/// Exit 3: the bundle is not whole or of another place, something stood in the way when it was made, it is approved
/// already, or whoever asks has planned it and two people are asked for.
pub async fn run(command: &Approve, environment: &Environment) -> Result<Exit, CliError> {
    let bundle = plan::read(&command.bundle)?;
    let (index, subject) = (&bundle.index, &bundle.index.subject);
    let manifest = wiring::read(&subject.environment, environment)?.manifest;
    same_place(&bundle, &manifest)?;
    let screen = Screen::of(Some(&bundle), view_of(&bundle, Timestamp::now())?);
    report::to_stdout(&screen.foreseen().text(environment.stdout_look()));
    if screen.is_blocked() {
        return Err(CliError::blocked("something stood in the way when this was planned; nothing is approved")
            .next(&index.command));
    }
    let connected = wiring::connect(&manifest).await?;
    let approver = connected.caller.arn.as_str();
    let rule = manifest.approval.unwrap_or_default();
    let people = bundle.people(rule.people);
    if people > 1 && same_person(approver, &subject.planner) {
        let asks = match rule.people {
            1 => "what destroys a stack is planned by one and approved by another".to_owned(),
            people => format!("{} says people = {people}", manifest.path.display()),
        };
        return Err(CliError::blocked("two people are asked for; nothing is approved")
            .cause(format!("{} has planned this, you are {approver}, and {asks}", subject.planner))
            .hint("let somebody else approve it, with credentials of their own"));
    }
    let approvals = approvals(&bundle, &manifest, &connected);
    let before = approvals.read().await.map_err(unreachable)?;
    if let Some(found) = &before {
        replaceable(found, &bundle, people)?;
    }
    let what = format!(
        "approving the {} of {} {} to {} in account {}",
        subject.scenario, subject.service, subject.environment, subject.region, subject.account
    );
    confirm::confirm(&subject.environment, command.confirm.as_deref(), &what, environment).await?;
    let now = Timestamp::now();
    let approval = Approval::new(index, &bundle.sha256, approver, now, now + rule.expires);
    let approval = Approval { because: command.because.clone(), ..approval };
    match approvals.write(&approval, before.as_ref()).await.map_err(unreachable)? {
        Outcome::Done => {}
        Outcome::Other(other) => {
            let by = other.map_or_else(|| "it is gone from the bucket".to_owned(), |it| it.approval.approver);
            return Err(CliError::blocked("somebody else was quicker; nothing is approved by you").cause(by));
        }
    }
    let json = serde_json::to_vec_pretty(&approval).unwrap_or_default();
    // What is in the bucket counts; the file is for people.
    if let Err(error) = bundle::write_beside(&command.bundle, ".approval.json", &json) {
        report::to_stderr(&format!("warning: {}\n", report::escape(&error.to_string())));
    }
    report::to_stderr(&format!(
        "approved by {} until {}: {}\nnext: {}\n",
        report::escape(approver),
        approval.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        approvals.uri(),
        run_by(&bundle, &command.bundle)
    ));
    Ok(Exit::Done)
}

/// Only an approval that is over may be given anew.
fn replaceable(found: &GivenApproval, bundle: &Bundle, people: u8) -> Result<(), CliError> {
    let Approval { approver, expires_at, .. } = &found.approval;
    match found.approval.judge(&bundle.index, &bundle.sha256, people, Timestamp::now()) {
        Err(NotUsable::Expired(_)) => Ok(()),
        Ok(()) => Err(CliError::blocked("this bundle is approved already; nothing was changed")
            .cause(format!("by {approver}, until {expires_at}"))),
        Err(error) => Err(CliError::blocked("this bundle cannot be approved any more; nothing was changed")
            .cause(error.to_string())
            .next(&bundle.index.command)),
    }
}
