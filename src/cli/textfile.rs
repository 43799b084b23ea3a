//! Metrics for Prometheus's node exporter: a file that is either the old one or the new one, and never a part of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::error::CliError;

/// The collector runs as somebody else, and must be able to read it; there is no secret in it.
const MODE: u32 = 0o644;

/// Writes the file beside its place, then puts it there. The collector reads names that end in `.prom` alone, so that it
/// does not see the other one.
///
/// # Errors
/// It cannot be written; what was there is there still.
pub fn write(path: &Path, text: &str) -> Result<(), CliError> {
    replace(path, text).map_err(|error| {
        CliError::error(format!("{} cannot be written", path.display()))
            .cause(error.to_string())
            .hint("it is replaced as a whole, which needs a folder that may be written")
    })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it is no name of a file"))?;
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = new(&beside, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        fs::remove_file(&beside).ok();
    }
    written
}

fn new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    // Whatever the mask of this process is.
    file.set_permissions(fs::Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lifeboat.prom");
        write(&path, "lifeboat_ready 1\n").expect("written");
        write(&path, "lifeboat_ready 0\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("text"), "lifeboat_ready 0\n");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
        assert!(write(&dir.path().join("nowhere/lifeboat.prom"), "").is_err());
        assert!(write(dir.path(), "").is_err(), "a folder is not replaced");
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
    }
}
