//! HTTP/1 server of the simulators. It can break a connection instead of sending a response.

use std::{convert::Infallible, io, net::Ipv4Addr, path::PathBuf, time::Duration};

use axum::{Router, body::Body, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt as _;

use crate::reply::Broken;

/// Size in bytes of a connection's read buffer. It limits the size of the pieces in which a body
/// arrives.
const READ_BUFFER: usize = 256 * 1024;
/// Pause after a connection could not be accepted.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(50);

tokio::task_local! {
    /// Header `traceparent` of the current request.
    static TRACEPARENT: Option<String>;
}

/// Returns the header `traceparent` of the current request.
pub(crate) fn traceparent() -> Option<String> {
    TRACEPARENT.try_with(Clone::clone).ok().flatten()
}

/// Error that prevented a simulator from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use or not permitted.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// Requested port.
        port: u16,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The data directory cannot be created or written.
    #[error("cannot use the data directory")]
    DataDir(#[source] io::Error),
    /// The configuration is invalid.
    #[error("{0}")]
    Config(String),
}

/// A running simulator. Dropping it stops the server, breaks its connections and removes its
/// temporary directory, if it has one.
#[derive(Debug)]
pub struct Running {
    url: String,
    /// Task that accepts connections.
    task: JoinHandle<()>,
    /// Dropping the sender stops the server.
    stop: Option<oneshot::Sender<()>>,
    /// Background tasks that run as long as the server.
    background: JoinSet<()>,
    /// Temporary directory, which is removed with this value.
    _scratch: Option<TempDir>,
}

impl Running {
    /// Returns the base URL of the simulated service, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the base URL of the admin interface, without a trailing slash.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("{}/_admin", self.url)
    }

    /// Runs a background task for as long as the simulator runs.
    pub fn attach(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.background.spawn(task);
    }

    /// Stops the server and waits until all connections are closed.
    pub async fn shutdown(mut self) {
        self.background.shutdown().await;
        // Dropping the sender signals the server to stop.
        drop(self.stop.take());
        // The task returns nothing. A join error can be ignored at this point.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a server on 127.0.0.1. Port 0 selects a free port. `router` creates the server's router
/// from the base URL of the server. `scratch` is a temporary directory, which is removed when the
/// server is dropped.
///
/// # Errors
/// Returns [`StartError::Listen`] when the port cannot be bound.
pub async fn serve(
    port: u16,
    scratch: Option<TempDir>,
    router: impl FnOnce(&str) -> Router,
) -> Result<Running, StartError> {
    let listen_error = |source| StartError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen_error)?;
    let url = format!("http://{}", listener.local_addr().map_err(listen_error)?);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(accept_connections(listener, router(&url), stopped));
    Ok(Running { url, task, stop: Some(stop), background: JoinSet::new(), _scratch: scratch })
}

/// Accepts connections until `stopped` completes. The task owns all connections, so aborting the
/// task closes them.
async fn accept_connections(
    listener: TcpListener,
    router: Router,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, router.clone()));
                }
                // A likely reason is that no file descriptor is free until a connection ends.
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_PAUSE).await,
            },
            Some(_ended) = connections.join_next() => {}
            _stop = &mut stopped => return connections.shutdown().await,
        }
    }
}

/// Serves the requests of one connection.
async fn serve_connection(stream: TcpStream, router: Router) {
    // Responses are small. Nagle's algorithm would delay them until the client's ACK.
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| respond(router.clone(), request));
    // An error here is a broken connection, caused by the client or by a scripted fault.
    let _ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Returns the response of the router. Returns an error for a response from
/// [`break_connection`](crate::break_connection), and hyper then closes the connection without
/// a response.
async fn respond(router: Router, request: Request<Incoming>) -> Result<Response, io::Error> {
    let header = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let traceparent = header.map(ToOwned::to_owned);
    let responding = router.oneshot(request.map(Body::new));
    let response: Result<Response, Infallible> = TRACEPARENT.scope(traceparent, responding).await;
    match response {
        Ok(response) if response.extensions().get::<Broken>().is_some() => {
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Returns the directory for stored bytes. Without `requested`, this function creates a temporary
/// directory. The caller must pass the handle of the temporary directory to [`serve`].
///
/// # Errors
/// Returns [`StartError::DataDir`] when the directory cannot be created.
pub fn data_dir(requested: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), StartError> {
    match requested {
        Some(dir) => {
            std::fs::create_dir_all(&dir).map_err(StartError::DataDir)?;
            Ok((dir, None))
        }
        None => {
            let scratch = tempfile::Builder::new()
                .prefix("docferry-sim-")
                .tempdir()
                .map_err(StartError::DataDir)?;
            Ok((scratch.path().to_owned(), Some(scratch)))
        }
    }
}
