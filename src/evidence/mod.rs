//! Evidence of a breach: the manifest of hashes that seals it, and the proof, without any cloud, that what was kept is what
//! was sealed. `spec` is what steps carry through runbook and journal; they collect it. Nothing here asks AWS or writes anything.

mod journal;
mod manifest;
mod spec;
mod verify;

pub use manifest::{
    Draft, FILE, Item, JournalEnd, KIND, Manifest, NotAManifest, NotCollected, SCHEMA_VERSION, Snapshot, Unsealable,
    read, seal,
};
pub use spec::{
    Collected, Evidence, EvidencePlace, EvidenceStep, PLACE, Retention, RetentionMode, SEAL, Sealed, VERIFY,
    backup_name, export_name, folder, snapshot_name,
};
pub use verify::{Fault, Finding, Verified, VerifyError, verify_folder};
