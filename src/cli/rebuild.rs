//! `lifeboat rebuild ENV --bundle BUNDLE`: after a breach the stack is taken down and built anew where it stood, from what was
//! clean. `lifeboat plan rebuild ENV --clean-before TIME` makes the bundle.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::moment::Clean;
use super::plan;
use super::recover::{Named, Recovery, RunArgs, named_by};
use super::recover_catalog::{Brought, version_at};
use super::wiring::{self, Connected};
use crate::bundle::Bundle;
use crate::manifest::{Catalog, CatalogSource, CleanBefore, Manifest};
use crate::scenario::{REBUILD, Rebuilding};

#[derive(Args)]
#[command(group = ArgGroup::new("from").args(["clean_before", "bundle"]).required(true))]
pub struct Rebuild {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    #[command(flatten)]
    clean: Clean,
    /// Do what this bundle says, and nothing else; a second person must have approved it
    #[arg(long, value_name = "BUNDLE")]
    bundle: Option<PathBuf>,
    /// Say what would be done and what stands in its way, and do nothing
    #[arg(long, conflicts_with = "bundle")]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// Exit 2 for a manifest that is not valid or lacks a block; 3 where something stands in the way: a store without a clean
/// recovery point, evidence that cannot be kept, a protected resource in the plan; nothing was changed then.
pub async fn run(command: &Rebuild, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    command.run.plausible(&command.env, declared_at)?;
    let named = match &command.bundle {
        Some(path) => named_by(&of_environment(path, &command.env)?, path, REBUILD, environment).await?,
        None => named(&command.env, &command.clean, environment).await?,
    };
    let bundle = command.bundle.as_deref();
    Recovery { run: &command.run, declared_at, named, bundle, dry_run: command.dry_run }.carry_out(environment).await
}

/// The bundle, which has to be of the environment that is named.
fn of_environment(path: &Path, env: &str) -> Result<Bundle, CliError> {
    let bundle = plan::read(path)?;
    let subject = &bundle.index.subject;
    match subject.environment == env {
        true => Ok(bundle),
        false => {
            Err(CliError::blocked(format!("{} is of {}; nothing was changed", path.display(), subject.environment))
                .cause(format!("{env} was named")))
        }
    }
}

/// What is to be rebuilt, and from which points.
///
/// # Errors
/// Exit 2: the manifest is not valid, or a rebuild is not prepared in it; 3: an export of a catalog has no clean version.
pub async fn named(env: &str, clean: &Clean, environment: &Environment) -> Result<Named, CliError> {
    clean.plausible(Timestamp::now())?;
    let plans = wiring::read(env, environment)?;
    let manifest = plans.manifest.clone();
    let (containment, evidence) = prepared(&manifest)?;
    let Some(rule) = clean.rule(&manifest) else {
        return Err(CliError::usage("from before which time?").hint("--clean-before 2026-11-22T03:00:00Z"));
    };
    let connected = wiring::connect(&manifest).await?;
    let aws = connected.aws_in(&manifest.primary.name).await;
    let catalogs = catalogs(&manifest, &rule, &connected).await?;
    let rebuilding =
        Rebuilding { manifest: &manifest, containment, evidence, breach_at: rule.before, clean: &rule, catalogs };
    let runbook = rebuilding.runbook();
    let times: String = clean.given().iter().map(|(name, value)| format!(" {name} {value}")).collect();
    let planned_by = format!("lifeboat plan {REBUILD} {env}{times}");
    Ok(Named { plans, connected, aws, runbook, planned_by })
}

type Prepared<'a> = (&'a crate::manifest::ContainmentRule, &'a crate::manifest::EvidenceRule);

/// What has to be thought of before the day.
fn prepared(manifest: &Manifest) -> Result<Prepared<'_>, CliError> {
    let path = manifest.path.display();
    let missing = |block: &str, why: &str, hint: &str| {
        CliError::usage(format!("{path} has no {block} block")).cause(why.to_owned()).hint(hint.to_owned())
    };
    let Some(containment) = &manifest.containment else {
        let hint = "write containment { break_glass = [\"arn:aws:iam::ACCOUNT:role/NAME\"] users = [\"NAME\"] }";
        return Err(missing("containment", "who is still in would see the new stack being built", hint));
    };
    let Some(evidence) = &manifest.evidence else {
        let hint = "write evidence { bucket = \"BUCKET\" }: a bucket that is not the service's own";
        return Err(missing("evidence", "nothing is taken down before it is kept what was there", hint));
    };
    if let Some(cluster) = manifest.clusters.iter().find(|cluster| cluster.global().is_some()) {
        return Err(CliError::usage(format!("cluster {} is of a global database", cluster.name))
            .cause("a rebuild would have to detach it and its secondaries, which it does not do")
            .hint("take the cluster out of its global database first, and restore it by `lifeboat recover aurora`"));
    }
    Ok((containment, evidence))
}

/// The catalogs by the versions of their exports that are from before the breach.
async fn catalogs(manifest: &Manifest, rule: &CleanBefore, connected: &Connected) -> Result<Vec<Catalog>, CliError> {
    let to = rule.cutoff();
    let mut found = Vec::new();
    for catalog in manifest.in_primary().catalogs {
        let CatalogSource::Export(uri) = &catalog.from else {
            return Err(CliError::blocked(format!("catalog {} cannot be rebuilt; nothing was changed", catalog.name))
                .cause("its block names no export: of a replica nobody knows how it was before the breach")
                .hint("write from = export(\"s3://BUCKET/KEY\") into it"));
        };
        let how = Brought { in_place: true, relocated: false };
        let version = version_at(uri, to, how, (manifest, connected), &catalog.name).await?;
        // Workgroup and results are the recovery region's.
        found.push(Catalog { from: CatalogSource::Version(version), athena: None, ..catalog });
    }
    Ok(found)
}
