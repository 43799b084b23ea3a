//! `lifeboat rehearse --fault matrix`, `kills:N` and `race:N`: many rehearsals in a row, and what came of them.

use std::path::Path;

use super::args::Output;
use super::error::{CliError, Exit};
use crate::rehearse::RehearseError;
use crate::rehearse::campaign::{self, CampaignPlan, KillTally, Matrix, RaceTally, Told};
use crate::rehearse::fault::Campaign;
use crate::report;

/// How what came of it is told.
pub struct Telling<'a> {
    pub output: Output,
    /// Where the page of faults is written to.
    pub docs: Option<&'a Path>,
}

/// Holds the campaign. The exit code is 5 where something was not as in an undisturbed rehearsal.
///
/// # Errors
/// It could not be held.
pub async fn run(campaign: Campaign, plan: CampaignPlan, telling: &Telling<'_>) -> Result<Exit, RehearseError> {
    let well = match campaign {
        Campaign::Matrix { step, way } => {
            let matrix = campaign::matrix(plan, step.as_deref(), way, &tell).await?;
            show(telling, campaign::grid(&matrix), campaign::grid_json(&matrix)?);
            if let Some(path) = telling.docs {
                write(path, &matrix)?;
            }
            matrix.is_green()
        }
        Campaign::Kills(number) => {
            let tally = campaign::kills(plan, number, &tell).await?;
            show(telling, killed(&tally), json(&tally)?);
            tally.well == tally.killed
        }
        Campaign::Race(number) => {
            let tally = campaign::race(plan, number, &tell).await?;
            show(telling, raced(&tally), json(&tally)?);
            tally.one_went_on == tally.races
        }
    };
    Ok(if well { Exit::Done } else { Exit::CheckFailed })
}

/// A campaign that cannot be held with these words.
pub fn check(campaign: &Campaign, runbook: &crate::runbook::Runbook) -> Result<(), CliError> {
    let Campaign::Matrix { step: Some(step), .. } = campaign else { return Ok(()) };
    let known: Vec<&str> = runbook.steps.iter().map(|step| step.id.as_str()).collect();
    if known.contains(&step.as_str()) {
        return Ok(());
    }
    let shown = CliError::usage(format!("--fault matrix:{step}"))
        .cause(format!("there is no step {step}"))
        .next("lifeboat rehearse --list-faults");
    Err(match crate::document::nearest(step, known.iter().copied()) {
        Some(near) => shown.hint(format!("did you mean {near}?")),
        None => shown.hint(format!("the steps are {}", known.join(", "))),
    })
}

fn tell(told: Told<'_>) {
    let words = match told {
        Told::Prepared { what } => format!("{}\n", report::escape(what)),
        Told::WorldBuilt { took } => {
            format!("the world stands ({:.1}s); now an undisturbed rehearsal\n", took.as_secs_f64())
        }
        Told::Undisturbed { took } => format!("an undisturbed rehearsal is done ({:.1}s)\n", took.as_secs_f64()),
        Told::Done { done, of, which, well, what } => {
            format!(
                "{done}/{of} {} {}: {}\n",
                if well { "ok " } else { "RED" },
                report::escape(which),
                report::escape(what)
            )
        }
    };
    report::to_stderr(&words);
}

fn show(telling: &Telling<'_>, text: String, json: String) {
    report::to_stdout(&match telling.output {
        Output::Text => text,
        Output::Json => json,
    });
}

fn json(tally: &impl serde::Serialize) -> Result<String, RehearseError> {
    let wrong =
        |error: serde_json::Error| RehearseError::Io { what: "the tally is no JSON".to_owned(), source: error.into() };
    let mut json = serde_json::to_value(tally).map_err(wrong)?;
    json["schema_version"] = 1.into();
    Ok(format!("{json:#}\n"))
}

fn killed(tally: &KillTally) -> String {
    let KillTally { seed, killed, well, problems, wall_ms } = tally;
    let mut text = format!(
        "killed {killed} times at moments of seed {seed}, and resumed until done:\n\
         {well} came to the same world with one effect each and a whole journal, {} did not ({:.1} minutes)\n",
        problems.len(),
        minutes(*wall_ms)
    );
    for (kill, why) in problems {
        text.push_str(&format!("\n{} ms after record {}\n", kill.after_ms, kill.records));
        text.extend(why.iter().map(|why| format!("  {}\n", report::escape(why))));
    }
    text
}

fn raced(tally: &RaceTally) -> String {
    let RaceTally { races, one_went_on, both_went_on, none_went_on, wall_ms } = tally;
    format!(
        "{races} times two operators at once: {one_went_on} times exactly one went on, {both_went_on} times both did, \
         {none_went_on} times none ({:.1} minutes)\n",
        minutes(*wall_ms)
    )
}

fn minutes(ms: u64) -> f64 {
    ms as f64 / 60_000.0
}

fn write(path: &Path, matrix: &Matrix) -> Result<(), RehearseError> {
    let page = campaign::page(matrix);
    std::fs::write(path, page)
        .map_err(|source| RehearseError::Io { what: format!("cannot write {}", path.display()), source })
}
