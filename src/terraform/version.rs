//! Which Terraform or OpenTofu is used: the one that was asked for, else what stands on `PATH`; new enough, or refused.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{args, process};

/// The oldest version of either: the S3 backend learned `use_lockfile` in 1.10 of both (Terraform: "Upgrading to
/// Terraform v1.10"; OpenTofu: "What's new in OpenTofu 1.10").
pub const OLDEST: Version = Version { major: 1, minor: 10, patch: 0 };

/// Terraform or its fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Terraform,
    OpenTofu,
}

impl Product {
    pub fn name(self) -> &'static str {
        match self {
            Self::Terraform => "Terraform",
            Self::OpenTofu => "OpenTofu",
        }
    }
}

/// A released version. What follows the patch number (`-rc1`) is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A binary that was found and asked for its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    pub path: PathBuf,
    pub product: Product,
    pub version: Version,
}

/// Why there is no binary to use.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    #[error("{asked} was not found{}", .by.map(|by| format!(" (asked for by {by})")).unwrap_or_default())]
    NotFound { asked: String, by: Option<&'static str> },
    #[error("neither terraform nor tofu is on PATH")]
    NoneOnPath,
    #[error("{} cannot be started: {source}", .path.display())]
    Start { path: PathBuf, source: std::io::Error },
    #[error("{} is neither Terraform nor OpenTofu: its `version` says {said:?}", .path.display())]
    Unknown { path: PathBuf, said: String },
    #[error("{} is {} {version}; lifeboat needs {OLDEST} or newer", .path.display(), .product.name())]
    TooOld { path: PathBuf, product: Product, version: Version },
}

impl VersionError {
    pub fn hint(&self) -> &'static str {
        "name another with --tf-bin, LIFEBOAT_TF_BIN or `binary` in the manifest's terraform block"
    }
}

/// Chooses the binary: `flag` (`--tf-bin` or `LIFEBOAT_TF_BIN`), then the manifest's, then `terraform`, then `tofu`. A
/// name without a slash is looked for in the `PATH` of `environment`. `scratch` is an existing folder for the log.
///
/// # Errors
/// There is none, it does not start, or it is too old. A binary that was asked for is never replaced by another.
pub async fn find(
    flag: Option<&str>,
    manifest: Option<&str>,
    environment: &[(OsString, OsString)],
    scratch: &Path,
) -> Result<Binary, VersionError> {
    let path = choose(flag, manifest, environment)?;
    let mut env = environment.to_vec();
    env.push(("CHECKPOINT_DISABLE".into(), "1".into()));
    let call = process::Call {
        program: path.clone(),
        args: args::version(),
        dir: scratch.to_owned(),
        env,
        log: scratch.join(format!("version-{}.log", std::process::id())),
    };
    let log = call.log.clone();
    let asked = process::read(call, std::future::pending(), |output| {
        let mut text = Vec::new();
        output.take(64 * 1024).read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let asked = asked.await;
    std::fs::remove_file(log).ok();
    let (text, _) = asked.map_err(|source| VersionError::Start { path: path.clone(), source })?;
    let text = text.map_err(|source| VersionError::Start { path: path.clone(), source })?;
    let Some((product, version)) = parse(&text) else {
        return Err(VersionError::Unknown { path, said: text.lines().next().unwrap_or_default().to_owned() });
    };
    if version < OLDEST {
        return Err(VersionError::TooOld { path, product, version });
    }
    Ok(Binary { path, product, version })
}

fn choose(
    flag: Option<&str>,
    manifest: Option<&str>,
    environment: &[(OsString, OsString)],
) -> Result<PathBuf, VersionError> {
    let path = path_of(environment);
    let asked = flag.map(|name| (name, "--tf-bin or LIFEBOAT_TF_BIN"));
    if let Some((name, by)) = asked.or(manifest.map(|name| (name, "the manifest"))) {
        return locate(name, path).ok_or_else(|| VersionError::NotFound { asked: name.to_owned(), by: Some(by) });
    }
    locate("terraform", path).or_else(|| locate("tofu", path)).ok_or(VersionError::NoneOnPath)
}

/// Where a program stands on the `PATH` of `environment`.
pub(super) fn on_path(name: &str, environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    locate(name, path_of(environment))
}

fn path_of(environment: &[(OsString, OsString)]) -> Option<&OsStr> {
    environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str())
}

/// The absolute path of a program, as a shell would find it.
fn locate(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    if name.contains('/') {
        return std::path::absolute(name).ok().filter(|program| is_program(program));
    }
    std::env::split_paths(path?).map(|dir| dir.join(name)).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Reads `Terraform v1.11.4` or `OpenTofu v1.9.0` out of what `version` prints.
fn parse(text: &str) -> Option<(Product, Version)> {
    text.lines().find_map(|line| {
        let (name, version) = line.trim().split_once(" v")?;
        let product = match name {
            "Terraform" => Product::Terraform,
            "OpenTofu" => Product::OpenTofu,
            _ => return None,
        };
        let mut numbers = version.split(['.', '-', '+', ' ']).map(|number| number.parse().ok());
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some((product, Version { major, minor, patch }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_are_told_apart() {
        let version = |major, minor, patch| Version { major, minor, patch };
        assert_eq!(parse("Terraform v1.11.4\non linux_amd64\n"), Some((Product::Terraform, version(1, 11, 4))));
        assert_eq!(parse("OpenTofu v1.10.0-rc1\non linux_amd64\n"), Some((Product::OpenTofu, version(1, 10, 0))));
        assert_eq!(parse("bash v5.2.0"), None);
    }

    fn program(dir: &Path, name: &str, says: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn with_path(dir: &Path) -> Vec<(OsString, OsString)> {
        vec![("PATH".into(), dir.into())]
    }

    #[tokio::test]
    async fn what_was_asked_for_wins_over_path() {
        let dir = tempfile::tempdir().unwrap();
        program(dir.path(), "terraform", "Terraform v1.11.4");
        let tofu = program(dir.path(), "tofu", "OpenTofu v1.10.1");
        let env = with_path(dir.path());
        let found = find(None, Some("tofu"), &env, dir.path()).await.unwrap();
        assert_eq!((found.path, found.product), (tofu, Product::OpenTofu));
        let found = find(Some("terraform"), Some("tofu"), &env, dir.path()).await.unwrap();
        assert_eq!(found.product, Product::Terraform);
        assert_eq!(find(None, None, &env, dir.path()).await.unwrap().product, Product::Terraform);
    }

    #[tokio::test]
    async fn a_missing_or_old_binary_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let env = with_path(dir.path());
        let told = find(Some("terraform-1.9"), None, &env, dir.path()).await.unwrap_err().to_string();
        assert_eq!(told, "terraform-1.9 was not found (asked for by --tf-bin or LIFEBOAT_TF_BIN)");
        let none = find(None, None, &env, dir.path()).await.unwrap_err();
        assert!(matches!(none, VersionError::NoneOnPath));
        program(dir.path(), "terraform", "Terraform v1.5.7");
        let old = find(None, None, &env, dir.path()).await.unwrap_err().to_string();
        assert!(old.ends_with("is Terraform 1.5.7; lifeboat needs 1.10.0 or newer"), "{old}");
    }
}
