//! Validation of HTTP responses against the API description `openapi.yaml`.
//!
//! Tests pass each response of the API to [`Description::violations`], which returns one message
//! for each deviation from the description. A deviation is, for example, a status that the
//! description does not list, a missing header, or a member of the wrong type.

use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::description::{Description, Operation};

/// Statuses allowed for a request whose method and path are not described. Such a request reaches
/// no route, so only API Gateway or the fallback of the router can respond to it.
const UNDESCRIBED_STATUSES: [u16; 6] = [401, 403, 404, 405, 413, 429];

/// Statuses that gateways in front of the service return. Responses of gateways are not checked.
const GATEWAY_STATUSES: [u16; 2] = [502, 504];

/// Response of the API, with the method and path of its request.
#[derive(Debug, Clone, Copy)]
pub struct ApiResponse<'a> {
    /// Request method in upper case.
    pub method: &'a str,
    /// Request path below the base URL, with the query if there is one.
    pub path: &'a str,
    /// Response status.
    pub status: StatusCode,
    /// Response headers.
    pub headers: &'a HeaderMap,
    /// Whole response body.
    pub body: &'a [u8],
}

impl ApiResponse<'_> {
    fn media_type(&self) -> Option<&str> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        value.split(';').next().map(str::trim)
    }
}

impl Description {
    /// Returns the deviations of a response from the description, one message for each deviation.
    /// Values in the body and in headers may be personal data, so no message repeats them.
    #[must_use]
    pub fn violations(&self, response: &ApiResponse<'_>) -> Vec<String> {
        if GATEWAY_STATUSES.contains(&response.status.as_u16()) {
            return Vec::new();
        }
        let Some(operation) = self.operation(response.method, response.path) else {
            // CORS preflights are not part of the description.
            let is_preflight = response.method == "OPTIONS" && response.body.is_empty();
            return if is_preflight { Vec::new() } else { self.undescribed_violations(response) };
        };
        let context = format!("{} answered {}", operation.route(), response.status.as_u16());
        let violations = self.operation_violations(operation, response);
        violations.into_iter().map(|violation| format!("{context}: {violation}")).collect()
    }

    fn operation_violations(
        &self,
        operation: Operation<'_>,
        response: &ApiResponse<'_>,
    ) -> Vec<String> {
        let described_response =
            self.resolve(&operation.body["responses"][response.status.as_str()]);
        if described_response.is_null() {
            return vec!["the status is not described".to_owned()];
        }
        let mut violations =
            self.header_violations(&described_response["headers"], response.headers);
        violations.extend(self.body_violations(&described_response["content"], response));
        violations
    }

    fn header_violations(&self, described_headers: &Value, sent: &HeaderMap) -> Vec<String> {
        let mut violations = Vec::new();
        for (name, described_header) in described_headers.as_object().into_iter().flatten() {
            let described_header = self.resolve(described_header);
            let Some(sent_value) = sent.get(name) else {
                if described_header["required"] == true {
                    violations.push(format!("header {name} is missing"));
                }
                continue;
            };
            let Ok(sent_text) = sent_value.to_str() else {
                violations.push(format!("header {name} is not text"));
                continue;
            };
            let schema = &described_header["schema"];
            let is_integer = self.resolve(schema)["type"] == "integer";
            let value = match sent_text.parse::<i64>() {
                Ok(number) if is_integer => json!(number),
                _ => json!(sent_text),
            };
            let value_violations = self.schemas.violations(schema, &value);
            violations.extend(
                value_violations.iter().map(|violation| format!("header {name}, {violation}")),
            );
        }
        violations
    }

    /// Checks the body. `described_contents` has the described content for each media type. It is
    /// null if the description allows no body.
    fn body_violations(
        &self,
        described_contents: &Value,
        response: &ApiResponse<'_>,
    ) -> Vec<String> {
        let Some(contents) = described_contents.as_object() else {
            let is_empty = response.body.is_empty();
            return if is_empty { Vec::new() } else { vec!["unexpected body".to_owned()] };
        };
        let media_type = response.media_type().unwrap_or("nothing");
        let Some(content) = contents.get(media_type) else {
            return vec![format!("the content type is {media_type}, which is not described")];
        };
        if !media_type.ends_with("json") {
            return Vec::new();
        }
        match serde_json::from_slice::<Value>(response.body) {
            Ok(value) => self.schemas.violations(&content["schema"], &value),
            Err(_) => vec!["the body is not JSON".to_owned()],
        }
    }

    /// Checks the response to a request whose method and path are not described. It must be a
    /// problem document (RFC 9457), or an `OperationOutcome` of the FHIR routes.
    fn undescribed_violations(&self, response: &ApiResponse<'_>) -> Vec<String> {
        let status = response.status.as_u16();
        if !UNDESCRIBED_STATUSES.contains(&status) {
            return vec![format!("undescribed method and path answered {status}")];
        }
        let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        let outcome = json!({ "schema": { "$ref": "#/components/schemas/OperationOutcome" } });
        let allowed_contents =
            json!({ "application/problem+json": problem, "application/fhir+json": outcome });
        let violations = self.body_violations(&allowed_contents, response);
        violations
            .iter()
            .map(|violation| format!("undescribed method and path: {violation}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS_PATH: &str = "/v1/download/status/0193567890abcdef0123456789abcdef";

    const JSON_TYPE: (&str, &str) = ("content-type", "application/json");
    const NO_STORE: (&str, &str) = ("cache-control", "no-store");
    const REQUEST_ID: (&str, &str) = ("x-request-id", "12345678");

    /// Headers that every JSON response has.
    const JSON_HEADERS: [(&str, &str); 3] = [JSON_TYPE, NO_STORE, REQUEST_ID];

    /// Returns the deviations of a response, one per line. A `null` body stands for an empty body.
    fn violations(
        method: &str,
        path: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> String {
        let mut header_map = HeaderMap::new();
        for (name, value) in headers {
            let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            header_map.insert(name, value.parse().unwrap());
        }
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let status = StatusCode::from_u16(status).unwrap();
        let response = ApiResponse { method, path, status, headers: &header_map, body: &body };
        Description::of_project().unwrap().violations(&response).join("\n")
    }

    /// Returns the deviations of a response to the health check.
    fn health_violations(status: u16, headers: &[(&str, &str)], body: &Value) -> String {
        violations("GET", "/health", status, headers, body)
    }

    /// Returns the deviations of a successful response to a request for a job's status.
    fn status_violations(body: &Value) -> String {
        violations("GET", STATUS_PATH, 200, &JSON_HEADERS, body)
    }

    /// Returns the first example of a response in the description.
    fn example(operation: &str, status: &str) -> Value {
        let description = Description::of_project().unwrap();
        let (method, path) = operation.split_once(' ').unwrap();
        let body = &description.operation(method, path).unwrap().body["responses"][status];
        let content = &body["content"]["application/json"];
        let examples = content["examples"].as_object();
        let first = examples.and_then(|all| all.values().next());
        first.map_or_else(|| content["example"].clone(), |first| first["value"].clone())
    }

    #[test]
    fn response_that_matches_the_description_is_accepted() {
        let body = example("GET /v1/download/status/{jobId}", "200");
        assert_eq!(status_violations(&body), "");
        let body = example("GET /health", "200");
        let with_rate_limit = [JSON_HEADERS.as_slice(), &[("ratelimit-limit", "60")]].concat();
        assert_eq!(health_violations(200, &with_rate_limit, &body), "");
    }

    #[test]
    fn extra_missing_or_mistyped_member_is_reported_with_its_pointer() {
        let body = example("GET /v1/download/status/{jobId}", "200");
        for (change, place) in [
            (json!({ "more": 1 }), "all of it"),
            (json!({ "status": "done" }), "/status"),
            (json!({ "progress": 101 }), "/progress"),
            (json!({ "progress": { "percent": 5 } }), "/progress"),
            (json!({ "items": [{ "file_id": 1 }] }), "/items/0"),
            (json!({ "url": 5 }), "/url"),
        ] {
            let mut body = body.clone();
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            let violation = status_violations(&body);
            let expected = format!("GET /v1/download/status/{{jobId}} answered 200: {place}: ");
            assert!(violation.starts_with(&expected), "{violation}");
        }

        let mut without_url = body;
        without_url.as_object_mut().unwrap().remove("url");
        assert!(status_violations(&without_url).contains("url"));
    }

    #[test]
    fn undescribed_status_media_type_or_header_is_reported() {
        let body = example("GET /health", "200");
        assert!(health_violations(418, &JSON_HEADERS, &body).contains("status is not described"));
        let html_headers = [("content-type", "text/html"), NO_STORE, REQUEST_ID];
        assert!(health_violations(200, &html_headers, &body).contains("content type is text/html"));
        assert!(
            health_violations(200, &[JSON_TYPE, NO_STORE], &body)
                .contains("header X-Request-Id is missing")
        );

        let cacheable = [JSON_TYPE, REQUEST_ID, ("cache-control", "public")];
        assert!(health_violations(200, &cacheable, &body).contains("header Cache-Control"));
        let wrong_rate_limit = [JSON_HEADERS.as_slice(), &[("ratelimit-limit", "many")]].concat();
        assert!(
            violations("GET", STATUS_PATH, 200, &wrong_rate_limit, &json!({}))
                .contains("RateLimit-Limit")
        );
        assert!(health_violations(200, &JSON_HEADERS, &Value::Null).contains("not JSON"));
    }

    #[test]
    fn unexpected_body_is_reported() {
        let download_path = STATUS_PATH.replace("status/", "");
        let url = "https://downloads.example/x";
        let headers = [NO_STORE, REQUEST_ID, ("location", url)];
        let without_location = [NO_STORE, REQUEST_ID];
        assert_eq!(violations("GET", &download_path, 302, &headers, &Value::Null), "");
        assert!(
            violations("GET", &download_path, 302, &headers, &json!({}))
                .contains("unexpected body")
        );
        assert!(
            violations("GET", &download_path, 302, &without_location, &Value::Null)
                .contains("Location")
        );
    }

    #[test]
    fn undescribed_path_must_be_answered_with_a_problem_document() {
        let problem = json!({
            "type": "about:blank", "title": "Not found", "status": 404, "detail": "x",
            "code": "MISSING_AUTHENTICATION_TOKEN", "requestId": "x", "retryable": false
        });
        let headers = [("content-type", "application/problem+json")];
        assert_eq!(violations("DELETE", "/health", 404, &headers, &problem), "");
        assert_eq!(violations("GET", "/nowhere", 404, &headers, &problem), "");
        assert!(violations("GET", "/nowhere", 200, &headers, &problem).contains("answered 200"));
        assert!(violations("GET", "/nowhere", 404, &headers, &json!({})).contains("required"));
    }
}
