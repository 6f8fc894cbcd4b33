//! What the thin binaries share.

use std::io::{self, Read as _, Write as _};

use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::serve::Running;

/// Prints `{"url": …, "admin": …}` and waits for SIGTERM, SIGINT or, if asked, for
/// the end of standard input (so that a parent that dies takes its simulator along).
///
/// # Errors
/// When standard output is closed or signals cannot be watched.
pub async fn run_until_stopped(running: Running, exit_with_stdin: bool) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let line = json!({ "url": running.url(), "admin": running.admin_url() });
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    drop(out);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_closed(), if exit_with_stdin => {}
    }
    running.shutdown().await;
    Ok(())
}

/// A thread of its own: tokio's standard input would hold the runtime open at exit.
async fn stdin_closed() {
    let (closed, wait) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 256];
        while matches!(io::stdin().lock().read(&mut buffer), Ok(read) if read > 0) {}
        drop(closed);
    });
    // The sender is dropped, never used: an error is the news.
    let _dropped = wait.await;
}
