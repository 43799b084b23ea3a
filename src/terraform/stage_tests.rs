//! The staged copy keeps what Terraform needs, and only reads the user's tree.

use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for file in files {
            let path = tree.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        tree
    }

    fn path(&self, inside: &str) -> PathBuf {
        fs::canonicalize(self.0.path()).unwrap().join(inside)
    }

    fn stage(&self, root: &str, modules: &[&str]) -> (Result<Staged, StageError>, PathBuf) {
        let modules = modules.iter().map(|it| self.path(it)).collect();
        let layout = Layout::new(&self.path(root), &modules);
        let tree = self.path("run/tree");
        fs::create_dir_all(self.path("run")).unwrap();
        (stage(&layout, &tree, &self.path("run")), layout.root_in(&tree))
    }
}

#[test]
fn modules_beside_the_root_still_resolve() {
    let files = ["live/app/main.tf", "live/app/.terraform.lock.hcl", "modules/x/main.tf", "modules/unused/main.tf"];
    let tree = Tree::new(&files);
    let (staged, root) = tree.stage("live/app", &["modules/x"]);
    staged.unwrap();
    assert_eq!(root, tree.path("run/tree/live/app"));
    assert_eq!(fs::read_to_string(root.join("../../modules/x/main.tf")).unwrap(), "modules/x/main.tf");
    assert!(root.join(".terraform.lock.hcl").is_file());
    assert!(!tree.path("run/tree/modules/unused").exists());
    assert_eq!(fs::metadata(tree.path("run/tree")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn modules_inside_the_root_are_copied_once() {
    let tree = Tree::new(&["app/main.tf", "app/modules/x/main.tf", "app/lambda/index.js"]);
    let (staged, root) = tree.stage("app", &["app/modules/x"]);
    staged.unwrap();
    assert_eq!(root, tree.path("run/tree"));
    assert!(root.join("modules/x/main.tf").is_file() && root.join("lambda/index.js").is_file());
}

#[test]
fn what_another_working_folder_left_is_not_taken() {
    let files = [
        "app/main.tf",
        "app/.terraform/environment",
        "app/terraform.tfstate",
        "app/terraform.tfstate.backup",
        "app/.terraform.tfstate.lock.info",
        "app/errored.tfstate",
        "app/old.tfplan",
        "app/.git/config",
    ];
    let tree = Tree::new(&files);
    let (staged, root) = tree.stage("app", &[]);
    staged.unwrap();
    let names: Vec<_> = fs::read_dir(root).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["main.tf"]);
}

#[test]
fn links_never_lead_back_into_the_users_tree() {
    let tree = Tree::new(&["app/main.tf", "app/data/x.json", "shared/versions.tf", "elsewhere/secret/key"]);
    symlink("../shared/versions.tf", tree.path("app/versions.tf")).unwrap();
    symlink(tree.path("app/data"), tree.path("app/again")).unwrap();
    symlink("../elsewhere", tree.path("app/elsewhere")).unwrap();
    symlink("nowhere", tree.path("app/dangling")).unwrap();
    let (staged, root) = tree.stage("app", &[]);
    let mut left_out = staged.unwrap().left_out;
    left_out.sort();
    assert_eq!(left_out, [tree.path("app/dangling"), tree.path("app/elsewhere")]);
    assert!(fs::symlink_metadata(root.join("versions.tf")).unwrap().is_file());
    assert_eq!(fs::read_link(root.join("again")).unwrap(), Path::new("data"));
    assert_eq!(fs::read_to_string(root.join("again/x.json")).unwrap(), "app/data/x.json");
    fs::write(root.join("versions.tf"), "changed").unwrap();
    assert_eq!(fs::read_to_string(tree.path("shared/versions.tf")).unwrap(), "shared/versions.tf");
}

#[test]
fn the_digest_tells_whether_anything_changed() {
    let tree = Tree::new(&["app/main.tf", "app/b.tf"]);
    let first = tree.stage("app", &[]).0.unwrap().digest;
    fs::remove_dir_all(tree.path("run")).unwrap();
    assert_eq!(tree.stage("app", &[]).0.unwrap().digest, first);
    fs::remove_dir_all(tree.path("run")).unwrap();
    fs::write(tree.path("app/b.tf"), "other").unwrap();
    assert_ne!(tree.stage("app", &[]).0.unwrap().digest, first);
}

#[test]
fn a_run_folder_inside_the_root_is_not_copied_into_itself() {
    let tree = Tree::new(&["main.tf", "run/journal.jsonl"]);
    let (staged, root) = tree.stage("", &[]);
    staged.unwrap();
    assert!(root.join("main.tf").is_file() && !root.join("run").exists());
}
