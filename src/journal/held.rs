//! A lease and a replica together: what guards the journal of a run that is worked on under a lease.

use async_trait::async_trait;

use super::guard::{Guard, Refusal};
use super::lease::Lease;
use super::replica::Replica;

pub struct Held {
    pub lease: Lease,
    pub replica: Replica,
}

/// What became of lease and replica at the end of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Why the copy in the bucket is behind the journal, where it is.
    pub not_replicated: Option<String>,
    /// Why the lease was not released, where it was not; it expires by itself.
    pub not_released: Option<String>,
}

impl Held {
    /// Waits until the lines before number `next` are copied, then lets the lease go. A lease that is lost is left as it
    /// is, and nothing is copied any more.
    pub async fn let_go(&self, next: u64, finished: bool) -> LetGo {
        if let Err(lost) = self.lease.keeping().check() {
            return LetGo { not_replicated: Some(lost.to_string()), not_released: Some(lost.to_string()) };
        }
        let not_replicated = self.replica.settled(next).await.err().map(|error| error.to_string());
        // A run whose end is not in the bucket has no end there: another machine must be able to take it up.
        let finished = finished && not_replicated.is_none();
        LetGo { not_replicated, not_released: self.lease.release(finished).await.err() }
    }
}

#[async_trait]
impl Guard for Held {
    fn check(&self) -> Result<(), Refusal> {
        self.lease.keeping().check()?;
        self.replica.check()
    }

    fn appended(&self, _seq: u64, line: Vec<u8>) {
        self.replica.push(line);
    }

    async fn settled(&self, next: u64) -> Result<(), Refusal> {
        self.replica.settled(next).await
    }
}
