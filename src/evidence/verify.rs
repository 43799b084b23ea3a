//! Proves that a folder holds what a manifest of evidence names, as `aws s3 sync` of its prefix lays it. Reads files only, and
//! holds none in memory but the manifest and the journal. Links are not followed: evidence is not elsewhere.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::{FILE, Item, Manifest, NotAManifest, read};
use super::{NotCollected, Snapshot, journal};
use crate::terraform::stage::hex;

/// Larger than any manifest or journal.
const LARGEST_BYTES: u64 = 256 * 1024 * 1024;
const BUFFER_BYTES: usize = 128 * 1024;

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verified {
    pub schema_version: u64,
    /// Everything is there and unchanged, and nothing else is.
    pub whole: bool,
    pub run: String,
    pub environment: String,
    /// The hash that the manifest names as its own: compare it with one that was kept elsewhere.
    pub manifest_sha256: String,
    pub items: usize,
    pub unchanged: usize,
    pub findings: Vec<Finding>,
    /// Items that nothing keeps from being deleted or overwritten in the bucket.
    pub unlocked: usize,
    /// They stay in AWS: nothing here tells whether they are still there.
    pub not_checked: Vec<Snapshot>,
    pub not_collected: Vec<NotCollected>,
}

/// One thing that is not as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub key: String,
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    Missing,
    Changed {
        expected_sha256: String,
        found_sha256: String,
    },
    /// Its content is the one named, but it is no journal, or that of something else.
    Journal {
        why: String,
    },
    /// It lies beside the evidence, and no manifest names it.
    Extra,
}

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("{} cannot be read: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no manifest of evidence: {source}", .path.display())]
    NotAManifest { path: PathBuf, source: NotAManifest },
}

/// Verifies the manifest `file` and what lies in `folder`, which is the manifest's own where none is named.
///
/// # Errors
/// The manifest is none, or something could not be read: then nothing is said of the rest.
pub fn verify_folder(file: &Path, folder: Option<&Path>) -> Result<Verified, VerifyError> {
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.unwrap_or(beside);
    let bytes = whole(file).map_err(io_of(file))?;
    let (manifest, own) = read(&bytes).map_err(|source| VerifyError::NotAManifest { path: file.to_owned(), source })?;
    // An empty folder and a wrong one are different news.
    std::fs::read_dir(folder).map_err(io_of(folder))?;
    let mut findings = Vec::new();
    if own != manifest.sha256 {
        let fault = Fault::Changed { expected_sha256: manifest.sha256.clone(), found_sha256: own };
        findings.push(Finding { key: FILE.to_owned(), fault });
    }
    let mut unchanged = 0;
    for item in &manifest.draft.items {
        match fault_of(item, folder, &manifest)? {
            Some(fault) => findings.push(Finding { key: item.key.clone(), fault }),
            None => unchanged += 1,
        }
    }
    let known: BTreeSet<&str> = manifest.draft.items.iter().map(|item| item.key.as_str()).collect();
    let there = files(folder, file)?;
    let extra = there.into_iter().filter(|key| !known.contains(key.as_str()));
    findings.extend(extra.map(|key| Finding { key, fault: Fault::Extra }));
    Ok(Verified {
        schema_version: 1,
        whole: findings.is_empty(),
        run: manifest.draft.run,
        environment: manifest.draft.environment,
        manifest_sha256: manifest.sha256,
        items: manifest.draft.items.len(),
        unchanged,
        findings,
        unlocked: manifest.draft.items.iter().filter(|item| item.lock.is_none()).count(),
        not_checked: manifest.draft.snapshots,
        not_collected: manifest.draft.not_collected,
    })
}

fn fault_of(item: &Item, folder: &Path, manifest: &Manifest) -> Result<Option<Fault>, VerifyError> {
    let path = folder.join(&item.key);
    if !is_file_below(folder, &item.key)? {
        return Ok(Some(Fault::Missing));
    }
    let found_sha256 = sha256(&path).map_err(io_of(&path))?;
    if found_sha256 != item.sha256 {
        return Ok(Some(Fault::Changed { expected_sha256: item.sha256.clone(), found_sha256 }));
    }
    if item.key != manifest.draft.journal.key {
        return Ok(None);
    }
    let bytes = whole(&path).map_err(io_of(&path))?;
    Ok(journal::fault(&bytes, &path, manifest).map(|why| Fault::Journal { why }))
}

/// Whether a file stands there, reached by folders alone.
fn is_file_below(folder: &Path, key: &str) -> Result<bool, VerifyError> {
    let mut path = folder.to_owned();
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let fits = match std::fs::symlink_metadata(&path) {
            Ok(found) if parts.peek().is_none() => found.is_file(),
            Ok(found) => found.is_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            // What may not be looked at is not missing.
            Err(source) => return Err(VerifyError::Io { path, source }),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Everything in a folder that is no folder, by its path below it, but the manifest itself.
fn files(folder: &Path, manifest: &Path) -> Result<Vec<String>, VerifyError> {
    let manifest = std::fs::canonicalize(manifest).map_err(io_of(manifest))?;
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).map_err(io_of(&at))? {
            let path = entry.map_err(io_of(&at))?.path();
            let kind = std::fs::symlink_metadata(&path).map_err(io_of(&path))?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() || std::fs::canonicalize(&path).map_err(io_of(&path))? != manifest {
                let below = path.strip_prefix(folder).unwrap_or(&path);
                found.push(below.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST_BYTES {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than any that lifeboat writes")),
        false => Ok(bytes),
    }
}

fn io_of(path: &Path) -> impl FnOnce(io::Error) -> VerifyError {
    let path = path.to_owned();
    move |source| VerifyError::Io { path, source }
}
