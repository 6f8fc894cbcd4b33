//! Determines which AWS actions the code of each Lambda function can call, and which environment
//! variables it reads.
//!
//! The analysis parses the source code and follows the calls from the `main` of each Lambda
//! function through all crates of the workspace. The checks of the template compare its result, a
//! [`Code`], with the permissions and the environment variables of each function.
//!
//! An *operation* is a request of the AWS SDK, such as `get_item`. An *action* is the name of the
//! operation in an IAM policy, such as `dynamodb:GetItem`.

mod bounds;
mod graph;
mod index;
mod scope;
mod sdk;
mod types;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::source::{Workspace, packages};
use graph::{Reached, SdkOperation};
use index::Index;
use scope::Visible;
use types::Types;
pub(super) use variables::Variables;

/// AWS services whose IAM actions have a prefix that differs from the name of the SDK crate. Each
/// entry contains the name of the crate without `aws_sdk_`, and the prefix.
const IAM_PREFIXES: [(&str, &str); 2] = [("eventbridge", "events"), ("sfn", "states")];

/// Operations whose IAM action has a different name. An operation with `None` is a transaction: it
/// needs no permission itself, but its parts do.
const RENAMED_ACTIONS: [(&str, Option<&str>); 10] = [
    ("complete_multipart_upload", Some("PutObject")),
    ("create_multipart_upload", Some("PutObject")),
    ("delete_message_batch", Some("DeleteMessage")),
    ("list_multipart_uploads", Some("ListBucketMultipartUploads")),
    ("list_objects_v2", Some("ListBucket")),
    ("list_parts", Some("ListMultipartUploadParts")),
    ("send_message_batch", Some("SendMessage")),
    ("transact_get_items", None),
    ("transact_write_items", None),
    ("upload_part", Some("PutObject")),
];

/// Types of the SDK that are parts of a DynamoDB transaction, and the IAM action of each part.
const TRANSACTION_PARTS: [(&str, &str); 5] = [
    ("ConditionCheck", "ConditionCheckItem"),
    ("Delete", "DeleteItem"),
    ("Get", "GetItem"),
    ("Put", "PutItem"),
    ("Update", "UpdateItem"),
];

/// Methods of SDK clients that send no request.
const LOCAL_METHODS: [&str; 2] = ["clone", "config"];

/// Adapters that use an access key of their own. Their calls do not use the function's role.
const OWN_ACCESS_KEY: [&str; 1] = ["S3ExchangeStore"];

/// Folders with code that runs in Lambda.
const FOLDERS: [&str; 2] = ["crates", "functions"];

/// Packages below [`FOLDERS`] that are for tests only.
const TEST_ONLY: [&str; 2] = ["docferry_openapi", "docferry_testkit"];

/// Result of the analysis for all Lambda functions, by name.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    functions: BTreeMap<String, FunctionCode>,
}

/// Result of the analysis for one Lambda function.
#[derive(Debug, Clone)]
struct FunctionCode {
    /// IAM actions of the calls that the code can make.
    actions: BTreeSet<String>,
    variables: Variables,
}

impl Code {
    /// Analyses the source code of the project.
    pub(super) fn of_project(paths: &Paths) -> Result<Self> {
        let mut packages = packages(paths)?;
        packages.retain(|package| {
            FOLDERS.iter().any(|folder| package.folder.starts_with(folder))
                && !TEST_ONLY.contains(&package.library.as_str())
        });
        let workspace = Workspace::of_packages(&paths.root, &packages)?;
        let index = Index::of_workspace(&workspace);
        let types = Types {
            workspace: &workspace,
            index: &index,
            visible: Visible::of_workspace(&workspace, &index),
            sdk_operations: sdk::operations(paths)?,
        };
        let mut functions = BTreeMap::new();
        for package in packages.iter().filter(|package| package.folder.starts_with("functions")) {
            let name = package.folder.file_name().unwrap_or_default().to_string_lossy();
            let main = workspace.program(&package.folder.join("src/main.rs"));
            let main = main.with_context(|| format!("{name} has no main"))?;
            let reached = graph::reach(&types, main, &OWN_ACCESS_KEY);
            let variables = variables::read_by(&workspace, &index, &reached, main);
            let function = FunctionCode { actions: actions(&reached), variables };
            functions.insert(name.into_owned(), function);
        }
        Ok(Self { functions })
    }

    /// Returns the IAM actions that the code of a function can call.
    pub(super) fn calls(&self, function: &str) -> BTreeSet<String> {
        self.functions.get(function).map(|code| code.actions.clone()).unwrap_or_default()
    }

    /// Returns the environment variables that a function reads.
    pub(super) fn variables(&self, function: &str) -> Variables {
        self.functions.get(function).map(|code| code.variables.clone()).unwrap_or_default()
    }
}

/// Returns the IAM actions of the reached operations.
fn actions(reached: &Reached) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for SdkOperation { service, name } in &reached.operations {
        let other_prefix = IAM_PREFIXES.iter().find(|(sdk, _)| sdk == service);
        let prefix = other_prefix.map_or(service.as_str(), |(_, prefix)| *prefix);
        let part = TRANSACTION_PARTS.iter().find(|(part_type, _)| part_type == name);
        let renamed = RENAMED_ACTIONS.iter().find(|(operation, _)| operation == name);
        let action = match (part, renamed) {
            (Some((_, action)), _) => Some((*action).to_owned()),
            (None, Some((_, action))) => action.map(str::to_owned),
            // This is another type that the code builds. It is not a part of a transaction, so it
            // needs no permission.
            _ if name.starts_with(char::is_uppercase) => None,
            _ if LOCAL_METHODS.contains(&name.as_str()) => None,
            _ => Some(pascal_case(name)),
        };
        actions.extend(action.map(|action| format!("{prefix}:{action}")));
    }
    actions
}

/// Converts a name such as `get_item` to `GetItem`.
fn pascal_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (initial, ending) = word.split_at(word.len().min(1));
            initial.to_uppercase() + ending
        })
        .collect()
}

#[cfg(test)]
mod tests;
