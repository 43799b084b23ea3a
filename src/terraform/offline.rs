//! What `terraform init` needs that is not on this machine: providers and modules that it would have to download, from
//! hosts that may be gone when the stack has to be rebuilt. Files are read; nobody is asked, and nothing is run.
//!
//! Where Terraform looks is told by the CLI configuration ("CLI Configuration File", provider installation). It asks every
//! installation method that serves a provider, so that a registry among them is asked even where a mirror has it. A plugin
//! cache spares the download, not the question which versions there are.

mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Root;
use super::environment::Environment;
use super::version::Product;
use crate::document::Document;
use settings::{Method, Settings};

/// Name of the dependency lock file (Terraform: "Dependency Lock File").
const LOCK_FILE: &str = ".terraform.lock.hcl";

/// A provider that the root needs, and where Terraform would get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `registry.terraform.io/hashicorp/aws`
    pub source: String,
    /// As the lock file has it; `None` where it is not locked.
    pub version: Option<String>,
    pub place: Place,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder of this machine, which alone is asked.
    Here(PathBuf),
    /// In the plugin cache; the host is still asked which versions there are.
    Cached { cache: PathBuf, host: String },
    /// Only from there.
    Download(String),
    /// Only mirrors on this machine are asked, and none has it.
    Nowhere,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offline {
    pub providers: Vec<Provider>,
    /// Modules that are not local, and their sources.
    pub modules: BTreeMap<String, String>,
    /// What could not be understood, so that nothing is known of providers.
    pub doubts: Vec<String>,
}

/// Looks for what the root needs. `environment` is the operator's.
pub fn look(root: &Root, product: Product, environment: &Environment) -> Offline {
    let modules = root.remote_modules.clone();
    let known = Settings::read(product, environment).and_then(|it| Ok((it, locked(&root.path.join(LOCK_FILE))?)));
    let (settings, locked) = match known {
        Ok(known) => known,
        Err(doubt) => return Offline { modules, doubts: vec![doubt], ..Offline::default() },
    };
    let mut needed: BTreeMap<String, Option<String>> =
        root.providers.iter().map(|source| (full(source, product), None)).collect();
    // What modules from elsewhere need is known from the lock file alone.
    needed.extend(locked.into_iter().map(|(source, version)| (source, Some(version))));
    let provider = |(source, version): (String, Option<String>)| {
        let place = place(&source, version.as_deref(), &settings);
        Provider { source, version, place }
    };
    let providers = needed.into_iter().filter(|(source, _)| !source.starts_with("terraform.io/builtin/"));
    Offline { providers: providers.map(provider).collect(), modules, doubts: Vec::new() }
}

/// Versions by provider.
fn locked(path: &Path) -> Result<BTreeMap<String, String>, String> {
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let body = Document::read(path).and_then(|document| document.body());
    let body = body.map_err(|problem| format!("{} is not understood: {}", path.display(), problem.message))?;
    let blocks = body.blocks().filter(|block| block.ident.as_str() == "provider");
    let entry = |block: &hcl_edit::structure::Block| {
        let version = block.body.get_attribute("version")?.value.as_str()?.to_owned();
        Some((block.labels.first()?.as_str().to_owned(), version))
    };
    Ok(blocks.filter_map(entry).collect())
}

/// With the host, which may be left out (Terraform: "Provider Requirements", source addresses).
fn full(source: &str, product: Product) -> String {
    let source = source.to_lowercase();
    match source.matches('/').count() {
        0 => format!("{}/hashicorp/{source}", host(product)),
        1 => format!("{}/{source}", host(product)),
        _ => source,
    }
}

fn host(product: Product) -> &'static str {
    match product {
        Product::Terraform => "registry.terraform.io",
        Product::OpenTofu => "registry.opentofu.org",
    }
}

fn place(source: &str, version: Option<&str>, settings: &Settings) -> Place {
    let serving: Vec<&Method> = settings.methods_for(source);
    let mirrors = serving.iter().filter_map(|method| method.folder());
    let here = mirrors.clone().find(|folder| has(folder, source, version)).map(Path::to_owned);
    let asked = serving.iter().find_map(|method| method.host(source));
    match (asked, here) {
        (None, Some(folder)) => Place::Here(folder),
        (None, None) => Place::Nowhere,
        (Some(host), _) => {
            let cache = settings.cache.iter().find(|cache| version.is_some() && has(cache, source, version));
            match cache {
                Some(cache) => Place::Cached { cache: cache.clone(), host },
                None => Place::Download(host),
            }
        }
    }
}

/// Whether a folder has a provider for this machine, packed or not; any version where none is asked for.
fn has(folder: &Path, source: &str, version: Option<&str>) -> bool {
    let (platform, folder) = (platform(), folder.join(source));
    let kind = source.rsplit('/').next().unwrap_or_default();
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).any(|name| {
        let packed = name.strip_prefix(&format!("terraform-provider-{kind}_"));
        let packed = packed.and_then(|rest| rest.strip_suffix(&format!("_{platform}.zip")));
        match (packed, version) {
            (Some(found), wanted) => wanted.is_none_or(|wanted| wanted == found),
            (None, Some(wanted)) => name == wanted && folder.join(&name).join(&platform).is_dir(),
            (None, None) => folder.join(&name).join(&platform).is_dir(),
        }
    })
}

/// As Go calls it: `linux_amd64`.
fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        system => system,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        machine => machine,
    };
    format!("{system}_{machine}")
}

#[cfg(test)]
mod tests;
