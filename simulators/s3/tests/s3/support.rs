//! Test support: a simulator for each test, and a client that sends S3 requests to it.
#![allow(clippy::unwrap_used, reason = "test helpers panic on failure")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use docferry_sim_s3::{Config, Running, start};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

/// Header `Authorization` with the access key of the simulator. The simulator does not check the
/// signature.
pub(crate) const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=simulated-key/20260101/x/s3/aws4_request, SignedHeaders=host, Signature=0";
/// Size in bytes of the smallest part that is not the last one.
pub(crate) const MIN_PART: usize = 5 << 20;

/// A running simulator, and a client.
pub(crate) struct Store {
    pub(crate) s3: Running,
    pub(crate) http: Client,
}

impl Store {
    pub(crate) async fn new() -> Self {
        Self::with_config(Config::default()).await
    }

    pub(crate) async fn with_config(config: Config) -> Self {
        let s3 = start(config).await.unwrap();
        Self { s3, http: Client::builder().no_proxy().build().unwrap() }
    }

    /// Adds a generated object of this size and returns its description.
    pub(crate) async fn put_object(&self, key: &str, size: u64) -> Value {
        self.admin(Method::PUT, &format!("/objects/{key}?size={size}&seed=1")).await
    }

    /// Sends a request to the admin interface and returns the response.
    pub(crate) async fn admin(&self, method: Method, path: &str) -> Value {
        let url = format!("{}{path}", self.s3.admin_url());
        let response = self.http.request(method, url).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// Posts to the admin interface.
    pub(crate) async fn post_admin(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.s3.admin_url());
        self.http.post(url).json(body).send().await.unwrap().error_for_status().unwrap();
    }

    /// Returns a signed request to the bucket.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/simulated-bucket{path}", self.s3.url());
        self.http.request(method, url).header("authorization", AUTHORIZATION)
    }

    /// Requests a range of the object `a/b c.bin` if the object has this ETag.
    pub(crate) async fn get_range(&self, range: &str, tag: &str) -> Response {
        let request = self.request(Method::GET, "/a/b%20c.bin").header("range", range);
        request.header("if-match", tag).send().await.unwrap()
    }

    /// Returns the bytes of an object.
    pub(crate) async fn read(&self, key: &str) -> Vec<u8> {
        let response = self.request(Method::GET, &format!("/{key}")).send().await.unwrap();
        response.error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    /// Creates an upload of the object `zip` with a CRC-32 of this type.
    pub(crate) async fn create(&self, checksum_type: &str) -> Upload<'_> {
        let request = self.request(Method::POST, "/zip?uploads");
        let request = request.header("x-amz-checksum-algorithm", "CRC32");
        let response = request.header("x-amz-checksum-type", checksum_type).send().await.unwrap();
        Upload { has_checksum: true, ..self.upload(response).await }
    }

    /// Creates an upload of the object `zip` without a checksum.
    pub(crate) async fn create_without_checksum(&self) -> Upload<'_> {
        let response = self.request(Method::POST, "/zip?uploads").send().await.unwrap();
        self.upload(response).await
    }

    async fn upload(&self, response: Response) -> Upload<'_> {
        assert_eq!(response.status(), 200);
        let id = element(&response.text().await.unwrap(), "UploadId").unwrap();
        Upload { store: self, id, has_checksum: false, listed: Vec::new() }
    }
}

/// An upload of the object `zip`.
pub(crate) struct Upload<'a> {
    pub(crate) store: &'a Store,
    pub(crate) id: String,
    /// Whether the upload was created with a checksum.
    has_checksum: bool,
    /// Elements of the parts for the completion.
    pub(crate) listed: Vec<String>,
}

impl Upload<'_> {
    /// Returns a request that concerns this upload. `query` starts with `&`, unless it is empty.
    pub(crate) fn request(&self, method: Method, query: &str) -> RequestBuilder {
        self.store.request(method, &format!("/zip?uploadId={}{query}", self.id))
    }

    /// Uploads a part, with its checksum if the upload has one.
    pub(crate) async fn put_part(&mut self, number: u32, bytes: Vec<u8>) {
        let crc = self.has_checksum.then(|| crc32(&bytes));
        let mut request = self.request(Method::PUT, &format!("&partNumber={number}"));
        if let Some(crc) = &crc {
            request = request.header("x-amz-checksum-crc32", crc);
        }
        let response = request.body(bytes).send().await.unwrap();
        assert_eq!(response.status(), 200);
        self.listed.push(part(number, header(&response, "etag"), crc.as_deref()));
    }

    /// Returns the request that copies a part from an object, or from a range of it.
    pub(crate) fn copy_request(
        &self,
        number: u32,
        key: &str,
        range: Option<&str>,
    ) -> RequestBuilder {
        let request = self.request(Method::PUT, &format!("&partNumber={number}"));
        let request = request.header("x-amz-copy-source", format!("simulated-bucket/{key}"));
        match range {
            Some(range) => request.header("x-amz-copy-source-range", range),
            None => request,
        }
    }

    /// Copies a part and returns the response document.
    pub(crate) async fn copy(&mut self, number: u32, key: &str, range: Option<&str>) -> String {
        let response = self.copy_request(number, key, range).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.text().await.unwrap();
        let crc = element(&body, "ChecksumCRC32");
        self.listed.push(part(number, &element(&body, "ETag").unwrap(), crc.as_deref()));
        body
    }

    /// Returns the request that completes the upload with the listed parts.
    pub(crate) fn completion(&self) -> RequestBuilder {
        let parts = self.listed.concat();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        self.request(Method::POST, "").body(body)
    }
}

/// Returns the element of a part for the completion.
pub(crate) fn part(number: u32, etag: &str, crc: Option<&str>) -> String {
    let crc = crc.map(|crc| format!("<ChecksumCRC32>{crc}</ChecksumCRC32>")).unwrap_or_default();
    format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{crc}</Part>")
}

/// Returns the base64 of the CRC-32 of these bytes.
pub(crate) fn crc32(bytes: &[u8]) -> String {
    STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())
}

/// Returns the text of the first element with this name.
pub(crate) fn element(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0.to_owned())
}

pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

/// Sends a request, and asserts the status and the error code.
pub(crate) async fn assert_refused(request: RequestBuilder, status: u16, code: &str) {
    let response = request.send().await.unwrap();
    let received = response.status();
    let body = response.text().await.unwrap();
    assert_eq!(
        (received.as_u16(), element(&body, "Code").as_deref()),
        (status, Some(code)),
        "{body}"
    );
}
