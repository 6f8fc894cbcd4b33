//! Command that runs the S3 simulator as a process. The README describes its options and its admin
//! interface.

use clap::Parser;
use docferry_sim_s3::{Config, start};

/// S3 with multipart uploads and generated objects of any size.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Port on 127.0.0.1; 0 selects a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Stop when standard input closes.
    #[arg(long)]
    exit_with_stdin: bool,
    /// Name of the only bucket.
    #[arg(long, env = "SIM_S3_BUCKET", default_value = "simulated-bucket")]
    bucket: String,
    /// Access key that requests must be signed with.
    #[arg(long, env = "SIM_S3_ACCESS_KEY", default_value = "simulated-key")]
    access_key: String,
    /// Give every multipart upload with a checksum a composite one.
    #[arg(long)]
    composite_checksums_only: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let config = Config {
        port: flags.port,
        bucket: flags.bucket,
        access_key: flags.access_key,
        composite_checksums_only: flags.composite_checksums_only,
    };
    let running = start(config).await?;
    sim_kit::run_until_stopped(running, flags.exit_with_stdin).await?;
    Ok(())
}
