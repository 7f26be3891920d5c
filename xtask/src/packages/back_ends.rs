//! The back ends of a server as programs on this machine.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{REDIS, cassandra, ensure, java, keycloak, seaweedfs, toxiproxy};

/// Where they are, in the variables by which tests look for them. Redis is on the path.
pub(crate) struct BackEnds([(&'static str, PathBuf); 5]);

impl BackEnds {
    /// Makes sure that all are there: 600 MB and three minutes the first time.
    ///
    /// # Errors
    /// When one can't be fetched or installed by us.
    pub(crate) fn ensure() -> Result<Self> {
        ensure(&REDIS)?;
        Ok(Self([
            ("GRYT_SEAWEEDFS", seaweedfs::ensure()?),
            ("GRYT_TEST_CASSANDRA_JARS", cassandra::ensure()?),
            ("GRYT_TEST_JAVA_17", java::ensure()?),
            ("GRYT_TEST_KEYCLOAK", keycloak::ensure()?),
            ("GRYT_TOXIPROXY", toxiproxy::ensure()?),
        ]))
    }

    /// The command, told where they are.
    pub(crate) fn told_to(&self, mut command: Command) -> Command {
        command.envs(self.0.iter().map(|(name, path)| (name, path)));
        command
    }
}
