//! The staged copy: the root and every local module that it reaches, in the same places relative to one another, so
//! that `../modules/x` still resolves. The user's tree is only read.
//!
//! Left out: what belongs to another working folder (`.terraform`, state, plans, lock info) and links to folders
//! elsewhere. A link to a file elsewhere becomes that file: roots share `versions.tf` so. Everything is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

/// A root with more than this has something in it that is not Terraform's.
const MOST_FILES: usize = 20_000;
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// What was staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// SHA-256, in hexadecimal, over the paths and contents of all files.
    pub digest: String,
    /// What was left out although Terraform may want it: links to folders elsewhere, sockets and the like.
    pub left_out: Vec<PathBuf>,
}

/// Why there is no staged copy.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("{} cannot be {doing}: {source}", .path.display())]
    Io { path: PathBuf, doing: &'static str, source: io::Error },
    #[error("{} holds more than {MOST_FILES} files or {} MiB: too much to copy", .0.display(), MOST_BYTES / 1024 / 1024)]
    TooMuch(PathBuf),
}

/// Which folders are copied, and what their places are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The innermost folder that holds the root and all modules.
    base: PathBuf,
    /// The folders to copy; none lies in another.
    folders: Vec<PathBuf>,
    root: PathBuf,
}

impl Layout {
    /// The layout of a root and the local modules that it reaches, all absolute.
    pub fn new(root: &Path, modules: &BTreeSet<PathBuf>) -> Self {
        let all: BTreeSet<&Path> = modules.iter().map(PathBuf::as_path).chain([root]).collect();
        let mut folders: Vec<PathBuf> = Vec::new();
        // In order, a folder stands before what lies in it.
        for folder in &all {
            if !folders.iter().any(|outer| folder.starts_with(outer)) {
                folders.push(folder.to_path_buf());
            }
        }
        let base = all.iter().fold(root.to_owned(), |base, folder| common(&base, folder));
        Self { base, folders, root: root.to_owned() }
    }

    /// Where the root stands in a copy that begins at `tree`.
    pub fn root_in(&self, tree: &Path) -> PathBuf {
        self.place(tree, &self.root)
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    /// What a path in a copy that begins at `tree` was copied from.
    pub(super) fn original(&self, tree: &Path, path: &Path) -> PathBuf {
        path.strip_prefix(tree).map_or_else(|_| self.base.clone(), |inside| self.base.join(inside))
    }

    fn place(&self, tree: &Path, path: &Path) -> PathBuf {
        path.strip_prefix(&self.base).map_or_else(|_| tree.to_owned(), |inside| tree.join(inside))
    }

    fn holds(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
    }
}

/// Copies everything to `tree`, which appears only when it is whole. `without` is a folder that is never copied: the
/// one that `tree` is in.
///
/// # Errors
/// A file that cannot be read or written, or too much of them.
pub fn stage(layout: &Layout, tree: &Path, without: &Path) -> Result<Staged, StageError> {
    let unfinished = tree.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(at(&unfinished, "removed"))?;
    }
    private_folder(&unfinished)?;
    let mut copy = Copying { layout, tree: &unfinished, without, files: BTreeMap::new(), bytes: 0, left_out: vec![] };
    for folder in &layout.folders {
        copy.folder(folder)?;
    }
    let Copying { files, left_out, .. } = copy;
    fs::rename(&unfinished, tree).map_err(at(tree, "put in place"))?;
    let mut digest = Sha256::new();
    for (path, content) in &files {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
        digest.update(content);
    }
    Ok(Staged { digest: hex(&digest.finalize()), left_out })
}

struct Copying<'a> {
    layout: &'a Layout,
    tree: &'a Path,
    without: &'a Path,
    /// Path in the tree, and digest of the content.
    files: BTreeMap<PathBuf, Vec<u8>>,
    bytes: u64,
    left_out: Vec<PathBuf>,
}

impl Copying<'_> {
    fn folder(&mut self, from: &Path) -> Result<(), StageError> {
        private_folder(&self.layout.place(self.tree, from))?;
        for entry in fs::read_dir(from).map_err(at(from, "read"))? {
            let path = entry.map_err(at(from, "read"))?.path();
            if is_foreign(&path) || path == self.without {
                continue;
            }
            let kind = fs::symlink_metadata(&path).map_err(at(&path, "read"))?.file_type();
            if kind.is_dir() {
                self.folder(&path)?;
            } else if kind.is_file() {
                self.file(&path)?;
            } else if kind.is_symlink() {
                self.link(&path)?;
            } else {
                self.left_out.push(path);
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path) -> Result<(), StageError> {
        let data = fs::metadata(from).map_err(at(from, "read"))?;
        self.bytes += data.len();
        if self.files.len() >= MOST_FILES || self.bytes > MOST_BYTES {
            return Err(StageError::TooMuch(self.layout.root.clone()));
        }
        let to = self.layout.place(self.tree, from);
        let content = fs::read(from).map_err(at(from, "read"))?;
        let mode = 0o600 | data.permissions().mode() & 0o100;
        write_new(&to, &content, mode).map_err(at(&to, "written"))?;
        let path = to.strip_prefix(self.tree).unwrap_or(&to).to_owned();
        self.files.insert(path, Sha256::digest(&content).to_vec());
        Ok(())
    }

    /// A link within the copy stays a link; one to a file elsewhere becomes the file; others are left out.
    fn link(&mut self, from: &Path) -> Result<(), StageError> {
        let Ok(target) = fs::canonicalize(from) else {
            self.left_out.push(from.to_owned());
            return Ok(());
        };
        if self.layout.holds(&target) {
            let to = self.layout.place(self.tree, from);
            let end = relative(from.parent().unwrap_or(from), &target);
            return symlink(&end, &to).map_err(at(&to, "linked"));
        }
        if target.is_file() {
            return self.file(from);
        }
        self.left_out.push(from.to_owned());
        Ok(())
    }
}

/// What another working folder left in the root (Terraform: "Command: init", "State", "Command: plan").
pub(super) fn is_foreign(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    matches!(&*name, ".terraform" | ".git" | "crash.log" | "terraform.tfstate.d")
        || name.ends_with(".tfplan")
        || name.contains(".tfstate")
}

/// The way from a folder to a path, both absolute.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let base = common(from, to);
    let ups = from.strip_prefix(&base).map_or(0, |rest| rest.components().count());
    let down = to.strip_prefix(&base).unwrap_or(to);
    std::iter::repeat_n(Component::ParentDir.as_os_str(), ups).collect::<PathBuf>().join(down)
}

fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a.as_os_str()).collect()
}

/// Makes a folder, and those above it, for the owner alone.
///
/// # Errors
/// As the file system says.
pub fn private_folder(path: &Path) -> Result<(), StageError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path, "made"))
}

/// Puts a file in place at once, for the owner alone, unless it has that content already.
///
/// # Errors
/// As the file system says.
pub fn write(path: &Path, content: &[u8]) -> Result<(), StageError> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    fs::remove_file(&new).or_else(absent).map_err(at(&new, "removed"))?;
    write_new(&new, content, 0o600).map_err(at(&new, "written"))?;
    fs::rename(&new, path).map_err(at(path, "put in place"))
}

/// Takes a file from everybody but its owner.
///
/// # Errors
/// As the file system says.
pub fn restrict(path: &Path) -> Result<(), StageError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(at(path, "restricted"))
}

/// Removes a file that may not be there.
///
/// # Errors
/// As the file system says.
pub fn remove(path: &Path) -> Result<(), StageError> {
    fs::remove_file(path).or_else(absent).map_err(at(path, "removed"))
}

/// Removes a folder that may not be there; links in it are not followed.
///
/// # Errors
/// As the file system says.
pub fn remove_folder(path: &Path) -> Result<(), StageError> {
    fs::remove_dir_all(path).or_else(absent).map_err(at(path, "removed"))
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

pub(super) fn at(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> StageError {
    let path = path.to_owned();
    move |source| StageError::Io { path, doing, source }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
