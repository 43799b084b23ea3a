//! A plan's JSON on disk, for who reads it again: the user's policies, and what masks its secrets.
//!
//! It holds those secrets. It is a file for the owner alone, and goes away with the value that stands for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{TerraformError, stage};

/// A plan's JSON, as long as this lives.
#[derive(Debug)]
pub struct JsonCopy(PathBuf);

impl JsonCopy {
    /// # Errors
    /// The file cannot be made.
    pub(super) fn at(path: PathBuf) -> Result<(Self, File), TerraformError> {
        stage::remove(&path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(stage::at(&path, "written"))?;
        Ok((Self(path), file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for JsonCopy {
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
