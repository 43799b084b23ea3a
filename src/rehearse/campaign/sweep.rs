//! Ends what a rehearsal has left running: its Terraform, by the folder that it works in.
//!
//! Only processes whose working directory lies in the rehearsal's own folder, and only on systems that tell it.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Kills the processes that work below `dir` (proc(5): `/proc/PID/cwd`).
pub(super) fn processes_in(dir: &Path) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let ours = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        // The emulator and its copies work here as well; they end with their owner.
        if let Some(pid) = pid.filter(|_| ours && is_terraform(&entry.path())) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

fn is_terraform(process: &Path) -> bool {
    let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let program = command.split(|byte| *byte == 0).next().map(String::from_utf8_lossy).unwrap_or_default();
    let name = Path::new(program.as_ref()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.starts_with("terraform") || name.starts_with("tofu")
}
