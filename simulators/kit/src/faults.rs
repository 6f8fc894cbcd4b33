//! Scripted faults: rules that fire on the nth matching request.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::rule::Rule;

/// A rule with its counters.
#[derive(Debug)]
struct CountedRule<X> {
    rule: Rule<X>,
    /// Number of matching requests so far.
    seen: u64,
    /// Number of times the rule has fired.
    fired: u64,
}

impl<X> CountedRule<X> {
    fn matches(&self, operations: &[&str], subject: &str) -> bool {
        operations.contains(&self.rule.operation.as_str())
            && self.rule.matching.as_deref().is_none_or(|part| subject.contains(part))
    }

    fn is_due(&self) -> bool {
        self.seen >= self.rule.position.unwrap_or(1)
            && (self.rule.count == 0 || self.fired < self.rule.count)
    }
}

/// All active rules, in the order in which they were added.
#[derive(Debug)]
pub struct Faults<X> {
    operations: &'static [&'static str],
    rules: Mutex<Vec<CountedRule<X>>>,
}

impl<X: Clone + Default + Serialize + DeserializeOwned> Faults<X> {
    /// Creates an empty rule set. `operations` are the operation names that rules may use.
    #[must_use]
    pub fn new(operations: &'static [&'static str]) -> Self {
        Self { operations, rules: Mutex::default() }
    }

    fn rules(&self) -> MutexGuard<'_, Vec<CountedRule<X>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one rule or an array of rules. Adds none when one of them is invalid.
    ///
    /// # Errors
    /// Returns the message for the 400 response.
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
        self.rules().extend(rules.into_iter().map(|rule| CountedRule { rule, seen: 0, fired: 0 }));
        Ok(added)
    }

    /// Counts a request against every matching rule and returns the first rule that is due.
    ///
    /// At most one fault applies to a request. Other rules that are due also count the request and
    /// fire on the next one.
    pub fn take(&self, operations: &[&str], subject: &str) -> Option<Rule<X>> {
        let mut taken = None;
        for counted in
            self.rules().iter_mut().filter(|counted| counted.matches(operations, subject))
        {
            counted.seen += 1;
            if taken.is_none() && counted.is_due() {
                counted.fired += 1;
                taken = Some(counted.rule.clone());
            }
        }
        taken
    }

    /// Returns every rule with the number of requests it matched (`seen`) and of times it fired.
    #[must_use]
    pub fn list(&self) -> Vec<Value> {
        let with_counts = |counted: &CountedRule<X>| {
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
        let before = rules.len();
        rules.retain(|counted| matching.is_some() && counted.rule.matching.as_deref() != matching);
        before - rules.len()
    }
}
