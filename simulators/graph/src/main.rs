//! Command that runs the Microsoft Graph simulator as a process. The README describes its options
//! and its admin interface.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use docferry_sim_graph::{Config, start};

/// Strict simulator of Microsoft Graph for tests and demos.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Port on 127.0.0.1; 0 selects a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Directory for received bytes [default: a temporary directory].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Stop when standard input closes.
    #[arg(long)]
    exit_with_stdin: bool,
    /// UPN of a user; repeat for more users.
    #[arg(long = "user", env = "SIM_GRAPH_USERS", value_delimiter = ',')]
    users: Vec<String>,
    /// Directory tenant.
    #[arg(long, env = "SIM_GRAPH_TENANT", default_value = "simulated-tenant")]
    tenant: String,
    /// Application id.
    #[arg(long, env = "SIM_GRAPH_CLIENT_ID", default_value = "simulated-client")]
    client_id: String,
    /// Application secret.
    #[arg(
        long,
        env = "SIM_GRAPH_CLIENT_SECRET",
        hide_env_values = true,
        default_value = "simulated-secret"
    )]
    client_secret: String,
    /// Lifetime of an access token in seconds.
    #[arg(long, default_value_t = 3600)]
    token_lifetime_seconds: u64,
    /// Lifetime of an idle upload session in seconds.
    #[arg(long, default_value_t = 900)]
    session_lifetime_seconds: u64,
    /// Leave the `'` out of upload URLs, for clients whose URL parser rewrites it.
    #[arg(long)]
    plain_upload_urls: bool,
    /// Count and hash received bytes without storing them.
    #[arg(long)]
    forget_bytes: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let config = Config {
        port: flags.port,
        data_dir: flags.data_dir,
        tenant: flags.tenant,
        client_id: flags.client_id,
        client_secret: flags.client_secret,
        token_lifetime: Duration::from_secs(flags.token_lifetime_seconds),
        session_lifetime: Duration::from_secs(flags.session_lifetime_seconds),
        users: flags.users,
        quote_in_upload_urls: !flags.plain_upload_urls,
        forget_bytes: flags.forget_bytes,
    };
    let running = start(config).await?;
    sim_kit::run_until_stopped(running, flags.exit_with_stdin).await?;
    Ok(())
}
