//! Waiting for AWS: asks at a pace that suits what is waited for, shows its own status, and gives up at a deadline.

use std::time::{Duration, Instant};

use super::{Cx, StepError};

/// The shortest time between two questions about one resource.
const FASTEST: Duration = Duration::from_secs(2);
/// The longest one: the end of a wait is noticed within half of it on average.
const SLOWEST: Duration = Duration::from_secs(6);

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
pub async fn wait_until<T, F>(cx: &Cx, what: &str, deadline: Duration, mut ask: F) -> Result<T, StepError>
where
    F: AsyncFnMut() -> Result<Ready<T>, StepError>,
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
