//! The `docferry audit` commands, for operators with their own AWS credentials. They read the audit
//! trail: the records of deliveries, issued URLs, lists of documents, denials and withdrawals.
//!
//! The records are in the archive, an S3 bucket. The key of each object contains its day and time.

mod archive;
mod filter;
mod find;
mod record;
mod tail;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;

/// Help text after the options of `tail`.
const TAIL_HELP: &str = "\
Most records are archived within two minutes; denials, withdrawals and repeated sends take
longer. The archive may contain a record twice; the command prints it once.

Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need s3:ListBucket and s3:GetObject on the archive, and with --stack
cloudformation:DescribeStacks.

Exit codes:
  0  success
  1  wrong usage
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

/// Help text after the options of `find`.
const FIND_HELP: &str = "\
Prints the records that match all options, in the order in which they were archived. With
--document, it prints every record that names the document: its recipients are in the
actions \"Delivered to OneDrive\" and \"URL issued\".

Credentials: AWS credentials of an operator, from the AWS environment variables or profile.
They need s3:ListBucket and s3:GetObject on the archive, and with --stack
cloudformation:DescribeStacks and dynamodb:BatchGetItem on the registry.

Exit codes:
  0  success, also if no record matches
  1  wrong usage
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

/// Commands that read the audit trail.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Print the last records of the audit trail
    #[command(after_help = TAIL_HELP)]
    Tail(tail::Tail),
    /// Find records of the audit trail
    #[command(after_help = FIND_HELP)]
    Find(find::Find),
}

pub(crate) async fn run(audit: &Audit, json: bool) -> Result<Exit, CliError> {
    match audit {
        Audit::Tail(tail) => tail::run(tail, json).await,
        Audit::Find(find) => find::run(find, json).await,
    }
}
