//! Makes a round, a fixed series of API calls, with the Rust client that openapi-generator creates
//! from `openapi.yaml`. Reads the parameters as JSON from the environment variable `DOCFERRY_ROUND`
//! and prints the results as one JSON document, which `tests/tests/clients.rs` checks.

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

/// Parameters of the round. `file`, `slow_file` and `large_file` are document numbers.
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

/// Makes a call, and repeats it while the API throttles it (status 429).
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

/// Returns the typed problem document of a call that must be refused. The generated error type does
/// not depend on the HTTP status: it takes the first variant that fits the body. So each call names
/// the variants that contain a problem document.
macro_rules! problem {
    ($call:expr, $error:ident::$($status:ident)|+) => {
        match call!($call) {
            Err(apis::Error::ResponseError(refused)) => match refused.entity {
                Some($($error::$status(problem))|+) => json!({
                    "status": refused.status.as_u16(),
                    "code": problem.code,
                    "pointer": problem.errors.and_then(|errors| Some(errors.first()?.pointer.clone())),
                }),
                entity => return Err(format!("the problem is not typed: {entity:?}").into()),
            },
            result => return Err(format!("the call was not refused: {result:?}").into()),
        }
    };
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(make_round())?);
    Ok(())
}

/// Makes all calls and returns their results.
async fn make_round() -> Outcome<Value> {
    let round: Round = serde_json::from_str(&std::env::var("DOCFERRY_ROUND")?)?;
    // The generated client sends no Accept header. Without it, `fetch_job` gets a redirect.
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let client = reqwest::Client::builder().no_proxy().default_headers(accept).build()?;
    let token_api = Configuration {
        base_path: round.api.clone(),
        client: client.clone(),
        bearer_access_token: Some(round.token.clone()),
        ..Configuration::new()
    };
    let basic_api = Configuration {
        base_path: round.api.clone(),
        client,
        basic_auth: Some((round.username.clone(), Some(round.password.clone()))),
        ..Configuration::new()
    };

    let health = call!(health_api::get_health(&basic_api, None))?;
    let check = models::CheckRequest::new(round.large_file);
    let large = call!(downloads_api::check_document(&token_api, check.clone(), None))?;
    let (job, job_results) = complete_job(&token_api, round.file).await?;
    let (slow_job, slow_job_results) = cancel_slow_job(&token_api, round.slow_file).await?;
    let page = call!(downloads_api::list_history(&token_api, None, None, Some(50), None, None))?;
    let listed_jobs: Vec<_> = page.items.iter().map(|item| &item.job_id).collect();
    let results = [
        json!({
            "health": health.status,
            "large": { "available": large.available, "size": large.size },
            "history": listed_jobs == [&slow_job, &job],
        }),
        job_results,
        slow_job_results,
        make_refused_requests(&token_api).await?,
        deliver_document(&basic_api, &round).await?,
    ];
    let members = results.iter().filter_map(Value::as_object).flatten();
    Ok(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Downloads a document. Returns the id of the job and the results.
async fn complete_job(api: &Configuration, file: i64) -> Outcome<(String, Value)> {
    let job = start_job(api, file).await?;
    let status = wait_for_end(api, &job).await?;
    let Progress::Percent(percent) = *status.progress else {
        return Err("progress is not a percentage".into());
    };
    let detailed_status = call!(downloads_api::get_job_status(api, &job, Some("detail"), None))?;
    let Progress::ProgressDetail(detail) = *detailed_status.progress else {
        return Err("progress has no detail".into());
    };
    let fetched = call!(downloads_api::fetch_job(api, &job, None))?;
    let results = json!({
        "job": {
            "status": status.status,
            "progress": percent,
            "bytesTotal": status.items.first().and_then(|item| item.bytes_total),
        },
        "detail": {
            "percent": detail.percent,
            "bytesDone": detail.bytes_done,
            "phase": detail.phase,
        },
        "url": fetched.url,
    });
    Ok((job, results))
}

/// Starts a job whose document arrives late, and cancels it twice. Returns the id of the job and
/// the results.
async fn cancel_slow_job(api: &Configuration, file: i64) -> Outcome<(String, Value)> {
    let job = start_job(api, file).await?;
    let early_fetch =
        problem!(downloads_api::fetch_job(api, &job, None), FetchJobError::Status400 | Status404);
    let canceling = call!(downloads_api::cancel_job(api, &job, None))?;
    let canceled = wait_for_end(api, &job).await?;
    let repeated_cancel =
        problem!(downloads_api::cancel_job(api, &job, None), CancelJobError::Status400 | Status404);
    let results = json!({
        "earlyFetch": early_fetch,
        "canceling": canceling.status,
        "canceled": canceled.status,
        "repeatedCancel": repeated_cancel,
    });
    Ok((job, results))
}

/// Makes a request with an invalid document number and a request with an unknown job id.
async fn make_refused_requests(api: &Configuration) -> Outcome<Value> {
    let invalid = problem!(
        downloads_api::initiate_download(api, initiate_request(0), None, None, None),
        InitiateDownloadError::Status400 | Status401
    );
    let unknown = problem!(
        downloads_api::get_job_status(api, &"0".repeat(32), None, None),
        GetJobStatusError::Status400 | Status404
    );
    Ok(json!({ "invalid": invalid, "unknown": unknown }))
}

/// Delivers a document to OneDrive and then requests the cancellation of the ended transfer.
async fn deliver_document(api: &Configuration, round: &Round) -> Outcome<Value> {
    let upload = models::UploadRequest::new(round.guid.clone(), round.email.clone());
    let accepted = call!(deliveries_api::upload_document(api, upload.clone(), None, None, None))?;
    let transfer = loop {
        let id = &accepted.transfer_id;
        let status = call!(deliveries_api::get_transfer_status(api, id, None))?;
        if status.end_delivery_dtm.is_some() {
            break status;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let terminate = models::TerminateRequest::new(vec![accepted.transfer_id.clone()]);
    let stopped = call!(deliveries_api::terminate_transfers(api, terminate.clone(), None))?;
    Ok(json!({
        "transfer": {
            "percent": transfer.percent_transfered,
            "error": transfer.error,
            "fileSize": transfer.file_size,
        },
        "stopped": stopped.response,
    }))
}

fn initiate_request(file: i64) -> models::InitiateRequest {
    models::InitiateRequest { file_id: Some(file), ..models::InitiateRequest::new() }
}

/// Starts a job that downloads a document, and returns the id of the job.
async fn start_job(api: &Configuration, file: i64) -> Outcome<String> {
    Ok(call!(downloads_api::initiate_download(api, initiate_request(file), None, None, None))?.job_id)
}

/// Polls at the interval that the API asks for until the job has ended. Returns the last status.
async fn wait_for_end(api: &Configuration, job: &str) -> Outcome<JobStatus> {
    loop {
        let status = call!(downloads_api::get_job_status(api, job, None, None))?;
        let Some(pause) = status.next_poll_in_ms else { return Ok(status) };
        tokio::time::sleep(Duration::from_millis(pause.try_into()?)).await;
    }
}
