//! One world, many copies: moto's server in a process that copies itself, so that a world is built once and each of many
//! rehearsals has one of its own.
//!
//! A copy costs what its rehearsal changes. It ends when it is dropped, and with its original.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::emulator::find;
use super::{Emulator, EmulatorOptions, RehearseError};

/// The server; it needs moto's own Python.
const PROGRAM: &str = include_str!("forkable.py");
/// The longest path that a socket's address takes is about a hundred bytes (unix(7)), so it lies in a folder of its own.
const CONTROL: &str = "control";
/// A copy is there once all requests under way are answered.
const COPIED_WITHIN: Duration = Duration::from_secs(60);

/// The original, and a way to ask it for copies.
pub struct Forkable {
    emulator: Emulator,
    control: PathBuf,
}

/// A copy of the world as it was.
#[derive(Debug)]
pub struct Fork {
    address: SocketAddr,
    pid: Option<Pid>,
}

impl Forkable {
    /// Starts an empty world. `socket_dir` is a folder with a short path.
    ///
    /// # Errors
    /// As [`Emulator::start`]; or moto's Python cannot be found.
    pub async fn start(options: &EmulatorOptions, socket_dir: &Path) -> Result<Self, RehearseError> {
        let program = options.dir.join("forkable.py");
        std::fs::write(&program, PROGRAM).map_err(RehearseError::io(format!("cannot write {}", program.display())))?;
        let control = socket_dir.join(CONTROL);
        let python = python(&find(&options.program)?)?;
        let emulator = Emulator::start_forkable(options, &python, &program, &control).await?;
        Ok(Self { emulator, control })
    }

    pub fn endpoint(&self) -> String {
        self.emulator.endpoint()
    }

    pub fn address(&self) -> SocketAddr {
        self.emulator.address()
    }

    /// Copies the world as it is now.
    ///
    /// # Errors
    /// The original is gone, or did not answer in time.
    pub async fn fork(&self) -> Result<Fork, RehearseError> {
        let ask = async {
            let mut stream = UnixStream::connect(&self.control).await?;
            stream.write_all(b"copy\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let answer = tokio::time::timeout(COPIED_WITHIN, ask).await.unwrap_or_else(|_| Err(late()));
        let answer = answer.map_err(RehearseError::io("the emulator could not be copied"))?;
        let mut words = answer.split_whitespace();
        let port = words.next().and_then(|port| port.parse().ok());
        let pid = words.next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        match port {
            Some(port) => Ok(Fork { address: (Ipv4Addr::LOCALHOST, port).into(), pid }),
            None => Err(RehearseError::Unsupported(format!("a copy of the emulator that answers {answer:?}"))),
        }
    }
}

impl Fork {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Fork {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            // An error means that it is gone already. What it holds is made up.
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// The Python that a script of its virtual environment was made for.
fn python(moto_server: &Path) -> Result<PathBuf, RehearseError> {
    let folder = moto_server.parent().unwrap_or(Path::new("."));
    let beside = ["python3", "python"].map(|name| folder.join(name)).into_iter().find(|path| path.is_file());
    let named = || {
        let script = std::fs::read_to_string(moto_server).ok()?;
        let line = script.lines().next()?.strip_prefix("#!")?.split_whitespace().next()?.to_owned();
        Some(PathBuf::from(line)).filter(|path| path.is_file() && line_is_python(path))
    };
    // One in its own environment knows moto; one in /usr/bin may be another.
    named().or(beside).ok_or_else(|| {
        RehearseError::Unsupported(format!(
            "copies of the emulator, because the Python of {} is not known",
            moto_server.display()
        ))
    })
}

fn line_is_python(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
}
