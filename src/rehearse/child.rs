//! The rehearsed command: the real `lifeboat`, as a process of its own that can reach the emulator and nothing else.
//!
//! It has the terminal's output, but a process group of its own, so that Ctrl-C reaches it once, through us. It decides
//! itself how to stop: it is killed only where that is what is rehearsed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::RehearseError;
use super::interrupt::Interrupts;

/// How often the memory's high-water mark is read.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// Settings of lifeboat that do not decide where it works, and stay.
const KEPT: [&str; 2] = ["LIFEBOAT_TF_BIN", "LIFEBOAT_TEMPLATES"];
const LOCAL: &str = "127.0.0.1,localhost";

/// A command to rehearse.
#[derive(Clone, Debug)]
pub struct ChildPlan {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment: see [`private_environment`].
    pub variables: Vec<(OsString, OsString)>,
}

/// How it ended and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildEnd {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub wall: Duration,
    /// Its own, without Terraform's; `None` where the system does not tell.
    pub peak_rss_kib: Option<u64>,
}

impl ChildEnd {
    /// `exit 4`, or that it was a signal.
    pub fn how(&self) -> String {
        self.code.map_or("a signal".to_owned(), |code| format!("exit {code}"))
    }
}

/// The user's environment without anything that leads to a real account. Pure.
///
/// Everything of Terraform's stays, also `TF_VAR_…`, and so does `HOME`; the AWS configuration files in it are not
/// read ("Configuration and credential file settings in the AWS CLI").
pub fn private_environment(user: &[(OsString, OsString)], endpoint: &str, home: &Path) -> Vec<(OsString, OsString)> {
    let foreign = |name: &OsStr| {
        let name = name.to_string_lossy();
        let ours = name.starts_with("LIFEBOAT_") && !KEPT.contains(&name.as_ref());
        ours || name.starts_with("AWS_") || name.eq_ignore_ascii_case("no_proxy")
    };
    let mut variables: Vec<_> = user.iter().filter(|(name, _)| !foreign(name)).cloned().collect();
    let reachable = ["no_proxy", "NO_PROXY"].iter().find_map(|name| {
        let (_, value) = user.iter().find(|(known, value)| known.to_str() == Some(*name) && !value.is_empty())?;
        Some(format!("{},{LOCAL}", value.to_string_lossy()))
    });
    let reachable = reachable.unwrap_or_else(|| LOCAL.to_owned());
    let made_up = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "rehearsal"),
        ("AWS_SECRET_ACCESS_KEY", "rehearsal"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("NO_PROXY", &reachable),
        ("no_proxy", &reachable),
    ];
    variables.extend(made_up.map(|(name, value)| (name.into(), value.into())));
    variables.push(("LIFEBOAT_HOME".into(), home.into()));
    variables
}

/// The same environment with another home.
pub(crate) fn private_home(variables: &[(OsString, OsString)], home: &Path) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<_> = variables.iter().filter(|(name, _)| name != "LIFEBOAT_HOME").cloned().collect();
    variables.push(("LIFEBOAT_HOME".into(), home.into()));
    variables
}

/// Where what it says goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// To the same terminal as this program's words.
    Here,
    /// All of it to this program's standard error: its standard output is for something else.
    Aside,
    /// Appended to a file.
    File(PathBuf),
}

/// A command that has been started. One whose words go to the terminal goes on when this is dropped.
pub(crate) struct Running {
    child: Child,
    pid: Option<Pid>,
    began: Instant,
    peak_rss_kib: Option<u64>,
}

impl Running {
    /// # Errors
    /// It could not be started.
    pub fn start(plan: &ChildPlan, says: &Says) -> Result<Self, RehearseError> {
        let began = Instant::now();
        let child = spawn(plan, says)?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        Ok(Self { child, pid, began, peak_rss_kib: None })
    }

    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Waits for its end; may be given up and begun again. Each Ctrl-C or SIGTERM that comes meanwhile is passed on to it.
    ///
    /// # Errors
    /// It could not be waited for.
    pub async fn ends(&mut self, interrupts: &mut Interrupts) -> Result<ChildEnd, RehearseError> {
        let mut sample = tokio::time::interval(SAMPLE_EVERY);
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status.map_err(RehearseError::io("the rehearsed command was lost"))?,
                signal = interrupts.next() => pass_on(self.pid, signal),
                _ = sample.tick() => self.peak_rss_kib = self.pid.and_then(high_water_mark_kib).max(self.peak_rss_kib),
            }
        };
        let peak_rss_kib = self.peak_rss_kib;
        Ok(ChildEnd { code: status.code(), signal: status.signal(), wall: self.began.elapsed(), peak_rss_kib })
    }

    /// Sends it a signal; an error would mean that it has just ended.
    pub fn send(&self, signal: Signal) {
        pass_on(self.pid, signal);
    }

    /// `kill -9` of this process alone, and waits for it.
    ///
    /// # Errors
    /// It could not be waited for.
    pub async fn kill(&mut self) -> Result<ChildEnd, RehearseError> {
        self.send(Signal::KILL);
        let status = self.child.wait().await.map_err(RehearseError::io("the killed command was lost"))?;
        let peak_rss_kib = self.peak_rss_kib;
        Ok(ChildEnd { code: status.code(), signal: status.signal(), wall: self.began.elapsed(), peak_rss_kib })
    }
}

/// Runs it to its end. Each Ctrl-C or SIGTERM that comes meanwhile is passed on to it.
///
/// # Errors
/// It could not be started or waited for.
#[cfg(test)]
pub(crate) async fn run(plan: &ChildPlan, interrupts: &mut Interrupts) -> Result<ChildEnd, RehearseError> {
    Running::start(plan, &Says::Here)?.ends(interrupts).await
}

fn spawn(plan: &ChildPlan, says: &Says) -> Result<Child, RehearseError> {
    let what = format!("{} could not be started", plan.program.display());
    #[expect(clippy::disallowed_methods, reason = "the rehearsed lifeboat starts here and nowhere else")]
    let mut command = std::process::Command::new(&plan.program);
    command.args(&plan.args).env_clear().envs(plan.variables.iter().map(|(name, value)| (name, value)));
    let campaign = matches!(says, Says::File(_));
    match says {
        Says::Here => {}
        Says::Aside => {
            let errors = std::io::stderr().as_fd().try_clone_to_owned();
            command.stdout(errors.map_err(RehearseError::io("standard error is closed"))?);
        }
        Says::File(path) => {
            let unwritable = |error| RehearseError::io(format!("cannot write {}", path.display()))(error);
            let file = File::options().create(true).append(true).open(path).map_err(unwritable)?;
            command.stderr(file.try_clone().map_err(unwritable)?).stdout(file);
        }
    }
    // A group that is not the terminal's may write to it, but would be stopped if it tried to read.
    command.stdin(Stdio::null()).process_group(0);
    // One of many side by side ends with the campaign, however that ends.
    Command::from(command).kill_on_drop(campaign).spawn().map_err(RehearseError::io(what))
}

fn pass_on(pid: Option<Pid>, signal: Signal) {
    if let Some(pid) = pid {
        // An error means that it has just ended.
        kill_process(pid, signal).ok();
    }
}

/// Linux: "proc_pid_status(5)", `VmHWM`.
fn high_water_mark_kib(pid: Pid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(user: &[(&str, &str)]) -> Vec<(String, String)> {
        let user: Vec<_> = user.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let text = |text: OsString| text.into_string().expect("text");
        let private = private_environment(&user, "http://127.0.0.1:9", Path::new("/tmp/r/home"));
        private.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn value<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
        environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn nothing_in_it_leads_to_a_real_account() {
        let user = [
            ("AWS_PROFILE", "prod"),
            ("AWS_SESSION_TOKEN", "secret"),
            ("AWS_ENDPOINT_URL_S3", "https://real"),
            ("AWS_ACCESS_KEY_ID", "AKIAREAL"),
            ("LIFEBOAT_HOME", "/home/me/runs"),
        ];
        let private = environment(&user);
        assert!(private.iter().all(|(name, value)| name != "AWS_PROFILE" && !value.contains("real")), "{private:?}");
        assert_eq!(value(&private, "AWS_SESSION_TOKEN"), None);
        assert_eq!(value(&private, "AWS_ACCESS_KEY_ID"), Some("rehearsal"));
        assert_eq!(value(&private, "AWS_ENDPOINT_URL"), Some("http://127.0.0.1:9"));
        assert_eq!(value(&private, "LIFEBOAT_HOME"), Some("/tmp/r/home"));
        assert_eq!(private.iter().filter(|(name, _)| name == "AWS_ACCESS_KEY_ID").count(), 1);
    }

    #[test]
    fn home_terraforms_settings_and_other_proxies_stay() {
        let user = [
            ("HOME", "/home/me"),
            ("TF_PLUGIN_CACHE_DIR", "/cache"),
            ("TF_VAR_master_password", "x"),
            ("LIFEBOAT_TF_BIN", "tofu"),
            ("no_proxy", "intranet"),
        ];
        let private = environment(&user);
        for (name, expected) in &user[..4] {
            assert_eq!(value(&private, name), Some(*expected));
        }
        assert_eq!(value(&private, "NO_PROXY"), Some("intranet,127.0.0.1,localhost"));
    }

    fn shell(script: &str) -> ChildPlan {
        let variables = vec![("PATH".into(), std::env::var_os("PATH").expect("a path"))];
        ChildPlan { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], variables }
    }

    /// One test, as a signal reaches all that listen in this process.
    #[tokio::test]
    async fn its_end_is_told_and_an_interrupt_reaches_it_once() {
        let mut interrupts = Interrupts::listen().expect("signals");
        let end = run(&shell("sleep 0.3; exit 4"), &mut interrupts).await.expect("an end");
        assert_eq!((end.code, end.signal), (Some(4), None));
        assert!(end.wall >= Duration::from_millis(300));
        if cfg!(target_os = "linux") {
            assert!(end.peak_rss_kib.is_some_and(|kib| kib > 100), "{end:?}");
        }

        let counting = "n=0; trap 'n=$((n+1))' INT; i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; exit $n";
        let interrupt = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            kill_process(rustix::process::getpid(), Signal::INT).expect("sent");
        };
        let counting = shell(counting);
        let (end, ()) = tokio::join!(run(&counting, &mut interrupts), interrupt);
        assert_eq!(end.expect("an end").code, Some(1));
    }
}
