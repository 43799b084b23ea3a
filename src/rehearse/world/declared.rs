//! What the Terraform root declares about an adopted cluster or table, read from its files without running anything.
//!
//! Literals, and references to variables that lead to literals: through arguments of modules, the manifest's
//! overrides, the var files and defaults. What is computed otherwise is not known here, and the default shape stands
//! in for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::{Attribute, Block, Body};

use super::shape::{ClusterShape, Index, Key, KeyType, TableShape};
use crate::document::{Document, Value};
use crate::manifest::Manifest;
use crate::terraform::Address;

/// One folder's blocks, each with the text of its file.
struct Folder {
    path: PathBuf,
    bodies: Vec<(String, Body)>,
}

/// What is known about a module's variables.
type Known = BTreeMap<String, Value>;

/// A resource of the root with what its module knows.
pub struct Declared {
    folder: Folder,
    known: Known,
    labels: [String; 2],
}

impl Declared {
    /// The resource at an address of the root; `None` where it cannot be found by reading.
    pub fn find(manifest: &Manifest, address: &str) -> Option<Self> {
        let address = Address::parse(address)?;
        let mut folder = Folder::read(&manifest.terraform.root)?;
        let mut known = root_values(manifest, &folder);
        for step in &address.modules {
            let (text, call) = folder.block("module", &[&step.name])?;
            let source = known_value(text, attribute(call, "source")?, &known)?;
            let Value::String(source) = source else { return None };
            let inside = Folder::read(&folder.path.join(source))?;
            let mut values = inside.defaults();
            let arguments = call.body.attributes().filter_map(|argument| {
                Some((argument.key.to_string().trim().to_owned(), known_value(text, argument, &known)?))
            });
            values.extend(arguments);
            (folder, known) = (inside, values);
        }
        let labels = [address.kind, address.resource.name];
        folder.block("resource", &[&labels[0], &labels[1]])?;
        Some(Self { folder, known, labels })
    }

    fn block(&self) -> Option<(&str, &Block)> {
        self.folder.block("resource", &[&self.labels[0], &self.labels[1]])
    }

    fn text(&self, name: &str) -> Option<String> {
        let (source, block) = self.block()?;
        self.text_in(source, block, name)
    }

    fn text_in(&self, source: &str, block: &Block, name: &str) -> Option<String> {
        match known_value(source, attribute(block, name)?, &self.known)? {
            Value::String(text) | Value::Number(text) => Some(text),
            _ => None,
        }
    }

    fn inner(&self, name: &str) -> Vec<(&str, &Block)> {
        let Some((source, block)) = self.block() else { return Vec::new() };
        block.body.blocks().filter(|inner| inner.ident.as_str() == name).map(|inner| (source, inner)).collect()
    }

    /// Provider AWS: "Resource: aws_dynamodb_table".
    pub fn table(&self) -> Option<TableShape> {
        let kinds: BTreeMap<String, KeyType> = self
            .inner("attribute")
            .into_iter()
            .filter_map(|(source, block)| {
                let kind = match self.text_in(source, block, "type")?.as_str() {
                    "N" => KeyType::Number,
                    "B" => KeyType::Binary,
                    _ => KeyType::String,
                };
                Some((self.text_in(source, block, "name")?, kind))
            })
            .collect();
        let key = |name: String| Key { kind: kinds.get(&name).copied().unwrap_or(KeyType::String), name };
        let indexes = self.inner("global_secondary_index").into_iter().filter_map(|(source, block)| {
            Some(Index {
                name: self.text_in(source, block, "name")?,
                hash: key(self.text_in(source, block, "hash_key")?),
                range: self.text_in(source, block, "range_key").map(key),
            })
        });
        let ttl = self.inner("ttl").first().and_then(|(source, block)| self.text_in(source, block, "attribute_name"));
        Some(TableShape {
            hash: key(self.text("hash_key")?),
            range: self.text("range_key").map(key),
            indexes: indexes.collect(),
            ttl_attribute: ttl,
        })
    }

    /// Provider AWS: "Resource: aws_rds_cluster".
    pub fn cluster(&self) -> ClusterShape {
        let usual = ClusterShape::default();
        ClusterShape {
            engine: self.text("engine").unwrap_or(usual.engine),
            engine_version: self.text("engine_version"),
            database_name: self.text("database_name"),
            master_username: self.text("master_username").unwrap_or(usual.master_username),
        }
    }
}

impl Folder {
    fn read(path: &Path) -> Option<Self> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let bodies = files
            .iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "tf"))
            .filter_map(|file| {
                let document = Document::read(file).ok()?;
                Some((document.text.clone(), document.body().ok()?))
            })
            .collect();
        Some(Self { path: path.to_owned(), bodies })
    }

    fn block(&self, kind: &str, labels: &[&str]) -> Option<(&str, &Block)> {
        self.bodies.iter().find_map(|(text, body)| {
            let block = body.blocks().find(|block| {
                block.ident.as_str() == kind
                    && block.labels.iter().map(|label| label.as_str()).eq(labels.iter().copied())
            });
            Some((text.as_str(), block?))
        })
    }

    fn defaults(&self) -> Known {
        let variables = self.bodies.iter().flat_map(|(text, body)| body.blocks().map(move |block| (text, block)));
        variables
            .filter(|(_, block)| block.ident.as_str() == "variable")
            .filter_map(|(text, block)| {
                let name = block.labels.first()?.as_str().to_owned();
                Some((name, Value::literal(text, &attribute(block, "default")?.value).ok()?))
            })
            .collect()
    }
}

/// The root's variables as the recovery region sets them (Terraform: "Variable Definition Precedence").
fn root_values(manifest: &Manifest, root: &Folder) -> Known {
    let mut known = root.defaults();
    for file in &manifest.terraform.var_files {
        let Ok(document) = Document::read(file) else { continue };
        let Ok(body) = document.body() else { continue };
        for given in body.attributes() {
            if let Ok(value) = Value::literal(&document.text, &given.value) {
                known.insert(given.key.to_string().trim().to_owned(), value);
            }
        }
    }
    let overrides = manifest.recovery.variables.iter();
    known.extend(overrides.map(|(name, value)| (name.clone(), Value::from_json(value))));
    known
}

fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Attribute> {
    block.body.get_attribute(name)
}

fn known_value(source: &str, attribute: &Attribute, known: &Known) -> Option<Value> {
    if let Ok(value) = Value::literal(source, &attribute.value) {
        return Some(value);
    }
    let Expression::Traversal(traversal) = &attribute.value else { return None };
    let Expression::Variable(base) = &traversal.expr else { return None };
    let [step] = traversal.operators.as_slice() else { return None };
    match step.value() {
        TraversalOperator::GetAttr(name) if base.value().as_str() == "var" => known.get(name.as_str()).cloned(),
        _ => None,
    }
}
