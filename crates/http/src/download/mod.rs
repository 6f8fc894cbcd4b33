//! Routes below `/v1/download`, the downloads API. A client creates a *job* for one or many
//! documents. The job copies the documents to the delivery bucket, from which clients fetch them by
//! presigned URL, or delivers them to a OneDrive.

mod event_stream;
mod get;
mod idempotency_key;
mod initiate;
mod job_response;
mod list;
mod page;
mod shared;
mod status;
mod stream_mode;
mod subscribe;
mod throughput;

pub use get::download_router;
pub(crate) use idempotency_key::{content_idempotency_key, upload_idempotency_key};
pub use initiate::{DownloadApi, FileRange};
pub(crate) use initiate::{FIRST_POLL_DELAY_MS, initiate_routes, rejection_error};
pub use shared::JobApi;
pub(crate) use status::job_routes;
pub use stream_mode::StreamMode;
pub use subscribe::{TimeLeft, subscribe_router};
