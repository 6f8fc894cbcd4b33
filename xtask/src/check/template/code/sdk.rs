//! Reads the names of the operations of AWS services from the crates of the AWS SDK.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::binaries::metadata;
use crate::paths::Paths;

/// Operations of each AWS service, such as `get_item` of `dynamodb`.
pub(super) type Operations = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Returns the operations of the services whose SDK crates the workspace uses.
pub(super) fn operations(paths: &Paths) -> Result<Operations> {
    let Metadata { packages } = metadata(paths, &[])?;
    let mut operations = Operations::new();
    for package in packages {
        let Some(service) = package.name.strip_prefix("aws-sdk-") else { continue };
        // Each operation has a module of its own.
        let folder = package.manifest_path.with_file_name("src").join("operation");
        let entries = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        for entry in entries {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "rs") {
                let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                operations.entry(service.to_owned()).or_default().insert(name);
            }
        }
    }
    Ok(operations)
}
