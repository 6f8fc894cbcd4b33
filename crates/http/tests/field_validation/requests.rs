//! Requests that have a field, with their schemas and parsers.

use std::ops::RangeInclusive;

use docferry_contract::download::{InitiateDownload, parse_file};
use docferry_contract::problem::FieldError;
use docferry_contract::scv::{TerminateRequest, UploadRequest};
use docferry_domain::callback::CallbackRule;
use serde_json::{Value, json};

const RANGE: RangeInclusive<u64> = 10_000..=100_000_000;

fn upload(body: &Value) -> Result<(), Vec<FieldError>> {
    UploadRequest::parse(body).map(drop)
}

fn initiate(body: &Value) -> Result<(), Vec<FieldError>> {
    InitiateDownload::parse(body, &RANGE, CallbackRule::Public).map(drop)
}

fn terminate(body: &Value) -> Result<(), Vec<FieldError>> {
    TerminateRequest::parse(body).map(drop)
}

fn check(body: &Value) -> Result<(), Vec<FieldError>> {
    parse_file(body, &RANGE).map(drop)
}

pub(crate) type Parser = fn(&Value) -> Result<(), Vec<FieldError>>;

/// Returns the requests that have a field: the name of the schema, the parser, a body in which all
/// other fields are valid, and the JSON pointer to the field.
pub(crate) fn requests(field: &str) -> Vec<(&'static str, Parser, Value, String)> {
    let delivery = json!({ "objGuid": "AAAA", "email": "a@b.example", "filePath": "x" });
    let job = json!({ "file_id": 10_000 });
    let options = delivery_options();
    let at = |name: &str| format!("/{name}");
    match field {
        "objGuid" => vec![("UploadRequest", upload, delivery, at(field))],
        "email" | "filePath" => vec![
            ("UploadRequest", upload, delivery, at(field)),
            ("InitiateRequest", initiate, options, format!("/options/{field}")),
        ],
        "bundle" | "destination" => {
            vec![("InitiateRequest", initiate, options, format!("/options/{field}"))]
        }
        "transferIds" => vec![("TerminateRequest", terminate, json!({}), at(field))],
        "file_id" => vec![
            ("InitiateRequest", initiate, job.clone(), at(field)),
            ("StartRequest", initiate, job.clone(), at(field)),
            ("CheckRequest", check, job, at(field)),
        ],
        "file_ids" => vec![("InitiateRequest", initiate, json!({}), at(field))],
        "onItemError" => vec![("InitiateRequest", initiate, job, at(field))],
        _ => vec![
            ("InitiateRequest", initiate, job.clone(), at(field)),
            ("StartRequest", initiate, job, at(field)),
        ],
    }
}

fn delivery_options() -> Value {
    let options = json!({ "destination": "onedrive", "email": "a@b.example", "filePath": "x" });
    json!({ "file_id": 10_000, "options": options })
}
