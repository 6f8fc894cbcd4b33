//! One answer of the delivery bucket, and what it adds to the part.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use url::Url;

use super::error::FetchError;
use super::name::{self, Names};
use super::part::Part;
use super::{Come, Wanted, already_there};
use crate::client::{http_for, retry_after};
use crate::watch::{Observer, View};

/// A store that sends nothing for this long is taken for dead.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A document on its way.
pub(super) struct Arrival<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) part: Part,
    /// Where it goes, once its name is told.
    pub(super) target: Option<PathBuf>,
    pub(super) names: &'a mut Names,
    pub(super) observer: &'a dyn Observer,
}

impl Arrival<'_> {
    /// Brings the rest of it.
    pub(super) async fn come(&mut self, url: &Url) -> Result<Come, FetchError> {
        let mut response = self.ask(url).await?;
        let total = self.begin(&response)?;
        let path = self.place(response.headers());
        if let Some(there) = already_there(Some(&path), self.wanted.existing)? {
            return Ok(Come::AlreadyThere(there));
        }
        let label = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (start, from) = (Instant::now(), self.part.bytes());
        loop {
            let came = self.part.bytes() - from;
            let seconds = start.elapsed().as_secs_f64();
            let rate = (came > 0 && seconds > 0.0).then(|| (came as f64 / seconds) as u64);
            self.show(label.as_deref(), total, rate);
            let Some(chunk) = response.chunk().await? else { break };
            self.part.append(&chunk)?;
            // A store that does not stop shall not fill the disk.
            self.check(total, |bytes, expected| bytes <= expected)?;
        }
        self.check(total, |bytes, expected| bytes == expected)?;
        Ok(Come::Whole(path))
    }

    /// Where it goes; the name is told by the first good answer.
    fn place(&mut self, headers: &HeaderMap) -> PathBuf {
        let Self { wanted, target, names, .. } = self;
        let place = target.get_or_insert_with(|| {
            let name = name::told(headers);
            let name = name.unwrap_or_else(|| name::or_document(&wanted.fallback_name));
            wanted.folder.join(names.claim(&name))
        });
        place.clone()
    }

    async fn ask(&self, url: &Url) -> Result<Response, FetchError> {
        let http = http_for(url).read_timeout(READ_TIMEOUT).build()?;
        // Plainly: whoever sends credentials along is refused by S3.
        let mut request = http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((from, tag)) = self.part.resume(self.wanted.size) {
            request = request.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, tag);
        }
        Ok(request.send().await?)
    }

    /// Gets ready for the bytes of this answer; returns the size of the whole document,
    /// as far as that is known.
    fn begin(&mut self, response: &Response) -> Result<Option<u64>, FetchError> {
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
                // A store that does not know If-Range sends a part of the new document.
                let is_same = match (asked, headers.get(ETAG)) {
                    (Some((_, tag)), Some(sent)) => sent.as_bytes() == tag.as_bytes(),
                    _ => true,
                };
                let asked = asked.map(|(from, _)| from);
                match content_range(headers) {
                    Some((from, size)) if is_same && Some(from) == asked => {
                        self.part.seek(from)?;
                        size
                    }
                    // Not the range that was asked for: whose bytes these are is not known.
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

    /// Whether something else answered, such as a proxy with a page of its own: the bucket
    /// names the tag of each document. The part stays as it is then.
    fn is_foreign(&self, response: &Response) -> bool {
        let is_other_size =
            self.wanted.size.is_some() && response.content_length() != self.wanted.size;
        is_other_size && !response.headers().contains_key(ETAG)
    }

    fn check(
        &self,
        total: Option<u64>,
        is_right: impl Fn(u64, u64) -> bool,
    ) -> Result<(), FetchError> {
        match total {
            Some(expected) if !is_right(self.part.bytes(), expected) => {
                Err(FetchError::WrongSize { expected, found: self.part.bytes() })
            }
            _ => Ok(()),
        }
    }

    fn show(&self, name: Option<&str>, size: Option<u64>, rate: Option<u64>) {
        let bytes = self.part.bytes();
        let total = size.unwrap_or(bytes).max(1);
        let percent = u8::try_from(u128::from(bytes) * 100 / u128::from(total)).unwrap_or(100);
        let rest = size.map(|size| size.saturating_sub(bytes));
        let time_left = rest.zip(rate).map(|(rest, rate)| Duration::from_secs(rest / rate.max(1)));
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

/// A tag that says that all bytes are the same; a weak one does not.
fn strong_tag(headers: &HeaderMap) -> Option<&str> {
    headers.get(ETAG)?.to_str().ok().filter(|tag| !tag.starts_with("W/"))
}

/// `bytes 5-9/10`: the first byte, and the size where it is told.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, size.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_with_and_without_a_size() {
        let read = |value: &str| {
            content_range(&[(CONTENT_RANGE, value.parse().unwrap())].into_iter().collect())
        };
        assert_eq!(read("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some((5, None)));
        assert_eq!((read("bytes */10"), read("items 1-2/3")), (None, None));
    }

    #[test]
    fn a_weak_tag_does_not_count() {
        let of = |value: &str| {
            let headers = [(ETAG, value.parse().unwrap())].into_iter().collect();
            strong_tag(&headers).map(str::to_owned)
        };
        assert_eq!((of("\"a\""), of("W/\"a\"")), (Some("\"a\"".to_owned()), None));
    }
}
