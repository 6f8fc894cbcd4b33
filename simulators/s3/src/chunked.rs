//! Decoder of the content encoding `aws-chunked`, in which clients stream a body and append its
//! checksum as a trailer.
//!
//! Format: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// A decoded body and its trailers.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: HeaderMap,
}

/// Decodes a body. Returns `None` if it is malformed or ends early. Chunk signatures are not
/// checked.
pub(crate) fn decode(body: &Bytes) -> Option<Decoded> {
    let mut position = 0;
    let mut bytes = Vec::with_capacity(body.len());
    loop {
        let line = next_line(body, &mut position)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            break;
        }
        let end = position.checked_add(size)?;
        bytes.extend_from_slice(body.get(position..end)?);
        position = end;
        if !next_line(body, &mut position)?.is_empty() {
            return None;
        }
    }
    let mut trailers = HeaderMap::new();
    // Some clients omit the empty line at the end.
    while let Some(line) = next_line(body, &mut position).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        trailers.insert(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(Decoded { bytes: bytes.into(), trailers })
}

/// Returns the next line without its end, and moves the position behind it.
fn next_line<'a>(body: &'a Bytes, position: &mut usize) -> Option<&'a str> {
    let rest = body.get(*position..)?;
    // A line of a header or trailer is short. The limit bounds the search in a malformed body.
    let length = rest.iter().take(16 * 1024).position(|byte| *byte == b'\n')?;
    *position += length + 1;
    let line = std::str::from_utf8(&rest[..length]).ok()?;
    Some(line.strip_suffix('\r').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_trailers_are_returned() {
        let body = "5;chunk-signature=0\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        let decoded = decode(&Bytes::from_static(body.as_bytes())).unwrap();
        assert_eq!(decoded.bytes, "hello world");
        assert_eq!(decoded.trailers["x-amz-checksum-crc32"], "DUoRhQ==");
        assert!(decode(&Bytes::from_static(b"0\r\n")).unwrap().bytes.is_empty());
    }

    #[test]
    fn incomplete_and_malformed_bodies_are_refused() {
        for body in ["", "5\r\nhell", "5\r\nhello\r\n", "3\r\nhello\r\n0\r\n\r\n", "x\r\n", "hello"]
        {
            assert!(decode(&Bytes::from(body)).is_none(), "{body}");
        }
    }
}
