//! What is measured: lifeboat, the limit, and the tools that people use today, as they come from their packages. Those are
//! looked for in the folder `LIFEBOAT_PEERS` and on the PATH; one that is not there is not measured.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::world::S3;

/// Ticks of proc(5) in a second, on every machine that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Lifeboat { concurrency: usize },
    Limit { connections: usize },
    S5cmd,
    Rclone,
    S3sync,
    S3PitRestore,
}

/// What a tool shall do.
#[derive(Clone, Copy)]
pub enum Job<'a> {
    Copy {
        source: &'a str,
        target: &'a str,
    },
    /// A bucket back to how it was, in seconds since 1970.
    Rollback {
        bucket: &'a str,
        to: i64,
    },
    /// How it was, into another bucket.
    CopyThen {
        source: &'a str,
        target: &'a str,
        to: i64,
    },
}

/// What a process took, from its start to its end.
#[derive(Clone, Copy)]
pub struct Cost {
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// Of lifeboat its own word, of the others what was seen of them every few milliseconds.
    pub peak_bytes: u64,
}

impl Tool {
    /// The name of its program; `None` for what is part of this one.
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Lifeboat { .. } | Self::Limit { .. } => None,
            Self::S5cmd => Some("s5cmd"),
            Self::Rclone => Some("rclone"),
            Self::S3sync => Some("s3sync"),
            Self::S3PitRestore => Some("s3-pit-restore"),
        }
    }

    /// Whether it can be measured; says so where it cannot.
    pub fn is_there(self) -> bool {
        let Some(name) = self.program() else { return true };
        let found = find(name).is_some();
        if !found {
            println!("{name} is not there: what is compared with it is left out\n");
        }
        found
    }

    /// Does the job and waits for it. What it came to, the caller looks up.
    pub fn carry_out(self, s3: &S3, job: Job) -> Cost {
        let (began, used) = (Instant::now(), ended_children_seconds());
        let child = self.begin(s3, job);
        let seen = watch_memory(child.id());
        let output = child.wait_with_output().expect("its end");
        let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), ended_children_seconds() - used);
        // It warns with 3 where an ETag is another, as that of a copy in parts is.
        let warned = self == Self::S3sync && output.status.code() == Some(3);
        assert!(output.status.success() || warned, "{self:?} failed");
        let seen = seen.join().expect("a peak");
        let peak_bytes = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(seen);
        Cost { seconds, cpu_seconds, peak_bytes }
    }

    /// Begins the job.
    pub fn begin(self, s3: &S3, job: Job) -> Child {
        let told = if self.program().is_some() { Stdio::null() } else { Stdio::piped() };
        let mut command = self.command(s3, job);
        command.stdin(Stdio::null()).stdout(told).spawn().expect("a program to start")
    }

    fn command(self, s3: &S3, job: Job) -> Command {
        let program = match self.program() {
            Some(name) => find(name).expect("looked for before"),
            None => std::env::current_exe().expect("this program"),
        };
        let mut command = Command::new(program);
        let endpoint = s3.endpoint();
        command.env("AWS_ACCESS_KEY_ID", "bench").env("AWS_SECRET_ACCESS_KEY", "bench");
        command
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", &endpoint);
        match (self, job) {
            (Self::Lifeboat { concurrency }, Job::Copy { source, target }) => {
                command.args(["--ours", "copy", &endpoint, &concurrency.to_string(), source, target])
            }
            (Self::Lifeboat { concurrency }, Job::Rollback { bucket, to }) => {
                command.args(["--ours", "rollback", &endpoint, &concurrency.to_string(), bucket, &to.to_string()])
            }
            (Self::Limit { connections }, Job::Copy { source, target }) => {
                command.args(["--limit", s3.address(), source, target, &connections.to_string()])
            }
            (Self::S5cmd, Job::Copy { source, target }) => {
                let (from, to) = (format!("s3://{source}/*"), format!("s3://{target}/"));
                command.args(["--endpoint-url", &endpoint, "cp", &from, &to])
            }
            (Self::Rclone, Job::Copy { source, target }) => rclone(&mut command, &endpoint, source, target),
            (Self::S3sync, Job::Copy { source, target }) => s3sync(&mut command, &endpoint, source, target),
            (Self::S3sync, Job::CopyThen { source, target, to }) => {
                let to = jiff::Timestamp::from_second(to).expect("a time").to_string();
                s3sync(command.args(["--point-in-time", &to]), &endpoint, source, target)
            }
            (Self::S3PitRestore, Job::Rollback { bucket, to }) => {
                let to = jiff::Timestamp::from_second(to).expect("a time").to_string();
                command.args(["-b", bucket, "-B", bucket, "-t", &to])
            }
            (_, Job::Rollback { .. } | Job::CopyThen { .. }) | (Self::S3PitRestore, Job::Copy { .. }) => {
                unreachable!("{self:?} cannot do it")
            }
        };
        command
    }
}

/// As somebody runs it who has read its manual: one listing instead of one a folder, ETags instead of times.
fn rclone<'a>(command: &'a mut Command, endpoint: &str, source: &str, target: &str) -> &'a mut Command {
    let settings = [
        ("TYPE", "s3"),
        ("PROVIDER", "Other"),
        ("ENDPOINT", endpoint),
        ("REGION", "us-east-1"),
        ("ACCESS_KEY_ID", "bench"),
        ("SECRET_ACCESS_KEY", "bench"),
        ("FORCE_PATH_STYLE", "true"),
        ("LIST_VERSION", "2"),
    ];
    command.env("RCLONE_CONFIG", "/dev/null");
    for (name, value) in settings {
        command.env(format!("RCLONE_CONFIG_BENCH_{name}"), value);
    }
    let (from, to) = (format!("bench:{source}"), format!("bench:{target}"));
    command.args(["sync", &from, &to, "--fast-list", "--checksum", "--transfers", "64", "--checkers", "64"])
}

/// As many workers as s5cmd has. It compares sizes and times, which is less than the others do.
fn s3sync<'a>(command: &'a mut Command, endpoint: &str, source: &str, target: &str) -> &'a mut Command {
    for of in ["source", "target"] {
        let (key, secret) = (format!("--{of}-access-key"), format!("--{of}-secret-access-key"));
        command.args([&key, "bench", &secret, "bench", &format!("--{of}-region"), "us-east-1"]);
        command.args([&format!("--{of}-endpoint-url"), endpoint, &format!("--{of}-force-path-style")]);
    }
    let (from, to) = (format!("s3://{source}"), format!("s3://{target}"));
    command.args(["--server-side-copy", "--worker-size", "256", "--max-parallel-uploads", "256", &from, &to])
}

/// The peak of a process's memory, in bytes, for as long as it can be looked at (proc(5): `VmHWM`).
fn watch_memory(process: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Some(seen) = peak_bytes(&format!("/proc/{process}/status")) {
            peak = seen;
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    })
}

/// `None` of a process that has ended.
pub fn peak_bytes(status: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim_end_matches("kB").trim();
    kib.parse().ok().map(|kib: u64| kib * 1024)
}

fn find(name: &str) -> Option<PathBuf> {
    let peers = std::env::var_os("LIFEBOAT_PEERS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = peers.into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}

/// Time on the processors of all children that have ended (proc(5): `cutime` and `cstime`).
fn ended_children_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, behind_name) = stat.rsplit_once(") ").expect("a name");
    let ticks = behind_name.split(' ').skip(13).take(2).map(|word| word.parse::<u32>().expect("ticks"));
    f64::from(ticks.sum::<u32>()) / TICKS_PER_SECOND
}
