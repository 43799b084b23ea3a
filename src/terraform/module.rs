//! One folder of `.tf` files as Terraform reads it: its variables, outputs, resources, modules and backend.
//!
//! Files are read in Terraform's order, override files last (Terraform: "Override Files"). `.tf.json` and `.tofu` files
//! are refused: a root of which only a part was read would be judged wrongly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Attribute, Block, Body};

use crate::document::{Document, Invalid, Problem};

/// More files in a folder are not a module that somebody wrote.
const MAX_FILES: usize = 2000;

/// A variable that a module declares.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Variable {
    /// Whether it has a default; without one it must be set.
    pub default: bool,
    /// Whether `null` may be given; it may, unless the module says otherwise.
    pub nullable: bool,
    pub sensitive: bool,
    /// The type expression as it is written: `map(string)`.
    pub kind: Option<String>,
}

/// What one folder declares.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Module {
    pub variables: BTreeMap<String, Variable>,
    /// Output names, and whether each is sensitive.
    pub outputs: BTreeMap<String, bool>,
    /// Resource types and names, and whether they have `count` or `for_each`.
    pub resources: BTreeMap<(String, String), bool>,
    pub calls: BTreeMap<String, Call>,
    pub backend: Option<String>,
    /// Local names of the providers that `required_providers` has, and their sources: `hashicorp/aws`.
    pub providers: BTreeMap<String, String>,
    /// Arguments of the default configuration of provider `aws`, where it is configured.
    pub aws: Option<BTreeSet<String>>,
}

/// A `module` block.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Call {
    pub source: Option<String>,
    pub repeated: bool,
    /// Where it stands, for a source that does not exist.
    pub place: Option<(Arc<Document>, std::ops::Range<usize>)>,
}

impl Module {
    /// Reads all files of a folder.
    pub fn read(folder: &Path) -> Result<Self, Invalid> {
        let mut module = Self::default();
        let mut problems = Vec::new();
        for name in files(folder)? {
            let read = Document::read(&folder.join(&name)).and_then(|document| {
                let body = document.body()?;
                Ok((document, body))
            });
            match read {
                Ok((document, body)) => module.add(&document, &body),
                Err(problem) => problems.push(problem),
            }
        }
        Invalid::of(problems).map_or(Ok(module), Err)
    }

    fn add(&mut self, document: &Arc<Document>, body: &Body) {
        for block in body.blocks() {
            let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
            match (block.ident.as_str(), labels.as_slice()) {
                ("variable", [name]) => self.variable(name, document, block),
                ("output", [name]) => {
                    let sensitive = flag(block, "sensitive");
                    let known = self.outputs.entry((*name).to_owned()).or_default();
                    *known = sensitive.unwrap_or(*known);
                }
                ("resource", [kind, name]) => {
                    let known = self.resources.entry(((*kind).to_owned(), (*name).to_owned())).or_default();
                    *known |= is_repeated(block);
                }
                ("provider", ["aws"]) if !block.body.has_attribute("alias") => {
                    let names = block.body.attributes().map(|it| it.key.to_string());
                    self.aws.get_or_insert_default().extend(names);
                }
                ("module", [name]) => self.call(name, document, block),
                ("terraform", []) => self.settings(block),
                _ => {}
            }
        }
    }

    /// An override file changes only what it names.
    fn variable(&mut self, name: &str, document: &Document, block: &Block) {
        let known = self.variables.entry(name.to_owned());
        let variable = known.or_insert_with(|| Variable { nullable: true, ..Variable::default() });
        variable.default |= block.body.has_attribute("default");
        variable.nullable = flag(block, "nullable").unwrap_or(variable.nullable);
        variable.sensitive = flag(block, "sensitive").unwrap_or(variable.sensitive);
        if let Some(kind) = block.body.get_attribute("type") {
            variable.kind = kind.value.span().map(|span| document.slice(span).to_owned());
        }
    }

    fn call(&mut self, name: &str, document: &Arc<Document>, block: &Block) {
        let call = self.calls.entry(name.to_owned()).or_default();
        call.repeated |= is_repeated(block);
        if let Some(source) = block.body.get_attribute("source") {
            call.source = source.value.as_str().map(str::to_owned);
            call.place = source.value.span().map(|span| (Arc::clone(document), span));
        }
    }

    fn settings(&mut self, block: &Block) {
        for inner in block.body.blocks() {
            match (inner.ident.as_str(), inner.labels.first()) {
                ("backend", Some(label)) => self.backend = Some(label.as_str().to_owned()),
                ("cloud", _) => self.backend = Some("cloud".to_owned()),
                ("required_providers", None) => {
                    let names = inner.body.attributes();
                    self.providers.extend(names.map(|it| (it.key.as_str().to_owned(), source(it))));
                }
                _ => {}
            }
        }
    }
}

/// Where a required provider comes from; without a source from `hashicorp` (Terraform: "Provider Requirements").
fn source(required: &Attribute) -> String {
    let given = required.value.as_object().and_then(|object| {
        let (_, source) =
            object.iter().find(|(name, _)| matches!(name, ObjectKey::Ident(name) if name.as_str() == "source"))?;
        source.expr().as_str().map(str::to_owned)
    });
    given.unwrap_or_else(|| format!("hashicorp/{}", required.key.as_str()))
}

/// A literal `true` or `false`.
fn flag(block: &Block, name: &str) -> Option<bool> {
    block.body.get_attribute(name)?.value.as_bool()
}

fn is_repeated(block: &Block) -> bool {
    let given = |name| block.body.get_attribute(name).is_some_and(|given| !matches!(given.value, Expression::Null(_)));
    given("count") || given("for_each")
}

/// The `.tf` files of a folder in the order in which Terraform reads them: by name, override files last.
fn files(folder: &Path) -> Result<Vec<String>, Problem> {
    let here = Document::new(folder, "");
    let unreadable = |error: std::io::Error| Problem::about(&here, format!("cannot read the folder: {error}"));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_ignored(&name) || entry.path().is_dir() {
            continue;
        }
        if let Some(kind) = [".tf.json", ".tofu", ".tofu.json"].iter().find(|kind| name.ends_with(*kind)) {
            let file = Document::new(folder.join(&name), "");
            return Err(Problem::about(&file, format!("lifeboat does not read {kind} files"))
                .hint("write it as a .tf file: what lifeboat did not read it could not check"));
        }
        if name.ends_with(".tf") {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(Problem::about(&here, format!("more than {MAX_FILES} .tf files")));
        }
    }
    if names.is_empty() {
        return Err(Problem::about(&here, "no .tf files in this folder"));
    }
    names.sort_by_cached_key(|name| (is_override(name), name.clone()));
    Ok(names)
}

/// What editors leave behind, as Terraform ignores it.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

fn is_override(name: &str) -> bool {
    name == "override.tf" || name.ends_with("_override.tf")
}
