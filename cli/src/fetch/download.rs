//! Download of a document from one presigned URL into the partial file.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use url::Url;

use super::error::FetchError;
use super::name::{self, Names};
use super::part::Part;
use super::target::{DownloadResult, Wanted, check_existing};
use crate::http::{http_for, retry_after};
use crate::watch::{Observer, View};

/// Time without any data after which a connection counts as dead.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A document that is being downloaded.
pub(super) struct Download<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) part: Part,
    /// Path of the target, once the file name is known.
    pub(super) target: Option<PathBuf>,
    pub(super) names: &'a mut Names,
    pub(super) observer: &'a dyn Observer,
}

impl Download<'_> {
    /// Downloads the rest of the document from `url`.
    pub(super) async fn run(&mut self, url: &Url) -> Result<DownloadResult, FetchError> {
        let mut response = self.request(url).await?;
        let total = self.check_response(&response)?;
        let path = self.target_path(response.headers());
        if let Some(existing) = check_existing(Some(&path), self.wanted.existing)? {
            return Ok(DownloadResult::AlreadyThere(existing));
        }
        let label = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (start, from) = (Instant::now(), self.part.bytes());
        loop {
            let received = self.part.bytes() - from;
            let seconds = start.elapsed().as_secs_f64();
            let rate = (received > 0 && seconds > 0.0).then(|| (received as f64 / seconds) as u64);
            self.report_progress(label.as_deref(), total, rate);
            let Some(chunk) = response.chunk().await? else { break };
            self.part.append(&chunk)?;
            // A response without end must not fill the disk.
            self.check_size(total, |bytes, expected| bytes <= expected)?;
        }
        self.check_size(total, |bytes, expected| bytes == expected)?;
        Ok(DownloadResult::Whole(path))
    }

    /// Returns the path of the target. The first successful response decides the file name.
    fn target_path(&mut self, headers: &HeaderMap) -> PathBuf {
        let Self { wanted, target, names, .. } = self;
        let path = target.get_or_insert_with(|| {
            let name = name::from_headers(headers);
            let name = name.unwrap_or_else(|| name::sanitized_or_default(&wanted.fallback_name));
            wanted.folder.join(names.claim(&name))
        });
        path.clone()
    }

    /// Sends the GET request, with a range if the download can be resumed.
    async fn request(&self, url: &Url) -> Result<Response, FetchError> {
        let http = http_for(url).read_timeout(READ_TIMEOUT).build()?;
        // Without credentials: S3 refuses a presigned URL with an Authorization header.
        let mut request = http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((from, tag)) = self.part.resume(self.wanted.size) {
            request = request.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, tag);
        }
        Ok(request.send().await?)
    }

    /// Checks the status and headers of a response and prepares the partial file for its
    /// body. Returns the size of the whole document, if it is known.
    fn check_response(&mut self, response: &Response) -> Result<Option<u64>, FetchError> {
        let (status, headers) = (response.status(), response.headers());
        let size = match status {
            StatusCode::OK if self.is_foreign(response) => {
                return Err(FetchError::Foreign { status: status.as_u16() });
            }
            StatusCode::NOT_FOUND => return Err(FetchError::Gone),
            StatusCode::OK => {
                self.part.restart(strong_tag(headers))?;
                response.content_length()
            }
            StatusCode::PARTIAL_CONTENT => {
                let asked = self.part.resume(self.wanted.size);
                // A store that ignores If-Range sends a part of a changed document.
                let is_same = match (asked, headers.get(ETAG)) {
                    (Some((_, tag)), Some(sent)) => sent.as_bytes() == tag.as_bytes(),
                    _ => true,
                };
                let asked_from = asked.map(|(from, _)| from);
                match content_range(headers) {
                    Some((from, size)) if is_same && Some(from) == asked_from => {
                        self.part.seek(from)?;
                        size
                    }
                    // Not the requested range, or another document: start over.
                    _ => {
                        self.part.restart(None)?;
                        return Err(FetchError::Store { status: 416, retry_after: None });
                    }
                }
            }
            _ => {
                if status == StatusCode::RANGE_NOT_SATISFIABLE {
                    self.part.restart(None)?;
                }
                let retry_after = retry_after(headers);
                return Err(FetchError::Store { status: status.as_u16(), retry_after });
            }
        };
        match (self.wanted.size, size) {
            (Some(expected), Some(found)) if expected != found => {
                Err(FetchError::WrongSize { expected, found })
            }
            (expected, found) => Ok(expected.or(found)),
        }
    }

    /// Whether a successful response comes from another server, such as a proxy. The bucket
    /// sends an `ETag` with each document. The partial file is kept in that case.
    fn is_foreign(&self, response: &Response) -> bool {
        let is_other_size =
            self.wanted.size.is_some() && response.content_length() != self.wanted.size;
        is_other_size && !response.headers().contains_key(ETAG)
    }

    /// Fails unless the bytes so far and the expected total satisfy the condition.
    fn check_size(
        &self,
        total: Option<u64>,
        is_valid: impl Fn(u64, u64) -> bool,
    ) -> Result<(), FetchError> {
        match total {
            Some(expected) if !is_valid(self.part.bytes(), expected) => {
                Err(FetchError::WrongSize { expected, found: self.part.bytes() })
            }
            _ => Ok(()),
        }
    }

    /// Reports the progress to the observer.
    fn report_progress(&self, name: Option<&str>, size: Option<u64>, rate: Option<u64>) {
        let bytes = self.part.bytes();
        let total = size.unwrap_or(bytes).max(1);
        let percent = u8::try_from(u128::from(bytes) * 100 / u128::from(total)).unwrap_or(100);
        let remaining = size.map(|size| size.saturating_sub(bytes));
        let time_left = remaining
            .zip(rate)
            .map(|(remaining, rate)| Duration::from_secs(remaining / rate.max(1)));
        self.observer.progress(&View {
            transfer_id: &self.wanted.job_id,
            name,
            percent: percent.min(100),
            bytes,
            size: size.or(Some(bytes)),
            rate,
            time_left,
            changed: true,
        });
    }
}

/// Returns the `ETag` if it is a strong one. A weak tag does not guarantee equal bytes.
fn strong_tag(headers: &HeaderMap) -> Option<&str> {
    headers.get(ETAG)?.to_str().ok().filter(|tag| !tag.starts_with("W/"))
}

/// Parses a `Content-Range` such as `bytes 5-9/10`: the first byte, and the size if it is
/// known.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, size.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_parsed_with_or_without_size() {
        let read = |value: &str| {
            content_range(&[(CONTENT_RANGE, value.parse().unwrap())].into_iter().collect())
        };
        assert_eq!(read("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some((5, None)));
        assert_eq!((read("bytes */10"), read("items 1-2/3")), (None, None));
    }

    #[test]
    fn weak_etag_is_not_used_for_resuming() {
        let of = |value: &str| {
            let headers = [(ETAG, value.parse().unwrap())].into_iter().collect();
            strong_tag(&headers).map(str::to_owned)
        };
        assert_eq!((of("\"a\""), of("W/\"a\"")), (Some("\"a\"".to_owned()), None));
    }
}
