//! `gryt-signaling`: one server's page, socket, REST and accounts as a process of its own, with
//! its SFU elsewhere.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use gryt_blobs::S3;
use gryt_model::ServerId;
use gryt_runtime::LogFormat;
use gryt_signaling::cli::{AccountCommand, Administration, Cli, Command, S3Args};
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
        config,
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
            } = command.administration.clone();
            run(&log, log_format, administer::provision(*command))
        }
        (Some(Command::Migrate(command)), _) => {
            let log = command.log.clone();
            run(&log, command.log_format, administer::migrate(*command))
        }
        (Some(Command::Purge(command)), _) => {
            let log = command.log.clone();
            run(&log, command.log_format, administer::purge(*command))
        }
        (Some(Command::ProvisionFiles(command)), _) => provision_files(&command.s3),
        (Some(Command::PurgeFiles(command)), _) => purge_files(&command.s3, &command.server_id),
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(work);
    // A password that is being hashed is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// The bucket is the same for all servers, so any id does.
fn provision_files(s3: &S3Args) -> anyhow::Result<()> {
    let files = open(s3, &ServerId::from_random([0; 16]))?;
    wait_for(files.provision())?;
    let said = "The bucket is there, and pages may use what is signed for them.";
    Ok(writeln!(std::io::stdout(), "{said}")?)
}

fn purge_files(s3: &S3Args, server: &ServerId) -> anyhow::Result<()> {
    let files = open(s3, server)?;
    wait_for(gryt_blobs::purge(&files))?;
    Ok(writeln!(std::io::stdout(), "No file of {server} is left.")?)
}

fn open(s3: &S3Args, server: &ServerId) -> anyhow::Result<S3> {
    let settings = s3.settings()?.context("no storage is named")?;
    Ok(S3::new(&settings, server)?)
}

fn wait_for(work: impl Future<Output = Result<(), gryt_blobs::Error>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work)?)
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
