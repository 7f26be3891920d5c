//! What whoever starts `gryt` may choose.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gryt_runtime::LogFormat;
use gryt_signaling::public_url;
use url::Url;

/// Voice and text chat: the whole server in one process.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) config: Config,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Where the data is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Folder with everything the server keeps; made when missing. Left out:
    /// `$XDG_DATA_HOME/gryt`, else `~/.local/share/gryt`.
    #[arg(long, env = "GRYT_DATA_DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,

    /// The platform's own variable, not a flag of ours.
    #[arg(long, env = "XDG_DATA_HOME", hide = true, global = true)]
    pub(crate) xdg_data_home: Option<PathBuf>,
}

/// How the server runs.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// TCP port of the page, the socket and the sign-in. With 0 the system chooses.
    #[arg(long, env = "GRYT_PORT", default_value_t = 8080)]
    pub(crate) port: u16,

    /// UDP port of voices. With 0 the system chooses.
    #[arg(long, env = "GRYT_MEDIA_PORT", default_value_t = 8081)]
    pub(crate) media_port: u16,

    /// IP address that the page is served at, such as `192.168.1.20`. Left out: this machine only,
    /// or with `--lan` all.
    #[arg(long, env = "GRYT_BIND")]
    pub(crate) bind: Option<IpAddr>,

    /// Serve other machines of the network too: https, with a certificate that the server makes
    /// itself, because browsers give no microphone to plain http.
    #[arg(long, env = "GRYT_LAN")]
    pub(crate) lan: bool,

    /// Address that people reach the server at, when something in front of it changes it: a
    /// reverse proxy, a tunnel. `https://chat.example.org`.
    #[arg(long, env = "GRYT_PUBLIC_URL", value_parser = public_url)]
    pub(crate) public_url: Option<Url>,

    /// Another origin whose pages may talk to this server and sign in here, such as
    /// `https://client.example.org`; repeat it for several. Needed for a web client that is
    /// served elsewhere.
    #[arg(long = "allow-origin", env = "GRYT_ALLOW_ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub(crate) allow_origins: Vec<String>,

    /// JSON file with issuers elsewhere, such as a Keycloak, where people can sign in instead of with
    /// an account of this server. See docs/sign-in.md.
    #[arg(long, env = "GRYT_ISSUERS_FILE")]
    pub(crate) issuers_file: Option<PathBuf>,

    /// Name of the server. Used at the first start only, when the data folder is new.
    #[arg(long, env = "GRYT_NAME", default_value = "Gryt")]
    pub(crate) name: String,

    /// What is logged, as in `info,gryt_sfu=debug`.
    #[arg(long, env = "GRYT_LOG", default_value = "warn")]
    pub(crate) log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_LOG_FORMAT", default_value = "auto")]
    pub(crate) log_format: LogFormat,
}

/// What to do instead of serving. All of it works while the server runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Local accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Keys that sign tokens.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Copies the data folder as it is at this moment.
    Backup {
        /// Folder to make, outside the data folder. Nothing is overwritten.
        destination: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Sets a new random password and prints it. Sign-ins of the account end within 5 minutes.
    Reset {
        /// The account's name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Signs with a new key from here on. Open sessions and sign-ins stay good.
    Rotate,
}

fn origin(text: &str) -> Result<String, String> {
    public_url(text).map(|url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn folder_can_be_named_on_either_side_of_the_command() {
        for line in [
            &["gryt", "--data-dir", "d", "account", "reset", "ada"],
            &["gryt", "account", "reset", "ada", "--data-dir", "d"],
        ] {
            let cli = Cli::parse_from(line);
            assert_eq!(cli.place.data_dir, Some("d".into()));
        }
    }

    #[test]
    fn origins_are_taken_without_a_path_only() {
        assert_eq!(origin("https://a.test/").unwrap(), "https://a.test");
        assert_eq!(origin("http://a.test:80").unwrap(), "http://a.test");
        for text in [
            "a.test",
            "ftp://a.test",
            "https://a.test/x",
            "https://a.test/?q",
            "",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
