//! From a plan to a run: planned without a change, approved by a second person, done as approved, and refused whenever
//! anything is not what was approved. With the command, the real Terraform and the emulator.

use std::path::Path;
use std::time::Duration;

use lifeboat::rehearse::proxy::read_records;
use serde_json::Value;

use crate::command;
use crate::state_custody::{MANIFEST, Tiny};

const ROOT: &str = r#"variable "token" {
  type      = string
  sensitive = true
}
variable "color" {
  default = "blue"
}
resource "terraform_data" "secret" {
  input = { nested = ["a", { token = var.token }] }
}
resource "terraform_data" "plain" {
  input = var.color
}
output "token" {
  value     = "as ${var.token}"
  sensitive = true
}
"#;

const TOKEN: &str = "correct-horse-battery";

/// An environment whose manifest asks for an approval.
struct Site {
    tiny: Tiny,
}

impl Site {
    async fn new() -> Self {
        let tiny = Tiny::with_root(ROOT).await;
        let site = Self { tiny };
        site.environment("tiny", "approval {\n  people  = 2\n  expires = \"1h\"\n}\n");
        site
    }

    fn environment(&self, name: &str, approval: &str) {
        let manifest = MANIFEST.replace("\"tiny-dr\"", &format!("\"{name}-dr\""));
        let inputs = format!("variables = {{ token = \"{TOKEN}\" }}\n}}\n");
        let manifest = manifest.trim_end().strip_suffix('}').expect("a block").to_owned() + &inputs + approval;
        self.tiny.write(&format!("environments/{name}/lifeboat.hcl"), &manifest);
    }

    async fn lifeboat(&self, args: &[&str]) -> (Option<i32>, String, String) {
        self.tiny.lifeboat(args).await
    }

    /// What is refused ends with 3 and changes nothing.
    async fn refuses(&self, args: &[&str], words: &str) {
        let before = self.changes();
        let (code, _, said) = self.lifeboat(args).await;
        assert_eq!(code, Some(3), "{args:?}: {said}");
        let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(words), "{words} is not in:\n{said}");
        assert_eq!(self.changes(), before, "{args:?} has changed something");
    }

    async fn approve(&self, bundle: &str, env: &str) -> (Option<i32>, String) {
        self.tiny.approve(bundle, env).await
    }

    /// Requests that may have changed something.
    fn changes(&self) -> Vec<String> {
        let requests = read_records(&self.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
        let reads = ["Get", "List", "Describe", "Head", "AssumeRole"];
        let changes = requests.into_iter().filter(|it| !reads.iter().any(|verb| it.operation.starts_with(verb)));
        changes.map(|it| format!("{} {} {:?}", it.service, it.operation, it.resource)).collect()
    }

    fn path(&self, inside: &str) -> String {
        self.tiny.path(inside).to_string_lossy().into_owned()
    }
}

fn all_text(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| if path.is_dir() { all_text(&path) } else { std::fs::read_to_string(path).expect("text") })
        .collect()
}

fn failover<'a>(env: &'a str, bundle: &'a str) -> [&'a str; 6] {
    ["failover", env, "--confirm", env, "--bundle", bundle]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_second_person_has_approved_runs_once_and_nothing_else_does() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let (one, copy) = (site.path("one"), site.path("copy"));
    let run = failover("tiny", &one);

    site.refuses(&["failover", "tiny", "--confirm", "tiny"], "by an approved bundle only").await;
    let (code, page, said) = site.lifeboat(&["plan", "failover", "tiny", "--out", &one]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(page.contains("2 to add, 0 to change, 0 to destroy") && said.trim_end().ends_with(&one), "{page}{said}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    assert_eq!(site.changes(), [""; 0], "neither a workspace nor a lock");
    let written = all_text(Path::new(&one)) + &page;
    assert!(!written.contains(TOKEN), "a secret is written in clear");
    assert!(written.contains("(sensitive)"), "{written}");

    site.refuses(&run, "is not approved").await;
    site.refuses(&["approve", &one, "--confirm", "tiny"], "two people are asked for").await;
    let (code, said) = site.approve(&one, "tiny").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("assumed-role/second"), "{said}");
    let beside: Value =
        serde_json::from_slice(&std::fs::read(format!("{one}.approval.json")).expect("it")).expect("JSON");
    assert_eq!(beside["because"], "looked at it");
    let (code, said) = site.approve(&one, "tiny").await;
    assert_eq!(code, Some(3), "{said}");

    damaged_or_elsewhere(&site, &one, &copy).await;
    what_is_another_now_waits_for_an_approval_of_its_own(&site, &run).await;

    let (code, _, said) = site.lifeboat(&run).await;
    assert_eq!(code, Some(0), "{said}");
    let name = site.tiny.run();
    let journal = std::fs::read_to_string(site.path(&format!("state/runs/{name}/journal.jsonl"))).expect("a journal");
    let begun: Value = serde_json::from_str(journal.lines().next().expect("a line")).expect("JSON");
    assert_eq!(begun["bundle"]["approver"].as_str().map(|it| it.contains("second")), Some(true), "{begun}");
    site.refuses(&run, &format!("run {name} has used it")).await;

    let (code, differences, said) = site.lifeboat(&["plan", "failover", "tiny", "--against", &one, "-o", "json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let differences: Value = serde_json::from_str(&differences).expect("JSON");
    assert_eq!(differences["inputs"][0]["what"], "Terraform state", "{differences}");
    assert_eq!(differences["changes"].as_array().map(Vec::len), Some(2), "nothing is left to create: {differences}");
    let (code, _, said) = site.lifeboat(&["plan", "failover", "tiny", "--detailed-exitcode"]).await;
    assert_eq!(code, Some(0), "nothing would be changed: {said}");
}

async fn damaged_or_elsewhere(site: &Site, one: &str, copy: &str) {
    let bundle = lifeboat::bundle::read(Path::new(one)).expect("a bundle");
    lifeboat::bundle::write(&bundle.contents, Path::new(copy)).expect("a copy");
    let damage = |name: &str| {
        let path = Path::new(copy).join(name);
        let before = std::fs::read(&path).expect("a file");
        let mut bytes = before.clone();
        bytes.pop();
        bytes.push(b' ');
        std::fs::write(&path, bytes).expect("changed");
        before
    };
    let before = damage("plan.json");
    site.refuses(&failover("tiny", copy), "plan.json has been changed since").await;
    std::fs::write(Path::new(copy).join("plan.json"), before).expect("as it was");
    damage("bundle.json");
    site.refuses(&failover("tiny", copy), "is not approved").await;
    site.refuses(&failover("tiny", &site.path("root")), "it is no bundle").await;
    site.environment("other", "");
    site.refuses(&failover("other", one), "environment: tiny in the bundle, other here").await;
}

async fn what_is_another_now_waits_for_an_approval_of_its_own(site: &Site, run: &[&str]) {
    site.tiny.write("root/main.tf", &ROOT.replace("blue", "red"));
    site.refuses(run, "terraform_data.plain then created now created with other input").await;
    site.tiny.write("root/main.tf", ROOT);
    let plans = std::fs::read_dir(site.path("state/plans")).expect("plans").count();
    assert_eq!(plans, 1, "what is planned anew is kept, to be approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_is_over_is_given_anew_or_refused() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    site.environment("brief", "approval {\n  expires = \"2s\"\n}\n");
    let bundle = site.path("brief.tar.zst");
    let (code, _, said) = site.lifeboat(&["plan", "failover", "brief", "--out", &bundle, "-o", "markdown"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = site.lifeboat(&["approve", &bundle, "--confirm", "brief"]).await;
    assert_eq!(code, Some(0), "one person is enough: {said}");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    site.refuses(&failover("brief", &bundle), "it expired at").await;
    let (code, said) = site.approve(&bundle, "brief").await;
    assert_eq!(code, Some(0), "{said}");
}
