//! What was approved is what runs: the way from an approved bundle into a run, and back into it when it is taken up again.
//!
//! A run by a bundle plans anew before it begins. Where what it finds is not what was approved, nothing is changed, the
//! difference is shown, and the new bundle waits for an approval of its own. The approval is claimed as the last thing
//! before the journal begins.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::bundling::{self, Seen};
use super::environment::Environment;
use super::error::CliError;
use super::inputs::Changed;
use super::wiring::Connected;
use super::{plan, wiring};
use crate::bundle::{self, Approvals, Bundle, GivenApproval, Outcome, StoreError, bundle_of_run, keep_bundle_of_run};
use crate::guard;
use crate::journal::{ApprovedBundle, RunStarted};
use crate::manifest::Manifest;
use crate::report;
use crate::scenario;
use crate::terraform::approved::Approved;

/// The bundle's folder in a run's folder.
const KEPT: &str = "bundle";

/// What a run is to go by.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub scenario: &'a str,
    pub bundle: Option<&'a Path>,
    /// The command that makes its bundle.
    pub planned_by: &'a str,
}

/// An approved bundle that a run may begin by.
pub struct Gate {
    bundle: Bundle,
    approvals: Approvals,
    found: GivenApproval,
    path: PathBuf,
}

/// Decides whether a run needs a bundle, and whether the one that is given may be used.
///
/// # Errors
/// Exit 3: none is given where the manifest asks for an approval; or it is not whole, of another place, not approved, or
/// its approval is over or used.
pub async fn of(
    wanted: Wanted<'_>,
    overridden: &BTreeSet<String>,
    manifest: &Manifest,
    connected: &Connected,
) -> Result<Option<Gate>, CliError> {
    let Some(path) = wanted.bundle else {
        return without_bundle(wanted, overridden, manifest).map(|()| None);
    };
    let bundle = plan::read(path)?;
    same_place(&bundle, manifest)?;
    of_scenario(&bundle, path, wanted.scenario)?;
    let approvals = approvals(&bundle, manifest, connected);
    let approve = format!("lifeboat approve {}", path.display());
    let Some(found) = approvals.read().await.map_err(unreachable)? else {
        return Err(CliError::blocked("this bundle is not approved; nothing was changed")
            .cause(format!("there is no {}", approvals.uri()))
            .next(approve));
    };
    let people = bundle.people(manifest.approval.unwrap_or_default().people);
    if let Err(error) = found.approval.judge(&bundle.index, &bundle.sha256, people, Timestamp::now()) {
        let refused = CliError::blocked("this bundle's approval cannot be used; nothing was changed");
        let next = match error {
            bundle::NotUsable::Expired(_) => approve,
            _ => wanted.planned_by.to_owned(),
        };
        return Err(refused.cause(error.to_string()).next(next));
    }
    Ok(Some(Gate { bundle, approvals, found, path: path.to_owned() }))
}

/// Whether a run may begin without a bundle: not where the manifest asks for an approval.
fn without_bundle(wanted: Wanted<'_>, overridden: &BTreeSet<String>, manifest: &Manifest) -> Result<(), CliError> {
    let asked_for = manifest.approval.is_some() || wanted.scenario == scenario::REBUILD;
    if !asked_for || overridden.contains(guard::APPROVAL) {
        return Ok(());
    }
    let env = &manifest.environment;
    let urgent = match wanted.scenario {
        scenario::CONTAIN | scenario::RELEASE => Some("a containment"),
        scenario::EVIDENCE => Some("collecting evidence"),
        _ => None,
    };
    if let Some(what) = urgent {
        return Err(CliError::blocked(format!("{env} is changed by approved bundles only"))
            .cause(format!("{} has an approval block", manifest.path.display()))
            .hint(format!(
                "{what} has no bundle, because it cannot wait: --override approval --because \"…\" begins it, and the report \
                 says so"
            ))
            .next(wanted.planned_by));
    }
    if wanted.scenario == scenario::ROTATE {
        return Err(CliError::blocked(format!("{env} is changed by approved bundles only"))
            .cause(format!("{} has an approval block", manifest.path.display()))
            .hint("a rotation by itself has no bundle: --override approval --because \"…\" begins it, and the report says so")
            .next(wanted.planned_by));
    }
    if wanted.scenario == scenario::REBUILD {
        return Err(CliError::blocked(format!("{env} is taken down and rebuilt by an approved bundle only"))
            .cause("two people answer for what is destroyed: one plans it, another approves it")
            .hint(format!(
                "then: lifeboat approve BUNDLE; lifeboat rebuild {env} --bundle BUNDLE. Where there is no second person: \
                 --override approval --because \"…\", which the report says"
            ))
            .next(wanted.planned_by));
    }
    let (what, run) = match wanted.scenario {
        scenario::FAILOVER => (
            format!("{env} is failed over by an approved bundle only"),
            format!("lifeboat failover {env} --bundle BUNDLE"),
        ),
        scenario => {
            (format!("{env} is changed by approved bundles only"), format!("lifeboat {scenario} --bundle BUNDLE"))
        }
    };
    Err(CliError::blocked(what)
        .cause(format!("{} has an approval block", manifest.path.display()))
        .hint(format!(
            "then: lifeboat approve BUNDLE; {run}. Where there is no time for that: --override approval --because \"…\", \
             which the report says"
        ))
        .next(wanted.planned_by))
}

/// Refuses the bundle of another scenario.
///
/// # Errors
/// Exit 3, with the command that it is for.
pub fn of_scenario(bundle: &Bundle, path: &Path, wanted: &str) -> Result<(), CliError> {
    let scenario = &bundle.index.subject.scenario;
    if scenario == wanted {
        return Ok(());
    }
    Err(CliError::blocked(format!("{} is the bundle of a {scenario}; nothing was changed", path.display()))
        .next(run_by(bundle, path)))
}

/// The command that does what a bundle says.
pub fn run_by(bundle: &Bundle, path: &Path) -> String {
    let (subject, path) = (&bundle.index.subject, path.display());
    match subject.scenario.as_str() {
        scenario::RECOVER => format!("lifeboat recover --bundle {path}"),
        scenario => format!("lifeboat {scenario} {} --bundle {path}", subject.environment),
    }
}

/// Where the approval of a bundle is.
pub fn approvals(bundle: &Bundle, manifest: &Manifest, connected: &Connected) -> Approvals {
    let bucket = &manifest.recovery.backend.bucket;
    let session = connected.aws.clone();
    Approvals::new(session, bucket, &manifest.service, &manifest.environment, &bundle.sha256)
}

pub fn unreachable(error: StoreError) -> CliError {
    CliError::blocked("the approval in the state bucket cannot be used; nothing was changed").cause(error.to_string())
}

/// Refuses a bundle of another environment, or of another manifest than the one that is here.
///
/// # Errors
/// Exit 3, naming what differs.
pub fn same_place(bundle: &Bundle, manifest: &Manifest) -> Result<(), CliError> {
    let (index, subject) = (&bundle.index, &bundle.index.subject);
    let here = wiring::sha256(&manifest.path)?;
    // What is recovered may be in either region; a rebuild is in the primary one.
    let (region, workspace) = match subject.scenario.as_str() {
        scenario::RECOVER if subject.region == manifest.primary.name => {
            (&manifest.primary.name, &manifest.recovery.workspace)
        }
        scenario::REBUILD => (&manifest.primary.name, &manifest.primary.workspace),
        _ => (&manifest.recovery.name, &manifest.recovery.workspace),
    };
    let parts = [
        ("environment", subject.environment.as_str(), manifest.environment.as_str()),
        ("service", &subject.service, &manifest.service),
        ("account", &subject.account, &manifest.account),
        ("region", &subject.region, region),
        ("workspace", &subject.workspace, workspace),
        ("manifest's SHA-256", &index.manifest_sha256, &here),
    ];
    let other: Vec<String> = parts
        .iter()
        .filter(|(_, of_bundle, here)| of_bundle != here)
        .map(|(what, of_bundle, here)| format!("{what}: {of_bundle} in the bundle, {here} here"))
        .collect();
    if other.is_empty() {
        return Ok(());
    }
    Err(CliError::blocked("this bundle is of something else; nothing was changed")
        .cause(other.join("\n"))
        .next(&index.command))
}

impl Gate {
    /// What Terraform is bound to in the run, where it has a part in it.
    pub fn approved(&self) -> Option<Arc<Approved>> {
        plans(&self.bundle)
    }

    /// Compares what the run has found with what was approved. What has become another is sealed for an approval of its own.
    ///
    /// # Errors
    /// Exit 3: it is not what was approved. Nothing was changed.
    pub async fn is_current(&self, seen: Seen<'_>, environment: &Environment) -> Result<(), CliError> {
        let now = bundling::of_run(seen, &self.bundle.index, environment).await?;
        let comparison = bundle::compare(&self.bundle, &now);
        if comparison.is_empty() {
            return Ok(());
        }
        let path = environment.home.join("plans").join(&seen.engine.world.run);
        let stale = CliError::blocked("what would be done now is not what was approved; nothing was changed")
            .details(report::comparison(&comparison, environment.stderr_look()));
        Err(match bundle::write(&now.contents, &path) {
            Ok(()) => stale
                .hint(format!("then: {}", run_by(&now, &path)))
                .next(format!("lifeboat approve {}", path.display())),
            Err(_) => stale.next(&self.bundle.index.command),
        })
    }

    /// Keeps the bundle for the run and uses its approval up.
    ///
    /// # Errors
    /// Exit 3: another run was quicker, or the bucket cannot be written. The approval is as it was.
    pub async fn claim(
        &self,
        run: &str,
        run_dir: &Path,
        connected: &Connected,
        manifest: &Manifest,
    ) -> Result<ApprovedBundle, CliError> {
        bundle::write(&self.bundle.contents, &run_dir.join(KEPT)).map_err(|error| {
            CliError::error("the bundle cannot be kept; nothing was changed").cause(error.to_string())
        })?;
        let bucket = &manifest.recovery.backend.bucket;
        keep_bundle_of_run(&connected.aws, bucket, &self.bundle, run).await.map_err(unreachable)?;
        match self.approvals.claim(&self.found, run).await.map_err(unreachable)? {
            Outcome::Done => {}
            Outcome::Other(other) => {
                let used = other.and_then(|it| it.approval.used_by);
                return Err(CliError::blocked("the approval has been used or changed meanwhile; nothing was changed")
                    .cause(
                        used.map_or_else(|| "it is another now".to_owned(), |run| format!("run {run} has used it")),
                    ));
            }
        }
        let approval = &self.found.approval;
        Ok(ApprovedBundle {
            sha256: self.bundle.sha256.clone(),
            planner: approval.subject.planner.clone(),
            approver: approval.approver.clone(),
            approved_at: approval.approved_at,
            expires_at: approval.expires_at,
        })
    }

    /// Gives the approval back: the run that has claimed it never began.
    pub async fn give_back(&self) {
        let back = match self.approvals.read().await {
            Ok(Some(claimed)) => self.approvals.write(&self.found.approval, Some(&claimed)).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = back {
            let path = self.path.display();
            report::to_stderr(&format!(
                "warning: the approval of {path} is used up although nothing began: {}\n",
                report::escape(&error.to_string())
            ));
        }
    }
}

/// What Terraform is bound to in a run that is taken up again, here or on another machine.
///
/// # Errors
/// Exit 3: its bundle cannot be had, or something is to be accepted that nobody has approved.
pub async fn resumed(
    started: &RunStarted,
    run_dir: &Path,
    connected: &Connected,
    manifest: &Manifest,
    restage: bool,
    accepted: &[Changed],
) -> Result<Option<Arc<Approved>>, CliError> {
    let Some(approved) = &started.bundle else { return Ok(None) };
    let unapproved = [Changed::Manifest, Changed::VarFiles, Changed::Variables];
    if restage || accepted.iter().any(|it| unapproved.contains(it)) {
        return Err(CliError::blocked(format!("run {} does what was approved, and nothing else", started.run))
            .cause("another root, manifest or variable was approved by nobody")
            .hint("put back what it began with, or give the run up with --abandon and plan again"));
    }
    let kept = run_dir.join(KEPT);
    let bundle = match bundle::read(&kept).ok().filter(|it| it.sha256 == approved.sha256) {
        Some(bundle) => bundle,
        None => {
            let bucket = &manifest.recovery.backend.bucket;
            let (service, env) = (&manifest.service, &manifest.environment);
            let fetched = bundle_of_run(&connected.aws, bucket, service, env, &started.run).await;
            fetched.map_err(|error| {
                CliError::blocked(format!("the bundle of run {} cannot be had; nothing was changed", started.run))
                    .cause(error.to_string())
            })?
        }
    };
    if bundle.sha256 != approved.sha256 {
        return Err(CliError::blocked(format!("the bundle of run {} is another than was approved", started.run))
            .cause(format!("its SHA-256 is {}, approved was {}", bundle.sha256, approved.sha256)));
    }
    Ok(plans(&bundle))
}

/// Both plans of a bundle: what is destroyed first, where that is approved, and what is done then.
fn plans(bundle: &Bundle) -> Option<Arc<Approved>> {
    let teardown = bundle.teardown.as_ref().map(|it| it.plan.clone());
    bundle.plan.clone().map(|plan| Arc::new(Approved::of(plan).with_teardown(teardown)))
}
