//! What people are told about a manifest, and what a valid one says.

use super::fixtures::{HEAD, WHOLE, World, refused, refused_whole, valid};
use super::*;
use crate::manifest::*;
use jiff::SignedDuration;

#[test]
fn everything_that_can_be_written_is_read() {
    let manifest = valid(WHOLE);
    assert_eq!((manifest.environment.as_str(), manifest.account.as_str()), ("prod", "123456789012"));
    assert!(manifest.terraform.root.is_absolute() && manifest.terraform.root.ends_with("infra"));
    assert_eq!(manifest.terraform.lock_timeout, SignedDuration::from_mins(5));
    assert_eq!(manifest.objectives[&Component::Aurora].rto, Some(SignedDuration::from_mins(90)));
    assert_eq!(manifest.objectives[&Component::System].rpo, None);
    let cluster = &manifest.clusters[0];
    assert_eq!(cluster.from, ClusterSource::Snapshot("rds:logs-prod-2026-01-01".into()));
    assert_eq!((cluster.instances, cluster.security_groups.len()), (2, 1));
    assert_eq!(manifest.tables[0].from, TableSource::LatestBackup);
    assert_eq!(
        manifest.tables[0].verify[1],
        Expectation { quantity: Quantity::Items, comparison: Comparison::LessThan, value: 2000 }
    );
    assert_eq!(manifest.catalogs[0].locations["s3://old-bucket/"], "s3://new-bucket/");
    let asked = manifest.catalogs[0].athena.as_ref().unwrap();
    assert_eq!((asked.workgroup.as_str(), asked.output.as_deref()), ("primary", Some("s3://athena-dr/results/")));
    assert_eq!(asked.verify[0].to_string(), "athena(\"SELECT COUNT(*) FROM events\") >= 1");
    assert_eq!((manifest.catalogs[0].verify.len(), &manifest.catalogs[1].athena), (2, &None));
    assert_eq!(manifest.catalogs[1].from, CatalogSource::Replica("copy_replica".into()));
    assert_eq!(manifest.checks[0].timeout, SignedDuration::from_mins(2));
    let web = Probe::Http { url: Text::TerraformOutput("lb_dns".into()), status: 200, contains: Some("ok".into()) };
    assert_eq!(manifest.checks[1].probe, web);
    assert_eq!(manifest.cutovers[0].zone, Zone::Name("example.com".into()));
    let record = &manifest.cutovers[0].records[1];
    assert_eq!((record.name.as_str(), record.weight), ("www.example.com", Some(255)));
    let reader = Text::Cluster { name: "logs".into(), attribute: "reader_endpoint".into() };
    assert_eq!(manifest.cutovers[0].records[0].answer, Answer::Values { ttl_seconds: 60, values: vec![reader] });
}

#[test]
fn the_manifests_of_this_repository_are_valid() {
    let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
    assert_eq!(super::environments(&environments), ["dev", "prod"]);
    for env in ["dev", "prod"] {
        let manifest = load(&environments, env).unwrap_or_else(|invalid| panic!("{}", invalid.render(false, 100)));
        assert_eq!(manifest.environment, env);
        assert_eq!(manifest.terraform.var_files.len(), 1);
    }
}

#[test]
fn an_environment_is_called_as_it_is_asked_for() {
    let world = World::new(HEAD.as_bytes());
    let environments = world.0.path().join("environments");
    std::os::unix::fs::symlink(environments.join("prod"), environments.join("live")).unwrap();
    assert_eq!(world.load("live").unwrap().environment, "live");
    let manifest = load_file(&environments.join("dev/../prod/lifeboat.hcl")).unwrap();
    assert_eq!(manifest.environment, "prod");
    assert_eq!(manifest.path, fs::canonicalize(environments.join("prod/lifeboat.hcl")).unwrap());
}

#[test]
fn a_valid_manifest_survives_the_journal() {
    let manifest = valid(WHOLE);
    let json = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
}

#[test]
fn all_mistakes_are_shown_at_once() {
    insta::assert_snapshot!(refused_whole("servce = \"logs\"\naccount = 123456789012\nregion \"primary\" {\n  name = \"eu-west2\"\n}\n\
        aurora \"logs\" {\n  source = \"logs_prod\"\n  from = latest_snapshoot\n}\n"), @r#"
          × `servce` is not known in the manifest
           ╭─[/environments/prod/lifeboat.hcl:1:1]
         1 │ servce = "logs"
           · ───┬──
           ·    ╰── unknown key
         2 │ account = 123456789012
           ╰────
          help: did you mean `service`?

          × /environments/prod/lifeboat.hcl: `service` is missing in the manifest
          help: write service = "my-service"

          × /environments/prod/lifeboat.hcl: the terraform block is missing in the manifest
          help: write terraform { root = "../../infra" }

          × /environments/prod/lifeboat.hcl: region "recovery" is missing in the manifest
          help: write region "recovery" { … }

          × expected an AWS account as a string
           ╭─[/environments/prod/lifeboat.hcl:2:11]
         1 │ servce = "logs"
         2 │ account = 123456789012
           ·           ──────┬─────
           ·                 ╰── this is a number
         3 │ region "primary" {
           ╰────

          × `workspace` is missing in region "primary"
           ╭─[/environments/prod/lifeboat.hcl:3:1]
         2 │ account = 123456789012
         3 │ region "primary" {
           · ────────────────
         4 │   name = "eu-west2"
           ╰────
          help: write workspace = "prod-dr"

          × `backend` is missing in region "primary"
           ╭─[/environments/prod/lifeboat.hcl:3:1]
         2 │ account = 123456789012
         3 │ region "primary" {
           · ────────────────
         4 │   name = "eu-west2"
           ╰────
          help: write backend = { bucket = "…", key = "…" }

          × `eu-west2` is not an AWS region
           ╭─[/environments/prod/lifeboat.hcl:4:10]
         3 │ region "primary" {
         4 │   name = "eu-west2"
           ·          ─────┬────
           ·               ╰── a region looks like us-east-1
         5 │ }
           ╰────

          × `target` is missing in aurora "logs"
           ╭─[/environments/prod/lifeboat.hcl:6:1]
         5 │ }
         6 │ aurora "logs" {
           · ─────────────
         7 │   source = "logs_prod"
           ╰────
          help: write target = "cluster-identifier"

          × `logs_prod` is not a DB cluster identifier
           ╭─[/environments/prod/lifeboat.hcl:7:12]
         6 │ aurora "logs" {
         7 │   source = "logs_prod"
           ·            ─────┬─────
           ·                 ╰── only letters, digits and hyphens are allowed
         8 │   from = latest_snapshoot
           ╰────

          × what to restore from is not understood
           ╭─[/environments/prod/lifeboat.hcl:8:10]
         7 │   source = "logs_prod"
         8 │   from = latest_snapshoot
           ·          ────────┬───────
           ·                  ╰── `latest_snapshoot` is not known
         9 │ }
           ╰────
          help: write latest_snapshot or snapshot("…") or global("…")

        11 problems
    "#);
}

#[test]
fn a_problem_is_also_data() {
    let world = World::new(format!("{HEAD}color = 1\n").as_bytes());
    let invalid = load(&world.0.path().join("environments"), "prod").unwrap_err();
    let json = invalid.to_json();
    assert_eq!(json["problems"][0]["line"], 16);
    assert_eq!(json["problems"][0]["column"], 1);
    assert_eq!(json["problems"][0]["message"], "`color` is not known in the manifest");
    assert!(invalid.to_string().ends_with("lifeboat.hcl:16:1: `color` is not known in the manifest"));
}

#[test]
fn an_environment_that_is_not_there_is_told_from_those_that_are() {
    let world = World::new(HEAD.as_bytes());
    insta::assert_snapshot!(world.load("prodd").unwrap_err(), @r#"
          × /environments: there is no environment `prodd`
          help: did you mean `prod`? there are: dev, prod

        1 problem
    "#);
    assert!(world.load("empty").unwrap_err().contains("there are: dev, prod"));
    for env in ["../environments/prod", "", ".", "..", "/"] {
        assert!(world.load(env).unwrap_err().contains("there is no environment"), "{env}");
    }
    let nothing = load(Path::new("/nowhere"), "prod").unwrap_err().render(false, 100);
    assert!(nothing.contains("write /nowhere/prod/lifeboat.hcl"), "{nothing}");
}

#[test]
fn a_file_that_is_no_manifest_is_refused() {
    insta::assert_snapshot!(refused_whole("service = \n"), @r#"
          × this is not HCL
           ╭─[/environments/prod/lifeboat.hcl:1:11]
         1 │ service = 
           ·           ▲
           ·           ╰── invalid expression; expected `"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit
           ╰────

        1 problem
    "#);
    let world = World::new(b"service = \"caf\xe9\"\n");
    assert!(world.load("prod").unwrap_err().contains("the file is not UTF-8"));
    assert!(World::new(&b"{".repeat(10_000_000)).load("prod").unwrap_err().contains("larger than 1 MiB"));
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(refused_whole(&deep).contains("invalid nesting depth"));
}

#[test]
fn endless_mistakes_end() {
    let text: String = (0..50_000).map(|index| format!("key{index} = 1\n")).collect();
    let said = refused(&text);
    assert!(said.len() < 50_000, "{}", said.len());
}

#[test]
fn what_is_missing_is_named_at_its_block() {
    insta::assert_snapshot!(refused("table \"metadata\" {\n  source = \"abc\"\n  from = latest_backup\n}\n"), @r#"
      × `target` is missing in table "metadata"
        ╭─[/environments/prod/lifeboat.hcl:16:1]
     15 │ }
     16 │ table "metadata" {
        · ────────────────
     17 │   source = "abc"
        ╰────
      help: write target = "table-name"

    1 problem
"#);
    let said = refused_whole("");
    for name in ["`service`", "`account`", "the terraform block", "region \"primary\"", "region \"recovery\""] {
        assert!(said.contains(&format!("{name} is missing")), "{name}\n{said}");
    }
}

#[test]
fn wrong_types_say_what_was_found() {
    insta::assert_snapshot!(refused("bucket \"logs\" {\n  source = [\"abc\"]\n  target = logs-dr\n}\n"), @r#"
      × expected a bucket name as a string
        ╭─[/environments/prod/lifeboat.hcl:17:12]
     16 │ bucket "logs" {
     17 │   source = ["abc"]
        ·            ───┬───
        ·               ╰── this is a list
     18 │   target = logs-dr
        ╰────

      × expected a bucket name as a string
        ╭─[/environments/prod/lifeboat.hcl:18:12]
     17 │   source = ["abc"]
     18 │   target = logs-dr
        ·            ───┬───
        ·               ╰── this is a bare word
     19 │ }
        ╰────
      help: write "logs-dr"

    2 problems
"#);
}

#[test]
fn backend_arguments_and_variables_are_passed_on() {
    let text = HEAD.replace(
        "bucket = \"state-dr\"",
        "bucket = \"state-dr\", use_lockfile = true, kms_key_id = \"x\", assume_role = { role_arn = \"y\" }",
    );
    let text = text.replace(
        "\"prod-dr\"",
        "\"prod-dr\"\n  variables = {\n    aws_region = \"us-east-1\"\n    environment = <<-EOT\n      a\n        $${b}\n    EOT\n    password = null\n  }",
    );
    let manifest = World::new(text.as_bytes()).load("prod").unwrap_or_else(|text| panic!("{text}"));
    assert!(manifest.recovery.backend.use_lockfile && !manifest.primary.backend.use_lockfile);
    assert_eq!(manifest.recovery.backend.extra["assume_role"]["role_arn"], "y");
    assert_eq!(manifest.recovery.variables["environment"], "a\n  ${b}\n");
    assert_eq!(manifest.recovery.variables["password"], serde_json::Value::Null);
}

#[test]
fn a_root_that_cannot_be_read_is_shown_in_its_own_file() {
    let world = World::new(HEAD.as_bytes());
    fs::write(world.0.path().join("infra/broken.tf"), "resource {{\n").unwrap();
    let said = world.load("prod").unwrap_err();
    assert!(said.contains("/infra/broken.tf:1:"), "{said}");
}
