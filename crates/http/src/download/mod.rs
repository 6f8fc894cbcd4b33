//! Routes below `/v1/download`: jobs that make documents available by presigned URL or deliver
//! them to OneDrive.

mod answer;
mod event_stream;
mod get;
mod initiate;
mod list;
mod name;
mod page;
mod shared;
mod status;
mod stream_mode;
mod subscribe;

pub use get::download_router;
pub use initiate::{DownloadApi, FileRange};
pub(crate) use initiate::{FIRST_POLL_DELAY_MS, initiate_routes, refusal};
pub(crate) use name::upload_idempotency_key;
pub use shared::JobApi;
pub(crate) use status::job_routes;
pub use stream_mode::StreamMode;
pub use subscribe::{TimeLeft, subscribe_router};
