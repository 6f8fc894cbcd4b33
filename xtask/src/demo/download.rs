//! Downloads one document of the demo through the downloads API, with the calls that a client
//! makes.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::registry::FILE_ID;
use super::scenario::Item;
use super::simulators::SourceDocument;
use crate::stack::Stack;

/// Maximum number of polls. The demo needs much fewer.
const MAX_POLLS: u32 = 600;

/// Observations during the download, which [`print_and_check`] compares with the expected ones.
#[derive(Debug)]
pub(crate) struct Download {
    /// Status of a request before the job was completed.
    status_before: StatusCode,
    /// Status of a request after the job was completed.
    status_after: StatusCode,
    size: u64,
    sha256: String,
}

/// Signs in and requests the document. Requests its bytes once before the job is completed, which
/// must fail. Then waits until the job is completed, and follows the redirect to the bytes.
pub(crate) async fn download(stack: &Stack) -> Result<Download> {
    let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let oidc = &stack.oidc;
    let token_request = http
        .post(&oidc.token_url)
        .basic_auth(&oidc.client_id, Some(&oidc.client_secret))
        .form(&[("grant_type", "client_credentials")]);
    let token = send_and_parse(token_request, StatusCode::OK).await?["access_token"].take();
    let token = token.as_str().context("the identity provider returned no token")?;
    let get = |path: String| http.get(format!("{}{path}", stack.api)).bearer_auth(token);

    let request = http.post(format!("{}/v1/download/initiate", stack.api)).bearer_auth(token);
    let accepted =
        send_and_parse(request.json(&json!({ "file_id": FILE_ID })), StatusCode::ACCEPTED).await?;
    let job_id = accepted["jobId"].as_str().context("the job has no id")?.to_owned();
    let status_before = get(format!("/v1/download/{job_id}")).send().await?.status();
    println!("Download: requested too early, status {status_before}.");

    for _ in 0..MAX_POLLS {
        let status =
            send_and_parse(get(format!("/v1/download/status/{job_id}")), StatusCode::OK).await?;
        match (status["status"].as_str(), status["nextPollInMs"].as_u64()) {
            (Some("completed"), _) => {
                return fetch(&http, get(format!("/v1/download/{job_id}")), status_before).await;
            }
            (_, Some(pause_ms)) => tokio::time::sleep(Duration::from_millis(pause_ms)).await,
            (state, None) => bail!("the download ended as {state:?}: {}", status["error"]),
        }
    }
    bail!("the download did not finish in time")
}

/// Follows the redirect of the completed job and downloads the bytes.
async fn fetch(
    http: &Client,
    request: RequestBuilder,
    status_before: StatusCode,
) -> Result<Download> {
    let response = request.send().await?;
    let status_after = response.status();
    let location = response
        .headers()
        .get(header::LOCATION)
        .context("the response has no Location header")?
        .to_str()?;
    println!("Download: completed, status {status_after} with a presigned URL.");
    // This request has no token, because the presigned URL alone grants access.
    let bytes = http.get(location).send().await?.error_for_status()?.bytes().await?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Download { status_before, status_after, size: bytes.len() as u64, sha256 })
}

/// Sends a request and parses the body of the response, which must have the expected status.
async fn send_and_parse(request: RequestBuilder, expected: StatusCode) -> Result<Value> {
    let response: Response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    ensure!(status == expected, "status {status}, expected {expected}: {text}");
    Ok(serde_json::from_str(&text)?)
}

/// Prints the result of the download. Returns an error if it is not as expected.
pub(crate) fn print_and_check(
    item: &Item,
    download: &Download,
    sources: &[SourceDocument],
) -> Result<()> {
    let source = sources.iter().find(|source| source.guid == item.guid);
    let source = source.context("the source document of the download is missing")?;
    let Download { status_before, status_after, size, sha256 } = download;
    println!(
        "Download of {}: {status_before}, then {status_after}; {size} bytes, SHA-256 {}, the source's {}.",
        item.filename,
        &sha256[..12],
        &source.sha256[..12],
    );
    ensure!(
        *status_before == StatusCode::CONFLICT,
        "the request before completion returned {status_before}, not 409"
    );
    ensure!(
        *status_after == StatusCode::FOUND,
        "the request after completion returned {status_after}, not 302"
    );
    ensure!(*sha256 == source.sha256, "the downloaded bytes differ from the source");
    Ok(())
}
