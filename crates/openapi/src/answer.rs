//! Validation of responses against the description.

use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::description::{Description, Operation};

/// Statuses allowed for a method and path that are not described, because such a request reaches no
/// route.
const UNDESCRIBED_STATUSES: [u16; 6] = [401, 403, 404, 405, 413, 429];

/// Statuses of gateways in front of the service. Their responses are not checked.
const GATEWAY_STATUSES: [u16; 2] = [502, 504];

/// Response of the API, with the method and path of its request.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
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

impl Answer<'_> {
    fn media_type(&self) -> Option<&str> {
        let value = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        value.split(';').next().map(str::trim)
    }
}

impl Description {
    /// Returns the deviations of a response from the description, one message for each. Values of
    /// the body and the headers may be personal data, so no message repeats them.
    #[must_use]
    pub fn violations(&self, answer: &Answer<'_>) -> Vec<String> {
        if GATEWAY_STATUSES.contains(&answer.status.as_u16()) {
            return Vec::new();
        }
        let Some(operation) = self.operation(answer.method, answer.path) else {
            // CORS preflights are not part of the description.
            let is_preflight = answer.method == "OPTIONS" && answer.body.is_empty();
            return if is_preflight { Vec::new() } else { self.undescribed_violations(answer) };
        };
        let at = format!("{} answered {}", operation.route(), answer.status.as_u16());
        let mut found = self.operation_violations(operation, answer);
        for violation in &mut found {
            violation.insert_str(0, &format!("{at}: "));
        }
        found
    }

    fn operation_violations(&self, operation: Operation<'_>, answer: &Answer<'_>) -> Vec<String> {
        let described = &operation.body["responses"][answer.status.as_str()];
        let described = self.resolve(described);
        if described.is_null() {
            return vec!["the status is not described".to_owned()];
        }
        let mut found = self.header_violations(&described["headers"], answer.headers);
        found.extend(self.body_violations(&described["content"], answer));
        found
    }

    fn header_violations(&self, described: &Value, headers: &HeaderMap) -> Vec<String> {
        let mut found = Vec::new();
        for (name, header) in described.as_object().into_iter().flatten() {
            let header = self.resolve(header);
            let Some(sent) = headers.get(name) else {
                if header["required"] == true {
                    found.push(format!("header {name} is missing"));
                }
                continue;
            };
            let Ok(sent) = sent.to_str() else {
                found.push(format!("header {name} is not text"));
                continue;
            };
            let is_number = self.resolve(&header["schema"])["type"] == "integer";
            let number = sent.parse::<i64>().ok().filter(|_| is_number);
            let value = number.map_or_else(|| json!(sent), |number| json!(number));
            let violations = self.schemas.violations(&header["schema"], &value);
            found.extend(violations.iter().map(|violation| format!("header {name}, {violation}")));
        }
        found
    }

    fn body_violations(&self, described: &Value, answer: &Answer<'_>) -> Vec<String> {
        let Some(contents) = described.as_object() else {
            let is_empty = answer.body.is_empty();
            return if is_empty { Vec::new() } else { vec!["unexpected body".to_owned()] };
        };
        let media_type = answer.media_type().unwrap_or("nothing");
        let Some(content) = contents.get(media_type) else {
            return vec![format!("the content type is {media_type}, which is not described")];
        };
        if !media_type.ends_with("json") {
            return Vec::new();
        }
        match serde_json::from_slice::<Value>(answer.body) {
            Ok(value) => self.schemas.violations(&content["schema"], &value),
            Err(_) => vec!["the body is not JSON".to_owned()],
        }
    }

    /// Checks a response to a method and path that are not described: it must be a problem
    /// document.
    fn undescribed_violations(&self, answer: &Answer<'_>) -> Vec<String> {
        let status = answer.status.as_u16();
        if !UNDESCRIBED_STATUSES.contains(&status) {
            return vec![format!("undescribed method and path answered {status}")];
        }
        let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        let content = json!({ "application/problem+json": problem });
        let violations = self.body_violations(&content, answer);
        violations
            .iter()
            .map(|violation| format!("undescribed method and path: {violation}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "/v1/download/status/0193567890abcdef0123456789abcdef";

    /// Returns the deviations of a response, one per line.
    fn check(
        method: &str,
        path: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.insert(name, value.parse().unwrap());
        }
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { method, path, status, headers: &map, body: &body };
        Description::of_project().unwrap().violations(&answer).join("\n")
    }

    const JSON: [(&str, &str); 3] = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-request-id", "12345678"),
    ];

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
        assert_eq!(check("GET", STATUS, 200, &JSON, &body), "");
        let body = example("GET /health", "200");
        let more = [JSON.as_slice(), &[("ratelimit-limit", "60")]].concat();
        assert_eq!(check("GET", "/health", 200, &more, &body), "");
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
            let violation = check("GET", STATUS, 200, &JSON, &body);
            let expected = format!("GET /v1/download/status/{{jobId}} answered 200: {place}: ");
            assert!(violation.starts_with(&expected), "{violation}");
        }

        let mut less = body;
        less.as_object_mut().unwrap().remove("url");
        assert!(check("GET", STATUS, 200, &JSON, &less).contains("url"));
    }

    #[test]
    fn undescribed_status_media_type_or_header_is_reported() {
        let body = example("GET /health", "200");
        assert!(check("GET", "/health", 418, &JSON, &body).contains("status is not described"));
        let text = [("content-type", "text/html"), JSON[1], JSON[2]];
        assert!(check("GET", "/health", 200, &text, &body).contains("content type is text/html"));
        assert!(
            check("GET", "/health", 200, &JSON[..2], &body)
                .contains("header X-Request-Id is missing")
        );

        let cached = [JSON[0], JSON[2], ("cache-control", "public")];
        assert!(check("GET", "/health", 200, &cached, &body).contains("header Cache-Control"));
        let words = [JSON.as_slice(), &[("ratelimit-limit", "many")]].concat();
        assert!(check("GET", STATUS, 200, &words, &json!({})).contains("RateLimit-Limit"));
        assert!(check("GET", "/health", 200, &JSON, &Value::Null).contains("not JSON"));
    }

    #[test]
    fn unexpected_body_is_reported() {
        let fetch = STATUS.replace("status/", "");
        let url = "https://downloads.example/x";
        let headers = [JSON[1], JSON[2], ("location", url)];
        assert_eq!(check("GET", &fetch, 302, &headers, &Value::Null), "");
        assert!(check("GET", &fetch, 302, &headers, &json!({})).contains("unexpected body"));
        assert!(check("GET", &fetch, 302, &headers[..2], &Value::Null).contains("Location"));
    }

    #[test]
    fn undescribed_path_must_be_answered_with_a_problem_document() {
        let problem = json!({
            "type": "about:blank", "title": "Not found", "status": 404, "detail": "x",
            "code": "MISSING_AUTHENTICATION_TOKEN", "requestId": "x", "retryable": false
        });
        let headers = [("content-type", "application/problem+json")];
        assert_eq!(check("DELETE", "/health", 404, &headers, &problem), "");
        assert_eq!(check("GET", "/nowhere", 404, &headers, &problem), "");
        assert!(check("GET", "/nowhere", 200, &headers, &problem).contains("answered 200"));
        assert!(check("GET", "/nowhere", 404, &headers, &json!({})).contains("required"));
    }
}
