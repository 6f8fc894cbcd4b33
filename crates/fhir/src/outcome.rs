//! `OperationOutcome`: the body of every response that is an error.

use serde::Serialize;

/// Errors of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "resourceType")]
pub struct OperationOutcome {
    /// The errors; at least one.
    pub issue: Vec<Issue>,
}

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    severity: &'static str,
    /// Kind of the error.
    pub code: IssueCode,
    /// Description for a person. It contains no value of the request.
    pub diagnostics: String,
    /// Name of the parameter that the error concerns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expression: Vec<String>,
}

/// Kind of an error (<https://hl7.org/fhir/R4/valueset-issue-type.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssueCode {
    /// The request cannot be parsed.
    Structure,
    /// A parameter is missing.
    Required,
    /// A value is malformed.
    Value,
    /// A code is not one of the allowed codes.
    CodeInvalid,
    /// A parameter or modifier is not supported.
    NotSupported,
    /// The resource does not exist, or the caller may not see it.
    NotFound,
    /// The caller is not allowed to make this request.
    Forbidden,
    /// The caller is not signed in.
    Login,
    /// Too many documents match.
    TooCostly,
    /// The request is too large.
    TooLong,
    /// Too many requests.
    Throttled,
    /// A fault that may pass.
    Transient,
    /// A fault of the service.
    Exception,
}

impl IssueCode {
    /// All codes.
    pub const ALL: &[Self] = &[
        Self::Structure,
        Self::Required,
        Self::Value,
        Self::CodeInvalid,
        Self::NotSupported,
        Self::NotFound,
        Self::Forbidden,
        Self::Login,
        Self::TooCostly,
        Self::TooLong,
        Self::Throttled,
        Self::Transient,
        Self::Exception,
    ];
}

impl OperationOutcome {
    /// Creates an outcome with one error that concerns no parameter.
    #[must_use]
    pub fn new(code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self {
            issue: vec![Issue {
                severity: "error",
                code,
                diagnostics: diagnostics.into(),
                expression: Vec::new(),
            }],
        }
    }

    /// Creates an outcome with one error that concerns a parameter.
    #[must_use]
    pub fn of_parameter(name: &str, code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self { issue: vec![Issue::of(name, code, diagnostics)] }
    }

    /// Creates the outcome for a resource that does not exist, or that the caller may not see.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(IssueCode::NotFound, "no such document")
    }
}

impl Issue {
    /// Creates an error that concerns a parameter.
    pub(crate) fn of(parameter: &str, code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: "error",
            code,
            diagnostics: diagnostics.into(),
            // Names come from the caller: FHIR forbids empty strings and control characters.
            expression: Some(parameter.chars().take(64).flat_map(char::escape_default).collect())
                .filter(|name: &String| !name.trim().is_empty())
                .into_iter()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outcome_has_the_form_of_r4() {
        let outcome = OperationOutcome {
            issue: vec![Issue::of("_count", IssueCode::CodeInvalid, "must be a number")],
        };
        let expected = json!({"resourceType": "OperationOutcome", "issue": [{
            "severity": "error", "code": "code-invalid",
            "diagnostics": "must be a number", "expression": ["_count"],
        }]});
        assert_eq!(serde_json::to_value(outcome).unwrap(), expected);
        let text = serde_json::to_value(OperationOutcome::not_found()).unwrap();
        assert_eq!(text["issue"][0].get("expression"), None);
    }
}
