//! Arguments for the connection to docferry's API: its address and the credentials.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use docferry_cli::{Client, ClientCredentials, Credentials};
use secrecy::{ExposeSecret as _, SecretString};

use crate::argument_values::non_empty;
use crate::error::CliError;

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Address of the API, including its stage
    #[arg(long, global = true, env = "DOCFERRY_API", value_name = "URL")]
    api: Option<String>,

    /// Name of the service account
    #[arg(long, global = true, env = "DOCFERRY_USERNAME", value_name = "NAME")]
    username: Option<String>,

    /// Password of the service account. Other users of this machine can see it, so prefer
    /// the variable or --password-file
    #[arg(
        long, global = true, env = "DOCFERRY_PASSWORD", hide_env_values = true,
        value_name = "PASSWORD", value_parser = secret
    )]
    password: Option<SecretString>,

    /// Read the password from the first line of a file, or of standard input with `-`;
    /// overrides --password
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Bearer token, instead of the service account; prefer the variable
    #[arg(
        long, global = true, env = "DOCFERRY_TOKEN", hide_env_values = true,
        value_name = "TOKEN", value_parser = secret
    )]
    token: Option<SecretString>,

    /// Token endpoint for OAuth client credentials, instead of the service account
    #[arg(long, global = true, env = "DOCFERRY_TOKEN_URL", value_name = "URL")]
    token_url: Option<String>,

    /// Id of the OAuth client
    #[arg(long, global = true, env = "DOCFERRY_CLIENT_ID", value_name = "ID")]
    client_id: Option<String>,

    /// Secret of the OAuth client; prefer the variable
    #[arg(
        long, global = true, env = "DOCFERRY_CLIENT_SECRET", hide_env_values = true,
        value_name = "SECRET", value_parser = secret
    )]
    client_secret: Option<SecretString>,

    /// Scopes to request, separated by spaces [default: the issuer's default]
    #[arg(long, global = true, env = "DOCFERRY_TOKEN_SCOPE", value_name = "SCOPES")]
    token_scope: Option<String>,
}

impl Connection {
    /// Creates a client from these arguments.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        let credentials = self.credentials()?;
        let api = non_empty(self.api.as_ref());
        let api = required(api, "API address", "--api", "DOCFERRY_API")?;
        Ok(Client::new(api, credentials)?)
    }

    /// Selects the credentials: the bearer token if it is set, or else the OAuth client if its
    /// token endpoint is set, or else the service account.
    fn credentials(&self) -> Result<Credentials, CliError> {
        if let Some(token) = non_empty_secret(self.token.as_ref()) {
            return Ok(Credentials::Token(token.clone()));
        }
        if let Some(token_url) = non_empty(self.token_url.as_ref()) {
            let client_id = non_empty(self.client_id.as_ref());
            let client_id = required(client_id, "client id", "--client-id", "DOCFERRY_CLIENT_ID")?;
            let client_secret = required(
                non_empty_secret(self.client_secret.as_ref()),
                "client secret",
                "--client-secret",
                "DOCFERRY_CLIENT_SECRET",
            )?;
            return Ok(Credentials::Client(ClientCredentials {
                token_url: token_url.clone(),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
                scope: non_empty(self.token_scope.as_ref()).cloned(),
            }));
        }
        let username = non_empty(self.username.as_ref());
        let username = required(username, "user name", "--username", "DOCFERRY_USERNAME")?;
        Ok(Credentials::Account { username: username.clone(), password: self.password()? })
    }

    /// Returns the password of the service account: the first line of the file, or the argument.
    fn password(&self) -> Result<SecretString, CliError> {
        if let Some(path) = &self.password_file {
            return read_password(path);
        }
        let password = non_empty_secret(self.password.as_ref());
        required(password, "password", "--password-file", "DOCFERRY_PASSWORD").cloned()
    }
}

/// Returns the secret, unless it is empty; like [`non_empty`].
fn non_empty_secret(secret: Option<&SecretString>) -> Option<&SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

/// Returns the value, or an error that names the option and the variable to set.
fn required<'a, T>(
    value: Option<&'a T>,
    name: &'static str,
    option: &'static str,
    variable: &'static str,
) -> Result<&'a T, CliError> {
    value.ok_or(CliError::Missing { name, option, variable })
}

/// Reads the password from the first line of a file, or of standard input if the path is `-`.
fn read_password(path: &Path) -> Result<SecretString, CliError> {
    let first_line = if path == Path::new("-") {
        stdin().lock().lines().next().transpose()
    } else {
        std::fs::read_to_string(path).map(|text| text.lines().next().map(str::to_owned))
    };
    match first_line {
        Ok(Some(line)) if !line.is_empty() => Ok(line.into()),
        Ok(_) => Err(CliError::EmptyPassword { path: path.to_owned() }),
        Err(source) => Err(CliError::PasswordFile { path: path.to_owned(), source }),
    }
}

/// Parses a secret argument. The parser never fails, because clap would print a refused value.
fn secret(value: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(value.into())
}
