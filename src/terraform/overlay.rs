//! The files that lifeboat adds to its staged copy of a root: backend and import blocks. Pure text, nothing is run.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::document::{Value, expression, quote};
use crate::manifest::Region;
use crate::templates::{TemplateError, Templates};

/// Name of the override file in the root. Terraform reads files that end so last (Terraform: "Override Files").
pub const BACKEND_OVERRIDE: &str = "lifeboat_backend_override.tf";

/// Name of the file for `-backend-config`.
pub const BACKEND_CONFIG: &str = "backend.hcl";

/// Name of the override file that names the account to the AWS provider.
pub const PROVIDER_OVERRIDE: &str = "lifeboat_provider_override.tf";

/// Name of the file with the import blocks.
pub const IMPORTS: &str = "lifeboat_imports.tf";

/// An override file that gives the root a partial S3 backend, also where it declares another or none: "a block defining
/// a backend in an override file always takes precedence" (Terraform: "Override Files").
///
/// # Errors
/// A replaced template that cannot be filled.
pub fn backend_override(templates: &Templates) -> Result<String, TemplateError> {
    templates.render("terraform/backend_override.tf", &json!({}))
}

/// An override file that keeps states in a folder instead, for plans that are only read (Terraform: "Backend Type:
/// local"). No template: nothing of it is anybody's to change.
pub fn local_backend(states: &Path) -> String {
    let file = quote(&states.join("default.tfstate").to_string_lossy());
    let folder = quote(&states.to_string_lossy());
    format!(
        "# Written by lifeboat: no state is made or changed for a plan that is only read.\n\
         terraform {{\n  backend \"local\" {{\n    path          = {file}\n    workspace_dir = {folder}\n  }}\n}}\n"
    )
}

/// The arguments of a region's S3 backend (Terraform: "Backend Type: s3"). `path_style` puts the bucket into the path of
/// the URL, which emulators need.
///
/// # Errors
/// A replaced template that cannot be filled.
pub fn backend_hcl(templates: &Templates, region: &Region, path_style: bool) -> Result<String, TemplateError> {
    let backend = &region.backend;
    let mut extra: BTreeMap<&str, Value> =
        backend.extra.iter().map(|(name, value)| (name.as_str(), Value::from_json(value))).collect();
    if path_style {
        extra.insert("use_path_style", Value::Bool(true));
    }
    let text = |text: &str| Value::String(text.to_owned());
    let fixed = [("bucket", text(&backend.bucket)), ("key", text(&backend.key)), ("region", text(&region.name))];
    let fixed = fixed.into_iter().chain([("use_lockfile", Value::Bool(backend.use_lockfile))]);
    let all: Vec<(&str, Value)> = fixed.chain(extra).collect();
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let arguments =
        all.iter().map(|(name, value)| json!({ "name": format!("{name:width$}"), "value": expression(value, 0) }));
    let data = json!({
        "region": region.name,
        "workspace": region.workspace,
        "arguments": arguments.collect::<Vec<_>>(),
    });
    templates.render("terraform/backend.hcl", &data)
}

/// An override file by which the default AWS provider refuses every account but this one, before it does anything
/// (AWS provider: `allowed_account_ids`). Other configurations are left alone: they may assume a role elsewhere on
/// purpose, such as for a DNS zone.
///
/// # Errors
/// A replaced template that cannot be filled.
pub fn provider_override(templates: &Templates, account: &str) -> Result<String, TemplateError> {
    templates.render("terraform/provider_override.tf", &json!({ "account": quote(account) }))
}

/// Import blocks for restored resources, as (address, id), in that order (Terraform: "Import Block").
///
/// # Errors
/// A replaced template that cannot be filled.
pub fn imports(templates: &Templates, resources: &[(String, String)]) -> Result<String, TemplateError> {
    let imports = resources.iter().map(|(address, id)| json!({ "to": address, "id": quote(id) }));
    templates.render("terraform/imports.tf", &json!({ "imports": imports.collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Backend;

    fn region() -> Region {
        let extra =
            [("dynamodb_table".to_owned(), json!("locks")), ("assume_role".to_owned(), json!({"role_arn": "r"}))];
        let backend = Backend {
            bucket: "b".into(),
            key: "k/${x}".into(),
            use_lockfile: true,
            extra: extra.into_iter().collect(),
        };
        Region { name: "us-east-1".into(), workspace: "dr".into(), backend, variables: BTreeMap::new() }
    }

    #[test]
    fn the_backend_gets_its_arguments_and_no_more() {
        let templates = Templates::new(None).unwrap();
        insta::assert_snapshot!(backend_override(&templates).unwrap(), @r#"
            # Written by lifeboat: state goes to the backend that backend.hcl names, whatever the root says.
            terraform {
              backend "s3" {}
            }
        "#);
        insta::assert_snapshot!(backend_hcl(&templates, &region(), true).unwrap(), @r#"
            # Written by lifeboat: the state of workspace dr in us-east-1.
            bucket         = "b"
            key            = "k/$${x}"
            region         = "us-east-1"
            use_lockfile   = true
            assume_role    = { role_arn = "r" }
            dynamodb_table = "locks"
            use_path_style = true
        "#);
        assert!(!backend_hcl(&templates, &region(), false).unwrap().contains("path_style"));
    }

    #[test]
    fn ids_of_imports_are_text_whatever_they_hold() {
        let resources = [("module.a.aws_x.y[\"k\"]".to_owned(), "id\"${z}".to_owned()), ("aws_x.z".into(), "2".into())];
        insta::assert_snapshot!(imports(&Templates::new(None).unwrap(), &resources).unwrap(), @r#"
            # Written by lifeboat: what was restored through the API comes under Terraform's care here.

            import {
              to = module.a.aws_x.y["k"]
              id = "id\"$${z}"
            }

            import {
              to = aws_x.z
              id = "2"
            }
        "#);
    }
}
