//! What a root is understood to declare.

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read(folder: &tempfile::TempDir) -> Root {
    Root::read(&folder.path().join("root")).unwrap_or_else(|error| panic!("{}", error.invalid.render(false, 100)))
}

fn refused(files: &[(&str, &str)]) -> String {
    let folder = tree(files);
    let error = Root::read(&folder.path().join("root")).unwrap_err();
    let base = fs::canonicalize(folder.path()).unwrap();
    error
        .invalid
        .render(false, 100)
        .replace(&*base.to_string_lossy(), "")
        .replace(&*folder.path().to_string_lossy(), "")
}

#[test]
fn variables_and_outputs_are_known_with_their_properties() {
    let folder = tree(&[(
        "root/main.tf",
        "variable \"region\" {\n  type = string\n}\n\
         variable \"tags\" {\n  type = map(string)\n  default = {}\n  nullable = false\n}\n\
         variable \"password\" {\n  default = null\n  sensitive = true\n}\n\
         output \"endpoint\" {\n  value = 1\n}\noutput \"key\" {\n  value = 1\n  sensitive = true\n}\n\
         terraform {\n  backend \"s3\" {}\n}\n",
    )]);
    let root = read(&folder);
    assert_eq!(root.variables["region"].kind.as_deref(), Some("string"));
    assert_eq!((root.variables["region"].default, root.variables["region"].nullable), (false, true));
    assert_eq!((root.variables["tags"].default, root.variables["tags"].nullable), (true, false));
    assert!(root.variables["password"].sensitive && root.variables["password"].default);
    assert_eq!((root.outputs["endpoint"], root.outputs["key"]), (false, true));
    assert_eq!(root.backend.as_deref(), Some("s3"));
    assert_eq!(root.missing_variables(&BTreeSet::new()), ["region"]);
    assert!(root.missing_variables(&BTreeSet::from(["region".to_owned()])).is_empty());
}

#[test]
fn override_files_are_read_last_and_change_only_what_they_name() {
    let folder = tree(&[
        ("root/a_override.tf", "variable \"x\" {\n  default = 1\n}\nterraform {\n  backend \"local\" {}\n}\n"),
        (
            "root/main.tf",
            "variable \"x\" {\n  type = number\n  sensitive = true\n}\nterraform {\n  backend \"s3\" {}\n}\n",
        ),
        ("root/.hidden.tf", "not hcl"),
        ("root/main.tf~", "not hcl"),
    ]);
    let root = read(&folder);
    assert_eq!(root.variables["x"].kind.as_deref(), Some("number"));
    assert!(root.variables["x"].default && root.variables["x"].sensitive);
    assert_eq!(root.backend.as_deref(), Some("local"));
}

#[test]
fn local_modules_are_reached_inside_and_outside_the_root() {
    let cluster = "resource \"aws_rds_cluster\" \"logs\" {}\n";
    let folder = tree(&[
        (
            "root/main.tf",
            "module \"database\" {\n  source = \"./modules/database\"\n}\n\
             module \"tables\" {\n  source = \"../shared/tables\"\n  for_each = toset([])\n}\n\
             module \"vpc\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\n",
        ),
        ("root/modules/database/main.tf", cluster),
        ("shared/tables/main.tf", "module \"inner\" {\n  source = \"../inner\"\n}\n"),
        ("shared/inner/main.tf", "resource \"aws_dynamodb_table\" \"t\" {\n  count = 2\n}\n"),
    ]);
    let root = read(&folder);
    let base = fs::canonicalize(folder.path()).unwrap();
    let expected = ["root/modules/database", "shared/inner", "shared/tables"].map(|path| base.join(path));
    assert_eq!(root.local_modules.iter().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(root.resource("module.database.aws_rds_cluster.logs").unwrap().unwrap().kind, "aws_rds_cluster");
    assert!(root.resource("module.tables[\"a\"].module.inner.aws_dynamodb_table.t[0]").is_ok());
    let index = root.resource("module.tables.module.inner.aws_dynamodb_table.t[0]");
    assert_eq!(index, Err(Unknown::Index { part: "tables".to_owned(), needed: true }));
    let index = root.resource("module.database.aws_rds_cluster.logs[0]");
    assert_eq!(index, Err(Unknown::Index { part: "logs[0]".to_owned(), needed: false }));
    assert_eq!(root.resource("aws_rds_cluster.logs"), Err(Unknown::Missing));
    assert_eq!(root.resource("module.vpc.aws_vpc.this[0]"), Ok(None), "not local, cannot be judged");
    assert_eq!(root.remote_modules["module.vpc"], "terraform-aws-modules/vpc/aws");
}

#[test]
fn var_files_that_terraform_reads_unasked_are_listed_in_its_order() {
    let names = ["z.auto.tfvars", "a.auto.tfvars.json", "terraform.tfvars", "other.tfvars"];
    let files = names.map(|name| (format!("root/{name}"), ""));
    let mut all: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    all.push(("root/main.tf", "\n"));
    let root = read(&tree(&all));
    let found: Vec<_> = root.automatic_var_files.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(found, ["terraform.tfvars", "a.auto.tfvars.json", "z.auto.tfvars"]);
}

#[test]
fn the_example_root_declares_what_its_manifests_adopt() {
    let root = Root::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/streaming-logs/infra"))).unwrap();
    for address in ["module.database.aws_rds_cluster.logs", "module.metadata.aws_dynamodb_table.metadata"] {
        assert!(matches!(root.resource(address), Ok(Some(_))), "{address}");
    }
    assert_eq!(root.local_modules.len(), 6);
    assert_eq!(root.missing_variables(&BTreeSet::new()), ["aws_region", "environment"]);
    assert_eq!(root.backend.as_deref(), Some("s3"));
}

#[test]
fn a_module_that_is_not_there_is_shown_where_it_is_called() {
    insta::assert_snapshot!(refused(&[("root/main.tf", "module \"x\" {\n  source = \"./y\"\n}\n")]), @r#"
          × cannot read module `x`
           ╭─[/root/main.tf:2:12]
         1 │ module "x" {
         2 │   source = "./y"
           ·            ──┬──
           ·              ╰── No such file or directory (os error 2)
         3 │ }
           ╰────

        1 problem
    "#);
}

#[test]
fn a_module_that_reaches_itself_ends() {
    let text = refused(&[("root/main.tf", "module \"x\" {\n  source = \"./\"\n}\n")]);
    assert!(text.contains("modules reach deeper than 32 levels"), "{text}");
}

#[test]
fn files_that_cannot_be_read_are_all_reported() {
    let text = refused(&[("root/a.tf", "x = \n"), ("root/b.tf", "y {\n")]);
    assert!(text.contains("a.tf:1:") && text.contains("b.tf:") && text.ends_with("2 problems\n"), "{text}");
    assert!(refused(&[("root/a.tf.json", "{}")]).contains("lifeboat does not read .tf.json files"));
    assert!(refused(&[("root/readme.md", "")]).contains("no .tf files"));
    assert!(refused(&[("x", "")]).contains("cannot read the folder"));
}
