//! Fans what happens out to the reporters.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::steps::Notice;

/// How often live views move.
const TICK: Duration = Duration::from_millis(100);

/// When something is reported. Reporters have no clock of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    pub at: Timestamp,
    /// Time on a monotonic clock since reporting began.
    pub mono: Duration,
}

/// Shows a run to somebody. It must not fail: what cannot be shown is left out.
pub trait Reporter: Send {
    fn notice(&mut self, notice: &Notice, now: Now);

    /// Time has passed.
    fn tick(&mut self, _now: Now) {}

    /// There will be no more notices.
    fn finish(&mut self, _now: Now) {}
}

/// Tells every reporter what comes, until the channel is closed.
///
/// The reporters have a thread of their own: a terminal that was stopped (Ctrl-S) or a pipe that nobody empties holds
/// up the reporting, never the run.
pub async fn run(reporters: Vec<Box<dyn Reporter>>, notices: mpsc::UnboundedReceiver<Notice>) {
    let runtime = tokio::runtime::Handle::current();
    let thread = tokio::task::spawn_blocking(move || runtime.block_on(fan_out(reporters, notices)));
    if let Err(error) = thread.await {
        tracing::error!(%error, "a reporter failed; the run is in its journal");
    }
}

async fn fan_out(mut reporters: Vec<Box<dyn Reporter>>, mut notices: mpsc::UnboundedReceiver<Notice>) {
    let began = Instant::now();
    let now = || Now { at: Timestamp::now(), mono: began.elapsed() };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => reporters.iter_mut().for_each(|reporter| reporter.tick(now())),
            notice = notices.recv() => match notice {
                Some(notice) => reporters.iter_mut().for_each(|reporter| reporter.notice(&notice, now())),
                None => break,
            },
        }
    }
    reporters.iter_mut().for_each(|reporter| reporter.finish(now()));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;
    use crate::runbook::StepId;
    use crate::steps::Progress;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Heard {
        fn say(&self, word: impl Into<String>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(word.into());
        }
    }

    impl Reporter for Heard {
        fn notice(&mut self, notice: &Notice, _: Now) {
            if let Notice::Progress { step, .. } = notice {
                self.say(step.as_str());
            }
        }
        fn finish(&mut self, _: Now) {
            self.say("finished");
        }
    }

    #[tokio::test]
    async fn every_reporter_hears_everything_in_order_and_then_the_end() {
        let (send, notices) = mpsc::unbounded_channel();
        let (first, second) = (Heard::default(), Heard::default());
        let task = tokio::spawn(run(vec![Box::new(first.clone()), Box::new(second.clone())], notices));
        for name in ["a", "b", "c"] {
            let progress = Progress::Status { text: "x".into() };
            send.send(Notice::Progress { step: StepId::from(name), progress }).expect("a listener");
        }
        drop(send);
        task.await.expect("an end");
        for heard in [first, second] {
            assert_eq!(*heard.0.lock().expect("no panic"), ["a", "b", "c", "finished"]);
        }
    }
}
