//! Where log lines go: standard error, so that standard output stays for people and pipes.

use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text at a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One line of text per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected auto, text or json".to_owned()),
        }
    }
}

/// Logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter is not one (`info`, `warn,gryt_sfu=debug`, …).
    #[error("read the log filter \"{filter}\"")]
    ParseFilter {
        /// What was given.
        filter: String,
        /// Where it is wrong.
        #[source]
        source: ParseError,
    },
    /// This process logs already.
    #[error("install the log subscriber")]
    Install(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging for the whole process. `filter` is in the form of tracing's `EnvFilter`.
///
/// # Errors
/// A filter that cannot be read, or a second call.
pub fn init(filter: &str, format: LogFormat) -> Result<(), LogsError> {
    let env_filter = EnvFilter::try_new(filter).map_err(|source| LogsError::ParseFilter {
        filter: filter.to_owned(),
        source,
    })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(env_filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal);
    if json {
        lines.json().flatten_event(true).finish().try_init()
    } else {
        lines.finish().try_init()
    }
    .map_err(LogsError::Install)
}
