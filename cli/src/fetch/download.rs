//! One try to download a document from the delivery bucket, an S3 bucket. The try sends one request
//! to the document's presigned URL and writes the response to the partial file.
//!
//! If the partial file has bytes of an earlier try, the try resumes the download: the request asks
//! for the remaining range. Its `If-Range` header contains the entity tag (`ETag`) of the earlier
//! bytes. If the document has changed, its entity tag differs, and the bucket sends the whole
//! document.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use url::Url;

use super::error::FetchError;
use super::name::{self, UsedNames};
use super::part::{PartialFile, ResumePoint};
use super::target::{DownloadResult, WantedDocument, check_existing};
use crate::http::{http_for, parse_retry_after};
use crate::watch::{Observer, View};

/// Time without any data after which a connection counts as dead.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A document that is being downloaded.
pub(super) struct Download<'a> {
    pub(super) wanted: &'a WantedDocument,
    pub(super) partial_file: PartialFile,
    /// Path of the target, or `None` until a response has decided the file name.
    pub(super) target: Option<PathBuf>,
    /// Names of the files that this run of the command has written.
    pub(super) names: &'a mut UsedNames,
    pub(super) observer: &'a dyn Observer,
}

impl Download<'_> {
    /// Downloads the missing bytes of the document from `url`.
    pub(super) async fn run(&mut self, url: &Url) -> Result<DownloadResult, FetchError> {
        let mut response = self.send_request(url).await?;
        let total_size = self.check_response(&response)?;
        let path = self.target_path(response.headers());
        if let Some(existing) = check_existing(Some(&path), self.wanted.existing)? {
            return Ok(DownloadResult::AlreadyExists(existing));
        }
        let label = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let start = Instant::now();
        let bytes_at_start = self.partial_file.bytes();
        loop {
            let received = self.partial_file.bytes() - bytes_at_start;
            let seconds = start.elapsed().as_secs_f64();
            let rate = (received > 0 && seconds > 0.0).then(|| (received as f64 / seconds) as u64);
            self.report_progress(label.as_deref(), total_size, rate);
            let Some(chunk) = response.chunk().await? else { break };
            self.partial_file.append(&chunk)?;
            // An endless response must not fill the disk.
            self.ensure_not_too_long(total_size)?;
        }
        self.ensure_complete(total_size)?;
        Ok(DownloadResult::Complete(path))
    }

    /// Returns the path of the target. The first successful response decides the file name.
    fn target_path(&mut self, headers: &HeaderMap) -> PathBuf {
        let Self { wanted, target, names, .. } = self;
        let path = target.get_or_insert_with(|| {
            let name = name::from_headers(headers)
                .unwrap_or_else(|| name::sanitized_or_default(&wanted.fallback_name));
            wanted.folder.join(names.claim(&name))
        });
        path.clone()
    }

    /// Sends the GET request, with a range if the download can be resumed.
    async fn send_request(&self, url: &Url) -> Result<Response, FetchError> {
        let http = http_for(url).read_timeout(READ_TIMEOUT).build()?;
        // The request has no credentials, because S3 refuses a presigned URL with an
        // Authorization header.
        let mut request = http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(ResumePoint { offset, tag }) = self.partial_file.resume_point(self.wanted.size)
        {
            request = request.header(RANGE, format!("bytes={offset}-")).header(IF_RANGE, tag);
        }
        Ok(request.send().await?)
    }

    /// Checks the status and headers of a response and prepares the partial file for its
    /// body. Returns the size of the whole document, if it is known.
    fn check_response(&mut self, response: &Response) -> Result<Option<u64>, FetchError> {
        let (status, headers) = (response.status(), response.headers());
        let sent_size = match status {
            StatusCode::OK if self.is_foreign(response) => {
                return Err(FetchError::Foreign { status: status.as_u16() });
            }
            StatusCode::NOT_FOUND => return Err(FetchError::Gone),
            StatusCode::OK => {
                self.partial_file.restart(strong_tag(headers))?;
                response.content_length()
            }
            StatusCode::PARTIAL_CONTENT => self.accept_range(headers)?,
            _ => {
                if status == StatusCode::RANGE_NOT_SATISFIABLE {
                    self.partial_file.restart(None)?;
                }
                let retry_after = parse_retry_after(headers);
                return Err(FetchError::Store { status: status.as_u16(), retry_after });
            }
        };
        match (self.wanted.size, sent_size) {
            (Some(expected), Some(found)) if expected != found => {
                Err(FetchError::WrongSize { expected, found })
            }
            (expected, found) => Ok(expected.or(found)),
        }
    }

    /// Checks that a response with a range (status 206) continues the partial file. Truncates the
    /// partial file to the start of the range. Returns the size of the whole document, if it is
    /// known.
    fn accept_range(&mut self, headers: &HeaderMap) -> Result<Option<u64>, FetchError> {
        let requested = self.partial_file.resume_point(self.wanted.size);
        // A store that ignores `If-Range` sends a range of a changed document.
        let is_same_document = match (requested, headers.get(ETAG)) {
            (Some(requested), Some(sent)) => sent.as_bytes() == requested.tag.as_bytes(),
            _ => true,
        };
        let requested_offset = requested.map(|requested| requested.offset);
        match content_range(headers) {
            Some(range) if is_same_document && Some(range.first_byte) == requested_offset => {
                self.partial_file.truncate(range.first_byte)?;
                Ok(range.document_size)
            }
            // The response has another range or another document. The next try starts over: the
            // status 416 (range not satisfiable) makes the error transient.
            _ => {
                self.partial_file.restart(None)?;
                Err(FetchError::Store { status: 416, retry_after: None })
            }
        }
    }

    /// Returns whether a successful response comes from another server than the bucket, such as a
    /// proxy. The bucket sends an `ETag` with each document, and the size that the service
    /// reported.
    fn is_foreign(&self, response: &Response) -> bool {
        let is_other_size =
            self.wanted.size.is_some() && response.content_length() != self.wanted.size;
        is_other_size && !response.headers().contains_key(ETAG)
    }

    /// Fails if the partial file has more bytes than the whole document. An unknown size is
    /// accepted.
    fn ensure_not_too_long(&self, total_size: Option<u64>) -> Result<(), FetchError> {
        let found = self.partial_file.bytes();
        match total_size {
            Some(expected) if found > expected => Err(FetchError::WrongSize { expected, found }),
            _ => Ok(()),
        }
    }

    /// Fails if the partial file has not exactly the size of the whole document. An unknown size is
    /// accepted.
    fn ensure_complete(&self, total_size: Option<u64>) -> Result<(), FetchError> {
        let found = self.partial_file.bytes();
        match total_size {
            Some(expected) if found != expected => Err(FetchError::WrongSize { expected, found }),
            _ => Ok(()),
        }
    }

    /// Reports the progress to the observer.
    fn report_progress(&self, name: Option<&str>, size: Option<u64>, rate: Option<u64>) {
        let bytes = self.partial_file.bytes();
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

/// Returns the entity tag if it is a strong one. A weak entity tag (`W/…`) does not guarantee equal
/// bytes.
fn strong_tag(headers: &HeaderMap) -> Option<&str> {
    headers.get(ETAG)?.to_str().ok().filter(|tag| !tag.starts_with("W/"))
}

/// Content of a `Content-Range` header such as `bytes 5-9/10`.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    /// Position of the range's first byte in the document.
    first_byte: u64,
    /// Size of the whole document, if it is known.
    document_size: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first_byte, _last_byte) = range.split_once('-')?;
    Some(ContentRange {
        first_byte: first_byte.trim().parse().ok()?,
        document_size: size.trim().parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_parsed_with_or_without_size() {
        let parse = |value: &str| {
            content_range(&[(CONTENT_RANGE, value.parse().unwrap())].into_iter().collect())
        };
        let with_size = ContentRange { first_byte: 5, document_size: Some(10) };
        assert_eq!(parse("bytes 5-9/10"), Some(with_size));
        let without_size = ContentRange { first_byte: 5, document_size: None };
        assert_eq!(parse("bytes 5-9/*"), Some(without_size));
        assert_eq!(parse("bytes */10"), None);
        assert_eq!(parse("items 1-2/3"), None);
    }

    #[test]
    fn weak_etag_is_not_used_for_resuming() {
        let strong_tag_of = |value: &str| {
            let headers = [(ETAG, value.parse().unwrap())].into_iter().collect();
            strong_tag(&headers).map(str::to_owned)
        };
        assert_eq!(strong_tag_of("\"a\"").as_deref(), Some("\"a\""));
        assert_eq!(strong_tag_of("W/\"a\""), None);
    }
}
