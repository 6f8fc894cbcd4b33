//! The active fault rules of a simulator. A rule *fires* for a request if the request fails because
//! of the rule. Counters decide for which requests a rule fires.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::rule::Rule;

/// A rule with its counters.
#[derive(Debug)]
struct CountedRule<ServiceFaults> {
    rule: Rule<ServiceFaults>,
    /// Number of matching requests so far.
    seen: u64,
    /// Number of times the rule has fired.
    fired: u64,
}

impl<ServiceFaults> CountedRule<ServiceFaults> {
    /// Returns whether the rule applies to a request with one of these operations and this subject.
    fn matches(&self, operations: &[&str], subject: &str) -> bool {
        operations.contains(&self.rule.operation.as_str())
            && self.rule.matching.as_deref().is_none_or(|substring| subject.contains(substring))
    }

    /// Returns whether the rule may fire for the request that was counted last.
    fn is_due(&self) -> bool {
        self.seen >= self.rule.position.unwrap_or(1)
            && (self.rule.count == 0 || self.fired < self.rule.count)
    }
}

/// All active fault rules, in the order in which they were added.
#[derive(Debug)]
pub struct Faults<ServiceFaults> {
    operations: &'static [&'static str],
    rules: Mutex<Vec<CountedRule<ServiceFaults>>>,
}

impl<ServiceFaults: Clone + Default + Serialize + DeserializeOwned> Faults<ServiceFaults> {
    /// Creates an empty rule set. `operations` are the operation names that rules may use.
    #[must_use]
    pub fn new(operations: &'static [&'static str]) -> Self {
        Self { operations, rules: Mutex::default() }
    }

    fn rules(&self) -> MutexGuard<'_, Vec<CountedRule<ServiceFaults>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one rule or an array of rules. Adds no rule when one of them is invalid.
    ///
    /// # Errors
    /// Returns the message for the 400 response.
    pub fn add(&self, value: Value) -> Result<usize, String> {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        let rules: Vec<Rule<ServiceFaults>> = values
            .into_iter()
            .map(|value| Rule::parse(value, self.operations))
            .collect::<Result<_, _>>()?;
        let added = rules.len();
        self.rules().extend(rules.into_iter().map(|rule| CountedRule { rule, seen: 0, fired: 0 }));
        Ok(added)
    }

    /// Counts a request for every matching rule and returns the rule that fires, if any.
    /// `operations` are the names of the request's operation. A request may have several, such as
    /// `fragment` and `lastFragment`.
    ///
    /// At most one rule fires for a request. When several rules are due, the oldest rule fires, and
    /// the next oldest fires for the next request.
    pub fn take(&self, operations: &[&str], subject: &str) -> Option<Rule<ServiceFaults>> {
        let mut firing_rule = None;
        for counted in
            self.rules().iter_mut().filter(|counted| counted.matches(operations, subject))
        {
            counted.seen += 1;
            if firing_rule.is_none() && counted.is_due() {
                counted.fired += 1;
                firing_rule = Some(counted.rule.clone());
            }
        }
        firing_rule
    }

    /// Returns every rule as JSON, with the number of matching requests (`seen`) and the number of
    /// times that the rule fired (`fired`).
    #[must_use]
    pub fn list(&self) -> Vec<Value> {
        let with_counts = |counted: &CountedRule<ServiceFaults>| {
            let mut value = serde_json::to_value(&counted.rule).unwrap_or_default();
            value["seen"] = counted.seen.into();
            value["fired"] = counted.fired.into();
            value
        };
        self.rules().iter().map(with_counts).collect()
    }

    /// Removes all rules, or only those whose `match` equals `matching`. Returns how many were
    /// removed.
    pub fn clear(&self, matching: Option<&str>) -> usize {
        let mut rules = self.rules();
        let count_before = rules.len();
        // Without `matching`, no rule is retained.
        rules.retain(|counted| matching.is_some() && counted.rule.matching.as_deref() != matching);
        count_before - rules.len()
    }
}
