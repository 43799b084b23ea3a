//! A plan judged by the user's own policies: conftest is given the plan's JSON and asked what it says.

use std::ffi::OsString;
use std::path::Path;

use super::calls::{beside, text};
use super::json_copy::JsonCopy;
use super::process::{self, Call};
use super::version::on_path;
use super::workdir::Workdir;
use crate::guard::{self, Place, Said, Violation};
use crate::manifest::Guards;
use crate::terraform::plan::Plan;

/// The program that judges (conftest: "Usage").
const PROGRAM: &str = "conftest";
/// The most that it may say.
const SAID_BYTES: u64 = 16 * 1024 * 1024;

impl Workdir {
    /// Whether policies of the user judge plans here: they read a copy of the JSON.
    pub(super) fn has_policies(&self) -> bool {
        self.manifest.guards.policies.is_some()
    }

    /// What the manifest's guards say of a plan, the user's policies among them. That nobody can ask those is a violation:
    /// nobody knows then what they say.
    pub(super) async fn judged(&self, plan: &Plan, copy: Option<&JsonCopy>) -> Vec<Violation> {
        self.judged_by(guard::judge, plan, copy).await
    }

    /// The same of a plan that takes the stack down.
    pub(super) async fn judged_as_teardown(&self, plan: &Plan, copy: Option<&JsonCopy>) -> Vec<Violation> {
        self.judged_by(guard::judge_teardown, plan, copy).await
    }

    async fn judged_by(
        &self,
        judge: fn(&Plan, &Guards, Place<'_>) -> Vec<Violation>,
        plan: &Plan,
        copy: Option<&JsonCopy>,
    ) -> Vec<Violation> {
        let place = Place { region: &self.manifest.recovery.name, account: &self.manifest.account };
        let mut violations = judge(plan, &self.manifest.guards, place);
        if let (Some(folder), Some(copy)) = (&self.manifest.guards.policies, copy) {
            match self.ask_policies(folder, copy.path()).await {
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

/// `test` of conftest (conftest: "Output options"). All namespaces: a policy of another package than `main` would
/// otherwise be left out without a word.
fn arguments(folder: &Path, json: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["test", "--output", "json", "--all-namespaces", "--policy"].iter().map(OsString::from).collect();
    arguments.extend([folder.into(), json.into()]);
    arguments
}
