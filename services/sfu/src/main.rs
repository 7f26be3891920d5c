//! `gryt-sfu`: one SFU node as a process of its own.

use anyhow::Context as _;
use clap::Parser as _;
use gryt_sfu::cli::Config;

fn main() -> anyhow::Result<()> {
    gryt_runtime::install_crypto();
    let config = Config::parse();
    gryt_runtime::init_logs(&config.log, config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let ended = runtime.block_on(gryt_sfu::run(config));
    // What does not end by itself must not hold the process up.
    runtime.shutdown_background();
    Ok(ended?)
}
