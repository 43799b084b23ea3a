//! Whether a copy of a journal is whole, and the one that a manifest names. Pure.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::manifest::Manifest;
use crate::journal;
use crate::terraform::stage::hex;

/// What is wrong with the journal's copy, in words; `None` where it is the one that was sealed.
pub(super) fn fault(bytes: &[u8], path: &Path, manifest: &Manifest) -> Option<String> {
    let sealed = &manifest.draft;
    let loaded = match journal::check(bytes, path) {
        Ok(loaded) => loaded,
        Err(error) => return Some(error.to_string()),
    };
    if loaded.torn.is_some() {
        return Some("its last line is torn".to_owned());
    }
    let records = loaded.records.len() as u64;
    if records != sealed.journal.records {
        return Some(format!("it has {records} records, the manifest names {}", sealed.journal.records));
    }
    let last = bytes.strip_suffix(b"\n").unwrap_or(bytes).rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let last_sha256 = hex(&Sha256::digest(last));
    if last_sha256 != sealed.journal.last_sha256 {
        let named = &sealed.journal.last_sha256;
        return Some(format!("its last record has SHA-256 {last_sha256}, the manifest names {named}"));
    }
    match loaded.state.started {
        Some(started) if started.run == sealed.run => None,
        Some(started) => Some(format!("it is of run {}, the manifest of {}", started.run, sealed.run)),
        None => Some("it has no beginning".to_owned()),
    }
}
