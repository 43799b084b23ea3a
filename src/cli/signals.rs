//! Ctrl-C and SIGTERM: the first asks the run to park, the second says what a third would cut off.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::{CliError, Exit};
use crate::report;

/// Listens for the signals that ask to stop. What is returned turns true at the first one; a lost lease sets it as well.
///
/// SIGHUP is taken and ignored: when an SSH session drops, a recovery goes on, and its journal tells how.
///
/// # Errors
/// The signals cannot be listened to.
pub fn listen() -> Result<watch::Sender<bool>, CliError> {
    let listen = |kind| signal(kind).map_err(|error| CliError::error(format!("cannot listen for signals: {error}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let (stop, _) = watch::channel(false);
    let stopping = stop.clone();
    tokio::spawn(async move {
        let mut asked = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => asked += 1,
                _ = terminate.recv() => asked += 1,
                _ = hangup.recv() => continue,
            }
            match asked {
                1 => {
                    report::to_stderr("stopping: no new step starts; what runs is brought to a safe place\n");
                    stopping.send_replace(true);
                }
                2 => report::to_stderr(
                    "still stopping: once more would leave Terraform running without lifeboat watching it, and its state lock held\n",
                ),
                _ => std::process::exit(Exit::Held as i32),
            }
        }
    });
    Ok(stop)
}
