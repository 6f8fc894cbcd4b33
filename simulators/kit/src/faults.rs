//! Scripted faults: rules that fire by position.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A `Retry-After` header as a rule gives it: seconds, or any text (a date, nonsense).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// Sent as it stands.
    Text(String),
}

impl RetryAfter {
    /// The header's value.
    #[must_use]
    pub fn header(&self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// One scripted fault. `X` holds the fields that only one simulator knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule<X> {
    /// The operation it applies to.
    pub operation: String,
    /// Fires from the nth matching request on, counted since the rule was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// How often it fires; 0 = for ever.
    #[serde(default = "once")]
    pub count: u64,
    /// A part of the request's subject.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
    /// Answer with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `Retry-After` of that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// The error code in the body of that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The whole body of that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The content type of `body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Break the connection instead of answering.
    #[serde(default)]
    pub drop_response: bool,
    /// How much of the work is done before the answer is lost or replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_fraction: Option<f64>,
    /// Wait this long before answering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// What only this simulator knows.
    #[serde(skip_deserializing, flatten)]
    pub extra: X,
}

const COMMON: [&str; 12] = [
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

fn once() -> u64 {
    1
}

impl<X: DeserializeOwned + Default> Rule<X> {
    /// Reads a rule strictly: a field that neither part knows is an error that names it.
    ///
    /// `flatten` and `deny_unknown_fields` exclude each other in serde, so the
    /// fields are dealt out by hand.
    fn parse(value: Value, operations: &[&str]) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return Err("a rule is a JSON object".to_owned());
        };
        let (common, extra): (Map<_, _>, Map<_, _>) =
            fields.into_iter().partition(|(name, _)| COMMON.contains(&name.as_str()));
        let mut rule: Self = from_fields(common)?;
        rule.extra = from_fields(extra)?;
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
        if rule.store_fraction.is_some_and(|x| !(0.0..=1.0).contains(&x)) {
            return Err("`storeFraction` lies between 0 and 1".to_owned());
        }
        if rule.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("`status` lies between 200 and 599".to_owned());
        }
        let header_values =
            [rule.retry_after.as_ref().map(RetryAfter::header), rule.content_type.clone()];
        if header_values.iter().flatten().any(|v| http::HeaderValue::from_str(v).is_err()) {
            return Err("`retryAfter` and `contentType` are header values".to_owned());
        }
        Ok(rule)
    }
}

fn from_fields<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

impl<X> Rule<X> {
    /// Whether the rule replaces the answer by one of its own.
    #[must_use]
    pub fn replaces_answer(&self) -> bool {
        self.status.is_some() || self.body.is_some()
    }

    /// Whether an operation that is done or not done is done: an error answer
    /// alone means no; `storeFraction: 1` means the work was done all the same.
    #[must_use]
    pub fn does_work(&self) -> bool {
        match self.store_fraction {
            Some(fraction) => fraction >= 1.0,
            None => self.status.is_none(),
        }
    }

    /// How many of `length` bytes are stored.
    #[must_use]
    pub fn stored_bytes(&self, length: u64) -> u64 {
        match self.store_fraction {
            Some(fraction) => part_of(length, fraction),
            None if self.status.is_some() => 0,
            None => length,
        }
    }

    /// The wait before the answer.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(Duration::from_millis)
    }
}

/// That fraction of `length` bytes, rounded down.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "lengths are far below 2^52 and the fraction is kept in 0..=1"
)]
pub fn part_of(length: u64, fraction: f64) -> u64 {
    ((length as f64) * fraction.clamp(0.0, 1.0)).floor() as u64
}

#[derive(Debug)]
struct Slot<X> {
    rule: Rule<X>,
    seen: u64,
    fired: u64,
}

impl<X> Slot<X> {
    fn matches(&self, operations: &[&str], subject: &str) -> bool {
        operations.contains(&self.rule.operation.as_str())
            && self.rule.matching.as_deref().is_none_or(|part| subject.contains(part))
    }

    fn is_due(&self) -> bool {
        self.seen >= self.rule.position.unwrap_or(1)
            && (self.rule.count == 0 || self.fired < self.rule.count)
    }
}

/// The rules in force, in the order in which they were added.
#[derive(Debug)]
pub struct Faults<X> {
    operations: &'static [&'static str],
    slots: Mutex<Vec<Slot<X>>>,
}

impl<X: Clone + Default + Serialize + DeserializeOwned> Faults<X> {
    /// No rules yet; rules may name these operations.
    #[must_use]
    pub fn new(operations: &'static [&'static str]) -> Self {
        Self { operations, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot<X>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one rule or an array of rules; all or none.
    ///
    /// # Errors
    /// The words for the 400 answer.
    pub fn add(&self, value: Value) -> Result<usize, String> {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        let rules: Vec<Rule<X>> = values
            .into_iter()
            .map(|value| Rule::parse(value, self.operations))
            .collect::<Result<_, _>>()?;
        let added = rules.len();
        self.slots().extend(rules.into_iter().map(|rule| Slot { rule, seen: 0, fired: 0 }));
        Ok(added)
    }

    /// Shows a request to every rule and takes the effect of the first that is due.
    ///
    /// Rules that are due but come later in the list have seen the request and
    /// fire on the next one: a request suffers one fault at a time.
    pub fn take(&self, operations: &[&str], subject: &str) -> Option<Rule<X>> {
        let mut taken = None;
        for slot in self.slots().iter_mut().filter(|slot| slot.matches(operations, subject)) {
            slot.seen += 1;
            if taken.is_none() && slot.is_due() {
                slot.fired += 1;
                taken = Some(slot.rule.clone());
            }
        }
        taken
    }

    /// Every rule with how often it was asked and fired.
    #[must_use]
    pub fn list(&self) -> Vec<Value> {
        let with_counts = |slot: &Slot<X>| {
            let mut value = serde_json::to_value(&slot.rule).unwrap_or_default();
            value["seen"] = slot.seen.into();
            value["fired"] = slot.fired.into();
            value
        };
        self.slots().iter().map(with_counts).collect()
    }

    /// Removes all rules, or those with exactly this `match`.
    pub fn clear(&self, matching: Option<&str>) -> usize {
        let mut slots = self.slots();
        let before = slots.len();
        slots.retain(|slot| matching.is_some() && slot.rule.matching.as_deref() != matching);
        before - slots.len()
    }
}
