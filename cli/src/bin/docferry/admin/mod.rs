//! The `docferry admin` commands, for operators with their own AWS credentials.
//!
//! The commands inspect and restart transfers. They use DynamoDB and Step Functions directly, and
//! not the public API. They read no secret, and show personal data on request only.

mod deployment;
mod error;
mod found;
mod gather;
mod inspection;
mod item;
mod requeue;
mod text;

use clap::{Args, Subcommand};
use docferry_domain::ids::TransferId;

pub(crate) use error::AdminError;

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use deployment::{Deployment, DeploymentArgs};

pub(crate) use deployment::{AuditArgs, RegistryArgs};

/// Help text after the options of both commands.
const EXIT_CODES: &str = "\
Credentials and region come from the AWS environment variables or profile.
AWS_ENDPOINT_URL is the address of an emulator, if one is used.

Exit codes:
  0  success
  1  wrong usage, an unknown transfer, or one that must not be restarted
  4  AWS refused the credentials or a permission, or there are no credentials
  5  AWS could not be reached or stayed unavailable";

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Show the record of a transfer and all its remaining data
    #[command(after_help = EXIT_CODES)]
    Inspect(Inspect),
    /// Restart a transfer that has not ended and whose execution has died
    #[command(after_help = EXIT_CODES)]
    Requeue(Requeue),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Id of the transfer
    #[arg(value_name = "TRANSFER_ID")]
    transfer_id: TransferId,

    /// Also show the recipient, the names of file and folder, and the exchange key
    #[arg(long)]
    show_names: bool,

    #[command(flatten)]
    deployment_args: DeploymentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Requeue {
    /// Id of the transfer
    #[arg(value_name = "TRANSFER_ID")]
    transfer_id: TransferId,

    #[command(flatten)]
    deployment_args: DeploymentArgs,
}

pub(crate) async fn run(admin: &Admin, json: bool) -> Result<Exit, CliError> {
    match admin {
        Admin::Inspect(Inspect { transfer_id, show_names, deployment_args }) => {
            let deployment = Deployment::find(deployment_args).await?;
            let inspection = gather::gather(&deployment, transfer_id, *show_names).await?;
            output::print_result(json, &inspection, &text::describe(&inspection))?;
        }
        Admin::Requeue(Requeue { transfer_id, deployment_args }) => {
            let deployment = Deployment::find(deployment_args).await?;
            let restarted = requeue::run(&deployment, transfer_id).await?;
            output::print_result(json, &restarted, &restarted.to_string())?;
        }
    }
    Ok(Exit::Completed)
}
