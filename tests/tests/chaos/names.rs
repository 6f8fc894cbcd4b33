//! Helpers of the chaos test: names of recipients and files, fault rules for one document or
//! transfer, and attributes of DynamoDB items. `tag` is the unique text of the round's sandbox.

use docferry_system_tests::Item;
use serde_json::Value;

/// Returns a string attribute of an item, if the item has it.
pub(crate) fn string_attribute(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Returns the number of the latest execution of a transfer.
pub(crate) fn execution_number(record: &Item) -> u32 {
    record["attempt"].as_n().unwrap().parse().unwrap()
}

/// Returns the email address of a recipient.
pub(crate) fn recipient_email(tag: &str, recipient: usize) -> String {
    format!("p{recipient}-{tag}@docferry.example")
}

/// Returns the file name of a document, which is also its key in the exchange bucket.
pub(crate) fn file_name(tag: &str, number: usize) -> String {
    format!("{tag}-{number:02}.pdf")
}

/// Returns the fault rules, restricted to subjects that contain `text`. The subject of a request
/// is the document or path that the request is about.
pub(crate) fn with_match(faults: &[Value], text: &str) -> Vec<Value> {
    let restrict = |fault: &Value| {
        let mut restricted = fault.clone();
        restricted["match"] = text.into();
        restricted
    };
    faults.iter().map(restrict).collect()
}
