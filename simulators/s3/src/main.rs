//! The simulated S3 as a program; see the README for its admin interface.

use clap::Parser;
use docferry_sim_s3::{Config, start};

/// An S3 that serves ranges of made-up objects, however large.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Port on 127.0.0.1; 0 = a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Stop when standard input closes.
    #[arg(long)]
    exit_with_stdin: bool,
    /// The one bucket.
    #[arg(long, env = "SIM_S3_BUCKET", default_value = "simulated-bucket")]
    bucket: String,
    /// The key that requests must be signed with.
    #[arg(long, env = "SIM_S3_ACCESS_KEY", default_value = "simulated-key")]
    access_key: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let config = Config { port: flags.port, bucket: flags.bucket, access_key: flags.access_key };
    let running = start(config).await?;
    sim_kit::run_until_stopped(running, flags.exit_with_stdin).await?;
    Ok(())
}
