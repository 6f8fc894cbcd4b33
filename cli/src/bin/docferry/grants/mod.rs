//! The `docferry grants` commands, for operators with their own AWS credentials. A grant lets a
//! person see the documents of a subject (a court file or patient) or of an entitlement group,
//! until an optional expiry.

mod import;
mod line;

use clap::{Args, Subcommand};
use docferry_app::ports::{Registry as _, RegistryWriter as _};
use docferry_domain::document::{Coverage, Grant};
use docferry_domain::person::Person;
use jiff::Timestamp;
use serde::Serialize;

use crate::admin::{AdminError, RegistryArgs};
use crate::clock::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::subject_args::{CoverageArgs, SubjectArgs};

/// Help text after the options of `import`.
const IMPORT_HELP: &str = "\
Each line is a JSON object: {\"person\": \"…\", \"subject\": \"[system|]value\"} or
{\"person\": \"…\", \"group\": \"…\"}, with an optional \"expiresAt\" (RFC 3339). person is the
subject of the person's access tokens. A file with an invalid line loads nothing. A grant
replaces the one of the same person and coverage. A person has at most 500 grants.

Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need dynamodb:Query and UpdateItem on the registry, and with --stack
cloudformation:DescribeStacks.

Exit codes:
  0  every grant is stored
  1  wrong usage, an invalid line, or a person would have too many grants
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

/// Help text after the options of `list`.
const LIST_HELP: &str = "\
Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need dynamodb:Query on the registry, and with --stack cloudformation:DescribeStacks.";

/// Help text after the options of `revoke`.
const REVOKE_HELP: &str = "\
Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need dynamodb:DeleteItem on the registry, and with --stack cloudformation:DescribeStacks.";

#[derive(Debug, Subcommand)]
pub(crate) enum Grants {
    /// Load grants, one JSON object per line
    #[command(after_help = IMPORT_HELP)]
    Import(import::Import),
    /// List the grants of a person, expired ones included
    #[command(after_help = LIST_HELP)]
    List(List),
    /// Remove a grant
    #[command(after_help = REVOKE_HELP)]
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The person: the subject of the access tokens
    #[arg(value_name = "PERSON")]
    person: String,

    #[command(flatten)]
    registry_args: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The person: the subject of the access tokens
    #[arg(value_name = "PERSON")]
    person: String,

    #[command(flatten)]
    coverage_args: CoverageArgs,

    #[command(flatten)]
    subject_args: SubjectArgs,

    #[command(flatten)]
    registry_args: RegistryArgs,
}

/// Result of a removal as a JSON line.
#[derive(Debug, Serialize)]
struct Revoked {
    revoked: bool,
}

pub(crate) async fn run(grants: &Grants, json: bool) -> Result<Exit, CliError> {
    match grants {
        Grants::Import(import) => import::run(import, json).await,
        Grants::List(list) => run_list(list, json).await,
        Grants::Revoke(revoke) => run_revoke(revoke, json).await,
    }
}

async fn run_list(list: &List, json: bool) -> Result<Exit, CliError> {
    let person = read_person(&list.person)?;
    let registry = list.registry_args.open().await?;
    for grant in registry.grants(&person).await.map_err(AdminError::from)? {
        output::print_result(json, &grant, &describe(&grant, now()))?;
    }
    Ok(Exit::Completed)
}

async fn run_revoke(revoke: &Revoke, json: bool) -> Result<Exit, CliError> {
    let person = read_person(&revoke.person)?;
    let coverage = revoke.coverage_args.coverage(&revoke.subject_args)?;
    let registry = revoke.registry_args.open().await?;
    if !registry.revoke(&person, &coverage).await.map_err(AdminError::from)? {
        return Err(AdminError::GrantNotFound.into());
    }
    output::print_result(json, &Revoked { revoked: true }, "the grant is removed")?;
    Ok(Exit::Completed)
}

/// Reads the argument that names a person.
fn read_person(text: &str) -> Result<Person, AdminError> {
    line::parse_person(text).map_err(|problem| AdminError::InvalidArgument {
        name: "person",
        problem: problem.to_owned(),
    })
}

/// Describes a grant for people.
fn describe(grant: &Grant, now: Timestamp) -> String {
    let coverage = match &grant.coverage {
        Coverage::Subject(subject) => format!("subject {}", subject.key()),
        Coverage::Group(group) => format!("group {}", group.as_str()),
    };
    match grant.expires_at {
        None => coverage,
        Some(expiry) if grant.is_valid(now) => format!("{coverage}, until {expiry}"),
        Some(expiry) => format!("{coverage}, expired {expiry}"),
    }
}
