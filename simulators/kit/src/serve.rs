//! An HTTP/1 server that can break a connection instead of answering.

use std::{convert::Infallible, io, net::Ipv4Addr, path::PathBuf};

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

/// Body bytes arrive in pieces of at most this size: few calls, little memory.
const READ_BUFFER: usize = 256 * 1024;

tokio::task_local! {
    static TRACE: Option<String>;
}

/// The header `traceparent` of the request that is being answered.
pub(crate) fn traceparent() -> Option<String> {
    TRACE.try_with(Clone::clone).ok().flatten()
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or may not be used.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory cannot be made or written.
    #[error("cannot use the data directory")]
    DataDir(#[source] io::Error),
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
}

/// A running simulator. Dropping it stops the server, breaks its connections and
/// removes the temporary directory, if it had one.
#[derive(Debug)]
pub struct Running {
    url: String,
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    companions: JoinSet<()>,
    _scratch: Option<TempDir>,
}

impl Running {
    /// The base URL of the simulated service, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The base URL of the admin interface, without a trailing slash.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("{}/_admin", self.url)
    }

    /// Runs a background task for as long as the simulator.
    pub fn attach(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.companions.spawn(task);
    }

    /// Stops and returns when no connection is left.
    pub async fn shutdown(mut self) {
        self.companions.shutdown().await;
        // Dropping the sender is the signal.
        drop(self.stop.take());
        // The task only ends, it fails in no way that anyone could act on.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds 127.0.0.1 on `port` (0 = a free one), and serves the router made for the
/// base URL that came out.
///
/// # Errors
/// [`StartError::Listen`] when the port cannot be bound.
pub async fn serve(
    port: u16,
    scratch: Option<TempDir>,
    router: impl FnOnce(&str) -> Router,
) -> Result<Running, StartError> {
    let listen = |source| StartError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
    let url = format!("http://{}", listener.local_addr().map_err(listen)?);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(accept(listener, router(&url), stopped));
    Ok(Running { url, task, stop: Some(stop), companions: JoinSet::new(), _scratch: scratch })
}

/// The connections live in this task's set, so that aborting it ends them all.
async fn accept(listener: TcpListener, router: Router, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone()));
                }
                // Out of file descriptors: let some connection end first.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
            Some(_ended) = connections.join_next() => {}
            _stop = &mut stopped => return connections.shutdown().await,
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // Answers are small; without this they would wait for the client's ACK.
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| answer(router.clone(), request));
    // An error here is a broken connection: the client's doing, or a scripted fault.
    let _ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// An `Err` from the service makes hyper close the connection with nothing sent.
async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, io::Error> {
    let trace = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let trace = trace.map(ToOwned::to_owned);
    let answering = router.oneshot(request.map(Body::new));
    let answered: Result<Response, Infallible> = TRACE.scope(trace, answering).await;
    match answered {
        Ok(response) if response.extensions().get::<Broken>().is_some() => {
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// The directory to keep bytes in: the one asked for, or a temporary one to hand to [`serve`].
///
/// # Errors
/// [`StartError::DataDir`].
pub fn data_dir(wanted: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), StartError> {
    match wanted {
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
