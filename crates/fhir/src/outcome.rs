//! `OperationOutcome`, FHIR's format for errors. It is the body of every error response of the
//! search for documents.

use serde::Serialize;

/// Maximum number of characters that an issue repeats of a parameter's name.
const MAX_NAME_LENGTH: usize = 64;
/// Severity of every issue. docferry returns no warnings.
const SEVERITY: &str = "error";

/// Errors of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "resourceType")]
pub struct OperationOutcome {
    /// List of the errors. It contains at least one.
    pub issue: Vec<Issue>,
}

/// One error of a request.
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
                severity: SEVERITY,
                code,
                diagnostics: diagnostics.into(),
                expression: Vec::new(),
            }],
        }
    }

    /// Creates an outcome with one error that concerns a parameter.
    #[must_use]
    pub fn of_parameter(name: &str, code: IssueCode, diagnostics: impl Into<String>) -> Self {
        Self { issue: vec![Issue::of_parameter(name, code, diagnostics)] }
    }

    /// Creates the outcome for a resource that does not exist, or that the caller may not see.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(IssueCode::NotFound, "no such document")
    }
}

impl Issue {
    /// Creates an error that concerns a parameter.
    pub(crate) fn of_parameter(
        name: &str,
        code: IssueCode,
        diagnostics: impl Into<String>,
    ) -> Self {
        // The caller chose the name, and FHIR forbids empty strings and control characters.
        let name: String =
            name.chars().take(MAX_NAME_LENGTH).flat_map(char::escape_default).collect();
        let expression = if name.trim().is_empty() { Vec::new() } else { vec![name] };
        Self { severity: SEVERITY, code, diagnostics: diagnostics.into(), expression }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outcome_has_the_json_members_of_fhir_r4() {
        let outcome = OperationOutcome {
            issue: vec![Issue::of_parameter("_count", IssueCode::CodeInvalid, "must be a number")],
        };
        let expected = json!({"resourceType": "OperationOutcome", "issue": [{
            "severity": "error", "code": "code-invalid",
            "diagnostics": "must be a number", "expression": ["_count"],
        }]});
        assert_eq!(serde_json::to_value(outcome).unwrap(), expected);
        let without_parameter = serde_json::to_value(OperationOutcome::not_found()).unwrap();
        assert_eq!(without_parameter["issue"][0].get("expression"), None);
    }
}
