//! What stands between a journal and its effects: the lease and the replica, as the journal and the engine know them.
//! They know no bucket.

use async_trait::async_trait;

/// Why nothing more may be done under a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another holder has the lease, or it could not be renewed in time. Nothing may be appended any more.
    #[error("the lease is lost: {0}")]
    LeaseLost(String),
    /// The copy of the journal in the bucket holds what this process did not write. Nothing may be appended any more.
    #[error("the copies of the journal conflict: {0}")]
    Conflicting(String),
    /// The copy cannot be written now: no effect may begin, but what was done may still be written down here.
    #[error("the journal cannot be copied to the state bucket: {0}")]
    NotReplicated(String),
}

/// Asked before every append and before every effect.
#[async_trait]
pub trait Guard: Send + Sync {
    /// May something be appended? Asks nobody: it must be cheap.
    ///
    /// # Errors
    /// Why not.
    fn check(&self) -> Result<(), Refusal>;

    /// A line is on disk here. Told in order, each once, with its newline.
    fn appended(&self, seq: u64, line: Vec<u8>);

    /// Waits, not for ever, until the lines before number `next` are where another machine would find them.
    ///
    /// # Errors
    /// They are not.
    async fn settled(&self, next: u64) -> Result<(), Refusal>;
}
