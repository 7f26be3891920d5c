//! All of Gryt in one process with embedded parts, for a laptop.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use gryt_signaling::data_dir::DataDir;

mod address;
mod backup;
mod banner;
mod certificate;
mod clock;
mod config;
mod doors;
mod media;
mod place;
mod run;
mod tls;

use config::{AccountCommand, Cli, Command, KeyCommand};

fn main() -> ExitCode {
    gryt_runtime::install_crypto();
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain in one line: what was attempted, and why it did not work.
            let _ = writeln!(std::io::stderr(), "gryt: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    let Cli {
        place,
        config,
        command,
    } = cli;
    let data = place::choose(place)?;
    match command {
        None => serve(config, &data),
        Some(Command::Account(AccountCommand::Reset { name })) => reset(&data, &name),
        Some(Command::Key(KeyCommand::Rotate)) => rotate(&data),
        Some(Command::Backup { destination }) => backup::run(&data, &destination),
    }
}

fn serve(config: config::Config, data: &DataDir) -> anyhow::Result<()> {
    gryt_runtime::init_logs(&config.log, config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run::serve(config, data));
    // A password that is being hashed is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

fn reset(data: &DataDir, name: &str) -> anyhow::Result<()> {
    let password = gryt_issuer::reset_password(&data.existing_issuer_db()?, name)?;
    // What was signed before stays good until its time is over; nothing is renewed.
    let minutes = gryt_issuer::ACCESS_LIFE.as_secs() / 60;
    writeln!(
        std::io::stdout(),
        "The new password of {name}: {password}\n\
         Whoever is signed in to this account is signed out within {minutes} minutes."
    )?;
    Ok(())
}

fn rotate(data: &DataDir) -> anyhow::Result<()> {
    let kid = gryt_issuer::rotate_key(&data.existing_issuer_db()?, clock::now())?;
    writeln!(
        std::io::stdout(),
        "Tokens are signed by key {kid} from here on. Nobody has to sign in again."
    )?;
    Ok(())
}
