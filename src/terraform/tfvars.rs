//! The var file of the recovery region: the base var files merged, with the region's overrides on top, and a comment on
//! each override that says what it replaces. Old values of sensitive variables are never shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::root::Root;
use super::var_file::{self, Given};
use crate::document::{Invalid, Value, attribute, expression};
use crate::templates::{TemplateError, Templates};

/// Name of the file.
pub const RECOVERY: &str = "recovery.tfvars";

/// An old value longer than this says nothing at a glance.
const SHOWN: usize = 60;

/// Why the var file could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TfvarsError {
    #[error("the var files are not valid")]
    Invalid(#[from] Invalid),
    #[error("{}", missing(.0))]
    Missing(Vec<String>),
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// What the values are made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Var files in order; later ones win. The root's automatic ones come before them.
    pub base: &'a [PathBuf],
    /// The region's overrides.
    pub overrides: &'a BTreeMap<String, serde_json::Value>,
    /// The region's name, for people.
    pub region: &'a str,
    /// Names of variables that `TF_VAR_…` sets: they are not missing. An override wins over them.
    pub from_environment: &'a [String],
}

/// The text of the recovery region's var file.
///
/// # Errors
/// A base file that cannot be read, or sets what the root does not declare; required variables that nobody sets; a
/// replaced template that cannot be filled.
pub fn recovery(templates: &Templates, sources: &Sources<'_>, root: &Root) -> Result<String, TfvarsError> {
    let base = var_file::read(&files(root, sources.base), root)?;
    let mut set: std::collections::BTreeSet<String> = base.keys().chain(sources.overrides.keys()).cloned().collect();
    set.extend(sources.from_environment.iter().cloned());
    let missing = root.missing_variables(&set);
    if !missing.is_empty() {
        return Err(TfvarsError::Missing(missing));
    }
    let sections = sections(&base, sources, root);
    Ok(templates.render("terraform/recovery.tfvars", &json!({ "region": sources.region, "sections": sections }))?)
}

/// The automatic var files, then the given ones, none twice: Terraform lets the last word win.
fn files(root: &Root, base: &[PathBuf]) -> Vec<PathBuf> {
    let automatic = root.automatic_var_files.iter().filter(|file| !base.contains(file));
    automatic.chain(base).cloned().collect()
}

fn sections(base: &BTreeMap<String, Given>, sources: &Sources<'_>, root: &Root) -> Vec<serde_json::Value> {
    let overrides = sources.overrides.iter().map(|(name, value)| {
        let value = Value::from_json(value);
        let sensitive = root.variables.get(name).is_some_and(|variable| variable.sensitive);
        let comment = explain(base.get(name), &value, sensitive);
        json!({ "text": attribute(name, &value).trim_end_matches('\n'), "comment": comment })
    });
    let mut sections = Vec::new();
    if !sources.overrides.is_empty() {
        sections.push(json!({ "title": "What differs there", "variables": overrides.collect::<Vec<_>>() }));
    }
    let mut files: Vec<&Path> = base.values().map(|given| given.file.as_path()).collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        let here = base.iter().filter(|(name, given)| given.file == file && !sources.overrides.contains_key(*name));
        let variables: Vec<_> =
            here.map(|(name, given)| json!({ "text": attribute(name, &given.value).trim_end_matches('\n') })).collect();
        if !variables.is_empty() {
            sections.push(json!({ "title": format!("From {}", name(file)), "variables": variables }));
        }
    }
    sections
}

fn explain(base: Option<&Given>, value: &Value, sensitive: bool) -> String {
    let what = "recovery override from lifeboat.hcl";
    let Some(given) = base else { return format!("{what}; no var file sets it") };
    let file = name(&given.file);
    if sensitive {
        return format!("{what}; {file} sets it too, and it is sensitive");
    }
    if given.value.means(value) {
        return format!("{what}; {file} says the same");
    }
    let old = expression(&given.value, 0);
    if old.len() > SHOWN || old.contains('\n') {
        return format!("{what}; {file} says otherwise");
    }
    format!("{what}; {file} says {old}")
}

/// A file's name on one line.
fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

fn missing(names: &[String]) -> String {
    let (verb, noun) = if names.len() == 1 { ("is", "variable") } else { ("are", "variables") };
    format!("the Terraform root requires the {noun} {}, which {verb} set nowhere", names.join(", "))
}

#[cfg(test)]
#[path = "tfvars_tests.rs"]
mod tests;
