//! Processes of the emulated Lambda functions.

use std::fs;
use std::process::Command;

/// Returns the ids of the emulator's child processes that run this function, in ascending
/// order.
#[must_use]
pub fn processes_of(emulator: u32, function: &str) -> Vec<u32> {
    let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Processes may end meanwhile, and those of other users cannot be read.
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).ok();
        let parent = read("stat").and_then(|stat| {
            let after_name = stat.rsplit_once(')')?.1.to_owned();
            after_name.split_whitespace().nth(1)?.parse::<u32>().ok()
        });
        let is_child = parent == Some(emulator);
        if is_child && read("environ").is_some_and(|env| env.split('\0').any(|e| e == wanted)) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// Kills a process with SIGKILL, so that it cannot clean up. Does nothing if the process has
/// already ended.
pub fn kill(process: u32) {
    Command::new("kill").args(["-KILL", &process.to_string()]).output().unwrap();
}
