//! Makes a series of calls with the Rust client that openapi-generator creates. Reads the
//! parameters from `DOCFERRY_ROUND` and prints the results as one JSON document.

#[path = "client/src/apis/mod.rs"]
#[allow(dead_code, unused_imports, clippy::all)]
mod apis;
#[path = "client/src/models/mod.rs"]
#[allow(dead_code, unused_imports, clippy::all)]
mod models;

use std::error::Error;
use std::time::Duration;

use apis::configuration::Configuration;
use apis::downloads_api::{
    CancelJobError, FetchJobError, GetJobStatusError, InitiateDownloadError,
};
use apis::{deliveries_api, downloads_api, health_api};
use models::{JobStatus, Progress};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Round {
    api: String,
    username: String,
    password: String,
    token: String,
    file: i64,
    slow_file: i64,
    large_file: i64,
    guid: String,
    email: String,
}

/// Makes a call, and repeats it while the API limits its callers.
macro_rules! call {
    ($call:expr) => {
        loop {
            match $call.await {
                Err(apis::Error::ResponseError(refused)) if refused.status.as_u16() == 429 => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                result => break result,
            }
        }
    };
}

/// Returns the typed problem document of a call that must be refused.
macro_rules! problem {
    ($call:expr, $error:ident::$($status:ident)|+) => {
        match call!($call) {
            Err(apis::Error::ResponseError(refused)) => match refused.entity {
                Some($($error::$status(problem))|+) => json!({
                    "status": refused.status.as_u16(),
                    "code": problem.code,
                    "pointer": problem.errors.and_then(|all| Some(all.first()?.pointer.clone())),
                }),
                other => return Err(format!("the problem is not typed: {other:?}").into()),
            },
            other => return Err(format!("the call was not refused: {other:?}").into()),
        }
    };
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(round())?);
    Ok(())
}

async fn round() -> Outcome<Value> {
    let round: Round = serde_json::from_str(&std::env::var("DOCFERRY_ROUND")?)?;
    // The generated client sends no Accept header. Without it, `fetch_job` gets a redirect.
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let client = reqwest::Client::builder().no_proxy().default_headers(accept).build()?;
    let bearer = Configuration {
        base_path: round.api.clone(),
        client: client.clone(),
        bearer_access_token: Some(round.token.clone()),
        ..Configuration::new()
    };
    let basic = Configuration {
        base_path: round.api.clone(),
        client,
        basic_auth: Some((round.username.clone(), Some(round.password.clone()))),
        ..Configuration::new()
    };
    let health = call!(health_api::get_health(&basic, None))?;
    let checked =
        |file| downloads_api::check_document(&bearer, models::CheckRequest::new(file), None);
    let large = call!(checked(round.large_file))?;

    let job = start(&bearer, round.file).await?;
    let ended = ended(&bearer, &job).await?;
    let detail = call!(downloads_api::get_job_status(&bearer, &job, Some("detail"), None))?;
    let Progress::ProgressDetail(detail) = *detail.progress else {
        return Err("progress has no detail".into());
    };
    let fetched = call!(downloads_api::fetch_job(&bearer, &job, None))?;

    let slow = start(&bearer, round.slow_file).await?;
    let early = problem!(
        downloads_api::fetch_job(&bearer, &slow, None),
        FetchJobError::Status400 | Status404
    );
    let canceling = call!(downloads_api::cancel_job(&bearer, &slow, None))?;
    let canceled = self::ended(&bearer, &slow).await?;
    let repeated = problem!(
        downloads_api::cancel_job(&bearer, &slow, None),
        CancelJobError::Status400 | Status404
    );

    let page = call!(downloads_api::list_history(&bearer, None, None, Some(50), None, None))?;
    let invalid = problem!(
        downloads_api::initiate_download(&bearer, request(0), None, None),
        InitiateDownloadError::Status400 | Status401
    );
    let unknown = problem!(
        downloads_api::get_job_status(&bearer, &"0".repeat(32), None, None),
        GetJobStatusError::Status400 | Status404
    );

    let upload = models::UploadRequest::new(round.guid.clone(), round.email.clone());
    let accepted = call!(deliveries_api::upload_document(&basic, upload.clone(), None, None))?;
    let transfer = loop {
        let id = &accepted.transfer_id;
        let status = call!(deliveries_api::get_transfer_status(&basic, id, None))?;
        if status.end_delivery_dtm.is_some() {
            break status;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let stop = models::TerminateRequest::new(vec![accepted.transfer_id.clone()]);
    let stopped = call!(deliveries_api::terminate_transfers(&basic, stop.clone(), None))?;

    let Progress::Percent(percent) = *ended.progress else {
        return Err("progress is not a percentage".into());
    };
    Ok(json!({
        "health": health.status,
        "large": { "available": large.available, "size": large.size },
        "job": {
            "status": ended.status,
            "progress": percent,
            "bytesTotal": ended.items.first().and_then(|item| item.bytes_total),
        },
        "detail": {
            "percent": detail.percent,
            "bytesDone": detail.bytes_done,
            "phase": detail.phase,
        },
        "url": fetched.url,
        "early": early,
        "canceling": canceling.status,
        "canceled": canceled.status,
        "again": repeated,
        "history": page.items.iter().map(|item| &item.job_id).collect::<Vec<_>>()
            == [&slow, &job],
        "invalid": invalid,
        "unknown": unknown,
        "transfer": {
            "percent": transfer.percent_transfered,
            "error": transfer.error,
            "fileSize": transfer.file_size,
        },
        "stopped": stopped.response,
    }))
}

fn request(file: i64) -> models::InitiateRequest {
    models::InitiateRequest { file_id: Some(file), ..models::InitiateRequest::new() }
}

async fn start(api: &Configuration, file: i64) -> Outcome<String> {
    Ok(call!(downloads_api::initiate_download(api, request(file), None, None))?.job_id)
}

/// Polls at the interval that the service asks for, until the job has ended.
async fn ended(api: &Configuration, job: &str) -> Outcome<JobStatus> {
    loop {
        let status = call!(downloads_api::get_job_status(api, job, None, None))?;
        let Some(pause) = status.next_poll_in_ms else { return Ok(status) };
        tokio::time::sleep(Duration::from_millis(pause.try_into()?)).await;
    }
}
