//! The journal on disk: appended, synced, hash-chained; read back with every link checked.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::{Event, FORMAT_VERSION, IllegalTransition, Record, RunState};

const FILE_NAME: &str = "journal.jsonl";
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Why the journal cannot be written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{} cannot be {doing}: {source}", .path.display())]
    Io { path: PathBuf, doing: &'static str, source: std::io::Error },
    #[error("{} is held by another lifeboat process", .0.display())]
    InUse(PathBuf),
    #[error("{} was altered: line {line}: {why}", .path.display())]
    Damaged { path: PathBuf, line: u64, why: String },
    #[error("{} has format version {version}; this lifeboat writes {FORMAT_VERSION}", .path.display())]
    Newer { path: PathBuf, version: u64 },
    #[error("the journal refuses its own event: {0}")]
    Illegal(#[from] IllegalTransition),
    #[error("the journal of this run failed before: {0}")]
    Broken(String),
}

/// An open journal. One process holds it at a time, by a file lock that dies with the process.
pub struct Journal {
    path: PathBuf,
    opened: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    next: u64,
    prev: String,
    state: RunState,
    broken: Option<String>,
}

/// A journal as read back.
#[derive(Debug)]
pub struct Loaded {
    pub records: Vec<Record>,
    pub state: RunState,
    /// The torn last line that was left out, where there is one.
    pub torn: Option<String>,
    /// Bytes up to the end of the last whole record.
    whole_bytes: u64,
    prev: String,
}

impl Journal {
    /// Starts the journal of a new run in its folder.
    ///
    /// # Errors
    /// The file exists already or cannot be written.
    pub fn create(run_dir: &Path) -> Result<Self, JournalError> {
        let path = run_dir.join(FILE_NAME);
        let file =
            OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path).map_err(io(&path, "created"))?;
        lock(&file, &path)?;
        sync_folder(run_dir)?;
        Ok(Self::on(file, &path))
    }

    /// A journal with nothing in it yet, on an open file.
    pub(super) fn on(file: File, path: &Path) -> Self {
        let inner = Inner { file, next: 0, prev: digest(b""), state: RunState::default(), broken: None };
        Self { path: path.to_owned(), opened: Instant::now(), inner: Mutex::new(inner) }
    }

    /// Opens a run's journal to go on with it. A torn last line is cut off.
    ///
    /// # Errors
    /// Another process holds it, it is damaged, or its format is newer.
    pub fn open(run_dir: &Path) -> Result<(Self, Loaded), JournalError> {
        let path = run_dir.join(FILE_NAME);
        let file = OpenOptions::new().append(true).open(&path).map_err(io(&path, "opened"))?;
        lock(&file, &path)?;
        let loaded = load(run_dir)?;
        if loaded.torn.is_some() {
            file.set_len(loaded.whole_bytes).map_err(io(&path, "cut"))?;
            file.sync_all().map_err(io(&path, "synced"))?;
        }
        let inner = Inner {
            file,
            next: loaded.records.len() as u64,
            prev: loaded.prev.clone(),
            state: loaded.state.clone(),
            broken: None,
        };
        Ok((Self { path, opened: Instant::now(), inner: Mutex::new(inner) }, loaded))
    }

    /// Appends an event; when this returns, it is on disk.
    ///
    /// # Errors
    /// The event cannot follow, or it could not be written. After a failed write every further append is refused,
    /// because nobody knows what is on disk.
    pub fn append(&self, event: Event) -> Result<Record, JournalError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &inner.broken {
            return Err(JournalError::Broken(why.clone()));
        }
        inner.state.apply(&event)?;
        let record = Record {
            v: FORMAT_VERSION,
            seq: inner.next,
            at: Timestamp::now(),
            mono_ms: u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX),
            prev: inner.prev.clone(),
            event,
        };
        let mut line = serde_json::to_vec(&record).map_err(|error| JournalError::Broken(error.to_string()))?;
        let hash = digest(&line);
        line.push(b'\n');
        let written = inner.file.write_all(&line).and_then(|()| inner.file.sync_data());
        if let Err(source) = written {
            inner.broken = Some(source.to_string());
            return Err(JournalError::Io { path: self.path.clone(), doing: "written", source });
        }
        inner.next += 1;
        inner.prev = hash;
        Ok(record)
    }

    /// What the events so far add up to.
    pub fn state(&self) -> RunState {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).state.clone()
    }
}

/// Reads a journal and checks every link of its chain. Read-only: it may be read while a run goes on.
///
/// # Errors
/// It cannot be read, a line other than the last is damaged, or its format is newer.
pub fn load(run_dir: &Path) -> Result<Loaded, JournalError> {
    let path = run_dir.join(FILE_NAME);
    let mut bytes = Vec::new();
    File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(io(&path, "read"))?;
    let mut loaded =
        Loaded { records: Vec::new(), state: RunState::default(), torn: None, whole_bytes: 0, prev: digest(b"") };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(body) = line.strip_suffix(b"\n") else {
            loaded.torn = Some(String::from_utf8_lossy(line).into_owned());
            break;
        };
        let number = loaded.records.len() as u64 + 1;
        let damaged = |why: String| JournalError::Damaged { path: path.clone(), line: number, why };
        let record = parse(body, &path).map_err(|error| match error {
            ParseError::Newer(error) => error,
            ParseError::Damaged(why) => damaged(why),
        })?;
        if record.prev != loaded.prev {
            return Err(damaged("its hash of the line before does not match".into()));
        }
        if record.seq != number - 1 {
            return Err(damaged(format!("sequence {} stands where {} should", record.seq, number - 1)));
        }
        loaded.state.apply(&record.event).map_err(|error| damaged(error.to_string()))?;
        loaded.prev = digest(body);
        loaded.whole_bytes += line.len() as u64;
        loaded.records.push(record);
    }
    Ok(loaded)
}

enum ParseError {
    Newer(JournalError),
    Damaged(String),
}

fn parse(body: &[u8], path: &Path) -> Result<Record, ParseError> {
    let damaged = |error: serde_json::Error| ParseError::Damaged(error.to_string());
    #[derive(serde::Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = serde_json::from_slice(body).map_err(damaged)?;
    if v > u64::from(FORMAT_VERSION) {
        return Err(ParseError::Newer(JournalError::Newer { path: path.to_owned(), version: v }));
    }
    serde_json::from_slice(body).map_err(damaged)
}

/// Whether a process holds the run's journal, so that the run goes on. Where nobody can tell, the answer is no.
pub fn is_held(run_dir: &Path) -> bool {
    let Ok(file) = File::open(run_dir.join(FILE_NAME)) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err_and(|error| error == Errno::WOULDBLOCK)
}

/// Takes the journal. [`is_held`] has its own lock on it for an instant, which must not make a resume fail: tried again
/// for longer than that.
fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    for _ in 0..LOCK_TRIES {
        if flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(());
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(JournalError::InUse(path.to_owned()))
}

/// A new file is only safe once its folder's entry is on disk as well.
fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder, "synced"))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, doing, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_held_while_its_journal_is_open_and_not_after() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!is_held(folder.path()), "no journal, nobody holds it");
        let journal = Journal::create(folder.path()).expect("a journal");
        assert!(is_held(folder.path()));
        assert!(is_held(folder.path()), "asking does not let it go");
        drop(journal);
        assert!(!is_held(folder.path()));
    }

    #[test]
    fn asking_whether_a_run_is_held_never_keeps_it_from_being_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Journal::create(folder.path()).expect("a journal"));
        let path = folder.path().to_owned();
        let asking = std::thread::spawn(move || {
            for _ in 0..100 {
                is_held(&path);
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        for _ in 0..100 {
            drop(Journal::open(folder.path()).expect("asking is over in an instant"));
        }
        asking.join().expect("no panic");
    }
}
