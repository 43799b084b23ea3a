//! What a failover needs of Terraform on this machine: the program, and what `init` would have to download.

use std::path::Path;

use super::environment::Environment;
use crate::engine::{self, Engine, Foreknown};
use crate::manifest::Manifest;
use crate::readiness::{Finding, Found};
use crate::terraform::offline::{self, Offline, Place, Provider};
use crate::terraform::plan::Counts;
use crate::terraform::{Detail, Root, version};

const ABOUT: &str = "terraform";
const PLAN: &str = "plan";
const PROVIDERS: &str = "whether the providers are on this machine";

/// Looks for the program, the providers and the modules. A program that is missing is told by whoever makes the engine.
pub async fn offline(manifest: &Manifest, run_dir: &Path, environment: &Environment, found: &mut Found) {
    let (flag, wanted) = (environment.tf_bin.as_deref(), manifest.terraform.binary.as_deref());
    let Ok(binary) = version::find(flag, wanted, &environment.variables, run_dir).await else {
        return found.unasked(PROVIDERS, "there is no Terraform to have them");
    };
    let program = format!("{} {}, {}", binary.product.name(), binary.version, binary.path.display());
    found.in_order.push(Finding::new(ABOUT, program));
    match Root::read(&manifest.terraform.root) {
        Ok(root) => told(offline::look(&root, binary.product, &environment.variables), found),
        Err(error) => found.obstacles.push(Finding::new(ABOUT, error.to_string())),
    }
}

/// Plans all of the root, changing nothing, and holds the plan against the guards. What the steps say of the root itself is
/// told by them.
pub async fn plan(engine: &Engine) -> Found {
    let mut found = Found::default();
    let Foreknown { look, violations, warnings, not_checked, .. } = match engine::ahead(engine, Detail::Judged).await {
        Ok(foreknown) => foreknown,
        Err(error) => {
            found.obstacles.push(Finding::new(PLAN, error.to_string()).hint(error.hint()));
            return found;
        }
    };
    let Counts { add, change, destroy, .. } = look.plan.counts();
    let words = match look.plan.is_empty() {
        true => "the recovery workspace is as the root declares it: there is nothing to change".to_owned(),
        false => format!("Terraform would add {add}, change {change} and destroy {destroy}"),
    };
    found.in_order.push(Finding::new(PLAN, words));
    found.warnings.extend(warnings.into_iter().map(|it| Finding::new(PLAN, it)));
    found.obstacles.extend(look.refused.iter().map(|it| Finding::new(PLAN, it.to_string())));
    found.obstacles.extend(violations.into_iter().map(|it| Finding::new("guard", it.to_string()).hint(it.hint)));
    found.not_checked.extend(not_checked);
    found
}

/// What is found where no plan is made.
pub fn unplanned(why: &str) -> Found {
    let mut found = Found::default();
    found.unasked("what Terraform would do, and what the guards say of it", why);
    found
}

fn told(offline: Offline, found: &mut Found) {
    for provider in &offline.providers {
        let name = name(provider);
        match &provider.place {
            Place::Here(folder) => {
                found.in_order.push(Finding::new(ABOUT, format!("{name} is in {}", folder.display())));
            }
            Place::Download(host) => {
                let hint = "mirror it on this machine, with terraform providers mirror, and name that folder alone for it in \
                            the CLI configuration";
                let words = format!("{name} would be downloaded from {host}");
                found.warnings.push(Finding::new(ABOUT, words).hint(Some(hint.to_owned())));
            }
            Place::Cached { cache, host } => {
                let words = format!(
                    "{name} is in the plugin cache {}, but {host} would still be asked which versions there are",
                    cache.display()
                );
                found.warnings.push(Finding::new(ABOUT, words));
            }
            Place::Nowhere => {
                let hint =
                    "terraform init would fail: the CLI configuration names only folders for it, and it is in none";
                let words = format!("{name} is not on this machine");
                found.obstacles.push(Finding::new(ABOUT, words).hint(Some(hint.to_owned())));
            }
        }
        if provider.version.is_none() {
            let hint = "run terraform init in the root and commit .terraform.lock.hcl".to_owned();
            let words = format!("{name} is not in the lock file: nobody knows which version it would be");
            found.warnings.push(Finding::new(ABOUT, words).hint(Some(hint)));
        }
    }
    for (module, source) in &offline.modules {
        let source = if source.is_empty() { "a source that is not written plainly" } else { source };
        let hint = Some("keep a copy in the repository, and name that folder as its source".to_owned());
        found.warnings.push(Finding::new(ABOUT, format!("{module} would be downloaded from {source}")).hint(hint));
    }
    offline.doubts.iter().for_each(|doubt| found.unasked(PROVIDERS, doubt));
}

fn name(provider: &Provider) -> String {
    let version = provider.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    format!("provider {}{version}", provider.source)
}
