//! What the code of each function can call of AWS, and which variables it reads.
//!
//! Found by following names, not types, from a function's `main` through what it
//! wires (`crates/lambda`), its router (`crates/http`) and its use cases
//! (`crates/app`) to the adapters (`crates/aws`). That suffices because of how the
//! project is written: adapters are reached through ports alone, a use case is a
//! module, a client is called `client`. What is written otherwise shows as a call
//! that is declared and not found.

mod adapters;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use tokens::File;

/// The services whose calls are rights of the function's role, by crate of the SDK.
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

/// The adapter of the exchange bucket, which is reached with a key pair of its own.
const WITH_ITS_OWN_KEY: &str = "s3";

/// Files or modules by their names.
type Files = BTreeMap<String, File>;

/// The source of what runs in Lambda.
#[derive(Debug)]
pub(crate) struct Code {
    functions: Files,
    /// By file.
    wiring: Files,
    /// By file.
    routers: Files,
    /// By module.
    use_cases: Files,
    /// By module, then by file.
    adapters: BTreeMap<String, Files>,
}

/// Variables of one function.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    pub(super) read: BTreeSet<String>,
    /// Without these it does not start.
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
        for (path, file) in below(&crates.join("app/src"))? {
            use_cases.entry(path[0].clone()).or_default().absorb(file);
        }
        // Ports are names of what somebody else does.
        use_cases.remove("ports");
        for (path, file) in below(&crates.join("aws/src"))? {
            let name = path.last().cloned().unwrap_or_default();
            adapters.entry(path[0].clone()).or_default().insert(name, file);
        }
        let by_file = |files: Vec<(Vec<String>, File)>| {
            files.into_iter().map(|(path, file)| (path.join("/"), file)).collect()
        };
        let wiring = by_file(below(&crates.join("lambda/src"))?);
        let routers = by_file(below(&crates.join("http/src"))?);
        Ok(Self { functions, wiring, routers, use_cases, adapters })
    }

    /// The calls that the code of a function can make, as rights name them.
    pub(super) fn calls(&self, function: &str) -> BTreeSet<String> {
        let methods = self.methods(function);
        let wired = self.wired(function);
        let sdks: BTreeSet<_> = wired.iter().flat_map(|body| &body.sdks).collect();
        let mut calls = BTreeSet::new();
        for (sdk, service) in SERVICES {
            if !sdks.contains(&sdk.to_owned()) {
                continue;
            }
            let by_role = |(module, files): &(&String, &Files)| {
                *module != WITH_ITS_OWN_KEY && uses(files, sdk)
            };
            for (_, files) in self.adapters.iter().filter(by_role) {
                let made = adapters::operations(files, &methods);
                calls.extend(made.iter().map(|call| format!("{service}:{}", pascal(call))));
            }
        }
        calls
    }

    /// The variables that a function reads.
    pub(super) fn variables(&self, function: &str) -> Variables {
        let main = self.functions.get(function).and_then(|file| file.functions.get("main"));
        let bodies = self.wired(function).into_iter().chain(main);
        let mut variables = Variables::default();
        for call in bodies.flat_map(|body| &body.calls) {
            if ["required", "required_url", "secret"].contains(&call.name.as_str()) {
                variables.required.extend(call.variables.iter().cloned());
            }
            variables.read.extend(call.variables.iter().cloned());
        }
        variables
    }

    /// What `main` calls of the wiring, and what that calls of it.
    fn wired(&self, function: &str) -> Vec<&tokens::Body> {
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

    /// Names of the methods that a function's router and use cases call, the
    /// ports' among them. Not those of `main`, which only hands ports on.
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
        // A router may be part of another that comes later by its name.
        while let Some((path, file)) = self.routers.iter().find(|(path, file)| {
            let is_beside = |by: &&str| folder(by).is_some() && folder(by) == folder(path);
            let shared = reached.iter().any(is_beside);
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
                let begun = file.functions.keys().filter(|name| called(name, &from));
                to_visit.extend(begun.map(|name| (module.as_str(), name.as_str())));
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
                let near = file.modules.iter().map(String::as_str).chain([module]);
                let defines = |module: &&str| {
                    self.use_cases
                        .get(*module)
                        .is_some_and(|m| m.functions.contains_key(&call.name))
                };
                to_visit.extend(near.filter(defines).map(|module| (module, call.name.as_str())));
            }
        }
        methods
    }
}

/// Whether a function puts handlers under paths, so that whoever calls it serves them.
fn makes_routes(name: &str) -> bool {
    name.ends_with("_router") || name.ends_with("_routes")
}

/// The folder of a file: what lies in one shares its helpers.
fn folder(path: &str) -> Option<&str> {
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

/// Every source file below a folder, with the names of its module and of those
/// around it.
fn below(folder: &Path) -> Result<Vec<(Vec<String>, File)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            for (mut names, file) in below(&path)? {
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
    fn a_function_calls_what_its_use_case_calls_of_its_ports_and_no_more() {
        let code = code();
        let calls = |function| code.calls(function).into_iter().collect::<Vec<_>>();
        assert_eq!(calls("download"), ["dynamodb:GetItem", "dynamodb:Query", "s3:GetObject"]);
        assert_eq!(calls("ping"), ["secretsmanager:GetSecretValue"]);
        // The parts of a transaction count, not the transaction.
        let of_upload = code.calls("upload");
        assert!(of_upload.contains("dynamodb:ConditionCheckItem"), "{of_upload:?}");
        assert!(!of_upload.contains("dynamodb:TransactWriteItems"), "{of_upload:?}");
        // The sealer opens and seals; finalize only opens.
        assert!(code.calls("finalize").contains("kms:Decrypt"));
        assert!(!code.calls("finalize").contains("kms:Encrypt"));
    }

    #[test]
    fn a_function_reads_the_variables_of_what_it_wires() {
        let variables = code().variables("authorizer");
        assert_eq!(variables.required, BTreeSet::from(["SCV_SECRET_ARN".to_owned()]));
        let variables = code().variables("poll");
        assert!(variables.read.contains("ARRIVAL_DEADLINE_SECONDS"), "{variables:?}");
        assert!(!variables.required.contains("ARRIVAL_DEADLINE_SECONDS"));
    }
}
