//! A plan judged by the user's own policies: conftest is given the plan's JSON and asked what it says.
//!
//! That JSON holds secrets. It is a file for the owner alone, and goes away with the value that stands for it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::calls::text;
use super::process::{self, Call};
use super::version::on_path;
use super::workdir::Workdir;
use super::{TerraformError, stage};
use crate::guard::{self, Place, Said, Violation};
use crate::terraform::plan::Plan;

/// The program that judges (conftest: "Usage").
const PROGRAM: &str = "conftest";
/// The plans that are judged.
const JUDGED: [&str; 3] = ["survey", "base", "adoption"];
/// The most that it may say.
const SAID_BYTES: u64 = 16 * 1024 * 1024;
/// The most of its error output that is told.
const BESIDE_BYTES: u64 = 2048;

/// A plan's JSON on disk, as long as this lives.
#[derive(Debug)]
pub struct PolicyCopy(PathBuf);

impl PolicyCopy {
    fn at(path: PathBuf) -> Result<(Self, File), TerraformError> {
        stage::remove(&path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(stage::at(&path, "written"))?;
        Ok((Self(path), file))
    }
}

impl Drop for PolicyCopy {
    fn drop(&mut self) {
        if let Err(error) = stage::remove(&self.0) {
            tracing::error!(%error, "a plan's JSON was left behind");
        }
    }
}

/// Hands on what it reads, and keeps a copy of it.
pub(super) struct Tee<'a> {
    pub from: &'a mut dyn Read,
    pub to: File,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.to.write_all(&buffer[..read])?;
        Ok(read)
    }
}

impl Workdir {
    /// Where a plan's JSON goes as it is read, if policies shall judge it.
    pub(super) fn policy_copy(&self, plan: &str) -> Result<Option<(PolicyCopy, File)>, TerraformError> {
        if self.manifest.guards.policies.is_none() || !JUDGED.contains(&plan) {
            return Ok(None);
        }
        PolicyCopy::at(self.path("plans").join(format!("{plan}.policies.json"))).map(Some)
    }

    /// What the manifest's guards say of a plan, the user's policies among them. That nobody can ask those is a violation:
    /// nobody knows then what they say.
    pub(super) async fn judged(&self, plan: &Plan, copy: Option<PolicyCopy>) -> Vec<Violation> {
        let place = Place { region: &self.manifest.recovery.name, account: &self.manifest.account };
        let mut violations = guard::judge(plan, &self.manifest.guards, place);
        if let (Some(folder), Some(copy)) = (&self.manifest.guards.policies, copy) {
            match self.ask_policies(folder, &copy.0).await {
                Ok(said) => violations.extend(said.violations()),
                Err(why) => violations.push(guard::not_asked(&why)),
            }
        }
        violations
    }

    async fn ask_policies(&self, folder: &Path, json: &Path) -> Result<Said, String> {
        let program = on_path(PROGRAM, &self.environment).ok_or("there is no conftest on PATH")?;
        let dir = self.manifest.path.parent().unwrap_or(folder).to_owned();
        let log = self.next_log(PROGRAM).map_err(|error| error.to_string())?;
        let call =
            Call { program, args: arguments(folder, json), dir, env: self.policy_environment(), log: log.clone() };
        let asked = process::read(call, std::future::pending(), |output| text(output, SAID_BYTES)).await;
        let (said, ended) = asked.map_err(|error| format!("conftest cannot be run: {error}"))?;
        let said = said.map_err(|error| format!("conftest cannot be heard: {error}"))?;
        // It ends with 1 both when a policy fails and when it could not judge.
        match guard::said(&said) {
            Ok(said) if matches!(ended.code, Some(0 | 1)) => Ok(said),
            Ok(_) => Err(format!("conftest ended with {:?}", ended.code)),
            Err(why) => Err(format!("conftest: {why}{}", beside(&log))),
        }
    }

    /// Policies need no credentials.
    fn policy_environment(&self) -> Vec<(OsString, OsString)> {
        let passes = |name: &str| matches!(name, "PATH" | "HOME" | "TMPDIR" | "LANG") || name.starts_with("CONFTEST_");
        self.environment.iter().filter(|(name, _)| passes(&name.to_string_lossy())).cloned().collect()
    }
}

/// What it said on its error output, which its log has below the call.
fn beside(log: &Path) -> String {
    let said = File::open(log).and_then(|mut log| text(&mut log, BESIDE_BYTES)).unwrap_or_default();
    match said.split_once('\n').map_or("", |(_, rest)| rest).trim() {
        "" => String::new(),
        said => format!("; {said}"),
    }
}

/// `test` of conftest (conftest: "Output options"). All namespaces: a policy of another package than `main` would
/// otherwise be left out without a word.
fn arguments(folder: &Path, json: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["test", "--output", "json", "--all-namespaces", "--policy"].iter().map(OsString::from).collect();
    arguments.extend([folder.into(), json.into()]);
    arguments
}
