//! The templates of everything lifeboat writes: compiled in, each replaceable by a file of its name in a folder.
//!
//! A template gets plain data and has no effect. A file in the folder that replaces nothing is an error: it would be
//! believed to have an effect.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tera::{Context, Tera};

use crate::document::{Document, quoted};

/// Name and text of each. A replacement is called `FOLDER/NAME.tera`.
const BUILT_IN: [(&str, &str); 5] = [
    ("terraform/backend_override.tf", include_str!("../templates/terraform/backend_override.tf.tera")),
    ("terraform/backend.hcl", include_str!("../templates/terraform/backend.hcl.tera")),
    ("terraform/imports.tf", include_str!("../templates/terraform/imports.tf.tera")),
    ("terraform/provider_override.tf", include_str!("../templates/terraform/provider_override.tf.tera")),
    ("terraform/recovery.tfvars", include_str!("../templates/terraform/recovery.tfvars.tera")),
];

/// Deeper than the folders of templates go.
const MAX_DEPTH: usize = 4;

/// All templates, parsed.
#[derive(Clone)]
pub struct Templates {
    tera: Tera,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("cannot read the template folder {}", .path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    File(String),
    #[error("{} replaces no template; there are {known}", .path.display())]
    Unknown { path: PathBuf, known: String },
    /// The message of Tera, with the place in the template.
    #[error("template {name}: {message}")]
    Invalid { name: String, message: String },
}

impl Templates {
    /// The compiled-in templates, each replaced by the file of its name in `folder`, where there is one.
    ///
    /// # Errors
    /// The folder or a file in it cannot be read, replaces nothing, or is not a template.
    pub fn new(folder: Option<&Path>) -> Result<Self, TemplateError> {
        let mut tera = Tera::new();
        for (name, text) in BUILT_IN {
            tera.add_raw_template(name, text).map_err(|error| invalid(name, &error))?;
        }
        for path in folder.map_or_else(|| Ok(Vec::new()), |folder| files(folder, 0))? {
            let name = folder.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(&path);
            let name = name.with_extension("").to_string_lossy().replace('\\', "/");
            if !BUILT_IN.iter().any(|(known, _)| *known == name) {
                let known = BUILT_IN.map(|(name, _)| quoted(&format!("{name}.tera"))).join(", ");
                return Err(TemplateError::Unknown { path, known });
            }
            let text = Document::read(&path).map_err(|problem| TemplateError::File(problem.to_string()))?;
            tera.add_raw_template(&name, &text.text).map_err(|error| invalid(&name, &error))?;
        }
        Ok(Self { tera })
    }

    /// Fills a template with an object's fields.
    ///
    /// # Errors
    /// There is no such template, or it asks for what the data does not have.
    pub fn render(&self, name: &str, data: &impl Serialize) -> Result<String, TemplateError> {
        let context = Context::from_serialize(data).map_err(|error| invalid(name, &error))?;
        self.tera.render(name, &context).map_err(|error| invalid(name, &error))
    }
}

fn invalid(name: &str, error: &tera::Error) -> TemplateError {
    TemplateError::Invalid { name: name.to_owned(), message: error.to_string() }
}

/// The `.tera` files of a folder and of the folders in it, by name.
fn files(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, TemplateError> {
    let unreadable = |source| TemplateError::Folder { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && depth < MAX_DEPTH {
            found.extend(files(&path, depth + 1)?);
        } else if path.extension().is_some_and(|extension| extension == "tera") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_of_the_same_name_replaces_a_template() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("terraform")).unwrap();
        fs::write(folder.path().join("terraform/backend.hcl.tera"), "# ours, {{ region }}\n").unwrap();
        fs::write(folder.path().join("README.md"), "not a template").unwrap();
        let templates = Templates::new(Some(folder.path())).unwrap();
        assert_eq!(templates.render("terraform/backend.hcl", &json!({ "region": "<x>" })).unwrap(), "# ours, <x>\n");
        assert!(templates.render("terraform/backend_override.tf", &json!({})).unwrap().contains("backend \"s3\""));
    }

    #[test]
    fn a_file_that_replaces_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("backend.hcl.tera"), "").unwrap();
        let error = Templates::new(Some(folder.path())).err().unwrap().to_string();
        assert!(error.contains("replaces no template") && error.contains("`terraform/backend.hcl.tera`"), "{error}");
    }

    #[test]
    fn a_template_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("terraform")).unwrap();
        let path = folder.path().join("terraform/imports.tf.tera");
        fs::write(&path, "{% for %}").unwrap();
        assert!(
            Templates::new(Some(folder.path())).err().unwrap().to_string().contains("template terraform/imports.tf")
        );
        fs::write(&path, "{{ nothing }}").unwrap();
        let templates = Templates::new(Some(folder.path())).unwrap();
        assert!(templates.render("terraform/imports.tf", &json!({})).is_err());
        assert!(Templates::new(Some(&folder.path().join("absent"))).is_err());
    }
}
