//! With the real git, in repositories that are made for it.

use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::manifest::{self, Manifest};
use crate::templates::Templates;
use crate::terraform::WorkdirOptions;

const MANIFEST: &str = r#"service = "shop"
account = "123456789012"
terraform {
  root      = "../../infra"
  var_files = ["shop.tfvars"]
}
region "primary" {
  name      = "eu-west-2"
  workspace = "shop"
  backend   = { bucket = "shop-state", key = "shop.tfstate" }
}
region "recovery" {
  name      = "us-east-1"
  workspace = "shop-dr"
  backend   = { bucket = "shop-state-dr", key = "shop.tfstate" }
}
"#;

/// A repository with a root, a local module of it, a manifest, and a file that the root shares by a link.
struct Place {
    _dir: tempfile::TempDir,
    top: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap().join("repository");
        let place = Self { _dir: dir, top };
        place.write("infra/main.tf", "module \"m\" {\n  source = \"../modules/m\"\n}\n");
        place.write("modules/m/m.tf", "variable \"size\" {\n  default = 1\n}\n");
        place.write("shared/versions.tf", "terraform {}\n");
        std::os::unix::fs::symlink("../shared/versions.tf", place.top.join("infra/versions.tf")).unwrap();
        place.write("environments/shop/lifeboat.hcl", MANIFEST);
        place.write("environments/shop/shop.tfvars", "");
        place.write(".gitignore", "*_override.tf\n*.tfvars\n");
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.top.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "what an operator does")]
    fn git(&self, words: &[&str]) {
        let git = Command::new("git").current_dir(&self.top).args(words).output().unwrap();
        assert!(git.status.success(), "{words:?}: {}", String::from_utf8_lossy(&git.stderr));
    }

    fn committed(self) -> Self {
        self.git(&["init", "--quiet"]);
        for (key, value) in [("user.name", "Ana"), ("user.email", "ana@example.com"), ("commit.gpgsign", "false")] {
            self.git(&["config", key, value]);
        }
        self.commit();
        self
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "reviewed"]);
    }

    fn manifest(&self) -> Manifest {
        manifest::load(&self.top.join("environments"), "shop").unwrap()
    }

    /// Of a copy that is made now.
    async fn source(&self) -> Source {
        let run = tempfile::tempdir().unwrap();
        self.workdir(run.path(), std::env::vars_os().collect()).source("now").await.unwrap()
    }

    fn workdir(&self, run_dir: &Path, environment: Vec<(OsString, OsString)>) -> Workdir {
        let workdir = Workdir::new(WorkdirOptions {
            run_dir: run_dir.to_owned(),
            manifest: Arc::new(self.manifest()),
            binary: None,
            environment,
            templates: Templates::new(None).unwrap(),
            lock: None,
            states: None,
        });
        workdir.folders().unwrap();
        workdir.staged().unwrap();
        workdir
    }

    async fn commit_of(&self) -> Commit {
        match self.source().await {
            Source::Commit(commit) => *commit,
            Source::Unknown(why) => panic!("{why}"),
        }
    }
}

#[tokio::test]
async fn a_root_that_is_as_it_was_committed_may_be_built_from() {
    let place = Place::new().committed();
    let source = place.source().await;
    assert_eq!((source.refused(CommitRule::Clean), source.refused(CommitRule::Any)), (None, None));
    let Source::Commit(commit) = &source else { panic!("{source:?}") };
    assert_eq!((commit.id.len(), commit.signature, &commit.signer), (40, Signature::None, &None));
    assert_eq!(commit.beside, [place.top.join("environments/shop/shop.tfvars")]);
    assert!(source.words().contains("; in no commit: "), "{}", source.words());
    let refused = source.refused(CommitRule::Signed).unwrap();
    assert!(refused.ends_with("which has to be signed: not signed"), "{refused}");
}

#[tokio::test]
async fn what_git_status_does_not_show_is_seen_as_well() {
    let place = Place::new().committed();
    // Ignored, and read by Terraform.
    place.write("infra/evil_override.tf", "locals {}\n");
    // Changed, and marked as if it were not.
    place.git(&["update-index", "--assume-unchanged", "modules/m/m.tf"]);
    place.write("modules/m/m.tf", "variable \"size\" {\n  default = 2\n}\n");
    // Added to the index, and to no commit.
    place.write("infra/new.tf", "locals {}\n");
    place.git(&["add", "infra/new.tf"]);
    // The file at the end of a link.
    place.write("shared/versions.tf", "terraform {\n}\n");
    place.write("environments/shop/lifeboat.hcl", &format!("{MANIFEST}\n"));
    let commit = place.commit_of().await;
    assert_eq!(
        commit.unlike,
        [
            "environments/shop/lifeboat.hcl is changed",
            "infra/evil_override.tf is in no commit",
            "infra/new.tf is in no commit",
            "infra/versions.tf is changed",
            "modules/m/m.tf is changed",
        ]
    );
    let refused = Source::Commit(Box::new(commit)).refused(CommitRule::Clean).unwrap();
    assert!(refused.starts_with("is not as in commit ") && refused.contains("evil_override.tf"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_gone_and_a_link_that_was_bent_are_seen() {
    let place = Place::new();
    place.write("infra/guard.tf", "locals {}\n");
    let place = place.committed();
    fs::remove_file(place.top.join("infra/guard.tf")).unwrap();
    let link = place.top.join("infra/versions.tf");
    fs::remove_file(&link).unwrap();
    place.write("shared/other.tf", "terraform {}\n");
    std::os::unix::fs::symlink("../shared/other.tf", link).unwrap();
    assert_eq!(place.commit_of().await.unlike, ["infra/guard.tf is missing", "infra/versions.tf leads elsewhere"]);
}

#[tokio::test]
async fn names_that_git_would_quote_are_compared_as_they_are() {
    let place = Place::new();
    place.write("infra/a \"ü\"\n.json", "{}\n");
    let place = place.committed();
    assert_eq!(place.commit_of().await.unlike, Vec::<String>::new());
}

#[tokio::test]
async fn where_there_is_no_commit_nobody_claims_one() {
    let place = Place::new();
    let Source::Unknown(why) = place.source().await else { panic!("there is no repository") };
    assert!(why.contains("not a git repository"), "{why}");
    place.git(&["init", "--quiet"]);
    let source = place.source().await;
    let refused = source.refused(CommitRule::Clean).unwrap();
    assert!(refused.starts_with("is of no commit that could have been reviewed: git log ended with"), "{refused}");
    assert_eq!(source.refused(CommitRule::Any), None);
    let run = tempfile::tempdir().unwrap();
    let nothing = place.workdir(run.path(), vec![("PATH".into(), "/nowhere".into())]).source("now").await.unwrap();
    assert_eq!(nothing, Source::Unknown("there is no git on PATH".into()));
}

#[tokio::test]
async fn what_was_found_for_a_copy_holds_as_long_as_the_copy_does() {
    let place = Place::new().committed();
    let run = tempfile::tempdir().unwrap();
    let workdir = place.workdir(run.path(), std::env::vars_os().collect());
    let first = workdir.source("this copy").await.unwrap();
    place.write("infra/main.tf", "locals {}\n");
    place.commit();
    assert_eq!(workdir.source("this copy").await.unwrap(), first);
    assert_ne!(workdir.source("another copy").await.unwrap(), first);
    // What is staged is not touched by a look at what would be.
    let before = fs::read_to_string(run.path().join("terraform/tree/infra/main.tf")).unwrap();
    assert_eq!(workdir.source_now().await.unwrap().refused(CommitRule::Clean), None);
    place.write("infra/main.tf", "locals {\n}\n");
    assert!(workdir.source_now().await.unwrap().refused(CommitRule::Clean).is_some());
    assert_eq!(fs::read_to_string(run.path().join("terraform/tree/infra/main.tf")).unwrap(), before);
}

/// With a key of SSH, which git checks by a list of who may sign (git: "git-config", `gpg.ssh.allowedSignersFile`).
#[tokio::test]
async fn a_signature_counts_where_its_signer_is_known_here() {
    let place = Place::new();
    place.git(&["init", "--quiet"]);
    let (key, signers) = (place.top.join("../key"), place.top.join("../signers"));
    #[expect(clippy::disallowed_methods, reason = "what an operator does")]
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    fs::write(&signers, format!("ana@example.com {public}")).unwrap();
    let (key, signers) = (key.to_string_lossy().into_owned(), signers.to_string_lossy().into_owned());
    for (name, value) in [
        ("user.name", "Ana"),
        ("user.email", "ana@example.com"),
        ("gpg.format", "ssh"),
        ("user.signingkey", &key),
        ("commit.gpgsign", "true"),
    ] {
        place.git(&["config", name, value]);
    }
    place.commit();
    let unknown = place.source().await;
    assert!(unknown.refused(CommitRule::Signed).is_some(), "{unknown:?}");
    place.git(&["config", "gpg.ssh.allowedSignersFile", &signers]);
    let known = place.source().await;
    assert_eq!(known.refused(CommitRule::Signed), None, "{known:?}");
    assert!(known.words().contains("signed by ana@example.com"), "{}", known.words());
}
