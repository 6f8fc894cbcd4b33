//! `docferry admin`: for operators, with their own AWS credentials.
//!
//! What runs is looked at and carried on through the table and the workflow, past
//! the public API. No secret is read, and what is personal is shown on request only.

mod deployment;
mod error;
mod found;
mod gather;
mod inspection;
mod requeue;
mod text;

use clap::{Args as Group, Subcommand};
use docferry_domain::TransferId;

pub(crate) use error::AdminError;

use crate::exit::{CliError, Exit};
use crate::output;
use deployment::{Deployment, Place};

pub(crate) use deployment::DocumentsPlace;

const EXIT_CODES: &str = "\
Credentials and region are those of the AWS environment or profile;
AWS_ENDPOINT_URL names an emulator.

Exit codes:
  0  done
  1  wrong usage, an unknown transfer, or one that must be left alone
  4  AWS refused the credentials or rights, or there are none
  5  AWS could not be reached or stayed unavailable";

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Show what is known of a transfer and what is left of it where
    #[command(after_help = EXIT_CODES)]
    Inspect(Inspect),
    /// Carry on a transfer that has not ended and whose execution is dead
    #[command(after_help = EXIT_CODES)]
    Requeue(Requeue),
}

#[derive(Debug, Group)]
pub(crate) struct Inspect {
    /// The transfer
    #[arg(value_name = "TRANSFER_ID")]
    transfer_id: TransferId,

    /// Show the recipient, the names of file and folder, and the exchange key too
    #[arg(long)]
    show_names: bool,

    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Group)]
pub(crate) struct Requeue {
    /// The transfer
    #[arg(value_name = "TRANSFER_ID")]
    transfer_id: TransferId,

    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(admin: &Admin, json: bool) -> Result<Exit, CliError> {
    match admin {
        Admin::Inspect(Inspect { transfer_id, show_names, place }) => {
            let deployment = Deployment::find(place).await?;
            let inspection = gather::gather(&deployment, transfer_id, *show_names).await?;
            output::result(json, &inspection, &text::describe(&inspection))?;
        }
        Admin::Requeue(Requeue { transfer_id, place }) => {
            let deployment = Deployment::find(place).await?;
            let done = requeue::run(&deployment, transfer_id).await?;
            output::result(json, &done, &done.to_string())?;
        }
    }
    Ok(Exit::Completed)
}
