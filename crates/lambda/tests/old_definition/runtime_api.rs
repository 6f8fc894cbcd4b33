//! Simulated Lambda runtime API, which gives one payload to a workflow step and receives its result.
//!
//! A Lambda function asks the runtime API for its next invocation with a GET request whose path
//! ends in `next`. It then posts its result to a path that ends in `response` or `error`.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Maximum time for which the API waits for a request, and for its bytes.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two checks for a request.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Deadline of every invocation, in milliseconds since 1970. It is in the year 2100.
const DEADLINE_MS: u64 = 4_102_444_800_000;

/// Result that a step sends to the Lambda runtime API.
pub(crate) struct StepResult {
    /// Last segment of the path: `response` or `error`.
    pub(crate) kind: String,
    /// Output of the step, or its error.
    pub(crate) body: Value,
}

impl StepResult {
    /// Returns the name of the error, if the step has failed.
    pub(crate) fn error_name(&self) -> Option<&str> {
        if self.kind == "error" { self.body["errorType"].as_str() } else { None }
    }
}

/// Runs a step in a process of its own with this payload, and returns its result.
pub(crate) fn invoke(step: &str, payload: &Value) -> StepResult {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    let mut process = StepProcess::start(step, &address);

    loop {
        let stream = accept(&listener, &mut process);
        let (path, body) = read_request(&stream);
        let kind = path.rsplit('/').next().unwrap().to_owned();
        if kind != "next" {
            return StepResult { kind, body: serde_json::from_slice(&body).unwrap() };
        }
        send_invocation(&stream, &payload.to_string());
    }
}

/// Waits for the next request of the step.
///
/// # Panics
/// When the process ends without one, or after [`READ_TIMEOUT`].
fn accept(listener: &TcpListener, process: &mut StepProcess) -> TcpStream {
    let deadline = Instant::now() + READ_TIMEOUT;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let ended = process.0.try_wait().unwrap();
        assert!(ended.is_none(), "the step ended without a request: {ended:?}");
        assert!(Instant::now() < deadline, "the step sent no request");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Process of a step, which is killed at the end of an invocation.
struct StepProcess(Child);

impl StepProcess {
    /// Starts the program of the step: the ignored test `process_{step}` of this test binary.
    fn start(step: &str, runtime_api: &str) -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("process_{step}"), "--ignored"])
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", step)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(process)
    }
}

impl Drop for StepProcess {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Sends an invocation with this payload to the step.
fn send_invocation(mut stream: &TcpStream, payload: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\nlambda-runtime-aws-request-id: 1\r\n\
         lambda-runtime-deadline-ms: {DEADLINE_MS}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:ca-central-1:0:function:f\r\n\
         content-length: {}\r\n\r\n",
        payload.len()
    );
    stream.write_all((head + payload).as_bytes()).unwrap();
}

/// Reads a request. Returns its path and its body.
fn read_request(stream: &TcpStream) -> (String, Vec<u8>) {
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut read_line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };

    // The first line is the method, the path and the version of HTTP.
    let path = read_line().split(' ').nth(1).unwrap().to_owned();
    let mut headers = HashMap::new();
    while let Some((name, value)) = read_line().split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }

    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, body)
}
