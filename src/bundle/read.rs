//! Reads a bundle from a folder or an archive. Whoever made it is not trusted: links, ways out of it, and sizes beyond all
//! measure are refused before anything is believed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::index::FILE;
use super::seal::{Broken, Bundle, Contents, open};

/// A bundle has a dozen files.
const MOST_FILES: usize = 100;
/// All files together. A plan of 50,000 resources is some 75 MB.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{} cannot be read: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} leads out of it, or is a link")]
    Unsafe(String),
    #[error("it has more than {MOST_FILES} files, or more than {} MiB", MOST_BYTES / 1024 / 1024)]
    TooMuch,
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Reads a bundle: a folder, or an archive (`.tar.zst`).
///
/// # Errors
/// It cannot be read, or is not whole.
pub fn read(path: &Path) -> Result<Bundle, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.is_dir() {
        // Said first: what a folder that is no bundle holds otherwise is no reason to refuse it.
        if !path.join(FILE).is_file() {
            return Err(Broken::NoIndex.into());
        }
        let mut files = Files::within(MOST_BYTES);
        files.folder(path, "")?;
        return Ok(open(files.contents()?)?);
    }
    unpack(File::open(path).map_err(failed)?, path)
}

/// Reads a bundle's archive; `path` is what it is called.
///
/// # Errors
/// As [`read`].
pub fn unpack(archive: impl Read, path: &Path) -> Result<Bundle, ReadError> {
    Ok(open(unpacked(archive, path, MOST_BYTES)?)?)
}

/// The files of an archive, of at most so many bytes together.
pub(super) fn unpacked(archive: impl Read, path: &Path, most_bytes: u64) -> Result<Contents, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let plain = zstd::Decoder::new(archive).map_err(failed)?;
    // Headers take some room beside the files.
    let mut archive = tar::Archive::new(plain.take(most_bytes + 1024 * 1024));
    let mut files = Files::within(most_bytes);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?.into_owned();
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(ReadError::Unsafe(name.display().to_string()));
        }
        files.add(&plain_name(&name)?, &mut entry, path)?;
    }
    Ok(files.contents()?)
}

/// The name of a file inside, which must lead nowhere else.
fn plain_name(name: &Path) -> Result<String, ReadError> {
    let outside = || ReadError::Unsafe(name.display().to_string());
    let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    name.to_str().filter(|name| inside && !name.is_empty()).map(str::to_owned).ok_or_else(outside)
}

struct Files {
    files: BTreeMap<String, Vec<u8>>,
    bytes: u64,
    most_bytes: u64,
}

impl Files {
    fn within(most_bytes: u64) -> Self {
        Self { files: BTreeMap::new(), bytes: 0, most_bytes }
    }

    fn folder(&mut self, dir: &Path, prefix: &str) -> Result<(), ReadError> {
        let failed = |source| ReadError::Io { path: dir.to_owned(), source };
        for entry in fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = format!("{prefix}{}", plain_name(Path::new(&entry.file_name()))?);
            let (kind, path) = (entry.file_type().map_err(failed)?, entry.path());
            if kind.is_dir() && prefix.is_empty() {
                self.folder(&path, &format!("{name}/"))?;
            } else if kind.is_file() {
                let mut file = File::open(&path).map_err(failed)?;
                self.add(&name, &mut file, &path)?;
            } else {
                return Err(ReadError::Unsafe(name));
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, source: &mut dyn Read, path: &Path) -> Result<(), ReadError> {
        let mut content = Vec::new();
        let room = self.most_bytes - self.bytes;
        let read = source.take(room + 1).read_to_end(&mut content);
        read.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        self.bytes += content.len() as u64;
        if self.bytes > self.most_bytes || self.files.len() >= MOST_FILES {
            return Err(ReadError::TooMuch);
        }
        if self.files.insert(name.to_owned(), content).is_some() {
            return Err(Broken::Strange { name: name.to_owned(), why: "it is there twice".into() }.into());
        }
        Ok(())
    }

    fn contents(mut self) -> Result<Contents, Broken> {
        let index = self.files.remove(FILE).ok_or(Broken::NoIndex)?;
        Ok(Contents { index, files: self.files })
    }
}
