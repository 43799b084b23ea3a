//! `lifeboat rehearse [ENV]`: the whole failover on this machine, against an emulated AWS.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use super::args::Output;
use super::campaign::{self, Telling};
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::{faulted, home, rehearse_breach, wiring};
use crate::manifest::Manifest;
use crate::rehearse::campaign::{CampaignPlan, Scenario};
use crate::rehearse::fault::{self, Campaign, FaultError, Wanted};
use crate::rehearse::permissions;
use crate::rehearse::proxy::read_records;
use crate::rehearse::{self, ChildEnd, Outage, Plan, Rehearsal, RehearseError, Stage, example};
use crate::report::{self, Look};
use crate::runbook::Runbook;
use crate::scenario;

#[derive(Args)]
pub struct Rehearse {
    /// The environment; without it, an example that is compiled in
    pub env: Option<String>,
    /// What happens: the primary region is lost, or somebody breaks in
    #[arg(long, value_enum, default_value = "failover")]
    pub scenario: Rehearsed,
    /// Leave the emulator running afterwards, and print how to ask it
    #[arg(long)]
    pub keep: bool,
    /// How the lost region behaves
    #[arg(long, value_enum, default_value = "refuses")]
    pub outage: OutageKind,
    /// Let each restore take as long as this: 20s
    #[arg(long, value_name = "TIME")]
    pub restores_take: Option<SignedDuration>,
    /// Port of the emulator [default: a free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// Let something go wrong (repeatable): see --list-faults
    #[arg(long = "fault", value_name = "KIND[:ARGS]")]
    pub faults: Vec<String>,
    /// Show the kinds of faults
    #[arg(long, conflicts_with_all = ["env", "faults"])]
    pub list_faults: bool,
    /// Draw the same lots as another rehearsal with this seed [default: a new one, which is told]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// How many rehearsals of a matrix, kills or race go on at once [default: two for each core]
    #[arg(long, value_name = "NUMBER")]
    pub side_by_side: Option<usize>,
    /// Disturb so many steps of a matrix in one rehearsal, one after the other; each alone where that ends otherwise
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "faults")]
    pub together: usize,
    /// Write the page of faults from what the matrix showed
    #[arg(long, value_name = "FILE", requires = "faults")]
    pub write_docs: Option<PathBuf>,
    /// Print the IAM policy that the rehearsed scenario needs, from what was recorded, on standard output
    #[arg(long, conflicts_with = "output")]
    pub print_iam_policy: bool,
    /// `json`: the failover's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rehearsed {
    /// The primary region is lost, and the environment fails over
    Failover,
    /// Somebody breaks in, and the stack is taken down and rebuilt by two people
    Breach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutageKind {
    /// Connections are refused
    Refuses,
    /// Requests are taken and never answered
    Hangs,
    /// Requests are answered after 30 s
    Slow,
}

/// Rehearses, and leaves a report. The exit code is that of the last command; 5 if the lost region was asked anything, or
/// a fault did not fire.
///
/// # Errors
/// The rehearsal could not be held.
pub async fn run(command: &Rehearse, environment: &Environment) -> Result<Exit, CliError> {
    if command.list_faults {
        report::to_stdout(&match command.output {
            Output::Text => fault::faults_table(),
            Output::Json => fault::faults_json(),
        });
        return Ok(Exit::Done);
    }
    let wanted = fault::parse(&command.faults).map_err(|error| wrong_fault(&error))?;
    let name = home::new_run(command.env.as_deref().unwrap_or(example::ENVIRONMENT), Timestamp::now());
    let dir = home::make_rehearsal_dir(&environment.home, &name)?;
    let mut environment = environment.clone();
    if command.env.is_none() {
        let own = dir.join("example");
        let unwritten = |error: std::io::Error| {
            CliError::error(format!("the example cannot be written to {}", own.display())).cause(error.to_string())
        };
        environment.environments = example::write(&own).map_err(unwritten)?;
        if command.scenario == Rehearsed::Breach {
            example::commit(&own).map_err(unwritten)?;
        }
    }
    let env = command.env.as_deref().unwrap_or(example::ENVIRONMENT);
    let plans = wiring::read(env, &environment)?;
    if command.scenario == Rehearsed::Breach {
        return rehearse_breach::run(command, wanted, &plans.manifest, dir, &environment).await;
    }
    let runbook = scenario::failover(&plans.manifest);
    let seed = command.seed.unwrap_or_else(new_seed);
    let faults = match wanted {
        Wanted::Faults(faults) => faults,
        Wanted::Campaign(campaign) => {
            let scenario =
                Scenario::Failover { runbook: Box::new(runbook.clone()), first: failover(env, &plans.manifest) };
            let common = arguments(command, &environment);
            let plan = many(command, scenario, (&plans.manifest, dir, common), &environment)?;
            return hold(command, campaign, &runbook, plan).await;
        }
    };
    fault::check_steps(&faults, &runbook, &plans.manifest).map_err(|error| wrong_fault(&error))?;
    if !faults.is_empty() {
        report::to_stderr(&format!("seed {seed}: repeat with --seed {seed}\n"));
    }
    let plan = Plan {
        manifest: plans.manifest.as_ref().clone(),
        dir: dir.clone(),
        moto: environment.moto.clone().unwrap_or_else(|| PathBuf::from("moto_server")),
        port: command.port,
        lifeboat: this_program()?,
        args: failover(env, &plans.manifest),
        common: arguments(command, &environment),
        variables: environment.variables.clone(),
        outage: match command.outage {
            OutageKind::Refuses => Outage::Refuses,
            OutageKind::Hangs => Outage::Hangs,
            OutageKind::Slow => Outage::Slow(Duration::from_secs(30)),
        },
        restores_take: command.restores_take.map(SignedDuration::unsigned_abs),
        faults,
        runbook,
        seed,
        keep: command.keep,
        aside: command.print_iam_policy,
    };
    let rehearsal = rehearse::run(plan, &tell).await.map_err(failed)?;
    if command.print_iam_policy {
        print_iam_policy(&rehearsal.requests_log)?;
    }
    conclude(&rehearsal, &dir, env, &environment)
}

/// What was asked of AWS, as a policy that allows it.
///
/// # Errors
/// The recording cannot be read.
pub fn print_iam_policy(requests_log: &Path) -> Result<(), CliError> {
    let records = read_records(requests_log)
        .map_err(|error| CliError::error("the recording cannot be read").cause(error.to_string()))?;
    report::to_stdout(&format!("{:#}\n", permissions::policy(&records)));
    Ok(())
}

/// A campaign of many rehearsals; each of their commands has the arguments `common`.
pub fn many(
    command: &Rehearse,
    scenario: Scenario,
    (manifest, dir, common): (&Manifest, PathBuf, Vec<OsString>),
    environment: &Environment,
) -> Result<CampaignPlan, CliError> {
    Ok(CampaignPlan {
        manifest: manifest.clone(),
        scenario,
        dir,
        moto: environment.moto.clone().unwrap_or_else(|| PathBuf::from("moto_server")),
        lifeboat: this_program()?,
        common,
        variables: environment.variables.clone(),
        seed: command.seed.unwrap_or_else(new_seed),
        side_by_side: command.side_by_side.unwrap_or_else(side_by_side).max(1),
        together: command.together.max(1),
    })
}

pub async fn hold(
    command: &Rehearse,
    campaign: Campaign,
    runbook: &Runbook,
    plan: CampaignPlan,
) -> Result<Exit, CliError> {
    campaign::check(&campaign, runbook)?;
    let (seed, dir) = (plan.seed, plan.dir.display());
    report::to_stderr(&format!("seed {seed}: repeat with --seed {seed}; what is left is in {dir}\n"));
    let telling = Telling { output: command.output, docs: command.write_docs.as_deref() };
    campaign::run(campaign, plan, &telling).await.map_err(failed)
}

/// This program, also where its file was replaced meanwhile (proc(5): `/proc/self/exe`).
pub fn this_program() -> Result<PathBuf, CliError> {
    let running = Path::new("/proc/self/exe");
    match std::env::current_exe() {
        Ok(path) if path.exists() || !running.exists() => Ok(path),
        Ok(_) => Ok(running.to_owned()),
        Err(error) => Err(CliError::error("cannot find this program").cause(error.to_string())),
    }
}

/// `failover prod --confirm prod`; what a global database may lose in it is nobody's.
fn failover(env: &str, manifest: &Manifest) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["failover", env, "--confirm", env].map(OsString::from).into();
    if manifest.clusters.iter().any(|cluster| cluster.global().is_some()) {
        args.push("--allow-data-loss".into());
    }
    args
}

/// How many rehearsals are held at the same time: they wait more than they work.
fn side_by_side() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get() * 2)
}

/// A seed that nobody has chosen.
pub fn new_seed() -> u64 {
    u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(1) % 1_000_000
}

pub fn wrong_fault(error: &FaultError) -> CliError {
    let shown = CliError::usage(format!("--fault {}", error.fault)).cause(error.why.clone());
    let shown = match &error.hint {
        Some(hint) => shown.hint(hint.clone()),
        None => shown,
    };
    shown.next("lifeboat rehearse --list-faults")
}

/// What each of the real commands of a failover is called with.
fn arguments(command: &Rehearse, environment: &Environment) -> Vec<OsString> {
    let output = (command.output == Output::Json).then(|| ["--output", "json"].map(OsString::from));
    common(environment).into_iter().chain(output.into_iter().flatten()).collect()
}

/// What each of the real commands is called with.
pub fn common(environment: &Environment) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--environments".into()];
    let environments = std::path::absolute(&environment.environments);
    args.push(environments.unwrap_or_else(|_| environment.environments.clone()).into());
    for (flag, value) in [
        ("--tf-bin", environment.tf_bin.as_ref().map(OsString::from)),
        ("--templates", environment.templates.as_ref().map(OsString::from)),
    ] {
        args.extend(value.into_iter().flat_map(|value| [flag.into(), value]));
    }
    args
}

fn tell(stage: Stage<'_>) {
    let words = match stage {
        Stage::EmulatorReady { endpoint, took } => {
            format!("emulator ready at {endpoint} ({:.1}s)\nbuilding the world before the outage\n", took.as_secs_f64())
        }
        Stage::WorldBuilt { took, .. } => format!("it stands ({:.1}s)\n", took.as_secs_f64()),
        Stage::OutageDeclared { region, .. } => format!("{region} is lost: no request to it will be answered\n\n"),
        Stage::Happened { what } => what.to_owned(),
        Stage::CommandEnded { .. } => "\n".to_owned(),
    };
    report::to_stderr(&words);
}

fn conclude(rehearsal: &Rehearsal, dir: &Path, env: &str, environment: &Environment) -> Result<Exit, CliError> {
    let look = environment.stderr_look();
    let run_dir = home::run_or_newest(&rehearsal.home, None).ok();
    if let Some(run_dir) = &run_dir {
        leave_report(&rehearsal.requests_log, run_dir, dir, look)?;
    }
    report::to_stderr(&ended(&rehearsal.end));
    let faults = faulted::told(rehearsal);
    report::to_stderr(&faults.words);
    let lost = rehearsal.requests_to_lost_region;
    if lost > 0 {
        report::to_stderr(&format!(
            "{lost} requests went to the lost region: see {}\n",
            rehearsal.requests_log.display()
        ));
    }
    if rehearsal.emulator.kept {
        report::to_stderr(&exports(rehearsal, env));
    }
    Ok(match rehearsal.end.code {
        Some(0) if lost > 0 || !faults.all_well => Exit::CheckFailed,
        Some(code) => Exit::of(code),
        None => Exit::Error,
    })
}

/// The run's report, with the requests that were recorded beside it.
pub fn leave_report(requests_log: &Path, run_dir: &Path, dir: &Path, look: Look) -> Result<(), CliError> {
    let unwritable = |error: std::io::Error| CliError::error("the report cannot be written").cause(error.to_string());
    std::fs::copy(requests_log, run_dir.join("requests.jsonl")).map_err(unwritable)?;
    let summary = report::read(run_dir)
        .map_err(|error| CliError::error("the run cannot be summed up").cause(error.to_string()))?;
    let path = dir.join("report.md");
    std::fs::write(&path, report::markdown(&summary)).map_err(unwritable)?;
    if let Some(requests) = &summary.requests {
        report::to_stderr(&report::requests_text(requests, look));
    }
    report::to_stderr(&format!("report      {}\n", path.display()));
    Ok(())
}

fn ended(end: &ChildEnd) -> String {
    let memory = end.peak_rss_kib.map_or_else(String::new, |kib| format!(", at most {} MiB of memory", kib / 1024));
    format!("lifeboat    {:.1}s{memory}\n", end.wall.as_secs_f64())
}

/// How to go on asking a kept emulator.
fn exports(rehearsal: &Rehearsal, env: &str) -> String {
    let (endpoint, pid) = (&rehearsal.emulator.endpoint, rehearsal.emulator.pid);
    format!(
        "\nThe emulator goes on; stop it with: kill {pid}\nTo ask it, with any AWS client or with lifeboat:\n\n\
         export AWS_ENDPOINT_URL={endpoint}\nexport AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n\
         export LIFEBOAT_HOME={}\nlifeboat failover {env} --confirm {env}\n",
        rehearsal.home.display()
    )
}

pub fn failed(error: RehearseError) -> CliError {
    let exit = if matches!(error, RehearseError::Interrupted) { Exit::Held } else { Exit::Error };
    let hint = error.hint().map(str::to_owned);
    let shown = CliError::new(exit, "the rehearsal could not be held").cause(error.to_string());
    match hint {
        Some(hint) => shown.hint(hint),
        None => shown,
    }
}
