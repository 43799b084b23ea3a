//! A look at what Terraform would do, for whoever reviews it before a run: no lock is taken, no workspace is made, and
//! nothing can be applied.
//!
//! Where the recovery workspace is not there yet, Terraform could only plan in it after making it. So a local workspace of
//! the same name is used, with an empty state that nobody else sees: `terraform.workspace` says the same, and the plan is
//! the one that the new workspace would get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::args::{self, Selection};
use super::generate::GeneratedFile;
use super::guard::{self, Violation};
use super::overlay::{BACKEND_CONFIG, BACKEND_OVERRIDE, EMPTY_BACKEND};
use super::plan::masked::{Masked, masked};
use super::plan::{Plan, PlanError};
use super::targets::{self, Split};
use super::workdir::{Observer, Wanted, Workdir};
use super::{TerraformError, lock_file, stage};

/// What a look is taken at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The recovery workspace as it stands in its backend.
    Backend,
    /// An empty state: the recovery workspace is yet to be made.
    Empty,
}

/// What a look shows.
#[derive(Debug)]
pub struct Looked {
    /// A plan of everything, without its secrets.
    pub plan: Plan,
    /// The same as JSON, and what masks the secrets of this plan elsewhere.
    pub masked: Masked,
    /// What waits for the restores.
    pub split: Split,
    /// What would be refused in a run, whatever is approved.
    pub violations: Vec<Violation>,
    pub warnings: Vec<String>,
    /// SHA-256 of the staged copy of the root.
    pub staged: String,
    /// Versions by address of the provider.
    pub providers: BTreeMap<String, String>,
}

/// Name of the plan and of its JSON.
const LOOK: &str = "look";

impl Workdir {
    /// Makes this a work folder that only looks.
    #[must_use]
    pub fn looking(mut self, ground: Option<Ground>) -> Self {
        self.ground = ground;
        self
    }

    /// Plans everything and keeps what may be shown of it.
    ///
    /// # Errors
    /// Terraform's own; a root that cannot be split round what is adopted.
    pub async fn look(&self, adopted: &BTreeSet<String>, observer: &dyn Observer) -> Result<Looked, TerraformError> {
        let _tree = self.tree.lock().await;
        let ready = self.ready(observer).await?;
        self.import(&ready, &BTreeMap::new())?;
        let wanted = Wanted { name: LOOK, selection: &Selection::All, refresh: true, lock: false };
        let (made, graph) = tokio::join!(self.make(&ready, wanted, observer), self.graph(observer));
        let shown = match made {
            Ok(warnings) => self.shown(&ready).await.map(|shown| (warnings, shown)),
            Err(error) => Err(error),
        };
        self.discard(LOOK)?;
        let (warnings, (mut plan, masked)) = shown?;
        let split = targets::split(&plan, &*graph?, adopted)?;
        let mut violations = self.misplaced(&mut plan, observer).await?;
        violations.extend(guard::losses(&plan));
        let providers = lock_file::versions(&ready.root);
        Ok(Looked { plan, masked, split, violations, warnings, staged: ready.staged, providers })
    }

    /// Reads the plan that was made, more than once: the secrets that are to be masked are known only at its end.
    async fn shown(&self, ready: &super::Ready) -> Result<(Plan, Masked), TerraformError> {
        let json = self.path("plans").join(format!("{LOOK}.json"));
        stage::remove(&json)?;
        stage::write(&json, b"")?;
        let (spool, tree) = (json.clone(), self.path("tree"));
        let read = move |output: &mut dyn Read| -> Result<(Plan, Masked), PlanError> {
            let unread = |error: io::Error| PlanError::Json(serde_json::Error::io(error));
            io::copy(output, &mut File::options().write(true).open(&spool).map_err(unread)?).map_err(unread)?;
            let open = |path: &Path| File::open(path).map_err(unread);
            let plan = Plan::read(open(&spool)?)?;
            Ok((plan, masked(|| open(&spool), &tree)?))
        };
        let shown = self.read(ready, "show", args::show(&self.plan_file(LOOK)), read).await;
        // It holds secrets in clear.
        stage::remove(&json)?;
        Ok(shown??)
    }

    /// The generated files, as the look's state needs them.
    pub(super) fn grounded(&self, files: Vec<GeneratedFile>) -> Vec<GeneratedFile> {
        if self.ground != Some(Ground::Empty) {
            return files;
        }
        let kept = files.into_iter().filter(|file| file.name != BACKEND_CONFIG);
        kept.map(|file| match file.name.as_str() {
            BACKEND_OVERRIDE => GeneratedFile { contents: EMPTY_BACKEND.to_owned(), ..file },
            _ => file,
        })
        .collect()
    }
}
