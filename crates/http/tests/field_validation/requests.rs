//! Table of the requests of the API that have a certain field, with the schema and the parser of
//! each.

use std::ops::RangeInclusive;

use docferry_contract::download::{InitiateDownload, parse_file};
use docferry_contract::problem::FieldError;
use docferry_contract::scv::{TerminateRequest, UploadRequest};
use docferry_domain::callback::CallbackRule;
use serde_json::{Value, json};

/// Range of valid document numbers.
const FILE_ID_RANGE: RangeInclusive<u64> = 10_000..=100_000_000;

fn parse_upload(body: &Value) -> Result<(), Vec<FieldError>> {
    UploadRequest::parse(body).map(drop)
}

fn parse_initiate(body: &Value) -> Result<(), Vec<FieldError>> {
    InitiateDownload::parse(body, &FILE_ID_RANGE, CallbackRule::Public).map(drop)
}

fn parse_terminate(body: &Value) -> Result<(), Vec<FieldError>> {
    TerminateRequest::parse(body).map(drop)
}

fn parse_check(body: &Value) -> Result<(), Vec<FieldError>> {
    parse_file(body, &FILE_ID_RANGE).map(drop)
}

pub(crate) type Parser = fn(&Value) -> Result<(), Vec<FieldError>>;

/// Request that has the field under test.
pub(crate) struct FieldRequest {
    /// Name of the request's schema in `openapi.yaml`.
    pub(crate) schema: &'static str,
    pub(crate) parser: Parser,
    /// Body in which all other fields are valid.
    pub(crate) body: Value,
    /// JSON pointer to the field.
    pub(crate) pointer: String,
}

/// Returns the requests that have a field.
pub(crate) fn requests(field: &str) -> Vec<FieldRequest> {
    let request = |schema, parser: Parser, body: &Value, parent: &str| FieldRequest {
        schema,
        parser,
        body: body.clone(),
        pointer: format!("{parent}/{field}"),
    };
    let delivery = json!({ "objGuid": "AAAA", "email": "a@b.example", "filePath": "x" });
    let job = json!({ "file_id": 10_000 });
    let job_with_options = json!({
        "file_id": 10_000,
        "options": { "destination": "onedrive", "email": "a@b.example", "filePath": "x" },
    });
    let court_list = json!({ "objGuids": ["AAAA"] });
    let empty = json!({});
    match field {
        "objGuid" => vec![request("UploadRequest", parse_upload, &delivery, "")],
        "email" | "filePath" => vec![
            request("UploadRequest", parse_upload, &delivery, ""),
            request("InitiateRequest", parse_initiate, &job_with_options, "/options"),
        ],
        "bundle" | "destination" => {
            vec![request("InitiateRequest", parse_initiate, &job_with_options, "/options")]
        }
        "transferIds" => vec![request("TerminateRequest", parse_terminate, &empty, "")],
        "file_id" => vec![
            request("InitiateRequest", parse_initiate, &job, ""),
            request("StartRequest", parse_initiate, &job, ""),
            request("CheckRequest", parse_check, &job, ""),
        ],
        "objGuids" => vec![request("InitiateRequest", parse_initiate, &empty, "")],
        "courtFile" | "class" => vec![request("InitiateRequest", parse_initiate, &court_list, "")],
        "file_ids" => vec![request("InitiateRequest", parse_initiate, &empty, "")],
        "onItemError" => vec![request("InitiateRequest", parse_initiate, &job, "")],
        _ => vec![
            request("InitiateRequest", parse_initiate, &job, ""),
            request("StartRequest", parse_initiate, &job, ""),
        ],
    }
}
