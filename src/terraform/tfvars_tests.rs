//! What the recovery region's var file says, and what it never says.

use super::*;
use std::fs;

const ROOT: &str = "variable \"region\" {}\nvariable \"size\" {}\nvariable \"note\" {}\nvariable \"tags\" {}\n\
    variable \"password\" {\n  sensitive = true\n  default = null\n}\nvariable \"extra\" {\n  default = 1\n}\n";

struct World {
    folder: tempfile::TempDir,
    root: Root,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("root/main.tf"), ROOT).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let root = Root::read(&folder.path().join("root")).unwrap();
        Self { folder, root }
    }

    fn recovery(&self, base: &[&str], overrides: serde_json::Value) -> Result<String, String> {
        let base: Vec<PathBuf> = base.iter().map(|name| self.folder.path().join(name)).collect();
        let overrides: BTreeMap<_, _> = overrides.as_object().unwrap().clone().into_iter().collect();
        let sources = Sources { base: &base, overrides: &overrides, region: "us-east-1", from_environment: &[] };
        recovery(&Templates::new(None).unwrap(), &sources, &self.root).map_err(|error| match error {
            TfvarsError::Invalid(invalid) => {
                invalid.render(false, 100).replace(&*self.folder.path().to_string_lossy(), "")
            }
            other => other.to_string(),
        })
    }
}

#[test]
fn overrides_say_what_they_replace_and_later_files_win() {
    let world = World::new(&[
        (
            "a.tfvars",
            "region = \"eu-west-2\"\nsize = 60 * 24\npassword = \"hunter2\"\nnote = <<-EOT\n  one\n    two\nEOT\n\
             tags = { Team = \"x\", \"data/pii\" = \"yes\" }\n",
        ),
        ("b.tfvars.json", "{\"size\": 12345678901234567890, \"extra\": null}"),
    ]);
    let overrides = json!({ "region": "us-east-1", "password": "s", "extra": [{ "a": 1.5 }] });
    insta::assert_snapshot!(world.recovery(&["a.tfvars", "b.tfvars.json"], overrides).unwrap(), @r#"
        # Written by lifeboat for us-east-1: the base values, with the overrides of that region on top.

        # What differs there

        # recovery override from lifeboat.hcl; b.tfvars.json says null
        extra = [
          { a = 1.5 },
        ]

        # recovery override from lifeboat.hcl; a.tfvars sets it too, and it is sensitive
        password = "s"

        # recovery override from lifeboat.hcl; a.tfvars says "eu-west-2"
        region = "us-east-1"

        # From a.tfvars
        note = <<EOT
        one
          two
        EOT
        tags = { Team = "x", "data/pii" = "yes" }

        # From b.tfvars.json
        size = 12345678901234567890
    "#);
}

#[test]
fn the_old_value_of_a_sensitive_variable_is_never_shown() {
    let world = World::new(&[("a.tfvars", "region = 1\nsize = 1\nnote = 1\ntags = 1\npassword = \"hunter2\"\n")]);
    let text = world.recovery(&["a.tfvars"], json!({ "password": null })).unwrap();
    assert!(!text.contains("hunter2") && text.contains("password = null"), "{text}");
}

#[test]
fn automatic_var_files_of_the_root_are_not_lost() {
    let world =
        World::new(&[("root/terraform.tfvars", "region = \"r\"\nsize = 1\nnote = 1\n"), ("b", "size = 2\ntags = 1\n")]);
    let text = world.recovery(&["b"], json!({})).unwrap();
    assert!(text.contains("region = \"r\"") && text.contains("size = 2") && !text.contains("size = 1"), "{text}");
}

#[test]
fn required_variables_that_nobody_sets_are_named() {
    let world = World::new(&[("a.tfvars", "region = \"r\"\n")]);
    let error = world.recovery(&["a.tfvars"], json!({ "tags": {} })).unwrap_err();
    assert_eq!(error, "the Terraform root requires the variables note, size, which are set nowhere");
}

#[test]
fn everything_wrong_with_var_files_is_shown_at_once() {
    let world = World::new(&[
        ("a.tfvars", "reggion = \"hunter2\"\nsize = var.x\nblock {\n}\n"),
        ("b.tfvars.json", "{\n  \"sise\": 1\n}"),
        ("c.tfvars.json", "{\n  \"size\" 1\n}"),
    ]);
    let files = ["a.tfvars", "b.tfvars.json", "c.tfvars.json", "absent.tfvars"];
    insta::assert_snapshot!(world.recovery(&files, json!({})).unwrap_err(), @r#"
          × /a.tfvars:1:1: the Terraform root declares no variable `reggion`: not declared
          help: did you mean `region`?

          × /a.tfvars:2:8: a var file holds only values: this is a reference
          help: var files know no variables and no functions

          × /a.tfvars:3:1: a var file holds only values: this is a block
          help: write it as `name = value`

          × /b.tfvars.json:2:3: the Terraform root declares no variable `sise`: not
          │ declared
          help: did you mean `size`?

          × /c.tfvars.json:2:10: this is not JSON: expected `:` at line 2 column 10

          × /absent.tfvars: cannot read the file: No such file or directory (os error 2)

        6 problems
    "#);
}

#[test]
fn json_numbers_that_would_be_rounded_are_refused() {
    let world = World::new(&[("a.tfvars.json", "{\"size\": 123456789012345678901234567890}")]);
    assert!(world.recovery(&["a.tfvars.json"], json!({})).unwrap_err().contains("too many digits"));
}
