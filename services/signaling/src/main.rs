//! `gryt-signaling`: one server's page, socket, REST and accounts as a process of its own, with
//! its SFU elsewhere.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use gryt_runtime::LogFormat;
use gryt_signaling::cli::{AccountCommand, Administration, Cli, Command, Serving};
use gryt_signaling::data_dir::DataDir;
use gryt_signaling::foundation::BackEnds;

mod administer;
mod serve;

fn main() -> ExitCode {
    gryt_runtime::install_crypto();
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
    let Cli {
        serving: Serving(config),
        redis,
        cql,
        files,
        command,
    } = cli;
    match (command, config) {
        (Some(Command::Account(AccountCommand::Reset { name, data_dir })), _) => {
            reset(&name, data_dir)
        }
        (Some(Command::Provision(command)), _) => {
            let Administration {
                log, log_format, ..
            } = &command.administration;
            let (log, format) = (log.clone(), *log_format);
            run(&log, format, administer::provision(*command))
        }
        (Some(Command::Migrate(command)), _) => {
            let log = command.log.clone();
            run(&log, command.log_format, administer::migrate(*command))
        }
        (Some(Command::Purge(command)), _) => {
            let log = command.log.clone();
            run(&log, command.log_format, administer::purge(*command))
        }
        (Some(Command::ProvisionFiles(command)), _) => {
            finish(administer::provision_files(&command.s3))
        }
        (Some(Command::PurgeFiles(command)), _) => {
            finish(administer::purge_files(&command.s3, &command.server_id))
        }
        (None, Some(config)) => {
            let (log, format) = (config.log.clone(), config.log_format);
            let (back_ends, files) = (BackEnds { redis, cql }, files.place()?);
            let serving = serve::serve(config, back_ends, files);
            run(&log, format, serving)
        }
        (None, None) => Ok(Cli::command().print_help()?),
    }
}

fn run(
    log: &str,
    format: LogFormat,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    gryt_runtime::init_logs(log, format)?;
    finish(work)
}

fn finish(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(work);
    // A password that is being hashed is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
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
