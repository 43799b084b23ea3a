//! The journal on disk: appended, synced, hash-chained; read back with every link checked.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::chain::{Loaded, check, digest};
use super::guard::{Guard, Refusal};
use super::{Event, FORMAT_VERSION, IllegalTransition, Record, RunState};

const FILE_NAME: &str = "journal.jsonl";
const LOCK_TRIES: u32 = 50;
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
    /// The lease is lost, or the replica cannot be written: nothing more may be done under this journal.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// An open journal. One process holds it at a time, by a file lock that dies with the process.
pub struct Journal {
    path: PathBuf,
    opened: Instant,
    inner: Mutex<Inner>,
    guard: Option<Arc<dyn Guard>>,
}

struct Inner {
    file: File,
    next: u64,
    prev: String,
    state: RunState,
    broken: Option<String>,
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
        Self { path: path.to_owned(), opened: Instant::now(), inner: Mutex::new(inner), guard: None }
    }

    /// Opens a run's journal to go on with it. A torn last line is cut off.
    ///
    /// # Errors
    /// Another process holds it, it is damaged, or its format is newer.
    pub fn open(run_dir: &Path) -> Result<(Self, Loaded), JournalError> {
        let path = run_dir.join(FILE_NAME);
        let file = OpenOptions::new().append(true).open(&path).map_err(io(&path, "opened"))?;
        lock(&file, &path)?;
        Self::resumed(file, run_dir)
    }

    /// An open journal, read from its file.
    fn resumed(file: File, run_dir: &Path) -> Result<(Self, Loaded), JournalError> {
        let path = run_dir.join(FILE_NAME);
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
        Ok((Self { path, opened: Instant::now(), inner: Mutex::new(inner), guard: None }, loaded))
    }

    /// Takes over lines that another machine has added to the same run, as its copy of the journal has them. The whole
    /// chain is checked before a byte is written. `lines` are those after the last of this journal.
    ///
    /// # Errors
    /// The lines do not follow, or could not be written.
    pub fn extend(self, lines: &[u8]) -> Result<(Self, Loaded), JournalError> {
        let Self { path, inner, .. } = self;
        let mut file = inner.into_inner().unwrap_or_else(PoisonError::into_inner).file;
        let mut whole = std::fs::read(&path).map_err(io(&path, "read"))?;
        whole.extend_from_slice(lines);
        let checked = check(&whole, &path)?;
        if let Some(torn) = checked.torn {
            let line = checked.records.len() as u64 + 1;
            return Err(JournalError::Damaged { path, line, why: format!("it is torn after {} bytes", torn.len()) });
        }
        file.write_all(lines).and_then(|()| file.sync_all()).map_err(io(&path, "written"))?;
        Self::resumed(file, path.parent().unwrap_or(&path))
    }

    /// Puts the journal under a guard: from here on it asks before each append, and tells what it has appended.
    #[must_use]
    pub fn guarded(mut self, guard: Arc<dyn Guard>) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Appends an event; when this returns, it is on disk.
    ///
    /// # Errors
    /// The event cannot follow, the guard refuses, or it could not be written. After a failed write every further append is refused,
    /// because nobody knows what is on disk.
    pub fn append(&self, event: Event) -> Result<Record, JournalError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &inner.broken {
            return Err(JournalError::Broken(why.clone()));
        }
        if let Some(guard) = &self.guard {
            guard.check()?;
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
        // Under the lock, so that lines are told in their order.
        if let Some(guard) = &self.guard {
            guard.appended(record.seq, line);
        }
        Ok(record)
    }

    /// Waits until everything that was appended so far is where another machine would find it, and the lease still
    /// holds: from then on an effect may begin. Without a guard that is at once.
    ///
    /// # Errors
    /// The guard refuses; the effect must not happen.
    pub async fn settled(&self) -> Result<(), JournalError> {
        let Some(guard) = &self.guard else { return Ok(()) };
        guard.settled(self.next()).await?;
        Ok(guard.check()?)
    }

    /// How many records it holds: the number of the next.
    pub fn next(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    /// What the events so far add up to.
    pub fn state(&self) -> RunState {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).state.clone()
    }
}

/// Puts a journal that came from elsewhere into a run's folder, whole or not at all. It was checked before.
///
/// # Errors
/// There is one already, or it cannot be written.
pub fn put(run_dir: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    let (path, unfinished) = (run_dir.join(FILE_NAME), run_dir.join("journal.unfinished"));
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
    let written = options.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link is refused where the name is taken, unlike a rename.
        std::fs::hard_link(&unfinished, &path)?;
        std::fs::remove_file(&unfinished)
    });
    written.map_err(io(&path, "written"))?;
    sync_folder(run_dir)
}

/// The lines of a run's journal as they are on disk, without a torn last one.
///
/// # Errors
/// It cannot be read.
pub fn lines_of(run_dir: &Path) -> Result<Vec<u8>, JournalError> {
    let path = run_dir.join(FILE_NAME);
    let mut bytes = std::fs::read(&path).map_err(io(&path, "read"))?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    bytes.truncate(whole);
    Ok(bytes)
}

/// Reads a journal and checks every link of its chain. Read-only: it may be read while a run goes on.
///
/// # Errors
/// It cannot be read, a line other than the last is damaged, or its format is newer.
pub fn load(run_dir: &Path) -> Result<Loaded, JournalError> {
    let path = run_dir.join(FILE_NAME);
    let mut bytes = Vec::new();
    File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(io(&path, "read"))?;
    check(&bytes, &path)
}

/// Whether a process holds the run's journal, so that the run goes on. Where nobody can tell, the answer is no.
pub fn is_held(run_dir: &Path) -> bool {
    let Ok(file) = File::open(run_dir.join(FILE_NAME)) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared).is_err_and(|error| error == Errno::WOULDBLOCK)
}

/// Takes the journal. [`is_held`] has its own lock on it for an instant, which must not make a resume fail: tried again
/// for longer than that, and than a child that is just being started (fork, exec) shares our open files.
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
