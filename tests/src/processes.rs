//! Processes in which the emulator of AWS runs the Lambda functions. Tests kill these processes.

use std::fs;
use std::process::Command;

/// Returns the ids of the emulator's child processes that run this function, in ascending
/// order.
#[must_use]
pub fn processes_of(emulator_pid: u32, function: &str) -> Vec<u32> {
    let environment_entry = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let mut process_ids = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Reading fails if the process has ended or belongs to another user.
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).ok();
        let parent = read("stat").and_then(|stat| {
            let after_name = stat.rsplit_once(')')?.1.to_owned();
            after_name.split_whitespace().nth(1)?.parse::<u32>().ok()
        });
        let is_child = parent == Some(emulator_pid);
        if is_child
            && read("environ")
                .is_some_and(|env| env.split('\0').any(|entry| entry == environment_entry))
        {
            process_ids.push(pid);
        }
    }
    process_ids.sort_unstable();
    process_ids
}

/// Kills a process with SIGKILL, so that it cannot clean up. Does nothing if the process has
/// already ended.
pub fn kill(process_id: u32) {
    Command::new("kill").args(["-KILL", &process_id.to_string()]).output().unwrap();
}
