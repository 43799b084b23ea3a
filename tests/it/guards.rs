//! The manifest's guards, with the command, the real Terraform and the emulator's S3. conftest is a script that prints what
//! conftest is documented to print.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use lifeboat::rehearse::proxy::{RequestRecord, read_records};

use crate::command;
use crate::state_custody::Tiny;

const FAILOVER: [&str; 4] = ["failover", "tiny", "--confirm", "tiny"];

/// Its second input replaces `a`.
fn root(input: &str) -> String {
    format!("resource \"terraform_data\" \"a\" {{\n  triggers_replace = \"{input}\"\n}}\n")
}

const GUARD: &str = "guard {\n  max_destroys = 0\n  protect = [\"terraform_data.*\", \"module.databse\"]\n}\n";

/// The requests that may have changed something, but for lifeboat's lease and journal.
fn changes(tiny: &Tiny) -> Vec<RequestRecord> {
    let reads =
        |it: &RequestRecord| ["Get", "List", "Describe", "Head"].iter().any(|verb| it.operation.starts_with(verb));
    let own = |it: &RequestRecord| it.operation == "PutObject" && it.agent != "terraform";
    let records = read_records(&tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    records.into_iter().filter(|it| !reads(it) && !own(it)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_changes_nothing_and_an_override_goes_on_and_is_in_the_report() {
    let tiny = Tiny::with_root(&root("one")).await;
    let (code, _, said) = tiny.lifeboat(&FAILOVER).await;
    assert_eq!(code, Some(0), "{said}");
    let before = changes(&tiny).len();
    assert!(before > 0, "the record tells changes");
    let first = tiny.run();

    tiny.write("root/main.tf", &root("two"));
    tiny.write_manifest(GUARD);
    let (code, _, said) = tiny.lifeboat(&FAILOVER).await;
    assert_eq!(code, Some(3), "{said}");
    for words in [
        "nothing was changed",
        "guard max_destroys: 1 resource would be destroyed or replaced, 0 may be: terraform_data.a",
        "guard protect: terraform_data.a is protected (terraform_data.*) and would be replaced because of triggers_replace",
        "lifeboat failover tiny --override max_destroys --override protect --because",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    assert_eq!(changes(&tiny).len(), before, "{:?}", changes(&tiny).split_off(before));
    assert_eq!(tiny.run(), first, "no run is left in the way of the next");

    let (code, _, said) = tiny.lifeboat(&[&FAILOVER[..], &["--override", "protekt", "--because", "x"]].concat()).await;
    assert!(code == Some(2) && said.contains("did you mean protect?"), "{code:?} {said}");
    let (code, _, said) = tiny.lifeboat(&[&FAILOVER[..], &["--override", "protect"]].concat()).await;
    assert!(code == Some(2) && said.contains("--because"), "a reason is asked for: {code:?} {said}");
    let one = ["--override", "protect", "--because", "it holds nothing"];
    let (code, _, said) = tiny.lifeboat(&[&FAILOVER[..], &one].concat()).await;
    assert_eq!(code, Some(3), "one of two is not enough: {said}");
    assert!(!said.contains("guard protect:"), "{said}");

    let (code, _, said) = tiny.lifeboat(&[&FAILOVER[..], &one, &["--override", "max_destroys"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("overridden guards") && said.contains("it holds nothing"), "{said}");
    let runs = command::runs(&tiny.home().join("state"));
    let mut runs = runs.iter().filter_map(|it| Some(it.file_name()?.to_string_lossy().into_owned()));
    let run = runs.find(|run| *run != first).expect("a second run");
    let report = tiny.report(&run).await;
    let guards: Vec<&str> =
        report["overridden"].as_array().expect("a list").iter().filter_map(|it| it["guard"].as_str()).collect();
    assert_eq!(guards, ["max_destroys", "protect"], "{report}");
    assert_eq!(report["overridden"][1]["because"], "it holds nothing");
    let found = report["overridden"][1]["found"][0].as_str().expect("what was let through");
    assert!(found.starts_with("terraform_data.a is protected"), "{found}");
    let not_checked = report["not_checked"].to_string();
    for what in ["guard protect", "guard max_destroys", "guard protect: module.databse"] {
        assert!(not_checked.contains(&format!("\"what\":\"{what}\"")), "{what}: {not_checked}");
    }
}

/// `conftest` as a script that ends with `code` and says `json`.
fn conftest(tiny: &Tiny, code: u8, json: &str) {
    let seen = tiny.home().join("seen").display().to_string();
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\necho \"$@\" > {seen}\ncp -p \"$last\" {seen}.json\ncat <<'EOF'\n{json}\nEOF\nexit {code}\n"
    );
    tiny.write("bin/conftest", &script);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(tiny.home().join("bin/conftest"), executable).expect("executable");
}

/// A failover that finds the script.
async fn failover(tiny: &Tiny) -> (Option<i32>, String) {
    let (code, _, said) = with_conftest(tiny, &FAILOVER).await;
    (code, said)
}

/// With the script's folder before all others on the `PATH`.
async fn with_conftest(tiny: &Tiny, args: &[&str]) -> (Option<i32>, String, String) {
    let mut lifeboat = tiny.command(args);
    let mut path = std::ffi::OsString::from(tiny.home().join("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").expect("a PATH"));
    lifeboat.env("PATH", path);
    let output = command::output(lifeboat).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_asked_of_the_first_plan_before_there_is_even_a_workspace() {
    let tiny = Tiny::with_root(&root("one")).await;
    tiny.write_manifest("guard {\n  policies = \"policies\"\n}\n");
    tiny.write("environments/tiny/policies/a.rego", "package main\n");
    let (code, _, said) = tiny.lifeboat(&FAILOVER).await;
    assert!(
        code == Some(3) && said.contains("guard policies: the policies cannot be asked: there is no conftest on PATH"),
        "{code:?} {said}"
    );

    let refusal = r#"[{"filename": "p.json", "namespace": "main", "successes": 2,
        "failures": [{"msg": "not on a Friday \u001b[2J", "metadata": {"query": "data.main.deny"}}]}]"#;
    conftest(&tiny, 1, refusal);
    let (code, said) = failover(&tiny).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("guard policies: not on a Friday") && !said.contains('\u{1b}'), "{said}");
    for asking in [&["plan", "failover", "tiny", "-o", "json"][..], &["check", "tiny", "-o", "json"]] {
        let (code, found, said) = with_conftest(&tiny, asking).await;
        assert!(code == Some(3) && found.contains("not on a Friday"), "{asking:?}: {code:?} {found} {said}");
    }
    let asked = std::fs::read_to_string(tiny.home().join("seen")).expect("what it was asked");
    let policies = tiny.home().join("environments/tiny/policies").canonicalize().expect("a folder");
    let wanted = format!("test --output json --all-namespaces --policy {} ", policies.display());
    assert!(asked.starts_with(&wanted), "{asked}");
    let copied = tiny.home().join("seen.json");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&copied).expect("a plan")).expect("JSON");
    assert_eq!(json["resource_changes"][0]["address"], "terraform_data.a", "it is given the plan");
    assert_eq!(copied.metadata().expect("a file").permissions().mode() & 0o777, 0o600, "for the owner alone");

    conftest(&tiny, 1, "");
    let (code, said) = failover(&tiny).await;
    assert!(
        code == Some(3) && said.contains("guard policies: the policies cannot be asked: conftest: "),
        "{code:?} {said}"
    );
    assert!(changes(&tiny).is_empty(), "no workspace either: {:?}", changes(&tiny));
    assert!(command::runs(&tiny.home().join("state")).is_empty(), "no run is left behind");

    conftest(&tiny, 0, r#"[{"filename": "p.json", "namespace": "main", "successes": 3}]"#);
    let (code, said) = failover(&tiny).await;
    assert_eq!(code, Some(0), "{said}");
    let terraform = tiny.home().join("state/runs").join(tiny.run()).join("terraform");
    let files = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(terraform.join(folder)).expect("a folder");
        entries.map(|it| it.expect("an entry").path()).collect()
    };
    let in_clear =
        |path: &PathBuf| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).contains("resource_changes");
    let left = files("plans");
    assert!(!left.iter().any(in_clear), "no plan stays in clear: {left:?}");
    let asked = files("log").iter().filter(|it| it.to_string_lossy().ends_with("-conftest.log")).count();
    assert_eq!(asked, 2, "of the look and of the plan that is applied, which is not made again");
}
