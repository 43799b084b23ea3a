//! Everything that lifeboat writes for a root's recovery region, as data: what `--generate-only` puts into a folder and
//! what a run puts into its staged copy are the same.

use super::environment::{Environment, needs_path_style};
use super::overlay::{self, BACKEND_CONFIG, BACKEND_OVERRIDE, PROVIDER_OVERRIDE};
use super::root::Root;
use super::tfvars::{self, RECOVERY, Sources, TfvarsError};
use crate::manifest::Manifest;
use crate::templates::Templates;

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    pub name: String,
    /// May hold the values of sensitive variables: write it readable by its owner only.
    pub contents: String,
    /// What it is for, for people.
    pub why: &'static str,
}

/// What the files depend on besides manifest and root.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub templates: &'a Templates,
    /// Bucket in the path of S3 URLs: for emulators.
    pub path_style: bool,
    /// Names of variables that `TF_VAR_…` sets in the environment that Terraform will run in.
    pub from_environment: &'a [String],
}

/// The var file, the backend's arguments, the backend override of the recovery region, and the account override.
///
/// # Errors
/// As [`tfvars::recovery`].
pub fn files(manifest: &Manifest, root: &Root, settings: &Settings<'_>) -> Result<Vec<GeneratedFile>, TfvarsError> {
    let templates = settings.templates;
    let sources = Sources {
        base: &manifest.terraform.var_files,
        overrides: &manifest.recovery.variables,
        region: &manifest.recovery.name,
        from_environment: settings.from_environment,
    };
    let file = |name: &str, contents, why| GeneratedFile { name: name.to_owned(), contents, why };
    let mut files = vec![
        file(
            RECOVERY,
            tfvars::recovery(templates, &sources, root)?,
            "the base values with the recovery region's overrides, for -var-file",
        ),
        file(
            BACKEND_CONFIG,
            overlay::backend_hcl(templates, &manifest.recovery, settings.path_style)?,
            "where the recovery region's state is, for -backend-config",
        ),
        file(
            BACKEND_OVERRIDE,
            overlay::backend_override(templates)?,
            "gives the root the S3 backend, whatever it declares",
        ),
    ];
    if root.takes_account {
        files.push(file(
            PROVIDER_OVERRIDE,
            overlay::provider_override(templates, &manifest.account)?,
            "lets the AWS provider refuse every account but the manifest's",
        ));
    }
    Ok(files)
}

/// The same, with the settings that follow from the environment that Terraform will run in.
///
/// # Errors
/// As [`files`].
pub fn in_environment(
    manifest: &Manifest,
    root: &Root,
    templates: &Templates,
    environment: &Environment,
) -> Result<Vec<GeneratedFile>, TfvarsError> {
    let given = environment.iter().filter_map(|(name, _)| name.to_str()?.strip_prefix("TF_VAR_"));
    let from_environment: Vec<String> = given.map(str::to_owned).collect();
    let path_style = needs_path_style(environment);
    files(manifest, root, &Settings { templates, path_style, from_environment: &from_environment })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use std::path::Path;

    fn generated(from_environment: &[String]) -> Vec<GeneratedFile> {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = manifest::load(&environments, "prod").unwrap();
        let root = Root::read(&manifest.terraform.root).unwrap();
        let templates = Templates::new(None).unwrap();
        files(&manifest, &root, &Settings { templates: &templates, path_style: true, from_environment }).unwrap()
    }

    #[test]
    fn the_example_gets_four_files_that_are_the_same_each_time() {
        let files = generated(&[]);
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            ["recovery.tfvars", "backend.hcl", "lifeboat_backend_override.tf", "lifeboat_provider_override.tf"]
        );
        let var_file = &files[0].contents;
        for line in [
            "# recovery override from lifeboat.hcl; terraform.tfvars says \"eu-west-2\"\naws_region = \"us-east-1\"\n",
            "# recovery override from lifeboat.hcl; terraform.tfvars says \"prod\"\nenvironment = \"prod-dr\"\n",
            "aurora_max_capacity = 16\n",
            "aurora_kms_key_arn = null\n",
        ] {
            assert!(var_file.contains(line), "{line}\n{var_file}");
        }
        assert!(files[1].contents.contains("use_path_style = true"));
        assert!(files[3].contents.contains("allowed_account_ids = [\"123456789012\"]"));
        assert_eq!(files, generated(&[]));
        assert_eq!(files, generated(&["master_password".to_owned()]), "what the environment sets is not written");
    }
}
