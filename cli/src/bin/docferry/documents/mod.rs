//! The `docferry documents` commands, for operators with their own AWS credentials. They maintain
//! the document registry.

mod import;
mod migrate;
mod summary;
mod withdraw;

use clap::Subcommand;

pub(crate) use withdraw::document_keys;

use crate::error::CliError;
use crate::exit::Exit;

/// Help text after the options of `import`.
const IMPORT_HELP: &str = "\
Each line is a JSON object with the members id, subject {system, value}, fileId, objGuid,
fileName, contentType, size, created, indexed, type, category, docStatus, status,
scanResult, withdrawnAt and groups. fileId, type, category, status, withdrawnAt and groups
are optional. A file with an invalid line loads nothing. The same file can be loaded again.

Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need dynamodb:GetItem, PutItem and DeleteItem on the registry, and with --stack
cloudformation:DescribeStacks.

Exit codes:
  0  every record is stored
  1  wrong usage, an invalid line, or another document has the number or GUID of a record
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

/// Help text after the options of `withdraw`.
const WITHDRAW_HELP: &str = "\
From the response on, the document is neither listed nor delivered, and no URL of a copy is
issued. A withdrawal is final; the time of the first one stays.

Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need dynamodb:BatchGetItem, GetItem, PutItem and DeleteItem on the registry, and with
--stack cloudformation:DescribeStacks.

Exit codes:
  0  the document is withdrawn
  1  wrong usage, or the document is unknown
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

/// Help text after the options of `migrate`.
const MIGRATE_HELP: &str = "\
Each entry becomes a record with the id file-<number>, the subject of --subject, and the
time 1970-01-01, so that every later record with the same id replaces it. A registered number
or GUID is not changed. The command can be repeated.

Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need dynamodb:Scan on the index by number, dynamodb:BatchGetItem, GetItem, PutItem and
DeleteItem on the registry, and with --stack cloudformation:DescribeStacks.

Exit codes:
  0  every entry is in the registry
  1  wrong usage, or another document has the GUID of an entry
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

#[derive(Debug, Subcommand)]
pub(crate) enum Documents {
    /// Load records into the document registry, one JSON object per line
    #[command(after_help = IMPORT_HELP)]
    Import(import::Import),
    /// Make a document unavailable at once
    #[command(after_help = WITHDRAW_HELP)]
    Withdraw(withdraw::Withdraw),
    /// Copy the index by number of docferry 0.1.0 into the document registry
    #[command(after_help = MIGRATE_HELP)]
    Migrate(migrate::Migrate),
}

pub(crate) async fn run(documents: &Documents, json: bool) -> Result<Exit, CliError> {
    match documents {
        Documents::Import(import) => import::run(import, json).await,
        Documents::Withdraw(withdraw) => withdraw::run(withdraw, json).await,
        Documents::Migrate(migrate) => migrate::run(migrate, json).await,
    }
}
