//! The file that says at which addresses clients reach each node, for clusters whose nodes do not
//! know their own. On Kubernetes it is a mounted ConfigMap, which changes under us.

use std::fs;
use std::io;
use std::net::{AddrParseError, IpAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::sfu::Sfu;

/// The file, and which of its lines are ours.
#[derive(Debug, Clone)]
pub(crate) struct NodeAddresses {
    pub(crate) path: PathBuf,
    pub(crate) node: String,
    /// Where the file does not name the node.
    pub(crate) otherwise: Vec<IpAddr>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NodeAddressesError {
    /// It cannot be read.
    #[error("read the nodes' addresses \"{}\"", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line of our node has something else than an address.
    #[error("\"{word}\" in line {line} of \"{}\" is no address", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What stands there.
        word: String,
        /// Why it is none.
        #[source]
        source: AddrParseError,
    },
}

/// How often the file is compared. Kubernetes itself takes up to a minute to swap it.
const EVERY: Duration = Duration::from_secs(3);

impl NodeAddresses {
    /// The node's addresses as the file has them now, the best first.
    ///
    /// # Errors
    /// The file is not there, or a line of this node is wrong. Other nodes' lines are not ours to
    /// judge.
    pub(crate) fn read(&self) -> Result<Vec<IpAddr>, NodeAddressesError> {
        let text = fs::read_to_string(&self.path).map_err(|source| NodeAddressesError::Read {
            path: self.path.clone(),
            source,
        })?;
        let mut found = Vec::new();
        for (line, words) in (1..).zip(text.lines().map(str::split_whitespace)) {
            let mut words = words;
            if words.next() != Some(self.node.as_str()) {
                continue;
            }
            for word in words {
                let address = word.parse().map_err(|source| NodeAddressesError::Parse {
                    path: self.path.clone(),
                    line,
                    word: word.to_owned(),
                    source,
                })?;
                found.push(address);
            }
        }
        if found.is_empty() {
            found.clone_from(&self.otherwise);
        }
        Ok(found)
    }

    /// Announces each change. What cannot be read leaves the last good addresses in use.
    pub(crate) async fn follow(self, sfu: Arc<Sfu>, mut announced: Vec<IpAddr>) {
        let mut ticks = tokio::time::interval(EVERY);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let addresses = match self.read() {
                Ok(addresses) => addresses,
                Err(error) => {
                    if !failing {
                        let error: &dyn std::error::Error = &error;
                        tracing::warn!(error, "keeping the announced addresses as they were");
                    }
                    failing = true;
                    continue;
                }
            };
            failing = false;
            if addresses == announced {
                continue;
            }
            match sfu.announce(&addresses) {
                Ok(()) => {
                    tracing::info!(?addresses, "announced addresses changed");
                    announced = addresses;
                }
                // Tried again with the next tick.
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "cannot announce the node's addresses");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &str) -> Result<Vec<IpAddr>, NodeAddressesError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let addresses = NodeAddresses {
            path: file.path().to_owned(),
            node: "worker-1".to_owned(),
            otherwise: vec![[10, 0, 0, 1].into()],
        };
        addresses.read()
    }

    #[test]
    fn the_lines_of_the_own_node_win_in_their_order() {
        let text = "worker-10 192.0.2.10\nworker-1 192.0.2.1\n\n  worker-1\t2001:db8::1 \n";
        let expected: [IpAddr; 2] = [[192, 0, 2, 1].into(), "2001:db8::1".parse().unwrap()];
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn a_node_without_a_line_is_reached_as_it_says_itself() {
        let expected: [IpAddr; 1] = [[10, 0, 0, 1].into()];
        assert_eq!(read("worker-2 nonsense\n").unwrap(), expected);
        assert_eq!(read("").unwrap(), expected);
    }

    #[test]
    fn a_wrong_address_is_named_with_its_line() {
        let error = read("# nodes\nworker-1 192.0.2.256\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("\"192.0.2.256\" in line 2"), "{error}");
    }
}
