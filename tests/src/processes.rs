use std::fs;
use std::process::Command;

/// Processes below the emulator that run this function, the oldest first.
#[must_use]
pub fn processes_of(emulator: u32, function: &str) -> Vec<u32> {
    let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Others come and go meanwhile, and not all are ours to read.
        let read = |what: &str| fs::read_to_string(entry.path().join(what)).ok();
        let parent = read("stat").and_then(|stat| {
            let after_name = stat.rsplit_once(')')?.1.to_owned();
            after_name.split_whitespace().nth(1)?.parse::<u32>().ok()
        });
        let is_ours = parent == Some(emulator);
        if is_ours && read("environ").is_some_and(|env| env.split('\0').any(|e| e == wanted)) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// Ends a process without a chance to tidy up. That it has ended by itself
/// meanwhile is fine.
pub fn kill(process: u32) {
    Command::new("kill").args(["-KILL", &process.to_string()]).output().unwrap();
}
