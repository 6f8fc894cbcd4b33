//! Downloading the documents of a job into files.
//!
//! A document is written to a partial file, whose name ends with `.part`. The file is renamed when
//! the document is complete. A later try, or a later run of the command, resumes an interrupted
//! download with a range request.

mod download;
mod error;
mod name;
mod part;
mod target;

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use secrecy::ExposeSecret as _;
use url::Url;

pub use error::FetchError;
pub use name::UsedNames;
pub use part::ExistingFilePolicy;
pub use target::{FetchedFile, WantedDocument};

use crate::client::Client;
use crate::error::ClientError;
use crate::job::{FetchResponse, JobState};
use crate::watch::{End, Observer, Options, clamp_pause, retry_transient};
use download::Download;
use part::PartialFile;
use target::{DownloadResult, check_existing};

/// Pause between polls while a document is not ready, if the service asks for none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// First backoff after a failed try.
const MIN_BACKOFF: Duration = Duration::from_millis(500);
/// Longest backoff after failed tries.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// Downloads one document and moves it to its target when it is complete. Resumes the download of
/// an earlier run, if its partial file exists.
///
/// Each try requests a new presigned URL, so an expired URL does not matter. If this future is
/// dropped, the partial file stays and the next call resumes the download.
///
/// # Errors
/// See [`FetchError`]. A transient error is returned when [`Options::retries`] consecutive tries
/// received no new byte.
pub async fn fetch(
    client: &Client,
    wanted: &WantedDocument,
    names: &mut UsedNames,
    options: &Options,
    observer: &dyn Observer,
) -> Result<FetchedFile, FetchError> {
    let start = Instant::now();
    let result = fetch_to_target(client, wanted, names, options, observer).await;
    let end = match &result {
        Ok(fetched) => End::Completed(fetched.size),
        Err(FetchError::Client(error)) => End::Error(error),
        Err(error) => End::Failed(error.to_string()),
    };
    observer.ended(&end, start.elapsed());
    result
}

/// Downloads the document for [`fetch`], without reporting the end to the observer.
async fn fetch_to_target(
    client: &Client,
    wanted: &WantedDocument,
    names: &mut UsedNames,
    options: &Options,
    observer: &dyn Observer,
) -> Result<FetchedFile, FetchError> {
    let target = wanted.name.as_ref().map(|name| wanted.folder.join(name));
    if let Some(existing) = check_existing(target.as_deref(), wanted.existing)? {
        return Ok(existing);
    }
    let partial_file = PartialFile::open(wanted.partial_path())?;
    let mut download = Download { wanted, partial_file, target, names, observer };
    match fetch_with_retries(client, wanted, &mut download, options).await {
        Ok(DownloadResult::Complete(path)) => {
            let size = download.partial_file.bytes();
            download.partial_file.finish(&path, wanted.existing)?;
            Ok(FetchedFile { path, size, skipped: false })
        }
        Ok(DownloadResult::AlreadyExists(existing)) => {
            download.partial_file.discard()?;
            Ok(existing)
        }
        Err(error) => {
            // An empty or wrong partial file is of no use to a later run.
            if download.partial_file.bytes() == 0 || matches!(error, FetchError::WrongSize { .. }) {
                download.partial_file.discard()?;
            }
            Err(error)
        }
    }
}

/// Downloads until the document is complete or an error is permanent.
async fn fetch_with_retries(
    client: &Client,
    wanted: &WantedDocument,
    download: &mut Download<'_>,
    options: &Options,
) -> Result<DownloadResult, FetchError> {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(MIN_BACKOFF)
        .with_max_delay(MAX_BACKOFF)
        .with_max_times(options.retries)
        .with_jitter();
    let mut pauses = backoff.build();
    let mut max_bytes = download.partial_file.bytes();
    loop {
        let url = presigned_url(client, &wanted.job_id, options, download.observer).await?;
        let error = match download.run(&url).await {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        // Only bytes beyond the maximum of all earlier tries reset the backoff. Otherwise a
        // document that cannot be resumed would be downloaded again without end.
        if download.partial_file.bytes() > max_bytes {
            max_bytes = download.partial_file.bytes();
            pauses = backoff.build();
        }
        if !error.is_transient() {
            return Err(error);
        }
        // There is no next pause after the last retry.
        let Some(pause) = pauses.next() else { return Err(error) };
        tokio::time::sleep(clamp_pause(error.retry_after(), pause)).await;
    }
}

/// Waits until a document is ready and returns its presigned URL.
async fn presigned_url(
    client: &Client,
    job_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Url, FetchError> {
    let notify = |error: &ClientError, pause| observer.retrying(error, pause);
    let wait_until_ready = async {
        loop {
            match retry_transient(options, || client.fetch_url(job_id), notify).await? {
                FetchResponse::Ready(job_url) => {
                    // The URL is a bearer secret, so the error must not contain it.
                    return Url::parse(job_url.url.expose_secret()).map_err(|_| {
                        let reason = "the document's URL is not valid".into();
                        ClientError::InvalidResponse { status: 200, reason }.into()
                    });
                }
                FetchResponse::NotReady { status, retry_after } => match status.status {
                    // The job is completed, but the service has no presigned URL for it.
                    JobState::Completed => {
                        return Err(nothing_to_fetch(
                            "it was delivered elsewhere, or as several documents",
                        ));
                    }
                    state if state.is_terminal() => return Err(nothing_to_fetch(state.as_str())),
                    _ => {
                        let requested_pause = retry_after.or(status.next_poll());
                        tokio::time::sleep(clamp_pause(requested_pause, DEFAULT_PAUSE)).await;
                    }
                },
            }
        }
    };
    tokio::time::timeout(options.timeout, wait_until_ready)
        .await
        .unwrap_or(Err(FetchError::NotReady))
}

/// Returns the file name under which [`fetch`] stores a document with this name: the sanitized
/// name, or `document` if the sanitized name is empty.
#[must_use]
pub fn sanitized_name(name: &str) -> String {
    name::sanitized_or_default(name)
}

fn nothing_to_fetch(reason: &str) -> FetchError {
    FetchError::NothingToFetch { reason: reason.to_owned() }
}
