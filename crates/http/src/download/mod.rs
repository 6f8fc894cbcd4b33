//! `/v1/download/…`: jobs whose documents are fetched by presigned URLs.

mod answer;
mod get;
mod initiate;
mod shared;
mod status;

pub use get::download_router;
pub(crate) use initiate::initiate_routes;
pub use initiate::{DownloadApi, FileRange};
pub use shared::JobApi;
pub(crate) use status::job_routes;
