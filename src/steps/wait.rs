//! Waiting for AWS: asks at a pace that suits what is waited for, shows its own status, and gives up at a deadline.

use std::time::{Duration, Instant};

use super::{Cx, StepError};
use crate::manifest::Component;

/// The shortest time between two questions about one resource.
const FASTEST: Duration = Duration::from_secs(2);
/// The longest one: the end of a wait is noticed within half of it on average.
const SLOWEST: Duration = Duration::from_secs(6);

/// How long AWS may take to show what it has accepted: reads may lag behind a moment.
pub const APPEARS: Duration = Duration::from_secs(5 * 60);
/// How long one change of a setting may take to be in force.
pub const SETTLES: Duration = Duration::from_secs(15 * 60);
/// How long a restore is waited for where no objective says it.
const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

/// How long to wait for a restore: as long as the component may take at all, by its RTO.
pub fn deadline(cx: &Cx, component: Component) -> Duration {
    let rto = cx.world.manifest.objectives.get(&component).and_then(|objective| objective.rto);
    rto.and_then(|rto| Duration::try_from(rto).ok()).filter(|rto| !rto.is_zero()).unwrap_or(LONGEST)
}

/// What a question shows.
pub enum Ready<T> {
    Yes(T),
    /// Not yet, with AWS's own word for it: `creating`.
    NotYet(String),
}

/// Asks until the answer is yes. `what` names the resource for the status line.
///
/// # Errors
/// What `ask` returns; the deadline; or a request to stop, in which case what was begun goes on in AWS and a resumed
/// run attaches to it.
pub async fn wait_until<T, F, A>(cx: &Cx, what: &str, deadline: Duration, mut ask: F) -> Result<T, StepError>
where
    F: FnMut() -> A,
    A: Future<Output = Result<Ready<T>, StepError>>,
{
    let began = Instant::now();
    loop {
        let status = match ask().await? {
            Ready::Yes(value) => return Ok(value),
            Ready::NotYet(status) => status,
        };
        let elapsed = began.elapsed();
        if elapsed >= deadline {
            return Err(StepError::failed(format!(
                "{what} was still {status} after {} minutes",
                elapsed.as_secs() / 60
            ))
            .hint("it may still become ready: retry the step to go on waiting for it"));
        }
        cx.status(format!("{what}: {status}"));
        tokio::select! {
            () = tokio::time::sleep((elapsed / 20).clamp(FASTEST, SLOWEST)) => {}
            () = cx.stopped() => {
                return Err(StepError::interrupted(format!("stopped while {what} was {status}; it goes on in AWS")));
            }
        }
    }
}
