//! `docferry grants import`: loads grants from a file into the document registry. A grant lets a
//! person see documents.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use docferry_app::ports::{GrantResult, MAX_GRANTS_PER_PERSON, RegistryWriter as _, StoreError};
use docferry_aws::DynamoRegistry;
use docferry_domain::document::Grant;
use docferry_domain::person::Person;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::line;
use crate::admin::{AdminError, RegistryArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::input::Input;
use crate::output;
use crate::subject_args::SubjectArgs;

/// Number of persons whose grants are written at the same time.
const PARALLEL_PERSONS: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Path of the file, or - for standard input
    #[arg(value_name = "NDJSON")]
    file: PathBuf,

    #[command(flatten)]
    subject_args: SubjectArgs,

    #[command(flatten)]
    registry_args: RegistryArgs,
}

/// Result of the import as a JSON line.
#[derive(Debug, Default, Serialize)]
struct Imported {
    stored: usize,
    /// Grants that were not stored, because their person would have too many.
    refused: usize,
}

pub(super) async fn run(import: &Import, json: bool) -> Result<Exit, CliError> {
    let patterns = import.subject_args.patterns()?;
    let bytes = Input::open(&import.file)?.read_all()?;
    let text = String::from_utf8(bytes)
        .map_err(|_| AdminError::InvalidLines("the file is not UTF-8".to_owned()))?;
    let grants = line::parse(&text, &patterns).map_err(AdminError::InvalidLines)?;
    let registry = import.registry_args.open().await?;
    let imported = match write(grants, &registry).await {
        Ok(imported) => imported,
        Err(error) => {
            output::print_note("some grants may be stored; import the file again")?;
            return Err(AdminError::from(error).into());
        }
    };
    let Imported { stored, refused } = &imported;
    let mut text = format!("{stored} grants stored");
    if *refused > 0 {
        text.push_str(&format!(
            ", {refused} refused: a person has at most {MAX_GRANTS_PER_PERSON} grants"
        ));
    }
    output::print_result(json, &imported, &text)?;
    Ok(if imported.refused > 0 { Exit::Other } else { Exit::Completed })
}

/// Writes all grants. The grants of different persons are written at the same time. The grants of
/// one person are written one after the other, so that the registry can enforce the maximum number.
async fn write(
    grants: Vec<(Person, Grant)>,
    registry: &DynamoRegistry,
) -> Result<Imported, StoreError> {
    let mut grants_by_person: BTreeMap<Person, Vec<Grant>> = BTreeMap::new();
    for (person, grant) in grants {
        grants_by_person.entry(person).or_default().push(grant);
    }
    let write_grants = async |(person, grants): (Person, Vec<Grant>)| {
        let mut imported = Imported::default();
        for grant in &grants {
            match registry.grant(&person, grant).await? {
                GrantResult::Stored => imported.stored += 1,
                GrantResult::TooMany => imported.refused += 1,
            }
        }
        Ok(imported)
    };
    let add = async |total: Imported, imported: Imported| {
        Ok(Imported {
            stored: total.stored + imported.stored,
            refused: total.refused + imported.refused,
        })
    };
    let results = stream::iter(grants_by_person).map(write_grants);
    results.buffer_unordered(PARALLEL_PERSONS).try_fold(Imported::default(), add).await
}
