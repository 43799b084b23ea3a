//! `lifeboat rebuild ENV --bundle BUNDLE`: after a breach the stack is taken down and built anew where it stood, from what was
//! clean. `lifeboat plan rebuild ENV --clean-before TIME` makes the bundle.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp};

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::moment::MARGIN;
use super::recover::{Named, Recovery, RunArgs};
use super::wiring::{self, Connected};
use super::{args, plan};
use crate::manifest::{Catalog, CatalogSource, CleanBefore, ExportVersion, Manifest};
use crate::scenario::{self, REBUILD, Rebuilding};
use crate::steps::{ExportThen, export_at};

/// What a rebuild restores from.
#[derive(Args)]
pub struct Clean {
    /// When the breach began, as far as is known, with its zone: data and recovery points from before this less the margin count
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    pub clean_before: Option<Timestamp>,
    /// How much earlier the breach may have begun: 15m, 1h30m [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = args::duration, requires = "clean_before")]
    pub margin: Option<SignedDuration>,
}

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
        Some(path) => by_bundle(&command.env, path, environment).await?,
        None => named(&command.env, &command.clean, environment).await?,
    };
    let bundle = command.bundle.as_deref();
    Recovery { run: &command.run, declared_at, named, bundle, dry_run: command.dry_run }.carry_out(environment).await
}

/// What a bundle says. Whether it may be used, the gate decides.
async fn by_bundle(env: &str, path: &Path, environment: &Environment) -> Result<Named, CliError> {
    let bundle = plan::read(path)?;
    let plans = wiring::read(env, environment)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let runbook = scenario::again(&bundle.steps.runbook, &plans.manifest);
    let aws = connected.aws_in(&plans.manifest.primary.name).await;
    Ok(Named { plans, connected, aws, runbook, planned_by: bundle.index.command.clone() })
}

/// What is to be rebuilt, and from which points.
///
/// # Errors
/// Exit 2: the manifest is not valid, or a rebuild is not prepared in it; 3: an export of a catalog has no clean version.
pub async fn named(env: &str, clean: &Clean, environment: &Environment) -> Result<Named, CliError> {
    let Some(before) = clean.clean_before else {
        return Err(CliError::usage("from before which time?").hint("--clean-before 2026-11-22T03:00:00Z"));
    };
    if before > Timestamp::now() {
        return Err(CliError::usage(format!("--clean-before {before} is in the future")));
    }
    let plans = wiring::read(env, environment)?;
    let manifest = plans.manifest.clone();
    let (containment, evidence) = prepared(&manifest)?;
    let refused_makers = containment.users.iter().chain(&containment.roles).cloned().collect();
    let rule = CleanBefore { before, margin: clean.margin.unwrap_or(MARGIN), refused_makers };
    let connected = wiring::connect(&manifest).await?;
    let aws = connected.aws_in(&manifest.primary.name).await;
    let catalogs = catalogs(&manifest, &rule, &connected).await?;
    let rebuilding =
        Rebuilding { manifest: &manifest, containment, evidence, breach_at: before, clean: &rule, catalogs };
    let runbook = rebuilding.runbook();
    let margin = clean.margin.map_or_else(String::new, |margin| format!(" --margin {}s", margin.as_secs()));
    let planned_by = format!("lifeboat plan {REBUILD} {env} --clean-before {before}{margin}");
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
        let then = export_at(&connected.aws, manifest, uri, to).await.map_err(|refused| {
            let error = CliError::blocked(format!("catalog {} has no clean export; nothing was changed", catalog.name));
            let error = error.cause(refused.cause);
            match refused.hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        let ExportThen { region, version_id, written_at, deleted_at } = then;
        let uri = uri.clone();
        let version =
            ExportVersion { uri, region, version_id, written_at, deleted_at, to, in_place: true, relocated: false };
        // Workgroup and results are the recovery region's.
        found.push(Catalog { from: CatalogSource::Version(version), athena: None, ..catalog });
    }
    Ok(found)
}
