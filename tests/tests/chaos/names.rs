//! Names of recipients and files, restricted fault rules, and attributes of items.

use docferry_system_tests::Item;
use serde_json::Value;

/// Returns a string attribute of an item.
pub(crate) fn string_attribute(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Returns the number of the latest execution of a transfer.
pub(crate) fn execution_number(record: &Item) -> u32 {
    record["attempt"].as_n().unwrap().parse().unwrap()
}

/// Returns the email address of a recipient.
pub(crate) fn recipient_email(tag: &str, person: usize) -> String {
    format!("p{person}-{tag}@docferry.example")
}

/// Returns a file name, which is also an exchange key.
pub(crate) fn file_name(tag: &str, number: usize) -> String {
    format!("{tag}-{number:02}.pdf")
}

/// Restricts faults to subjects that contain this text.
pub(crate) fn with_match(faults: &[Value], part: &str) -> Vec<Value> {
    let restricted = |fault: &Value| {
        let mut fault = fault.clone();
        fault["match"] = part.into();
        fault
    };
    faults.iter().map(restricted).collect()
}
