//! Builder for the update and condition expressions of DynamoDB writes.
//!
//! A [`ConditionalUpdate`] has changes of attributes, and the conditions under which DynamoDB
//! applies them. An *expression* is a text in the language of DynamoDB, such as
//! `SET #phase = :phase`. In it, `#name` stands for the attribute `name`, and `:name` for a value.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// Update of an item in DynamoDB's expression language, with the conditions for it.
///
/// Expressions refer to attributes only by placeholders (`#name`), because many of our attribute
/// names (`source`, `object`, …) are or may become reserved words of DynamoDB. A request must
/// declare exactly the placeholders that its expressions use. The declarations are therefore
/// collected from the finished expressions.
#[derive(Debug, Clone, Default)]
pub(super) struct ConditionalUpdate {
    /// Clauses after `SET`.
    set: Vec<String>,
    /// Clauses after `REMOVE`.
    remove: Vec<String>,
    /// Clauses after `ADD`.
    add: Vec<String>,
    /// Clauses after `DELETE`.
    delete: Vec<String>,
    /// Conditions, all of which must hold.
    conditions: Vec<String>,
    /// Values by placeholder, such as `:name`.
    values: HashMap<String, AttributeValue>,
}

/// Expressions of a [`ConditionalUpdate`] in the form that the SDK's requests take.
#[derive(Debug)]
pub(super) struct Expressions {
    pub(super) update: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<HashMap<String, AttributeValue>>,
}

impl ConditionalUpdate {
    /// Sets an attribute.
    pub(super) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{name} = :{name}"));
        self.value(name, value)
    }

    /// Sets an attribute to the value of an expression, such as `if_not_exists(#size, #bytesDone)`.
    pub(super) fn set_from(mut self, name: &str, operand: &str) -> Self {
        self.set.push(format!("#{name} = {operand}"));
        self
    }

    /// Sets an attribute unless it exists.
    pub(super) fn set_once(mut self, name: &str, value: AttributeValue) -> Self {
        self.set.push(format!("#{name} = if_not_exists(#{name}, :{name})"));
        self.value(name, value)
    }

    /// Adds 1 to a number. A missing number counts as 0.
    pub(super) fn increment(self, name: &str) -> Self {
        self.increase(name, 1)
    }

    /// Adds `amount` to a number. A missing number counts as 0.
    pub(super) fn increase(self, name: &str, amount: u64) -> Self {
        self.add_to(name, number(amount))
    }

    /// Subtracts `amount` from a number.
    pub(super) fn decrease(self, name: &str, amount: u64) -> Self {
        self.add_to(name, number(format_args!("-{amount}")))
    }

    /// Removes attributes.
    pub(super) fn remove(mut self, names: &[&str]) -> Self {
        self.remove.extend(names.iter().map(|name| format!("#{name}")));
        self
    }

    /// Adds a member to a set of strings.
    pub(super) fn add_member(self, name: &str, member: &str) -> Self {
        self.add_to(name, AttributeValue::Ss(vec![member.to_owned()]))
    }

    /// Adds `value` to an attribute: the members of a set to a set, or a number to a number.
    pub(super) fn add_to(mut self, name: &str, value: AttributeValue) -> Self {
        self.add.push(format!("#{name} :{name}"));
        self.value(name, value)
    }

    /// Removes a member from a set of strings.
    pub(super) fn remove_member(mut self, name: &str, member: &str) -> Self {
        self.delete.push(format!("#{name} :{name}"));
        self.value(name, AttributeValue::Ss(vec![member.to_owned()]))
    }

    /// Adds a condition. DynamoDB applies the update only if all conditions hold.
    pub(super) fn when(mut self, condition: impl Into<String>) -> Self {
        self.conditions.push(condition.into());
        self
    }

    /// Defines the value of the placeholder `:name`, for use in a condition or an expression.
    pub(super) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// Adds the condition that attribute `name` has one of the `allowed` values.
    pub(super) fn when_one_of(mut self, name: &str, allowed: &[&str]) -> Self {
        let placeholders: Vec<_> = allowed.iter().map(|value| format!(":is_{value}")).collect();
        self.conditions.push(format!("#{name} IN ({})", placeholders.join(", ")));
        for (placeholder, value) in placeholders.into_iter().zip(allowed) {
            self.values.insert(placeholder, string(*value));
        }
        self
    }

    /// Returns the finished expressions and the placeholders that they use.
    pub(super) fn into_expressions(self) -> Expressions {
        let clauses_by_verb = [
            ("SET ", self.set),
            ("REMOVE ", self.remove),
            ("ADD ", self.add),
            ("DELETE ", self.delete),
        ];
        let update: Vec<_> = clauses_by_verb
            .into_iter()
            .filter(|(_, clauses)| !clauses.is_empty())
            .map(|(verb, clauses)| format!("{verb}{}", clauses.join(", ")))
            .collect();
        let update = update.join(" ");
        let condition = self
            .conditions
            .iter()
            .map(|condition| format!("({condition})"))
            .collect::<Vec<_>>()
            .join(" AND ");
        let names = names_in(&update).chain(names_in(&condition)).collect();
        Expressions {
            update: Some(update).filter(|text| !text.is_empty()),
            condition: Some(condition).filter(|text| !text.is_empty()),
            names: Some(names).filter(|map: &HashMap<_, _>| !map.is_empty()),
            values: Some(self.values).filter(|map| !map.is_empty()),
        }
    }
}

/// Finds the placeholders (`#name`) in an expression, each with its attribute name.
fn names_in(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split('#').skip(1).map(|after_sign| {
        let end_of_name = after_sign.find(|character: char| !character.is_ascii_alphanumeric());
        let name = &after_sign[..end_of_name.unwrap_or(after_sign.len())];
        (format!("#{name}"), name.to_owned())
    })
}

/// Returns a string as an attribute value.
pub(super) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Returns a number as an attribute value.
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_declare_exactly_the_placeholders_they_use() {
        let expressions = ConditionalUpdate::default()
            .set("phase", string("failed"))
            .remove(&["resumeAt"])
            .when("attribute_not_exists(#source) OR #source.#key = :key")
            .value("key", string("k"))
            .into_expressions();
        assert_eq!(expressions.update.as_deref(), Some("SET #phase = :phase REMOVE #resumeAt"));
        let mut names: Vec<_> = expressions.names.unwrap().into_values().collect();
        names.sort();
        assert_eq!(names, ["key", "phase", "resumeAt", "source"]);
        assert_eq!(expressions.values.unwrap().len(), 2);
    }

    #[test]
    fn change_without_conditions_has_no_empty_expressions() {
        let expressions = ConditionalUpdate::default().remove(&["x"]).into_expressions();
        assert_eq!(expressions.condition, None);
        assert_eq!(expressions.values, None);
    }
}
