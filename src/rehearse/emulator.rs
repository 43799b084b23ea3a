//! The AWS emulator of a rehearsal: moto's server on a loopback port, in a process group of its own.
//!
//! It ends with whoever started it, however that one ends: a watchdog beside it reads a pipe that only the starter
//! holds, and stops the group when the pipe closes. `keep` tells the watchdog to let it live. It sees no credentials,
//! endpoints or settings of the user's. It may be killed at any time: what it holds is made up.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::RehearseError;

/// How long it may take until the first answer.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often another free port is tried when somebody else was faster.
const PORT_ATTEMPTS: u32 = 5;
/// How long it may take to end by itself.
const STOP_WITHIN: Duration = Duration::from_secs(3);
/// Objects up to this size are held in memory.
const IN_MEMORY_BYTES: &str = "1073741824";
/// How much of the log an error shows.
const LOG_TAIL_LINES: usize = 15;
/// Settings of the user's that must not reach the emulator.
const FOREIGN_SETTINGS: [&str; 4] = ["AWS_", "MOTO_", "FLASK_", "WERKZEUG_"];
/// The first argument after the name is the program, which keeps the process id of the shell. The reader of the pipe
/// is a child of it and belongs to the same group.
const WATCHED: &str = r#"
exec 3<&0 </dev/null
{ read -r word <&3; [ "$word" = keep ] || kill -TERM "-$$"; } >/dev/null 2>&1 &
exec "$@" 3<&-
"#;

/// How the emulator is started.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// `moto_server`, or its path.
    pub program: PathBuf,
    /// Folder for `emulator.log`; it is there already.
    pub dir: PathBuf,
    /// The port to listen on; any free one if none is given.
    pub port: Option<u16>,
    /// The account that everything in it belongs to, twelve digits.
    pub account: String,
}

/// A running emulator; stopped when dropped, unless it is kept.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    kept: bool,
}

impl Emulator {
    /// Starts moto and waits until it answers.
    ///
    /// # Errors
    /// The program is missing, the port that was asked for is taken, or it did not come up; with the end of its log.
    pub async fn start(options: &EmulatorOptions) -> Result<Self, RehearseError> {
        let mut attempt = 1;
        loop {
            let port = match options.port {
                Some(port) => port,
                None => free_port()?,
            };
            match Self::start_on(options, port).await {
                Err(RehearseError::PortTaken { .. }) if options.port.is_none() && attempt < PORT_ATTEMPTS => {
                    attempt += 1
                }
                started => return started,
            }
        }
    }

    async fn start_on(options: &EmulatorOptions, port: u16) -> Result<Self, RehearseError> {
        if options.port.is_some() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            return Err(RehearseError::PortTaken { port });
        }
        let words = ["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string().into()];
        Self::start_with(options, &find(&options.program)?, &words, port).await
    }

    /// Starts the server that can be copied: `program` of ours, in moto's Python, told over `control`.
    pub(super) async fn start_forkable(
        options: &EmulatorOptions,
        python: &Path,
        program: &Path,
        control: &Path,
    ) -> Result<Self, RehearseError> {
        let port = free_port()?;
        let words = [program.into(), "127.0.0.1".into(), port.to_string().into(), control.into()];
        Self::start_with(options, python, &words, port).await
    }

    async fn start_with(
        options: &EmulatorOptions,
        program: &Path,
        words: &[OsString],
        port: u16,
    ) -> Result<Self, RehearseError> {
        let log = options.dir.join("emulator.log");
        let child = spawn(program, words, options, port, &log)?;
        let mut emulator = Self { child, address: (Ipv4Addr::LOCALHOST, port).into(), log, kept: false };
        emulator.wait_until_ready().await?;
        Ok(emulator)
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Lets it live on when this process ends. Returns its process id, which is also that of its group.
    ///
    /// # Errors
    /// The watchdog could not be told.
    pub fn keep(&mut self) -> Result<u32, RehearseError> {
        if let Some(mut pipe) = self.child.stdin.take() {
            pipe.write_all(b"keep\n")
                .map_err(RehearseError::io("the emulator's watchdog could not be told to keep it"))?;
        }
        self.kept = true;
        Ok(self.pid())
    }

    /// Ends it: asked first, then killed.
    pub fn stop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // An error here means that there is nothing left to stop.
        kill_process_group(group, Signal::TERM).ok();
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < STOP_WITHIN {
            std::thread::sleep(Duration::from_millis(10));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            kill_process_group(group, Signal::KILL).ok();
            self.child.wait().ok();
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), RehearseError> {
        let began = Instant::now();
        let announcement = format!("Running on {}", self.endpoint());
        while began.elapsed() < READY_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return Err(self.why_stopped());
            }
            // Its own word that it has the port comes first: another program might answer there.
            let announced = std::fs::read_to_string(&self.log).unwrap_or_default().contains(&announcement);
            if announced && answers(self.address).await {
                return Ok(());
            }
            sleep(Duration::from_millis(25)).await;
        }
        Err(RehearseError::EmulatorSilent { seconds: READY_WITHIN.as_secs(), log_tail: tail(&self.log) })
    }

    fn why_stopped(&self) -> RehearseError {
        let log_tail = tail(&self.log);
        if log_tail.contains("in use") {
            return RehearseError::PortTaken { port: self.address.port() };
        }
        RehearseError::EmulatorStopped { log_tail }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if !self.kept {
            self.stop();
        }
    }
}

fn spawn(
    program: &Path,
    words: &[OsString],
    options: &EmulatorOptions,
    port: u16,
    log: &Path,
) -> Result<Child, RehearseError> {
    let output = File::create(log).map_err(RehearseError::io(format!("cannot write {}", log.display())))?;
    let errors = output.try_clone().map_err(RehearseError::io(format!("cannot write {}", log.display())))?;
    #[expect(clippy::disallowed_methods, reason = "the rehearsal's emulator starts here and nowhere else")]
    let mut command = Command::new("sh");
    command.args(["-c", WATCHED, "lifeboat-emulator"]).arg(program).args(words);
    for (name, _) in std::env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| FOREIGN_SETTINGS.iter().any(|prefix| name.starts_with(prefix)));
        if foreign {
            command.env_remove(name);
        }
    }
    command
        .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        .env("MOTO_ACCOUNT_ID", &options.account)
        .env("PYTHONUNBUFFERED", "1")
        .env("MOTO_PORT", port.to_string())
        // Larger objects would go to files, whose position copies of the process share.
        .env("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", IN_MEMORY_BYTES)
        .current_dir(&options.dir)
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(errors)
        .process_group(0);
    command.spawn().map_err(RehearseError::io("the emulator could not be started"))
}

/// The program as a path that can be executed: a name is looked up on `PATH`.
pub(super) fn find(program: &Path) -> Result<PathBuf, RehearseError> {
    let missing = || RehearseError::EmulatorMissing { program: program.to_owned() };
    if program.components().count() > 1 {
        return std::path::absolute(program).ok().filter(|path| path.is_file()).ok_or_else(missing);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file()).ok_or_else(missing)
}

fn free_port() -> Result<u16, RehearseError> {
    let port = || Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port());
    port().map_err(RehearseError::io("no free port on 127.0.0.1"))
}

/// Whether it answers a request, not only connections.
async fn answers(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /moto-api/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").await?;
        let mut start = [0; 5];
        stream.read_exact(&mut start).await?;
        Ok::<_, io::Error>(start == *b"HTTP/")
    };
    timeout(Duration::from_secs(2), ask).await.is_ok_and(|answer| answer.unwrap_or(false))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Starts a program in place of moto that only sleeps.
    fn sleeper(dir: &Path) -> Child {
        let program = dir.join("sleeper");
        std::fs::write(&program, "#!/bin/sh\nsleep 60\n").expect("a program");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("its mode");
        let options =
            EmulatorOptions { program: program.clone(), dir: dir.to_owned(), port: None, account: "0".to_owned() };
        spawn(&program, &[], &options, 1, &dir.join("log")).expect("a process")
    }

    fn ends(child: &mut Child, within: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < within {
            if child.try_wait().expect("its state").is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    #[test]
    fn it_ends_when_its_starter_is_gone_without_a_word() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut child = sleeper(dir.path());
        assert!(!ends(&mut child, Duration::from_millis(200)));
        drop(child.stdin.take());
        assert!(ends(&mut child, Duration::from_secs(5)));
    }

    #[test]
    fn it_lives_on_when_it_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let child = sleeper(dir.path());
        let mut emulator = Emulator { child, address: ([127, 0, 0, 1], 1).into(), log: PathBuf::new(), kept: false };
        emulator.keep().expect("kept");
        assert!(!ends(&mut emulator.child, Duration::from_millis(300)));
        emulator.stop();
        assert!(emulator.child.try_wait().expect("its state").is_some());
    }
}
