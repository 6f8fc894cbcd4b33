//! Command that runs the document source simulator as a process. The README describes its options
//! and its admin interface.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use docferry_sim_ords::{Config, ExchangeConfig, start};

/// ORDS with its NFS and background mover, for tests and demos.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Port on 127.0.0.1; 0 selects a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Directory for uploaded documents [default: a temporary directory].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Stop when standard input closes.
    #[arg(long)]
    exit_with_stdin: bool,
    /// User name for HTTP Basic.
    #[arg(long, env = "SIM_ORDS_USER", default_value = "simulated-user")]
    user: String,
    /// Password for HTTP Basic.
    #[arg(
        long,
        env = "SIM_ORDS_PASSWORD",
        hide_env_values = true,
        default_value = "simulated-password"
    )]
    password: String,
    /// The only accepted application id [default: any].
    #[arg(long, env = "SIM_ORDS_APPLICATION_ID")]
    application_id: Option<String>,
    /// The only accepted application password [default: any].
    #[arg(long, env = "SIM_ORDS_APP_PASSWORD", hide_env_values = true)]
    app_password: Option<String>,
    /// Exchange bucket; without it, files stay on the NFS.
    #[arg(long, env = "SIM_ORDS_S3_BUCKET")]
    s3_bucket: Option<String>,
    /// S3 endpoint URL [default: AWS].
    #[arg(long, env = "SIM_ORDS_S3_ENDPOINT")]
    s3_endpoint: Option<String>,
    /// S3 region.
    #[arg(long, env = "SIM_ORDS_S3_REGION", default_value = "us-east-1")]
    s3_region: String,
    /// S3 access key id.
    #[arg(long, env = "SIM_ORDS_S3_ACCESS_KEY", default_value = "simulated")]
    s3_access_key: String,
    /// S3 secret access key.
    #[arg(
        long,
        env = "SIM_ORDS_S3_SECRET_KEY",
        hide_env_values = true,
        default_value = "simulated"
    )]
    s3_secret_key: String,
    /// Put the bucket's name into the host instead of the path.
    #[arg(long)]
    s3_virtual_host_style: bool,
    /// Time in milliseconds that a file stays on the NFS before it is moved.
    #[arg(long, default_value_t = 500)]
    mover_delay_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let exchange = flags.s3_bucket.map(|bucket| ExchangeConfig {
        endpoint: flags.s3_endpoint,
        region: flags.s3_region,
        bucket,
        access_key: flags.s3_access_key,
        secret_key: flags.s3_secret_key,
        path_style: !flags.s3_virtual_host_style,
    });
    let config = Config {
        port: flags.port,
        data_dir: flags.data_dir,
        user: flags.user,
        password: flags.password,
        application_id: flags.application_id,
        app_password: flags.app_password,
        exchange,
        mover_delay: Duration::from_millis(flags.mover_delay_ms),
    };
    let running = start(config).await?;
    sim_kit::run_until_stopped(running, flags.exit_with_stdin).await?;
    Ok(())
}
