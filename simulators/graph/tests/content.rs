//! Tests of downloads from the Microsoft Graph simulator, and of files whose metadata it edits.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use support::{USER, start_bench};

/// A DOCX container that was created by an independent writer (Python's `zipfile`).
const DOCX: &str = concat!(
    "UEsDBBQAAAAIAABIfF3HHBc8CgAAAAgAAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbLMJqSxILda3AwBQSwMEFAAAAAgA",
    "AEh8XYLZHNUSAAAAEAAAAAsAAABfcmVscy8ucmVsc7MJSs1JLMnMzyvOyCwo1rcDAFBLAwQUAAAACAAASHxdFTFvJUAA",
    "AAAhAQAAEQAAAHdvcmQvZG9jdW1lbnQueG1ssym3SslPLs1NzSux8yxRyCxWyC9KSS1KTVEoyUgsARKpCokFBamJOQpJ",
    "qQopmcW5mcXFqSl6CsNZrY0+UqAAAFBLAwQUAAAACAAASHxdauxYJQ0AAAALAAAADwAAAHdvcmQvc3R5bGVzLnhtbLMp",
    "tyouqcxJLda3AwBQSwMEFAAAAAgAAEh8XTvschYWAAAAFAAAABEAAABkb2NQcm9wcy9jb3JlLnhtbLNJLrBKzi9KDSjK",
    "L0gtKslMLda3AwBQSwECFAMUAAAACAAASHxdxxwXPAoAAAAIAAAAEwAAAAAAAAAAAAAAgAEAAAAAW0NvbnRlbnRfVHlw",
    "ZXNdLnhtbFBLAQIUAxQAAAAIAABIfF2C2RzVEgAAABAAAAALAAAAAAAAAAAAAACAATsAAABfcmVscy8ucmVsc1BLAQIU",
    "AxQAAAAIAABIfF0VMW8lQAAAACEBAAARAAAAAAAAAAAAAACAAXYAAAB3b3JkL2RvY3VtZW50LnhtbFBLAQIUAxQAAAAI",
    "AABIfF1q7FglDQAAAAsAAAAPAAAAAAAAAAAAAACAAeUAAAB3b3JkL3N0eWxlcy54bWxQSwECFAMUAAAACAAASHxdO+xy",
    "FhYAAAAUAAAAEQAAAAAAAAAAAAAAgAEfAQAAZG9jUHJvcHMvY29yZS54bWxQSwUGAAAAAAUABQA1AQAAZAEAAAAA",
);

#[tokio::test]
async fn download_url_serves_ranges_and_requires_its_credential() {
    let bench = start_bench().await;
    let all: Vec<u8> = (0..900_u16).map(|at| u8::try_from(at % 251).unwrap()).collect();
    // The document is sent as two fragments, so that the simulator stores it in two files.
    let url = bench.create_session("x/a.pdf", 400_000).await;
    let large = [&all[..]; 445].concat()[..400_000].to_vec();
    assert_eq!(bench.put_fragment(&url, &large, 0, 327_680).await.0, 202);
    assert_eq!(bench.put_fragment(&url, &large, 327_680, 400_000).await.0, 201);

    let content = format!("{}/v1.0/users/{USER}/drive/root:/x/a.pdf:/content", bench.graph.url());
    let read_range = async |range: &str| {
        let request = bench.http.get(&content).bearer_auth(&bench.token).header("range", range);
        let response = request.send().await.unwrap();
        let content_range = response.headers().get("content-range").cloned();
        let content_range = content_range.map(|range| range.to_str().unwrap().to_owned());
        (response.status().as_u16(), content_range, response.bytes().await.unwrap().to_vec())
    };
    for (first, last) in [(0, 9), (327_670, 327_690), (399_999, 500_000)] {
        let (status, content_range, bytes) = read_range(&format!("bytes={first}-{last}")).await;
        let last = last.min(399_999);
        assert_eq!(status, 206);
        assert_eq!(content_range.unwrap(), format!("bytes {first}-{last}/400000"));
        assert_eq!(bytes, large[first..=last]);
    }

    for wrong in ["bytes=400000-400001", "bytes=9-3", "lines=1-2"] {
        assert_eq!(read_range(wrong).await.0, 416, "{wrong}");
    }

    let full_response = bench.http.get(&content).bearer_auth(&bench.token).send().await.unwrap();
    let address = full_response.url().to_string();
    assert!(full_response.bytes().await.unwrap() == large);
    assert_eq!(bench.http.get(&address).send().await.unwrap().status(), 200);

    let forged = address.replace("tempauth=v1.", "tempauth=v1.0");
    assert_eq!(bench.http.get(forged).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn rewritten_container_keeps_its_content_parts() {
    let bench = start_bench().await;
    let docx = STANDARD.decode(DOCX).unwrap();
    bench.add_faults(json!({ "operation": "lastFragment", "rewrite": true })).await;
    let url = bench.create_session("x/order.docx", docx.len()).await;
    let (status, item) = bench.put_fragment(&url, &docx, 0, docx.len()).await;
    assert_eq!(status, 201);

    let stored = bench.stored_bytes("x/order.docx").await;
    assert_eq!(item["size"], stored.len());
    assert!(stored != docx);

    // Returns an entry of the central directory, from its CRC-32 on.
    let entry = |file: &[u8], name: &str| {
        let at = file.windows(name.len()).rposition(|bytes| bytes == name.as_bytes()).unwrap();
        assert!(file[at - 46..].starts_with(b"PK\x01\x02"), "{name}");
        file[at - 30..at - 18].to_vec()
    };
    for content in ["word/document.xml", "word/styles.xml"] {
        assert_eq!(entry(&stored, content), entry(&docx, content), "{content}");
    }

    let types = "[Content_Types].xml";
    assert_ne!(entry(&stored, types), entry(&docx, types));
    assert!(!entry(&stored, "docProps/custom.xml").is_empty());
}
