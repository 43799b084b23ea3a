//! Evidence of a breach: the manifest of hashes that seals it, and the proof, without any cloud, that what was kept is what
//! was sealed. Nothing here asks AWS or writes anything.

mod journal;
mod manifest;
mod verify;

pub use manifest::{
    Draft, FILE, Item, JournalEnd, KIND, Manifest, NotAManifest, NotCollected, SCHEMA_VERSION, Snapshot, Unsealable,
    read, seal,
};
pub use verify::{Fault, Finding, Verified, VerifyError, verify_folder};
