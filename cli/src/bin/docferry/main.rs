//! The `docferry` command line: parses the arguments, runs the subcommand, and maps its result to
//! an exit code.

#[cfg(feature = "admin")]
mod admin;
mod args;
mod argument_values;
#[cfg(feature = "admin")]
mod audit;
mod cancel;
#[cfg(feature = "admin")]
mod clock;
mod connection;
#[cfg(feature = "admin")]
mod documents;
mod error;
mod exit;
mod find;
mod get;
#[cfg(feature = "admin")]
mod grants;
#[cfg(feature = "admin")]
mod input;
mod list;
mod output;
mod retry;
mod send;
mod shell;
#[cfg(feature = "admin")]
mod subject_args;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use miette::{MietteHandlerOpts, Report};

use crate::args::{Args, Command, Watch};
use crate::error::CliError;
use crate::exit::Exit;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Lines of error messages are not wrapped, so that long ids and addresses can be copied.
    let _ = miette::set_hook(Box::new(|_| {
        Box::new(MietteHandlerOpts::new().wrap_lines(false).build())
    }));
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            // clap would exit with 2, which means here that a transfer failed.
            return if error.use_stderr() { Exit::Other } else { Exit::Completed }.into();
        }
    };
    match run(args).await {
        Ok(exit) => exit.into(),
        // The reader of a pipe closed it because it needs no more. That is not an error.
        Err(error) if error.is_broken_pipe() => Exit::BrokenPipe.into(),
        Err(error) => {
            let exit = error.exit();
            let _ = writeln!(std::io::stderr(), "{:?}", Report::new(error));
            exit.into()
        }
    }
}

/// Runs the subcommand.
async fn run(args: Args) -> Result<Exit, CliError> {
    // The client is created only when needed: operators' commands do not use the public API,
    // so its address and account may be missing.
    let client = || args.connection.client();
    match &args.command {
        #[cfg(feature = "admin")]
        Command::Admin(admin) => Box::pin(admin::run(admin, args.json)).await,
        #[cfg(feature = "admin")]
        Command::Audit(audit) => Box::pin(audit::run(audit, args.json)).await,
        #[cfg(feature = "admin")]
        Command::Documents(documents) => Box::pin(documents::run(documents, args.json)).await,
        #[cfg(feature = "admin")]
        Command::Grants(grants) => Box::pin(grants::run(grants, args.json)).await,
        Command::Send(send) => send::run(&client()?, send, args.json).await,
        Command::Get(get) => Box::pin(get::run(&client()?, get, args.json)).await,
        Command::Find(find) => find::run(&client()?, find, args.json).await,
        Command::List(list) => list::run(&client()?, list, args.json).await,
        Command::Retry(retry) => Box::pin(retry::run(&client()?, retry, args.json)).await,
        Command::Cancel(cancel) => Box::pin(cancel::run(&client()?, cancel, args.json)).await,
        Command::Watch(Watch { ids, wait }) => {
            Box::pin(watch::run(&client()?, ids, wait, args.json, watch::delivery_exit_rules()))
                .await
        }
    }
}
