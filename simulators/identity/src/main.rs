//! The simulated OpenID provider as a program; see the README for its admin interface.

use std::time::Duration;

use clap::Parser;
use docferry_sim_identity::{Algorithm, Client, Config, Rights, User, start};

/// An OpenID provider, for tests and demos.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Port on 127.0.0.1; 0 = a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Stop when standard input closes.
    #[arg(long)]
    exit_with_stdin: bool,
    /// Whom access tokens are made for.
    #[arg(long, env = "SIM_IDENTITY_AUDIENCE", default_value = "docferry")]
    audience: String,
    /// How long tokens live.
    #[arg(long, default_value_t = 300)]
    token_lifetime_seconds: u64,
    /// What tokens are signed by: RS256 or ES256.
    #[arg(long, default_value = "RS256")]
    algorithm: Algorithm,
    /// A client with a secret [default: none].
    #[arg(long, env = "SIM_IDENTITY_CLIENT_ID", requires = "client_secret")]
    client_id: Option<String>,
    /// Its secret.
    #[arg(long, env = "SIM_IDENTITY_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// A scope of that client and of all users; may be repeated.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// A user who can sign in; may be repeated.
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
