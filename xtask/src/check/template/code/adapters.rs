//! Finds the calls of the AWS SDK that an adapter makes.

use std::collections::BTreeSet;

use super::Files;
use super::tokens::File;

/// SDK operations whose IAM action has another name. `None`: only the parts of a transaction need
/// permissions.
const PERMISSION_NAMES: [(&str, Option<&str>); 10] = [
    ("complete_multipart_upload", Some("put_object")),
    ("create_multipart_upload", Some("put_object")),
    ("delete_message_batch", Some("delete_message")),
    ("list_multipart_uploads", Some("list_bucket_multipart_uploads")),
    ("list_objects_v2", Some("list_bucket")),
    ("list_parts", Some("list_multipart_upload_parts")),
    ("send_message_batch", Some("send_message")),
    ("transact_get_items", None),
    ("transact_write_items", None),
    ("upload_part", Some("put_object")),
];

/// Parts of a transaction, by the type that builds them.
const TRANSACTION_PARTS: [(&str, &str); 5] = [
    ("ConditionCheck", "condition_check_item"),
    ("Delete", "delete_item"),
    ("Get", "get_item"),
    ("Put", "put_item"),
    ("Update", "update_item"),
];

/// Returns the SDK operations that an adapter performs when `methods` are called on it. An adapter
/// that implements no port is called directly; all of its operations count then.
pub(super) fn operations<'a>(files: &'a Files, methods: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let operations_where = |included: &dyn Fn(&File, &str) -> bool| {
        let mut operations = BTreeSet::new();
        for (name, file) in files {
            for function in file.functions.keys().filter(|function| included(file, function)) {
                collect_operations(files, name, function, &mut BTreeSet::new(), &mut operations);
            }
        }
        operations
    };
    if operations_where(&|file, function| file.trait_methods.contains(function)).is_empty() {
        return operations_where(&|_, _| true);
    }
    operations_where(&|file, function| {
        file.trait_methods.contains(function) && methods.contains(function)
    })
}

/// Adds the operations of a function and of the functions that it calls.
fn collect_operations<'a>(
    files: &'a Files,
    file: &'a str,
    function: &'a str,
    seen: &mut BTreeSet<(&'a str, &'a str)>,
    operations: &mut BTreeSet<&'a str>,
) {
    let Some(body) = files.get(file).and_then(|file| file.functions.get(function)) else { return };
    if !seen.insert((file, function)) {
        return;
    }
    for call in &body.calls {
        let before = call.before.as_deref();
        if call.is_method && before == Some("client") && !call.has_arguments {
            let permission = PERMISSION_NAMES.iter().find(|(name, _)| *name == call.name);
            operations.extend(permission.map_or(Some(call.name.as_str()), |(_, action)| *action));
        } else if let Some((_, part)) = TRANSACTION_PARTS
            .iter()
            .find(|(kind, _)| before == Some(kind) && call.name == "builder")
        {
            operations.insert(part);
        }
        // The called function is in this file, or in a neighbor that is named by its file name.
        match before {
            Some(neighbor) if files.contains_key(neighbor) => {
                if let Some((neighbor, _)) = files.get_key_value(neighbor) {
                    collect_operations(files, neighbor, &call.name, seen, operations);
                }
            }
            None | Some("self" | "Self") => {
                collect_operations(files, file, &call.name, seen, operations);
            }
            Some(_) => {}
        }
    }
}
