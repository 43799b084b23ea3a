//! What a run takes from this machine, and whether it is still the same when the run is taken up again.
//!
//! The staged copy of the Terraform root is the run's own. Everything else that decides what Terraform does is read
//! anew by each process: the manifest, its var files, `TF_VAR_…`, the programs. Var files and variables hold secrets, so
//! that of their contents only a mark of [`MARK_DIGITS`] digits is kept: it tells a change, and too little to find a
//! password by trying.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use clap::ValueEnum;
use sha2::{Digest, Sha256};

use super::environment::Environment;
use super::error::CliError;
use crate::journal::{Inputs, RunStarted, UsedTerraform};
use crate::manifest::Manifest;
use crate::terraform::Binary;

/// Hexadecimal digits of a mark: 16 bits. One change in 65,536 is not noticed.
const MARK_DIGITS: usize = 4;
const SALT_BYTES: usize = 16;

/// What an operator may accept as changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Changed {
    /// The manifest's text; never its steps, account, regions or backend
    Manifest,
    /// The content of the var files that the manifest names
    VarFiles,
    /// Values of TF_VAR_ variables
    Variables,
    /// The terraform or tofu that is used
    Terraform,
    /// lifeboat's own version
    Lifeboat,
}

impl Changed {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What the run takes from here, with a salt of its own.
///
/// # Errors
/// A var file cannot be read.
pub fn read(
    manifest: &Manifest,
    declared: &BTreeSet<String>,
    binary: &Binary,
    environment: &Environment,
) -> Result<Inputs, CliError> {
    let mut salt = [0; SALT_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut salt))
        .map_err(|error| CliError::error("there is no randomness").cause(error.to_string()))?;
    salted(manifest, declared, binary, environment, hex(&salt))
}

/// The same with the salt of another reading, to be compared with that.
///
/// # Errors
/// As [`read`].
pub fn salted(
    manifest: &Manifest,
    declared: &BTreeSet<String>,
    binary: &Binary,
    environment: &Environment,
    salt: String,
) -> Result<Inputs, CliError> {
    let mut var_files = BTreeMap::new();
    for path in &manifest.terraform.var_files {
        let content = std::fs::read(path)
            .map_err(|error| CliError::error(format!("{} cannot be read", path.display())).cause(error.to_string()))?;
        // By its place beside the manifest: another machine keeps both elsewhere.
        let path = manifest.path.parent().and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
        var_files.insert(path.to_owned(), mark(&salt, &path.to_string_lossy(), &content));
    }
    let given = environment.variables.iter().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix("TF_VAR_").filter(|name| declared.contains(*name))?;
        Some((name.to_owned(), mark(&salt, name, value.as_bytes())))
    });
    // Whatever the backend is, its JSON has no part that fails.
    let backend = serde_json::to_vec(&manifest.recovery.backend).unwrap_or_default();
    Ok(Inputs {
        var_files,
        variables: given.collect(),
        terraform: UsedTerraform {
            path: binary.path.clone(),
            product: binary.product.name().to_owned(),
            version: binary.version.to_string(),
        },
        backend: digest(&salt, "backend", &backend),
        salt,
    })
}

fn digest(salt: &str, name: &str, content: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in [salt.as_bytes(), name.as_bytes(), content] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())
}

fn mark(salt: &str, name: &str, content: &[u8]) -> String {
    let mut mark = digest(salt, name, content);
    mark.truncate(MARK_DIGITS);
    mark
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What this machine has now.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    pub manifest_sha256: &'a str,
    pub manifest: &'a Manifest,
    pub declared: &'a BTreeSet<String>,
    /// `None` in a run without Terraform.
    pub binary: Option<&'a Binary>,
    pub environment: &'a Environment,
}

/// Whether a run may be taken up with what this machine has now. Returns what the operator has accepted, in words.
///
/// # Errors
/// Exit 3 with every difference that is not accepted, or another backend, which nobody can accept.
pub fn compare(started: &RunStarted, now: &Now<'_>, accepted: &[Changed]) -> Result<Vec<String>, CliError> {
    let Now { manifest_sha256, manifest, declared, binary, environment } = *now;
    let mut found = Vec::new();
    if started.manifest_sha256 != manifest_sha256 {
        let manifest = started.manifest.display();
        found
            .push((Changed::Manifest, format!("{manifest} has other content; the steps of the run stay as they were")));
    }
    if started.lifeboat != env!("CARGO_PKG_VERSION") {
        let text = format!("this is lifeboat {}, the run began with {}", env!("CARGO_PKG_VERSION"), started.lifeboat);
        found.push((Changed::Lifeboat, text));
    }
    // A run of an older lifeboat has none: what it took from its machine nobody knows.
    if let (Some(then), Some(binary)) = (&started.inputs, binary) {
        let now = salted(manifest, declared, binary, environment, then.salt.clone())?;
        if then.backend != now.backend {
            return Err(other_backend(started, manifest));
        }
        found.extend(differences(then, &now));
    }
    // Without those nothing else tells whether the state bucket, where the lease is, is still the same.
    if started.inputs.is_none() && binary.is_none() && started.manifest_sha256 != manifest_sha256 {
        return Err(CliError::blocked(format!(
            "what run {} began with is another now; nothing was changed",
            started.run
        ))
        .cause(format!("{} has other content", started.manifest.display()))
        .hint("put it back as it was, or give the run up with --abandon and start another"));
    }
    let open: Vec<&(Changed, String)> = found.iter().filter(|(what, _)| !accepted.contains(what)).collect();
    if open.is_empty() {
        return Ok(found.into_iter().map(|(what, text)| format!("{}: {text}", what.name())).collect());
    }
    let kinds: BTreeSet<Changed> = open.iter().map(|(what, _)| *what).chain(accepted.iter().copied()).collect();
    let flags: String = kinds.iter().map(|what| format!(" --accept-changed {}", what.name())).collect();
    let causes: Vec<&str> = open.iter().map(|(_, text)| text.as_str()).collect();
    Err(CliError::blocked(format!("what run {} began with is another now; nothing was changed", started.run))
        .cause(causes.join("\n"))
        .hint("put it back, or accept the difference")
        .next(format!("lifeboat resume {}{flags}", started.run)))
}

fn other_backend(started: &RunStarted, manifest: &Manifest) -> CliError {
    let backend = &manifest.recovery.backend;
    CliError::blocked(format!("{} no longer describes run {}", started.manifest.display(), started.run))
        .cause(format!(
            "the recovery region's state was kept elsewhere, or locked otherwise, than in s3://{}/{} as the manifest \
             says now",
            backend.bucket, backend.key
        ))
        .hint("put the manifest back as it was for this run, or give the run up with --abandon and start another")
}

fn differences(then: &Inputs, now: &Inputs) -> Vec<(Changed, String)> {
    let mut found = Vec::new();
    let files = of_marks(&then.var_files, &now.var_files, |path| path.display().to_string(), "content");
    found.extend(files.into_iter().map(|text| (Changed::VarFiles, text)));
    let variables = of_marks(&then.variables, &now.variables, |name| format!("TF_VAR_{name}"), "value");
    found.extend(variables.into_iter().map(|text| (Changed::Variables, text)));
    let program = |it: &UsedTerraform| (it.product.clone(), it.version.clone());
    if program(&then.terraform) != program(&now.terraform) {
        let say = |it: &UsedTerraform| format!("{} {} ({})", it.product, it.version, it.path.display());
        let text = format!("the run began with {}, now it is {}", say(&then.terraform), say(&now.terraform));
        found.push((Changed::Terraform, text));
    }
    found
}

fn of_marks<K: Ord>(
    then: &BTreeMap<K, String>,
    now: &BTreeMap<K, String>,
    name: impl Fn(&K) -> String,
    what: &str,
) -> Vec<String> {
    let keys: BTreeSet<&K> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter_map(|key| match (then.get(key), now.get(key)) {
            (Some(then), Some(now)) if then != now => Some(format!("{} has another {what}", name(key))),
            (Some(_), None) => Some(format!("{} is not given any more", name(key))),
            (None, Some(_)) => Some(format!("{} was not given then", name(key))),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::journal::Event;
    use crate::manifest;
    use crate::scenario;
    use crate::terraform::version::OLDEST;
    use crate::terraform::{Product, Version};

    struct Machine {
        manifest: Manifest,
        binary: Binary,
        environment: Environment,
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
            let mut manifest = manifest::load(&environments, "prod").unwrap();
            let var_file = dir.path().join("base.tfvars");
            std::fs::write(&var_file, "password = \"hunter2\"\n").unwrap();
            manifest.terraform.var_files = vec![var_file];
            let variables = [("TF_VAR_master_password", "correct horse"), ("TF_VAR_stray", "1"), ("PATH", "/bin")];
            let environment = Environment {
                home: PathBuf::new(),
                environments: PathBuf::new(),
                tf_bin: None,
                variables: variables.map(|(name, value)| (OsString::from(name), OsString::from(value))).to_vec(),
                templates: None,
                moto: None,
                lease_ttl: crate::journal::lease::TTL,
                interactive: false,
                draws: false,
                color: false,
            };
            let binary = Binary { path: "/usr/bin/terraform".into(), product: Product::Terraform, version: OLDEST };
            Self { manifest, binary, environment, dir }
        }

        fn declared(&self) -> BTreeSet<String> {
            BTreeSet::from(["master_password".to_owned()])
        }

        fn started(&self) -> RunStarted {
            let inputs = read(&self.manifest, &self.declared(), &self.binary, &self.environment).unwrap();
            RunStarted {
                run: "r".into(),
                lifeboat: env!("CARGO_PKG_VERSION").into(),
                manifest: "/m/lifeboat.hcl".into(),
                manifest_sha256: "e3b0".into(),
                caller: String::new(),
                pid: 1,
                host: String::new(),
                impact_at: None,
                declared_at: None,
                bundle: None,
                inputs: Some(inputs),
                tenure: None,
                runbook: scenario::failover(&self.manifest),
            }
        }

        fn compare(&self, started: &RunStarted, accepted: &[Changed]) -> Result<Vec<String>, CliError> {
            let now = Now {
                manifest_sha256: "e3b0",
                manifest: &self.manifest,
                declared: &self.declared(),
                binary: Some(&self.binary),
                environment: &self.environment,
            };
            compare(started, &now, accepted)
        }
    }

    #[test]
    fn what_is_the_same_is_taken_up_and_no_value_is_kept() {
        let machine = Machine::new();
        let started = machine.started();
        assert_eq!(machine.compare(&started, &[]).unwrap(), [""; 0]);
        let line = serde_json::to_string(&Event::RunStarted(Box::new(started.clone()))).unwrap();
        assert!(!line.contains("hunter2") && !line.contains("correct horse"), "{line}");
        let marks = started.inputs.unwrap();
        assert_eq!(marks.variables.keys().collect::<Vec<_>>(), ["master_password"], "what Terraform is not given");
        assert!(marks.variables.values().chain(marks.var_files.values()).all(|mark| mark.len() == MARK_DIGITS));
        assert_ne!(machine.started().inputs.unwrap().salt, marks.salt);
    }

    #[test]
    fn every_difference_is_named_at_once_and_goes_on_only_when_all_are_accepted() {
        let mut machine = Machine::new();
        let mut started = machine.started();
        started.lifeboat = "0.0.9".into();
        started.manifest_sha256 = "f00d".into();
        std::fs::write(machine.dir.path().join("base.tfvars"), "password = \"hunter3\"\n").unwrap();
        machine.environment.variables[0].1 = "another horse".into();
        machine.binary.version = Version { minor: 11, ..OLDEST };
        let refused = machine.compare(&started, &[Changed::Terraform]).unwrap_err();
        let cause = refused.cause.unwrap();
        for part in [
            "/m/lifeboat.hcl has other content",
            "base.tfvars has another content",
            "TF_VAR_master_password has another value",
            "began with 0.0.9",
        ] {
            assert!(cause.contains(part), "{part} is not in:\n{cause}");
        }
        assert!(!cause.contains("Terraform 1."), "it was accepted: {cause}");
        assert!(!cause.contains("horse") && !cause.contains("hunter"), "{cause}");
        let next = refused.next.unwrap();
        let all = "lifeboat resume r --accept-changed manifest --accept-changed var-files --accept-changed variables \
                   --accept-changed terraform --accept-changed lifeboat";
        assert_eq!(next, all);
        let accepted = machine.compare(&started, Changed::value_variants()).unwrap();
        assert_eq!(accepted.len(), 5, "the journal is told of each: {accepted:?}");
    }

    #[test]
    fn another_backend_is_never_accepted_and_an_old_journal_is_not_refused() {
        let mut machine = Machine::new();
        let mut started = machine.started();
        machine.manifest.recovery.backend.use_lockfile = !machine.manifest.recovery.backend.use_lockfile;
        let refused = machine.compare(&started, Changed::value_variants()).unwrap_err();
        assert!(refused.cause.unwrap().contains("locked otherwise"));
        started.inputs = None;
        let line = serde_json::to_string(&Event::RunStarted(Box::new(started.clone()))).unwrap();
        assert!(!line.contains("\"inputs\""), "as an older lifeboat wrote it: {line}");
        assert!(matches!(serde_json::from_str(&line).unwrap(), Event::RunStarted(read) if read.inputs.is_none()));
        assert_eq!(machine.compare(&started, &[]).unwrap(), [""; 0]);
    }
}
