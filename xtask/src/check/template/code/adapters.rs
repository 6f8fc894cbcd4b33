//! What an adapter calls of the AWS SDK.

use std::collections::BTreeSet;

use super::Files;
use super::tokens::File;

/// Calls that ask for the right to another, or to what their parts do.
const OTHERWISE: [(&str, Option<&str>); 10] = [
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

/// The parts of a transaction, by the type that builds them.
const PARTS: [(&str, &str); 5] = [
    ("ConditionCheck", "condition_check_item"),
    ("Delete", "delete_item"),
    ("Get", "get_item"),
    ("Put", "put_item"),
    ("Update", "update_item"),
];

/// The calls of the SDK that an adapter makes when `methods` are called of it. One
/// that stands behind no port is called directly: then it is all of them.
pub(super) fn operations<'a>(files: &'a Files, methods: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let of = |wanted: &dyn Fn(&File, &str) -> bool| {
        let mut made = BTreeSet::new();
        for (name, file) in files {
            for function in file.functions.keys().filter(|function| wanted(file, function)) {
                reach(files, name, function, &mut BTreeSet::new(), &mut made);
            }
        }
        made
    };
    if of(&|file, function| file.of_traits.contains(function)).is_empty() {
        return of(&|_, _| true);
    }
    of(&|file, function| file.of_traits.contains(function) && methods.contains(function))
}

fn reach<'a>(
    files: &'a Files,
    file: &'a str,
    function: &'a str,
    seen: &mut BTreeSet<(&'a str, &'a str)>,
    made: &mut BTreeSet<&'a str>,
) {
    let Some(body) = files.get(file).and_then(|file| file.functions.get(function)) else { return };
    if !seen.insert((file, function)) {
        return;
    }
    for call in &body.calls {
        let before = call.before.as_deref();
        if call.is_method && before == Some("client") && !call.has_arguments {
            let otherwise = OTHERWISE.iter().find(|(name, _)| *name == call.name);
            made.extend(otherwise.map_or(Some(call.name.as_str()), |(_, instead)| *instead));
        } else if let Some((_, part)) =
            PARTS.iter().find(|(kind, _)| before == Some(kind) && call.name == "builder")
        {
            made.insert(part);
        }
        // A neighbour by the name of its file, or one's own.
        match before {
            Some(neighbour) if files.contains_key(neighbour) => {
                if let Some((neighbour, _)) = files.get_key_value(neighbour) {
                    reach(files, neighbour, &call.name, seen, made);
                }
            }
            None | Some("self" | "Self") => reach(files, file, &call.name, seen, made),
            Some(_) => {}
        }
    }
}
