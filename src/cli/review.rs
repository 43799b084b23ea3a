//! `lifeboat review FILE`: what a Terraform plan would do, for whoever has to answer for it.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::environment::Environment;
use super::error::{CliError, Exit};
use crate::report;
use crate::review::Review as Reviewed;
use crate::terraform::plan::{Plan, PlanError};

#[derive(Args)]
pub struct Review {
    /// The plan as JSON (terraform show -json PLAN); without it, or as -, from standard input
    #[arg(default_value = "-")]
    pub file: PathBuf,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Form,
    /// Exit with 2 where the plan changes anything, as terraform plan does
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// How a review is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For a terminal, folded
    Table,
    /// For a comment on a pull request: less than 65,000 characters
    Markdown,
    /// Everything
    Json,
}

/// # Errors
/// Not a plan, or one that failed (exit 1); nothing to read (exit 2).
pub async fn run(command: &Review, environment: &Environment) -> Result<Exit, CliError> {
    let path = command.file.clone();
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    let plan = read.map_err(|error| CliError::error("the plan cannot be read").cause(error.to_string()))??;
    let review = Reviewed::of(&plan);
    drop(plan);
    let text = match command.output {
        Form::Table => report::review(&review, environment.stdout_look()),
        Form::Markdown => report::review_markdown(&review),
        Form::Json => report::review_json(&review)
            .map_err(|error| CliError::error("the review is no JSON").cause(error.to_string()))?,
    };
    report::to_stdout(&text);
    // The 2 of `terraform plan -detailed-exitcode`, which is asked for by name.
    Ok(if command.detailed_exitcode && !review.is_empty() { Exit::Usage } else { Exit::Done })
}

fn read(path: &PathBuf) -> Result<Plan, CliError> {
    let (source, name): (Box<dyn Read>, String) = if path.as_os_str() == "-" {
        let input = std::io::stdin();
        if input.is_terminal() {
            return Err(CliError::usage("there is no plan: standard input is a terminal")
                .hint("terraform show -json PLAN | lifeboat review"));
        }
        (Box::new(input), "standard input".to_owned())
    } else {
        let file = File::open(path)
            .map_err(|error| CliError::usage(format!("{} cannot be read", path.display())).cause(error.to_string()))?;
        (Box::new(file), path.display().to_string())
    };
    Plan::read_for_review(source).map_err(|error| {
        let hint = match &error {
            PlanError::Json(_) => "a saved plan is made JSON by: terraform show -json PLAN",
            PlanError::Format(_) => "this lifeboat is too old for that Terraform",
            PlanError::Errored => "its changes are not all there: mend what Terraform says, and plan again",
        };
        CliError::error(format!("{name} cannot be reviewed")).cause(error.to_string()).hint(hint)
    })
}
