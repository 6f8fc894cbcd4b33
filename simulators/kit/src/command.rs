//! Main loop that all simulators have when they run as a process.

use std::io::{self, Read as _, Write as _};

use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::serve::Running;

/// Prints `{"url": …, "admin": …}` and waits for SIGTERM, SIGINT or, with `exit_with_stdin`, the
/// end of standard input. Watching standard input stops the simulator when its parent process dies.
///
/// # Errors
/// Returns an error when standard output is closed or a signal handler cannot be installed.
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

/// Completes at the end of standard input. Reads on a dedicated thread, because tokio's standard
/// input would keep the runtime alive at exit.
async fn stdin_closed() {
    let (sender, closed) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 256];
        while matches!(io::stdin().lock().read(&mut buffer), Ok(read) if read > 0) {}
        drop(sender);
    });
    // The thread drops the sender without sending, so the receive error is the signal.
    let _dropped = closed.await;
}
