//! Command that runs the OpenID Connect provider simulator as a process. The README describes its
//! options and its admin interface.

use std::time::Duration;

use clap::Parser;
use docferry_sim_identity::{Algorithm, Client, Config, Rights, User, start};

/// OpenID provider for tests and demos.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Port on 127.0.0.1; 0 selects a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Stop when standard input closes.
    #[arg(long)]
    exit_with_stdin: bool,
    /// Audience of access tokens.
    #[arg(long, env = "SIM_IDENTITY_AUDIENCE", default_value = "docferry")]
    audience: String,
    /// Lifetime of tokens in seconds.
    #[arg(long, default_value_t = 300)]
    token_lifetime_seconds: u64,
    /// Signature algorithm of tokens: RS256 or ES256.
    #[arg(long, default_value = "RS256")]
    algorithm: Algorithm,
    /// Id of a client with a secret [default: none].
    #[arg(long, env = "SIM_IDENTITY_CLIENT_ID", requires = "client_secret")]
    client_id: Option<String>,
    /// Secret of that client.
    #[arg(long, env = "SIM_IDENTITY_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Scope of that client and of all users; repeat for more scopes.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// Login of a user; repeat for more users.
    #[arg(long = "user")]
    users: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let rights = Rights { scopes: flags.scopes, ..Rights::default() };
    let client = flags.client_id.map(|client_id| Client {
        client_id,
        client_secret: flags.client_secret,
        rights: rights.clone(),
        ..Client::default()
    });
    let users =
        flags.users.into_iter().map(|login| User { rights: rights.clone(), ..User::new(login) });
    let config = Config {
        port: flags.port,
        audience: flags.audience,
        token_lifetime: Duration::from_secs(flags.token_lifetime_seconds),
        algorithm: flags.algorithm,
        clients: client.into_iter().collect(),
        users: users.collect(),
    };
    let running = start(config).await?;
    sim_kit::run_until_stopped(running, flags.exit_with_stdin).await?;
    Ok(())
}
