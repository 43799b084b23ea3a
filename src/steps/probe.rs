//! A check of the recovered service by HTTP, by a program, or by a marked record, before any traffic goes there. Changes nothing
//! itself but for that record.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::cutover::file_name;
use super::delivery::arrives;
use super::{Blocked, Checked, Compensation, Cx, Output, Resolver, Seen, Step, StepError, reference};
use crate::manifest::{Check, Probe, Text};
use crate::verify::command::{self, CommandCheck, CommandEnded};
use crate::verify::http::{self, HttpError, HttpExpectation};

/// The step `verify.check.NAME`.
pub struct RunProbe {
    pub check: Check,
}

#[async_trait]
impl Step for RunProbe {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        check_probe(&self.check, folder(cx)?, &search_path())?;
        Ok(Checked::default())
    }

    /// A check is made anew each time.
    async fn observe(&self, _: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let timeout = Duration::try_from(self.check.timeout).unwrap_or_default();
        match &self.check.probe {
            Probe::Http { url, status, contains } => {
                cx.status(format!("asking {}", http::shown(&reference(url))));
                let url = url_of(cx, url).await?;
                let expectation = HttpExpectation { url: &url, status: *status, contains: contains.as_deref() };
                tokio::select! {
                    answer = ask(&self.check.name, &expectation, timeout) => answer,
                    () = cx.stopped() => Err(StepError::interrupted("stopped while the check was asking")),
                }
            }
            Probe::Firehose { stream, record } => {
                let stream = Resolver::of(cx).require(stream).await?;
                arrives(cx, &self.check.name, &stream, record.as_deref(), timeout).await
            }
            Probe::Command { argv } => {
                let check = command(cx, &self.check.name, argv, timeout)?;
                cx.status(format!("running {}", argv.join(" ")));
                run(&self.check.name, &check, cx.stopped()).await
            }
        }
    }

    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

fn folder(cx: &Cx) -> Result<&Path, Blocked> {
    let missing = || Blocked { cause: "the manifest's folder is not known".to_owned(), hint: None };
    cx.world.manifest.path.parent().ok_or_else(missing)
}

fn search_path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

/// Can the check be made at all?
///
/// # Errors
/// The program is missing, or the URL cannot be asked.
pub fn check_probe(check: &Check, folder: &Path, path: &str) -> Result<(), Blocked> {
    match &check.probe {
        Probe::Http { url: Text::Literal(url), .. } => match http::parse_url(url) {
            Ok(_) => Ok(()),
            Err(error) => Err(Blocked { cause: format!("check {}: {error}", check.name), hint: None }),
        },
        // What it delivers to may be made by this very run.
        Probe::Http { .. } | Probe::Firehose { .. } => Ok(()),
        Probe::Command { argv } => program(&check.name, argv, folder, path).map(drop),
    }
}

fn program(name: &str, argv: &[String], folder: &Path, path: &str) -> Result<PathBuf, Blocked> {
    let first = argv.first().map(String::as_str).unwrap_or_default();
    command::find_program(first, folder, path).ok_or_else(|| Blocked {
        cause: format!("check {name}: there is no program {first:?} in {} or on PATH", folder.display()),
        hint: Some("name a file that may be executed, relative to the manifest".to_owned()),
    })
}

async fn url_of(cx: &Cx, text: &Text) -> Result<String, StepError> {
    let url = Resolver::of(cx).require(text).await?;
    // A load balancer's name is a useful answer to "which URL": it is asked by http then.
    Ok(if url.contains("://") { url } else { format!("http://{url}") })
}

/// Asks until the answer is as expected. Gives back `url`, `status`, `attempts`, `elapsed_ms`.
///
/// # Errors
/// The answer is not as expected when the time is up.
pub async fn ask(name: &str, expected: &HttpExpectation<'_>, timeout: Duration) -> Result<Output, StepError> {
    let url = http::shown(expected.url);
    match http::expect(expected, timeout).await {
        Ok(answered) => Ok(json!({
            "url": url,
            "status": expected.status,
            "attempts": answered.attempts,
            "elapsed_ms": u64::try_from(answered.elapsed.as_millis()).unwrap_or(u64::MAX),
        })),
        Err(error @ HttpError::Unanswered { .. }) => {
            Err(StepError::check_failed(format!("check {name}: {url} {error}"))
                .hint("ask it by hand, then retry the step"))
        }
        Err(error) => Err(StepError::failed(format!("check {name}: {error}"))),
    }
}

fn command(cx: &Cx, name: &str, argv: &[String], timeout: Duration) -> Result<CommandCheck, StepError> {
    let failed = |blocked: Blocked| StepError { hint: blocked.hint, ..StepError::failed(blocked.cause) };
    let folder = folder(cx).map_err(failed)?;
    let program = program(name, argv, folder, &search_path()).map_err(failed)?;
    let checks = cx.world.run_dir.join("checks");
    let kept = |error: std::io::Error| StepError::failed(format!("{} cannot be written: {error}", checks.display()));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&checks).map_err(kept)?;
    let outputs = checks.join(format!("{}.outputs.json", file_name(name)));
    std::fs::write(&outputs, terraform_outputs(cx).to_string()).map_err(kept)?;
    let region = &cx.world.manifest.recovery.name;
    let variables = [
        ("LIFEBOAT_RUN", cx.world.run.clone()),
        ("LIFEBOAT_ENVIRONMENT", cx.world.manifest.environment.clone()),
        ("LIFEBOAT_OUTPUTS", outputs.display().to_string()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region.clone()),
    ];
    Ok(CommandCheck {
        program,
        arguments: argv.iter().skip(1).cloned().collect(),
        folder: folder.to_owned(),
        variables: variables.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        log: checks.join(format!("{}.log", file_name(name))),
        timeout,
    })
}

/// Terraform's outputs, never sensitive ones, by name.
fn terraform_outputs(cx: &Cx) -> Value {
    let applied = ["adoption.apply", "infrastructure.apply"].into_iter().filter_map(|step| cx.output(step));
    applied.filter_map(|output| output.get("outputs").cloned()).next().unwrap_or_else(|| json!({}))
}

/// Runs the program. Gives back `log`, where its output is.
///
/// # Errors
/// It failed, took too long, or could not be run.
pub async fn run(name: &str, check: &CommandCheck, stopped: impl Future<Output = ()>) -> Result<Output, StepError> {
    let log = check.log.display().to_string();
    let program = check.program.display();
    let ended = command::run(check, stopped).await;
    let ended = ended.map_err(|error| StepError::failed(format!("check {name}: {program} cannot be run: {error}")))?;
    let said = |tail: &str| if tail.is_empty() { String::new() } else { format!(": {tail}") };
    let cause = match ended {
        CommandEnded::Succeeded => return Ok(json!({ "log": log })),
        CommandEnded::Stopped => return Err(StepError::interrupted("stopped while the check was running")),
        CommandEnded::Failed { status, tail } => format!("ended with {status}{}", said(&tail)),
        CommandEnded::TimedOut { tail } => format!("took longer than {} s{}", check.timeout.as_secs_f32(), said(&tail)),
        CommandEnded::TooMuchOutput => "wrote more than 64 MiB".to_owned(),
    };
    Err(StepError::check_failed(format!("check {name}: {program} {cause}")).hint(format!("its output is in {log}")))
}
