//! The example that is rehearsed where no environment is named: compiled in, so that the program alone is enough.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment that the example has.
pub const ENVIRONMENT: &str = "prod";

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../", $path)))),*]
    };
}

/// Paths as in the project, with their contents.
const FILES: &[(&str, &str)] = files![
    "environments/prod/lifeboat.hcl",
    "environments/prod/terraform.tfvars",
    "examples/streaming-logs/infra/.terraform.lock.hcl",
    "examples/streaming-logs/infra/main.tf",
    "examples/streaming-logs/infra/modules/catalog/main.tf",
    "examples/streaming-logs/infra/modules/catalog/outputs.tf",
    "examples/streaming-logs/infra/modules/catalog/variables.tf",
    "examples/streaming-logs/infra/modules/database/main.tf",
    "examples/streaming-logs/infra/modules/database/outputs.tf",
    "examples/streaming-logs/infra/modules/database/variables.tf",
    "examples/streaming-logs/infra/modules/metadata/main.tf",
    "examples/streaming-logs/infra/modules/metadata/outputs.tf",
    "examples/streaming-logs/infra/modules/metadata/variables.tf",
    "examples/streaming-logs/infra/modules/network/main.tf",
    "examples/streaming-logs/infra/modules/network/outputs.tf",
    "examples/streaming-logs/infra/modules/network/variables.tf",
    "examples/streaming-logs/infra/modules/pipeline/alarms.tf",
    "examples/streaming-logs/infra/modules/pipeline/iam.tf",
    "examples/streaming-logs/infra/modules/pipeline/main.tf",
    "examples/streaming-logs/infra/modules/pipeline/outputs.tf",
    "examples/streaming-logs/infra/modules/pipeline/variables.tf",
    "examples/streaming-logs/infra/modules/storage/main.tf",
    "examples/streaming-logs/infra/modules/storage/outputs.tf",
    "examples/streaming-logs/infra/modules/storage/variables.tf",
    "examples/streaming-logs/infra/outputs.tf",
    "examples/streaming-logs/infra/variables.tf",
    "examples/streaming-logs/infra/versions.tf",
    "examples/streaming-logs/integration_test.sh",
];

/// Writes the example below `dir` and returns the folder that holds its environments.
///
/// # Errors
/// It cannot be written.
pub fn write(dir: &Path) -> io::Result<PathBuf> {
    for (name, contents) in FILES {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, contents)?;
        if name.ends_with(".sh") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(dir.join("environments"))
}

/// Commits what [`write`] has written, in a repository of its own: a rebuild is built from a commit.
///
/// # Errors
/// There is no git, or what it says.
#[expect(clippy::disallowed_methods, reason = "one of the places where processes start")]
pub fn commit(dir: &Path) -> io::Result<()> {
    let own = ["user.name=rehearsal", "user.email=rehearsal@localhost", "commit.gpgsign=false"];
    for words in
        [&["init", "--quiet"][..], &["add", "--all", "--force"], &["commit", "--quiet", "--message", "the example"]]
    {
        let settings = own.iter().flat_map(|setting| ["-c", setting]);
        let ended = Command::new("git").args(settings).args(words).current_dir(dir).stdin(Stdio::null()).output()?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            return Err(io::Error::other(format!("git {}: {said}", words[0])));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn walk(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with(".terraform") => {}
                true => walk(&path, found),
                false => drop(found.insert(path.to_string_lossy().into_owned())),
            }
        }
    }

    #[test]
    fn every_file_of_the_example_is_compiled_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        walk(&root.join("examples"), &mut found);
        walk(&root.join("environments/prod"), &mut found);
        let ours: BTreeSet<String> =
            FILES.iter().map(|(name, _)| root.join(name).to_string_lossy().into_owned()).collect();
        assert_eq!(ours, found);
    }
}
