//! Runs the compiled function `subscribe` as Lambda does: as a process that connects to a simulated
//! Lambda runtime API and to a simulated DynamoDB table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod runtime;
mod table;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(crate) use runtime::Runtime;
pub(crate) use table::Table;

/// Running process of the function.
pub(crate) struct Function {
    pub(crate) runtime: Runtime,
    pub(crate) table: Table,
    program: Child,
    /// File with the output of the process.
    pub(crate) log: PathBuf,
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ended = self.program.kill();
        let _reaped = self.program.wait();
        let _removed = std::fs::remove_file(&self.log);
    }
}

impl Function {
    /// Starts the simulations and the process. `mode` is the value of `STREAM_MODE`: `STREAM` or
    /// `BUFFERED`.
    pub(crate) async fn start(mode: &str) -> Self {
        let (runtime, table) = (Runtime::start().await, Table::start().await);
        let port = runtime.address().rsplit(':').next().unwrap().to_owned();
        let log = std::env::temp_dir().join(format!("docferry-subscribe-{port}.log"));
        let log_file = std::fs::File::create(&log).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_subscribe"))
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", runtime.address()),
                ("AWS_LAMBDA_FUNCTION_NAME", "subscribe"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "tests"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "tests"),
                ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true"),
                ("AWS_REGION", "ca-central-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_ENDPOINT_URL", table.url()),
                ("TRANSFERS_TABLE", "transfers"),
                ("DOCUMENTS_TABLE", "documents"),
                ("AUDIT_TABLE", "audit"),
                ("DELIVERY_BUCKET", "delivery"),
                ("STREAM_MODE", mode),
            ])
            .stdin(Stdio::null())
            .stdout(log_file.try_clone().unwrap())
            .stderr(log_file)
            .spawn()
            .unwrap();
        Self { runtime, table, program, log }
    }
}
