//! Fault rule: selects requests to a simulator, and says how these requests fail.
//!
//! A test adds rules through the admin interface. A rule *fires* for a request if the request fails
//! because of the rule. The *subject* of a request is the object that it concerns, such as a user
//! and path.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Names of the fields that the rules of all simulators have.
const COMMON_FIELDS: [&str; 12] = [
    "operation",
    "position",
    "count",
    "match",
    "status",
    "retryAfter",
    "code",
    "body",
    "contentType",
    "dropResponse",
    "storeFraction",
    "delayMs",
];

/// Value of a `Retry-After` header in a rule: a number of seconds, or any text, such as a date or
/// an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Delay in seconds.
    Seconds(u64),
    /// Text that is sent unchanged.
    Text(String),
}

impl RetryAfter {
    /// Returns the header value.
    #[must_use]
    pub fn header(&self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// One fault rule. `ServiceFaults` contains the fields that only one of the simulators has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule<ServiceFaults> {
    /// Operation to which the rule applies.
    pub operation: String,
    /// Number of the first matching request for which the rule fires. The requests since the rule
    /// was added are counted from 1. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Maximum number of times that the rule fires. 0 means no limit. Default: 1.
    #[serde(default = "default_count")]
    pub count: u64,
    /// Substring that the request's subject must contain. A rule without it matches every subject.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
    /// Status of the error response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `Retry-After` header of the error response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// Error code in the body of the error response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Body of a response that replaces the real one. Without `status`, its status is 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Content type of `body`. Default: `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Breaks the connection instead of sending a response.
    #[serde(default)]
    pub drop_response: bool,
    /// Fraction (0 to 1) of the request that is carried out before the response is lost or
    /// replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_fraction: Option<f64>,
    /// Delay before the response, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Fields that only one of the simulators has.
    #[serde(skip_deserializing, flatten)]
    pub service_faults: ServiceFaults,
}

/// Returns the default of [`Rule::count`]: a rule fires once.
fn default_count() -> u64 {
    1
}

impl<ServiceFaults: DeserializeOwned + Default> Rule<ServiceFaults> {
    /// Parses a rule and checks its values. A field that neither `Rule` nor `ServiceFaults` has is
    /// an error that names the field.
    ///
    /// serde does not support `flatten` together with `deny_unknown_fields`, so this function
    /// separates the common fields from those of the simulator.
    pub(crate) fn parse(value: Value, operations: &[&str]) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return Err("a rule is a JSON object".to_owned());
        };
        let (common, service_faults): (Map<_, _>, Map<_, _>) =
            fields.into_iter().partition(|(name, _)| COMMON_FIELDS.contains(&name.as_str()));
        let mut rule: Self = from_fields(common)?;
        rule.service_faults = from_fields(service_faults)?;
        if !operations.contains(&rule.operation.as_str()) {
            return Err(format!(
                "unknown operation `{}`, expected one of {}",
                rule.operation,
                operations.join(", ")
            ));
        }
        if rule.position == Some(0) {
            return Err("`position` counts from 1".to_owned());
        }
        if rule.store_fraction.is_some_and(|fraction| !(0.0..=1.0).contains(&fraction)) {
            return Err("`storeFraction` lies between 0 and 1".to_owned());
        }
        if rule.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("`status` lies between 200 and 599".to_owned());
        }
        let header_values =
            [rule.retry_after.as_ref().map(RetryAfter::header), rule.content_type.clone()];
        if header_values.iter().flatten().any(|value| http::HeaderValue::from_str(value).is_err()) {
            return Err("`retryAfter` and `contentType` are header values".to_owned());
        }
        Ok(rule)
    }
}

fn from_fields<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

impl<ServiceFaults> Rule<ServiceFaults> {
    /// Returns whether the client gets a response that the rule defines, instead of the real one.
    #[must_use]
    pub fn replaces_response(&self) -> bool {
        self.status.is_some() || self.body.is_some()
    }

    /// Returns whether a request for which the rule fires is carried out, if its operation cannot
    /// be carried out partially.
    ///
    /// With `status` alone, the operation is not carried out. With `status` and `storeFraction: 1`,
    /// it is carried out although the client gets an error.
    #[must_use]
    pub fn runs_operation(&self) -> bool {
        match self.store_fraction {
            Some(fraction) => fraction >= 1.0,
            None => self.status.is_none(),
        }
    }

    /// Returns how many bytes of a request body with this length are stored.
    #[must_use]
    pub fn stored_bytes(&self, length: u64) -> u64 {
        match self.store_fraction {
            Some(fraction) => part_of(length, fraction),
            None if self.status.is_some() => 0,
            None => length,
        }
    }

    /// Returns the delay before the response.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }
}

/// Returns the given fraction of `length`, rounded down.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "lengths are far below 2^52 and the fraction is clamped to 0..=1"
)]
pub fn part_of(length: u64, fraction: f64) -> u64 {
    ((length as f64) * fraction.clamp(0.0, 1.0)).floor() as u64
}
