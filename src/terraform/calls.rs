//! Calls of Terraform in a work folder: each with a log of its own, its environment, and its failure in Terraform's words.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::args::Args;
use super::diagnostics::{self, Diagnostic};
use super::environment::{self, Paths};
use super::error::credentials_expired;
use super::errored::Custody;
use super::events::{self, Event, Summary};
use super::left_lock::{self, TRACE};
use super::lock::LockInfo;
use super::process::{self, Call, Ended};
use super::workdir::{Done, Observer, Workdir};
use super::{TerraformError, prepare, stage};

/// Diagnostics and text of one call that are kept in memory; the log has everything.
const KEPT: usize = 100;
const KEPT_BYTES: u64 = 64 * 1024;
/// The most of a program's error output that is told.
const BESIDE_BYTES: u64 = 2048;

impl Workdir {
    /// Runs Terraform and follows what it says; any exit code but those in `fine` is an error. A lock that a Terraform of
    /// this run has left behind is taken away, and the call made again.
    pub(super) async fn follow(
        &self,
        ready: &prepare::Ready,
        verb: &'static str,
        args: Args,
        fine: &[i32],
        observer: &dyn Observer,
    ) -> Result<Done, TerraformError> {
        match self.followed(ready, verb, args.clone(), fine, observer).await {
            Err(TerraformError::Locked { lock, .. }) if self.is_left(&lock)? => {
                observer.status("taking away the state lock that a terraform of this run has left behind");
                observer.custody(&Custody::Unlocking(lock.clone()));
                self.take_away(ready, &lock.id, observer).await?;
                self.followed(ready, verb, args, fine, observer).await
            }
            done => done,
        }
    }

    fn is_left(&self, lock: &LockInfo) -> Result<bool, TerraformError> {
        left_lock::is_left(&self.path("log"), &lock.id).map_err(|source| TerraformError::Run { verb: "", source })
    }

    /// One call, without a second try.
    pub(super) async fn followed(
        &self,
        ready: &prepare::Ready,
        verb: &'static str,
        args: Args,
        fine: &[i32],
        observer: &dyn Observer,
    ) -> Result<Done, TerraformError> {
        let call = self.call(ready, verb, args)?;
        let log = call.log.clone();
        let mut heard = Heard::default();
        let ended = process::follow(call, observer.stopped(), |line| {
            let event = events::parse(line);
            observer.event(&event);
            heard.take(event);
        });
        let ended = ended.await.map_err(|source| TerraformError::Run { verb, source })?;
        if ended.code.is_some_and(|code| fine.contains(&code)) {
            return Ok(Done { code: ended.code, summary: heard.summary, diagnostics: heard.diagnostics, log });
        }
        Err(self.failure(verb, ended, heard.told(), log))
    }

    /// Runs a Terraform that only reads, and gives its output to `parse`. A request to stop does not touch it: it ends
    /// soon by itself, and what it tells may be what a finished apply has to return.
    pub(super) async fn read<T, F>(
        &self,
        ready: &prepare::Ready,
        verb: &'static str,
        args: Args,
        parse: F,
    ) -> Result<T, TerraformError>
    where
        F: FnOnce(&mut dyn Read) -> T + Send + 'static,
        T: Send + 'static,
    {
        let call = self.call(ready, verb, args)?;
        let log = call.log.clone();
        let read = process::read(call, std::future::pending(), parse).await;
        let (parsed, ended) = read.map_err(|source| TerraformError::Run { verb, source })?;
        if ended.code == Some(0) {
            return Ok(parsed);
        }
        let said = fs::File::open(&log).and_then(|mut file| text(&mut file, KEPT_BYTES)).unwrap_or_default();
        // The first line is ours: the call.
        let said = said.split_once('\n').map_or("", |(_, rest)| rest);
        Err(self.failure(verb, ended, diagnostics::errors(&diagnostics::from_text(said)), log))
    }

    fn call(&self, ready: &prepare::Ready, verb: &str, args: Args) -> Result<Call, TerraformError> {
        let region = &self.manifest.recovery.name;
        let log = self.next_log(verb)?;
        let trace = log.with_extension(TRACE);
        stage::write(&trace, b"")?;
        let paths = Paths { data: &ready.data, trace: &trace };
        let env = environment::terraform(&self.environment, &ready.declared, &paths, region);
        let program = self.binary()?.path.clone();
        Ok(Call { program, args, dir: ready.root.clone(), env, log })
    }

    fn failure(&self, verb: &'static str, ended: Ended, told: Option<String>, log: PathBuf) -> TerraformError {
        if ended.interrupted {
            return TerraformError::Interrupted { verb, log };
        }
        let told = told.unwrap_or_else(|| match (ended.code, ended.signal) {
            (Some(code), _) => format!("it said nothing and ended with status {code}"),
            (None, signal) => format!("signal {} ended it", signal.unwrap_or_default()),
        });
        if let Some(lock) = LockInfo::from_text(&told) {
            return TerraformError::Locked { verb, lock: Box::new(lock), run: self.run(), log };
        }
        match credentials_expired(&told) {
            true => TerraformError::Credentials { verb, told, log },
            false => TerraformError::Failed { verb, told, log },
        }
    }

    /// A name for a log that no earlier call of this run has, in the order of the calls.
    pub(super) fn next_log(&self, verb: &str) -> Result<PathBuf, TerraformError> {
        let dir = self.path("log");
        let there = fs::read_dir(&dir).map_err(stage::at(&dir, "read"))?.flatten();
        let taken: BTreeSet<u32> = there.filter_map(|it| number(&it.file_name().to_string_lossy())).collect();
        let last = taken.last().copied().unwrap_or(0);
        self.logs.fetch_max(last, Ordering::SeqCst);
        let next = self.logs.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(dir.join(format!("{next:02}-{verb}.log")))
    }
}

/// `7` of `07-plan.log`.
fn number(name: &str) -> Option<u32> {
    name.split_once('-')?.0.parse().ok()
}

/// What Terraform said in one call, as far as it is kept.
#[derive(Default)]
struct Heard {
    summary: Option<Summary>,
    diagnostics: Vec<Diagnostic>,
    text: String,
}

impl Heard {
    fn take(&mut self, event: Event) {
        match event {
            Event::Summary(summary) => self.summary = Some(summary),
            Event::Diagnostic(diagnostic) if self.diagnostics.len() < KEPT => self.diagnostics.push(diagnostic),
            Event::Text(line) if (self.text.len() as u64) < KEPT_BYTES => {
                self.text.push_str(&line);
                self.text.push('\n');
            }
            _ => {}
        }
    }

    fn told(&self) -> Option<String> {
        diagnostics::errors(&self.diagnostics).or_else(|| diagnostics::errors(&diagnostics::from_text(&self.text)))
    }
}

pub(super) fn text(source: &mut dyn Read, most: u64) -> std::io::Result<String> {
    bytes(source, most).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads bytes to their end, or as many as are wanted at most.
pub(super) fn bytes(source: &mut dyn Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a program said on its error output, which its log has below the call.
pub(super) fn beside(log: &Path) -> String {
    let said = fs::File::open(log).and_then(|mut log| text(&mut log, BESIDE_BYTES)).unwrap_or_default();
    match said.split_once('\n').map_or("", |(_, rest)| rest).trim() {
        "" => String::new(),
        said => format!("; {said}"),
    }
}
