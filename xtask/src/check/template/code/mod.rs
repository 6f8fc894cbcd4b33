//! Determines which AWS actions the code of each function can call, and which environment variables
//! it reads.
//!
//! The analysis follows names, not types: from a function's `main` through its wiring
//! (`crates/lambda`), its router (`crates/http`) and its use cases (`crates/app`) to the adapters
//! (`crates/aws`). This is sufficient because of the project's conventions: adapters are reached
//! only through ports, a use case is a module, and a client is called `client`. Code that violates
//! them shows up as a call that is declared but not found.

mod adapters;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use tokens::File;

/// Services whose calls need permissions of the function's role: crate of the SDK and prefix of the
/// IAM action.
const SERVICES: [(&str, &str); 8] = [
    ("dynamodb", "dynamodb"),
    ("eventbridge", "events"),
    ("kms", "kms"),
    ("s3", "s3"),
    ("secretsmanager", "secretsmanager"),
    ("sfn", "states"),
    ("sns", "sns"),
    ("sqs", "sqs"),
];

/// Adapter of the exchange bucket, which uses its own access key instead of the role.
const EXCHANGE_ADAPTER: &str = "s3";

/// Parsed files or modules by name.
type Files = BTreeMap<String, File>;

/// Source code that runs in Lambda.
#[derive(Debug)]
pub(crate) struct Code {
    /// `main.rs` of each function, by name.
    functions: Files,
    /// Files of `crates/lambda`, by path.
    wiring: Files,
    /// Files of `crates/http`, by path.
    routers: Files,
    /// Modules of `crates/app`, by name.
    use_cases: Files,
    /// Files of `crates/aws`, by module, then by name.
    adapters: BTreeMap<String, Files>,
}

/// Environment variables of one function.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    pub(super) read: BTreeSet<String>,
    /// Variables without which the function does not start.
    pub(super) required: BTreeSet<String>,
}

impl Code {
    /// Reads the source of the project.
    pub(super) fn of_project(root: &Path) -> Result<Self> {
        let crates = root.join("crates");
        let mut functions = Files::new();
        for entry in fs::read_dir(root.join("functions"))? {
            let entry = entry?;
            let main = entry.path().join("src/main.rs");
            functions.insert(entry.file_name().to_string_lossy().into_owned(), read(&main)?);
        }
        let mut adapters = BTreeMap::<_, Files>::new();
        let mut use_cases = Files::new();
        for (path, file) in parse_folder(&crates.join("app/src"))? {
            use_cases.entry(path[0].clone()).or_default().absorb(file);
        }
        // Ports declare methods but do not implement them.
        use_cases.remove("ports");
        for (path, file) in parse_folder(&crates.join("aws/src"))? {
            let name = path.last().cloned().unwrap_or_default();
            adapters.entry(path[0].clone()).or_default().insert(name, file);
        }
        let by_file = |files: Vec<(Vec<String>, File)>| {
            files.into_iter().map(|(path, file)| (path.join("/"), file)).collect()
        };
        let wiring = by_file(parse_folder(&crates.join("lambda/src"))?);
        let routers = by_file(parse_folder(&crates.join("http/src"))?);
        Ok(Self { functions, wiring, routers, use_cases, adapters })
    }

    /// Returns the IAM actions that the code of a function can call.
    pub(super) fn calls(&self, function: &str) -> BTreeSet<String> {
        let methods = self.methods(function);
        let wired = self.wiring_of(function);
        let sdks: BTreeSet<_> = wired.iter().flat_map(|body| &body.sdks).collect();
        let mut calls = BTreeSet::new();
        for (sdk, service) in SERVICES {
            if !sdks.contains(&sdk.to_owned()) {
                continue;
            }
            let by_role = |(module, files): &(&String, &Files)| {
                *module != EXCHANGE_ADAPTER && uses(files, sdk)
            };
            for (_, files) in self.adapters.iter().filter(by_role) {
                let operations = adapters::operations(files, &methods);
                calls.extend(operations.iter().map(|call| format!("{service}:{}", pascal(call))));
            }
        }
        calls
    }

    /// Returns the environment variables that a function reads.
    pub(super) fn variables(&self, function: &str) -> Variables {
        let main = self.functions.get(function).and_then(|file| file.functions.get("main"));
        let bodies = self.wiring_of(function).into_iter().chain(main);
        let mut variables = Variables::default();
        for call in bodies.flat_map(|body| &body.calls) {
            if ["required", "required_url", "secret"].contains(&call.name.as_str()) {
                variables.required.extend(call.variables.iter().cloned());
            }
            variables.read.extend(call.variables.iter().cloned());
        }
        variables
    }

    /// Returns the wiring functions that `main` calls, directly or indirectly.
    fn wiring_of(&self, function: &str) -> Vec<&tokens::Body> {
        let mut seen = BTreeSet::new();
        let mut bodies = Vec::new();
        let main = self.functions.get(function).and_then(|file| file.functions.get("main"));
        let mut to_visit: Vec<_> = main.into_iter().collect();
        while let Some(body) = to_visit.pop() {
            for call in body.calls.iter().filter(|call| !call.is_method) {
                if seen.insert(call.name.as_str()) {
                    let files = self.wiring.values();
                    let found = files.filter_map(|file| file.functions.get(&call.name));
                    let before = bodies.len();
                    bodies.extend(found);
                    to_visit.extend(&bodies[before..]);
                }
            }
        }
        bodies
    }

    /// Returns the names of the methods that a function's router and use cases call, including
    /// those of ports. The methods that `main` calls are excluded, because it only passes ports on.
    fn methods(&self, function: &str) -> BTreeSet<&str> {
        let mut methods = BTreeSet::new();
        let mut to_visit = Vec::new();
        let main = self.functions.get(function);
        let called = |name: &str, files: &[&File]| {
            let mut bodies = files.iter().flat_map(|file| file.functions.values());
            bodies.any(|body| body.calls.iter().any(|call| !call.is_method && call.name == name))
        };
        let mut from: Vec<&File> = main.into_iter().collect();
        let mut reached = BTreeSet::new();
        // Repeated until nothing is added, because a router may be part of another one that is
        // later in the order of names.
        while let Some((path, file)) = self.routers.iter().find(|(path, file)| {
            let is_in_same_folder =
                |other: &&str| folder_of(other).is_some() && folder_of(other) == folder_of(path);
            let shared = reached.iter().any(is_in_same_folder);
            let mut names = file.functions.keys().filter(|name| shared || makes_routes(name));
            !reached.contains(path.as_str()) && names.any(|name| called(name, &from))
        }) {
            reached.insert(path.as_str());
            let bodies = file.functions.values().flat_map(|body| &body.calls);
            methods.extend(bodies.filter(|c| c.is_method).map(|c| c.name.as_str()));
            from.push(file);
        }
        for (module, file) in &self.use_cases {
            if from.iter().any(|file| file.modules.contains(module)) {
                let entry_points = file.functions.keys().filter(|name| called(name, &from));
                to_visit.extend(entry_points.map(|name| (module.as_str(), name.as_str())));
            }
        }
        let mut seen = BTreeSet::new();
        while let Some((module, name)) = to_visit.pop() {
            let Some(file) = self.use_cases.get(module).filter(|_| seen.insert((module, name)))
            else {
                continue;
            };
            for call in file.functions.get(name).into_iter().flat_map(|body| &body.calls) {
                if call.is_method {
                    methods.insert(call.name.as_str());
                }
                let visible_modules = file.modules.iter().map(String::as_str).chain([module]);
                let defines = |module: &&str| {
                    self.use_cases
                        .get(*module)
                        .is_some_and(|m| m.functions.contains_key(&call.name))
                };
                to_visit.extend(
                    visible_modules.filter(defines).map(|module| (module, call.name.as_str())),
                );
            }
        }
        methods
    }
}

/// Returns whether a function builds routes, so that its callers serve the handlers.
fn makes_routes(name: &str) -> bool {
    name.ends_with("_router") || name.ends_with("_routes")
}

/// Returns the folder of a file. Files in the same folder share helper functions.
fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

fn uses(files: &Files, sdk: &str) -> bool {
    files.values().flat_map(|file| &file.sdks).any(|used| used == sdk)
}

/// `get_item` → `GetItem`.
fn pascal(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        })
        .collect()
}

fn read(path: &Path) -> Result<File> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    File::parse(&text).with_context(|| format!("{}", path.display()))
}

/// Parses every source file below a folder. Returns each with the path of its module.
fn parse_folder(folder: &Path) -> Result<Vec<(Vec<String>, File)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            for (mut names, file) in parse_folder(&path)? {
                names.insert(0, stem.clone());
                found.push((names, file));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((vec![stem], read(&path)?));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Paths;

    fn code() -> Code {
        Code::of_project(&Paths::of_workspace().unwrap().root).unwrap()
    }

    #[test]
    fn function_calls_follow_from_its_use_cases_and_ports() {
        let code = code();
        let calls = |function| code.calls(function).into_iter().collect::<Vec<_>>();
        assert_eq!(calls("download"), ["dynamodb:GetItem", "dynamodb:Query", "s3:GetObject"]);
        assert_eq!(calls("ping"), ["secretsmanager:GetSecretValue"]);
        // The parts of a transaction count, not the transaction itself.
        let upload_calls = code.calls("upload");
        assert!(upload_calls.contains("dynamodb:ConditionCheckItem"), "{upload_calls:?}");
        assert!(!upload_calls.contains("dynamodb:TransactWriteItems"), "{upload_calls:?}");
        // Upload encrypts and decrypts the session URL; finalize only decrypts it.
        assert!(code.calls("finalize").contains("kms:Decrypt"));
        assert!(!code.calls("finalize").contains("kms:Encrypt"));
    }

    #[test]
    fn function_variables_follow_from_its_wiring() {
        let variables = code().variables("authorizer");
        assert_eq!(variables.required, BTreeSet::from(["SCV_SECRET_ARN".to_owned()]));
        let variables = code().variables("poll");
        assert!(variables.read.contains("ARRIVAL_DEADLINE_SECONDS"), "{variables:?}");
        assert!(!variables.required.contains("ARRIVAL_DEADLINE_SECONDS"));
    }
}
