//! `gryt-signaling`: one server's page, socket, REST and accounts as a process of its own, with
//! its SFU elsewhere.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use gryt_signaling::cli::{AccountCommand, Cli, Command, Config};
use gryt_signaling::data_dir::DataDir;

mod serve;

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain in one line: what was attempted, and why it did not work.
            let _ = writeln!(std::io::stderr(), "gryt-signaling: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    match (cli.command, cli.config) {
        (Some(Command::Account(AccountCommand::Reset { name, data_dir })), _) => {
            reset(&name, data_dir)
        }
        (None, Some(config)) => serve(config),
        (None, None) => Ok(Cli::command().print_help()?),
    }
}

fn serve(config: Config) -> anyhow::Result<()> {
    gryt_runtime::init_logs(&config.log, config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve::serve(config));
    // A password that is being hashed is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

fn reset(name: &str, data_dir: PathBuf) -> anyhow::Result<()> {
    let issuer_db = DataDir::at(data_dir).existing_issuer_db()?;
    let password = gryt_issuer::reset_password(&issuer_db, name)?;
    writeln!(
        std::io::stdout(),
        "The new password of {name}: {password}\nAll sign-ins of this account have ended."
    )?;
    Ok(())
}
