//! What is broken, and how long it takes until it is mended.

use clap::ValueEnum;

/// One part of the server breaks. In the order of the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// The signaling process with the most sockets is killed.
    SignalingKilled,
    /// Redis is killed and started again with what it had on disk.
    RedisKilled,
    /// Redis is killed and started again with nothing.
    RedisEmptied,
    /// Redis stops answering for longer than every lease, and goes on.
    RedisPaused,
    /// The database stops answering, and goes on.
    DatabasePaused,
    /// The SFU with the most callers is killed.
    SfuKilled,
    /// The issuer is gone and comes back with a new key.
    IssuerGone,
}

impl Fault {
    /// All, in order.
    pub(crate) const ALL: [Self; 7] = [
        Self::SignalingKilled,
        Self::RedisKilled,
        Self::RedisEmptied,
        Self::RedisPaused,
        Self::DatabasePaused,
        Self::SfuKilled,
        Self::IssuerGone,
    ];

    /// As the command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SignalingKilled => "signaling-killed",
            Self::RedisKilled => "redis-killed",
            Self::RedisEmptied => "redis-emptied",
            Self::RedisPaused => "redis-paused",
            Self::DatabasePaused => "database-paused",
            Self::SfuKilled => "sfu-killed",
            Self::IssuerGone => "issuer-gone",
        }
    }

    /// Whether sessions can't resume, since the log is lost. Each begins with a snapshot then.
    pub(crate) fn loses_the_log(self) -> bool {
        self == Self::RedisEmptied
    }
}
