//! A Terraform root as its files declare it, with the local modules that it reaches. Nothing is run.
//!
//! What it answers: which variables must be set, which outputs and addresses exist, and which folders a staged copy
//! needs. Modules from a registry or from git are not looked into; addresses inside them cannot be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::address::Address;
use super::module::{Module, Variable};
use crate::document::{Document, Invalid, Problem, quoted};

/// Deeper than any tree of modules that people write: a module that reaches itself ends here.
const MAX_DEPTH: usize = 32;

/// More module calls than this are a mistake in the root or an attack on whoever reads it.
const MAX_CALLS: usize = 5000;

/// The root's files are not Terraform, or reach a module that is not there.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the terraform root {} cannot be read", .path.display())]
pub struct RootError {
    pub path: PathBuf,
    #[source]
    pub invalid: Invalid,
}

/// What a root declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// Absolute.
    pub path: PathBuf,
    pub variables: BTreeMap<String, Variable>,
    /// Output names, and whether each is sensitive.
    pub outputs: BTreeMap<String, bool>,
    /// By address without indices: `module.database.aws_rds_cluster.logs`.
    pub resources: BTreeMap<String, Resource>,
    /// Absolute folders of the local modules that it reaches, at any depth, also outside the root.
    pub local_modules: BTreeSet<PathBuf>,
    /// Module path (`module.vpc`) and source of modules that are not local.
    pub remote_modules: BTreeMap<String, String>,
    /// Sources of the providers that the root and its local modules name, or use without naming them: `hashicorp/aws`.
    pub providers: BTreeSet<String>,
    /// `s3`, `local`, …, or `cloud`.
    pub backend: Option<String>,
    /// Var files in the root that Terraform reads unasked, in its order (Terraform: "Variable Definition Precedence").
    pub automatic_var_files: Vec<PathBuf>,
    /// Whether the default configuration of provider `aws` can be told which account is allowed.
    pub takes_account: bool,
}

/// A managed resource that the root or one of its local modules declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `aws_rds_cluster`
    pub kind: String,
    /// Whether it has `count` or `for_each`, so that its address needs an index.
    pub repeated: bool,
    /// For each module on the way to it, from the root, whether that has one.
    pub repeated_modules: Vec<bool>,
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Not an address at all.
    Malformed,
    /// Nothing has it.
    Missing,
    /// `count` or `for_each` asks for an index there, or there is none to index. Holds the part of the address.
    Index { part: String, needed: bool },
}

impl Root {
    /// Reads the root at `path` and the local modules that it reaches.
    ///
    /// # Errors
    /// Files that cannot be read or parsed, all of one folder at once; `.tf.json` files; a local module that is missing.
    pub fn read(path: &Path) -> Result<Self, RootError> {
        Self::read_tree(path).map_err(|invalid| RootError { path: path.to_owned(), invalid })
    }

    fn read_tree(path: &Path) -> Result<Self, Invalid> {
        let path = fs::canonicalize(path)
            .map_err(|error| Problem::about(&Document::new(path, ""), format!("cannot read the folder: {error}")))?;
        let module = Module::read(&path)?;
        let mut root = Self {
            variables: module.variables.clone(),
            outputs: module.outputs.clone(),
            resources: BTreeMap::new(),
            local_modules: BTreeSet::new(),
            remote_modules: BTreeMap::new(),
            providers: BTreeSet::new(),
            backend: module.backend.clone(),
            automatic_var_files: automatic_var_files(&path),
            takes_account: takes_account(&module),
            path: path.clone(),
        };
        let mut known = BTreeMap::from([(path.clone(), module)]);
        let mut calls = 0;
        root.walk(&path, "", &[], &mut known, &mut calls)?;
        Ok(root)
    }

    /// Adds what the module in `folder` declares under the module path `prefix`, then its own modules.
    fn walk(
        &mut self,
        folder: &Path,
        prefix: &str,
        repeated_modules: &[bool],
        known: &mut BTreeMap<PathBuf, Module>,
        calls: &mut usize,
    ) -> Result<(), Invalid> {
        let module = match known.get(folder) {
            Some(module) => module.clone(),
            None => known.entry(folder.to_owned()).or_insert(Module::read(folder)?).clone(),
        };
        for ((kind, name), repeated) in &module.resources {
            let resource =
                Resource { kind: kind.clone(), repeated: *repeated, repeated_modules: repeated_modules.to_vec() };
            self.resources.insert(format!("{prefix}{kind}.{name}"), resource);
            let provider = kind.split('_').next().unwrap_or_default();
            // Terraform's own needs no program; one that is not named is `hashicorp`'s (Terraform: "Provider Requirements").
            if provider != "terraform" && !module.providers.contains_key(provider) {
                self.providers.insert(format!("hashicorp/{provider}"));
            }
        }
        self.providers.extend(module.providers.values().cloned());
        for (name, call) in &module.calls {
            *calls += 1;
            let (Some(source), Some((document, span))) = (&call.source, &call.place) else {
                self.remote_modules.insert(format!("{prefix}module.{name}"), String::new());
                continue;
            };
            if !is_local(source) {
                self.remote_modules.insert(format!("{prefix}module.{name}"), source.clone());
                continue;
            }
            if repeated_modules.len() >= MAX_DEPTH || *calls > MAX_CALLS {
                let message = format!("modules reach deeper than {MAX_DEPTH} levels, or more than {MAX_CALLS} times");
                return Err(Problem::at(document, span.clone(), message, "reached here").into());
            }
            let target = fs::canonicalize(folder.join(source)).map_err(|error| {
                Problem::at(document, span.clone(), format!("cannot read module {}", quoted(name)), error.to_string())
            })?;
            self.local_modules.insert(target.clone());
            let repeated: Vec<bool> = repeated_modules.iter().copied().chain([call.repeated]).collect();
            self.walk(&target, &format!("{prefix}module.{name}."), &repeated, known, calls)?;
        }
        Ok(())
    }

    /// The variables without a default that `set` does not name, in order.
    pub fn missing_variables(&self, set: &BTreeSet<String>) -> Vec<String> {
        let required = self.variables.iter().filter(|(_, variable)| !variable.default);
        required.map(|(name, _)| name).filter(|name| !set.contains(*name)).cloned().collect()
    }

    /// The resource at an address. `Ok(None)` where it lies in a module that is not local, and so cannot be judged.
    ///
    /// # Errors
    /// The text is no address, nothing has it, or an index is missing or too many.
    pub fn resource(&self, address: &str) -> Result<Option<&Resource>, Unknown> {
        let address = Address::parse(address).ok_or(Unknown::Malformed)?;
        let plain = address.without_indices();
        if self.remote_modules.keys().any(|module| plain.starts_with(&format!("{module}."))) {
            return Ok(None);
        }
        let resource = self.resources.get(&plain).ok_or(Unknown::Missing)?;
        let steps = address.modules.iter().zip(&resource.repeated_modules);
        for (step, repeated) in steps.chain([(&address.resource, &resource.repeated)]) {
            if step.index.is_some() != *repeated {
                return Err(Unknown::Index { part: step.to_string(), needed: *repeated });
            }
        }
        Ok(Some(resource))
    }
}

/// An override makes a configuration where there is none (Terraform: "Override Files"), and with it a provider that the
/// root may not need: only for roots that use it. Two arguments contradict it (AWS provider: `forbidden_account_ids`,
/// `skip_requesting_account_id`, after which the account is not known).
fn takes_account(module: &Module) -> bool {
    let used = || module.resources.keys().any(|(kind, _)| kind.starts_with("aws_"));
    match &module.aws {
        Some(given) => !given.contains("forbidden_account_ids") && !given.contains("skip_requesting_account_id"),
        None => used(),
    }
}

/// Local sources begin with `./` or `../` (Terraform: "Module Sources", local paths); Windows' backslashes too.
fn is_local(source: &str) -> bool {
    matches!(source, "." | "..") || ["./", "../", ".\\", "..\\"].iter().any(|prefix| source.starts_with(prefix))
}

/// `terraform.tfvars`, `terraform.tfvars.json`, then `*.auto.tfvars` and `*.auto.tfvars.json` by name.
fn automatic_var_files(root: &Path) -> Vec<PathBuf> {
    let fixed = ["terraform.tfvars", "terraform.tfvars.json"].map(|name| root.join(name));
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut automatic: Vec<PathBuf> = entries
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json")
        })
        .collect();
    automatic.sort();
    fixed.into_iter().chain(automatic).filter(|path| path.is_file()).collect()
}

#[cfg(test)]
#[path = "root_tests.rs"]
mod tests;
