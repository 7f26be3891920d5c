//! What whoever starts `gryt-signaling` may choose.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgMatches, Args, Command as Line, Error, FromArgMatches, Id, Parser, Subcommand};
use gryt_model::ServerId;
use gryt_runtime::LogFormat;
use ipnet::IpNet;
use url::Url;

use crate::issuers::{Beside, Issuers, IssuersElsewhere, IssuersError};

#[cfg(feature = "back-ends")]
mod administration;
#[cfg(feature = "back-ends")]
mod back_ends;
#[cfg(feature = "back-ends")]
mod files;
#[cfg(feature = "back-ends")]
mod named_file;

#[cfg(feature = "back-ends")]
pub use administration::{Administration, ProvisionCommand};
#[cfg(feature = "back-ends")]
pub use back_ends::{BackEndError, Cql, Redis};
#[cfg(feature = "back-ends")]
pub use files::{AddressingArg, FilesArgs, FilesArgsError, S3Args};
#[cfg(feature = "back-ends")]
pub use named_file::NamedFileError;

/// Serves one Gryt server to its browsers: page, socket, REST and accounts.
#[derive(Debug, Parser)]
#[command(name = "gryt-signaling", version, subcommand_negates_reqs = true)]
pub struct Cli {
    /// How to serve, if nothing else is to be done.
    #[command(flatten)]
    pub serving: Serving,
    /// Events between several processes.
    #[cfg(feature = "back-ends")]
    #[command(flatten)]
    pub redis: Redis,
    /// Messages and members of several processes.
    #[cfg(feature = "back-ends")]
    #[command(flatten)]
    pub cql: Cql,
    /// Files of messages.
    #[cfg(feature = "back-ends")]
    #[command(flatten)]
    pub files: FilesArgs,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Nothing where a command is given: then its environment may hold some settings of serving, as that
/// of a Job does, and need not hold all.
#[derive(Debug)]
pub struct Serving(pub Option<Config>);

impl Args for Serving {
    fn group_id() -> Option<Id> {
        Config::group_id()
    }

    fn augment_args(line: Line) -> Line {
        Config::augment_args(line)
    }

    fn augment_args_for_update(line: Line) -> Line {
        Config::augment_args_for_update(line)
    }
}

impl FromArgMatches for Serving {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let serves = matches.subcommand_name().is_none();
        let config = serves.then(|| Config::from_arg_matches(matches));
        config.transpose().map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// How the server runs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the page, the socket, REST and the sign-in.
    #[arg(long, env = "GRYT_SIGNALING_LISTEN", default_value_t = any(8080))]
    pub listen: SocketAddr,

    /// Address of `/healthz`, `/readyz` and `/metrics`.
    #[arg(long, env = "GRYT_SIGNALING_PROBES_LISTEN", default_value_t = any(8090))]
    pub probes_listen: SocketAddr,

    /// Id of the server: 26 characters of a-z and 2-7. A data folder of another one is refused.
    #[arg(long, env = "GRYT_SIGNALING_SERVER_ID")]
    pub server_id: ServerId,

    /// Name of the server, 1 to 64 characters.
    #[arg(long, env = "GRYT_SIGNALING_NAME", value_parser = name)]
    pub name: String,

    /// The one address that people reach the server at: `https://chat.example.org`.
    #[arg(long, env = "GRYT_SIGNALING_PUBLIC_URL", value_parser = crate::config::public_url)]
    pub public_url: Url,

    /// Folder with what the server keeps itself; made when missing. One process at a time. Not used
    /// where data, events and accounts are all elsewhere.
    #[arg(long, env = "GRYT_SIGNALING_DATA_DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,

    /// Addresses of the SFUs: `https://host:port`, or `http://` for plain text. Each leads to one
    /// SFU: no load balancer in between.
    #[arg(
        long,
        env = "GRYT_SIGNALING_SFU_URLS",
        value_delimiter = ',',
        required = true
    )]
    pub sfu_urls: Vec<Url>,

    /// Folder with `ca.crt`, `tls.crt` and `tls.key`, by which this process and the SFU know each
    /// other. Read again when it changes.
    #[arg(long, env = "GRYT_SIGNALING_SFU_TLS_DIR")]
    pub sfu_tls_dir: Option<PathBuf>,

    /// Folder with `tls.crt` and `tls.key`: serve https with them. Read again when it changes.
    /// Left out: plain http, for a proxy in front.
    #[arg(long, env = "GRYT_SIGNALING_TLS_DIR")]
    pub tls_dir: Option<PathBuf>,

    /// Issuers elsewhere that people sign in at, as a JSON list; their accounts take the place of
    /// the server's own. Needed where a server has several processes. See docs/sign-in.md.
    #[arg(long, env = "GRYT_SIGNALING_ISSUERS", conflicts_with = "issuers_file")]
    pub issuers: Option<IssuersElsewhere>,

    /// JSON file with the same.
    #[arg(long, env = "GRYT_SIGNALING_ISSUERS_FILE")]
    pub issuers_file: Option<PathBuf>,

    /// Keep accounts of the server's own beside those elsewhere.
    #[arg(long, env = "GRYT_SIGNALING_OWN_ACCOUNTS")]
    pub own_accounts: bool,

    /// File with the token of the owner's invite. With it nobody makes an account without an
    /// invite; left out, everybody may.
    #[arg(long, env = "GRYT_SIGNALING_OWNER_INVITE_FILE")]
    pub owner_invite_file: Option<PathBuf>,

    /// Networks of the proxies in front, whose `X-Forwarded-For` is believed: `10.0.0.0/8`.
    #[arg(long, env = "GRYT_SIGNALING_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,

    /// Participants of one room. Lower it where nodes are small.
    #[arg(long, env = "GRYT_SIGNALING_ROOM_CAPACITY", default_value = "1000")]
    pub room_capacity: NonZeroUsize,

    /// What is logged, as in `info,gryt_signaling=debug`.
    #[arg(long, env = "GRYT_SIGNALING_LOG", default_value = "info")]
    pub log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_SIGNALING_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}

impl Config {
    /// Where people sign in.
    ///
    /// # Errors
    /// If the file of issuers is of no use.
    pub fn issuers(&self) -> Result<Issuers, IssuersError> {
        let beside = match self.own_accounts {
            true => Beside::Own,
            false => Beside::Nothing,
        };
        let elsewhere = match (&self.issuers, &self.issuers_file) {
            (Some(issuers), _) => issuers.clone(),
            (None, Some(file)) => IssuersElsewhere::read(file)?,
            (None, None) => IssuersElsewhere::default(),
        };
        Ok(Issuers::elsewhere(elsewhere, beside))
    }
}

const DATA_DIR: &str = "/var/lib/gryt";

/// What to do instead of serving. All of it works while the server runs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Local accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Makes what the server needs in its back ends: a keyspace and a role in the database, a user in
    /// Redis. Sets changed passwords. Twice is harmless.
    #[cfg(feature = "back-ends")]
    Provision(Box<ProvisionCommand>),
    /// Brings the tables of the server's keyspace up to date, if there is a database: Redis needs
    /// nothing. Twice is harmless.
    #[cfg(feature = "back-ends")]
    Migrate(Box<Administration>),
    /// Removes all that the server has in the database and in Redis, its role and user, too. Its
    /// processes must have ended. Twice is harmless.
    #[cfg(feature = "back-ends")]
    Purge(Box<Administration>),
    /// Makes the bucket of the files if it is missing, and lets pages read and write what is signed
    /// for them. Needs the rights of an administrator of the storage. Twice is harmless.
    #[cfg(feature = "back-ends")]
    ProvisionFiles(Box<ProvisionFiles>),
    /// Removes all files of a server from the bucket. Its processes must have ended. Twice is
    /// harmless.
    #[cfg(feature = "back-ends")]
    PurgeFiles(Box<PurgeFiles>),
}

/// What a bucket needs before servers use it.
#[cfg(feature = "back-ends")]
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("storage").required(true).args(["s3_endpoint"]))]
pub struct ProvisionFiles {
    /// Where the bucket is, and who administers it.
    #[command(flatten)]
    pub s3: S3Args,
}

/// Whose files are to go, and from where.
#[cfg(feature = "back-ends")]
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("storage").required(true).args(["s3_endpoint"]))]
pub struct PurgeFiles {
    /// Id of the server.
    #[arg(long, env = "GRYT_SIGNALING_SERVER_ID")]
    pub server_id: ServerId,

    /// Where the bucket is.
    #[command(flatten)]
    pub s3: S3Args,
}

/// What can be done to an account.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Sets a new random password, prints it, and ends all sign-ins of the account.
    Reset {
        /// The account's name.
        name: String,
        /// Folder with everything the server keeps.
        #[arg(long, env = "GRYT_SIGNALING_DATA_DIR", default_value = DATA_DIR)]
        data_dir: PathBuf,
    },
}

fn any(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

fn name(text: &str) -> Result<String, String> {
    let trimmed = text.trim();
    let ok = (1..=64).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control);
    if ok {
        Ok(trimmed.to_owned())
    } else {
        Err("expected 1 to 64 characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    const NEEDED: [&str; 4] = [
        "--server-id=aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "--name=Home",
        "--public-url=https://chat.example.org",
        "--sfu-urls=https://home-sfu-0.ns.svc:8082",
    ];

    fn parse(more: &[&str]) -> Result<Cli, Error> {
        let line = ["gryt-signaling"].iter().chain(&NEEDED).chain(more);
        Cli::try_parse_from(line)
    }

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serving_needs_to_know_who_and_where() {
        let config = parse(&[]).unwrap().serving.0.unwrap();
        assert_eq!(config.listen, "[::]:8080".parse().unwrap());
        assert_eq!(config.data_dir, PathBuf::from("/var/lib/gryt"));
        for left_out in NEEDED {
            let line = NEEDED.iter().filter(|argument| **argument != left_out);
            let parsed = Cli::try_parse_from(["gryt-signaling"].iter().chain(line));
            assert!(parsed.is_err(), "{left_out}");
        }
    }

    #[test]
    fn issuers_come_from_one_place() {
        let issuers = r#"--issuers=[{"name": "home", "issuer": "https://id.example.org"}]"#;
        let config = parse(&[issuers]).unwrap().serving.0.unwrap();
        assert!(config.issuers.is_some());
        assert!(parse(&[issuers, "--issuers-file=/issuers.json"]).is_err());
        let file = parse(&["--issuers-file=/nowhere.json"]).unwrap();
        assert!(file.serving.0.unwrap().issuers().is_err());
        let none = parse(&[]).unwrap().serving.0.unwrap().issuers().unwrap();
        assert_eq!(none, Issuers::default());
    }

    #[test]
    fn account_is_reset_without_what_serving_needs() {
        let cli = Cli::try_parse_from(["gryt-signaling", "account", "reset", "ada"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Account(_))));
    }

    #[cfg(feature = "back-ends")]
    #[test]
    fn back_ends_are_named_and_what_belongs_to_one_needs_it() {
        let line = ["--redis-url=redis://a", "--cql-contact-points=a,b:9043"];
        let cli = parse(&line).unwrap();
        assert_eq!(cli.cql.cql_contact_points.len(), 2);
        assert!(cli.redis.redis_url.is_some());
        for bad in [
            "--redis-password-file=/x",
            "--cql-password-file=/x",
            "--cql-keyspace=gryt_shared",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
        for bad in ["--cql-contact-points=a,", "--cql-keyspace=Shared"] {
            assert!(parse(&[line[1], bad]).is_err(), "{bad}");
        }
    }

    #[cfg(feature = "back-ends")]
    #[test]
    fn back_ends_are_administrated_without_what_serving_needs() {
        let command = |line: &[&str]| {
            let program = ["gryt-signaling"].iter();
            Cli::try_parse_from(program.chain(line)).map(|cli| cli.command.unwrap())
        };
        let server = NEEDED[0];
        let (nodes, redis) = ("--cql-contact-points=a", "--redis-url=redis://a");
        let copies = "--cql-replication=dc1:3";
        let provision = command(&["provision", server, nodes, copies, redis]);
        assert!(matches!(provision, Ok(Command::Provision(_))));
        for back_end in [nodes, redis] {
            let migrate = command(&["migrate", server, back_end]);
            assert!(matches!(migrate, Ok(Command::Migrate(_))));
            let purge = command(&["purge", server, back_end]);
            assert!(matches!(purge, Ok(Command::Purge(_))));
        }
        assert!(command(&["provision", server, redis]).is_ok(), "Redis only");
        // As the environment does, which all commands share.
        assert!(command(&[server, "provision", server, redis]).is_ok());
        for bad in [
            &["migrate", server][..],
            &["provision", server, nodes],
            &["provision", server, nodes, redis],
            &["provision", server, redis, copies],
            &["migrate", server, nodes, "--cql-admin-role=root"],
            &["purge", server, redis, "--redis-admin-user=root"],
            &["purge", server, redis, "--redis-admin-password-file=/x"],
        ] {
            assert!(command(bad).is_err(), "{bad:?}");
        }
    }

    #[cfg(feature = "back-ends")]
    #[test]
    fn bucket_is_named_with_all_that_it_needs() {
        let bucket = [
            "--s3-endpoint=http://s3:8333",
            "--s3-bucket=gryt",
            "--s3-access-key-file=/access",
            "--s3-secret-key-file=/secret",
        ];
        assert!(parse(&bucket).unwrap().files.s3.s3_bucket.is_some());
        for left_out in bucket {
            let line: Vec<_> = bucket.into_iter().filter(|a| *a != left_out).collect();
            assert!(parse(&line).is_err(), "{left_out}");
        }
        for bad in [
            "--s3-prefix=../",
            "--files-limit-mib=0",
            "--files-limit-mib=8193",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
        let limit = parse(&["--files-limit-mib=1"]).unwrap().files.place();
        assert_eq!(limit.unwrap().limit_bytes, 1024 * 1024);
        let program = ["gryt-signaling", "provision-files"];
        let provision = Cli::try_parse_from(program.iter().chain(&bucket));
        let command = provision.unwrap().command;
        assert!(matches!(command, Some(Command::ProvisionFiles(_))));
        assert!(Cli::try_parse_from(program).is_err(), "no storage");
        let purge = ["gryt-signaling", "purge-files"];
        let anybody = Cli::try_parse_from(purge.iter().chain(&bucket));
        assert!(anybody.is_err(), "no server");
        let line = purge.iter().chain(&bucket).chain(&NEEDED[..1]);
        let command = Cli::try_parse_from(line).unwrap().command;
        assert!(matches!(command, Some(Command::PurgeFiles(_))));
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        let networks = parse(&["--trusted-proxies=10.0.0.0/8,fd00::/8"]).unwrap();
        assert_eq!(networks.serving.0.unwrap().trusted_proxies.len(), 2);
        for bad in [
            "--trusted-proxies=10.0.0.0/33",
            "--trusted-proxies=everybody",
            "--room-capacity=0",
            "--listen=8080",
            "--log-format=xml",
            "--issuers=[]",
            "--issuers=keycloak",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
        let long = "x".repeat(65);
        for bad in ["", "  ", &long, "a\u{7}"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
