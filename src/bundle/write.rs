//! Writes a bundle to a folder or an archive, for its owner alone, whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::index::FILE;
use super::seal::Contents;
use crate::terraform::stage::private_folder;

const LEVEL: i32 = 3;

/// Why a bundle is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{} is there already", .0.display())]
    There(PathBuf),
    #[error("{} cannot be written: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Whether a path names an archive.
fn is_archive(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".tar.zst"))
}

/// Writes a bundle to `path`: an archive where it ends with `.tar.zst`, else a folder.
///
/// # Errors
/// Something is there, or it cannot be written.
pub fn write(contents: &Contents, path: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { path: path.to_owned(), source };
    if fs::symlink_metadata(path).is_ok() {
        return Err(WriteError::There(path.to_owned()));
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        private_folder(parent).map_err(|error| failed(io::Error::other(error)))?;
    }
    let unfinished = beside(path, ".unfinished");
    if is_archive(path) {
        fs::remove_file(&unfinished).or_else(absent).map_err(failed)?;
        file(&unfinished, &pack(contents).map_err(failed)?).map_err(failed)?;
    } else {
        fs::remove_dir_all(&unfinished).or_else(absent).map_err(failed)?;
        folder(&unfinished, contents).map_err(failed)?;
    }
    fs::rename(&unfinished, path).map_err(failed)
}

/// Writes a file called like the bundle, with an ending of its own.
///
/// # Errors
/// It cannot be written.
pub fn write_beside(bundle: &Path, ending: &str, content: &[u8]) -> Result<PathBuf, WriteError> {
    let path = beside(bundle, ending);
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let unfinished = beside(&path, ".unfinished");
    fs::remove_file(&unfinished).or_else(absent).map_err(failed)?;
    file(&unfinished, content).and_then(|()| fs::rename(&unfinished, &path)).map_err(failed)?;
    Ok(path)
}

/// A bundle as one archive.
///
/// # Errors
/// None in practice: nothing leaves memory.
pub fn pack(contents: &Contents) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), LEVEL)?);
    let all = std::iter::once((FILE, &contents.index));
    for (name, content) in all.chain(contents.files.iter().map(|(name, content)| (name.as_str(), content))) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    archive.into_inner()?.finish()
}

fn folder(dir: &Path, contents: &Contents) -> io::Result<()> {
    private_folder(dir).map_err(io::Error::other)?;
    for (name, content) in &contents.files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            private_folder(parent).map_err(io::Error::other)?;
        }
        file(&path, content)?;
    }
    file(&dir.join(FILE), &contents.index)
}

fn file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The path with an ending behind its whole name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.components().as_path().as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
