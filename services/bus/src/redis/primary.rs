//! Finds the one Redis process that serves a server's keys, whatever the deployment. All keys of a
//! server have one hash tag, so in a cluster that is the primary of one slot, and a bus speaks with
//! one process at a time.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo, Value, cmd};
use tokio::sync::mpsc;

use super::config::{Deployment, Host, RedisConfig};
use super::session::Broken;
use super::sign_in::SignIn;

/// How long a connection may take to be made, TLS and sign-in included.
const CONNECTING: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWERING: Duration = Duration::from_secs(2);
/// Pushed events that wait to be taken. What comes when it is full is dropped; the numbers of what
/// comes after show the gap.
const PUSHES: usize = 8192;

/// A connection, and what Redis pushes on it.
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    pub(super) pushes: mpsc::Receiver<PushInfo>,
}

/// Finds a server's primary.
#[derive(Debug)]
pub(super) struct Primary {
    config: RedisConfig,
    /// Whose slot is meant.
    key: String,
    /// The nodes or sentinels to ask, the next one first.
    hosts: Vec<Host>,
}

impl Primary {
    /// `key` is any key of the server.
    pub(super) fn new(config: RedisConfig, key: String) -> Self {
        Self {
            hosts: config.hosts.clone(),
            config,
            key,
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.config.deployment == Deployment::Cluster
    }

    /// Connects to who is the primary as far as the deployment knows. A write shows whether it is.
    pub(super) async fn connect(&mut self) -> Result<Connected, Broken> {
        let host = self.find().await?;
        let (sender, pushes) = mpsc::channel(PUSHES);
        let settings = settings().set_push_sender(move |push| sender.try_send(push));
        let sign_in = &self.config.sign_in;
        let mut connection = connect_to(&self.config, &host, sign_in, &settings).await?;
        if self.config.database != 0 {
            cmd("SELECT")
                .arg(self.config.database)
                .exec_async(&mut connection)
                .await?;
        }
        Ok(Connected { connection, pushes })
    }

    async fn find(&mut self) -> Result<Host, Broken> {
        if self.config.deployment == Deployment::Single {
            return Ok(self.hosts[0].clone());
        }
        let mut answer = Err(unknown("nobody was asked for the primary").into());
        for _ in 0..self.hosts.len() {
            answer = self.ask(&self.hosts[0]).await;
            if answer.is_ok() {
                break;
            }
            // Whoever does not answer is asked last the next time, too.
            self.hosts.rotate_left(1);
        }
        answer
    }

    async fn ask(&self, host: &Host) -> Result<Host, Broken> {
        let sign_in = self.config.sign_in_to_ask();
        let mut connection = connect_to(&self.config, host, sign_in, &settings()).await?;
        match &self.config.deployment {
            Deployment::Single => Ok(host.clone()),
            Deployment::Sentinel { master } => {
                let address: Option<(String, u16)> = cmd("SENTINEL")
                    .arg("GET-MASTER-ADDR-BY-NAME")
                    .arg(master)
                    .query_async(&mut connection)
                    .await?;
                let (name, port) = address.ok_or_else(|| unknown("no master of this name"))?;
                Ok(Host { name, port })
            }
            Deployment::Cluster => {
                let slot = cmd("CLUSTER").arg("KEYSLOT").arg(&self.key).to_owned();
                let slot: i64 = slot.query_async(&mut connection).await?;
                let slots = cmd("CLUSTER").arg("SLOTS").to_owned();
                let slots: Value = slots.query_async(&mut connection).await?;
                let primary = primary_of(slot, &slots, host);
                Ok(primary.ok_or_else(|| unknown("nobody serves the slot"))?)
            }
        }
    }
}

/// Connects to one node or sentinel, with the password as it is at this moment.
pub(super) async fn connect_to(
    config: &RedisConfig,
    host: &Host,
    sign_in: &SignIn,
    settings: &AsyncConnectionConfig,
) -> Result<MultiplexedConnection, Broken> {
    let client = config.client(host, sign_in)?;
    let connecting = client.get_multiplexed_async_connection_with_config(settings);
    connecting.await.map_err(|error| sign_in.explain(error))
}

pub(super) fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTING))
        .set_response_timeout(Some(ANSWERING))
}

pub(super) fn unknown(why: &'static str) -> redis::RedisError {
    (redis::ErrorKind::Client, why).into()
}

/// Reads a reply of CLUSTER SLOTS: ranges with their nodes, the primary first. A node without a name
/// is the one that was asked.
fn primary_of(slot: i64, slots: &Value, asked: &Host) -> Option<Host> {
    let ranges = slots.as_sequence()?;
    let range = ranges.iter().filter_map(Value::as_sequence).find(
        |range| matches!(range, [Value::Int(first), Value::Int(last), ..] if (*first..=*last).contains(&slot)),
    )?;
    let node = range.get(2)?.as_sequence()?;
    let Value::Int(port) = node.get(1)? else {
        return None;
    };
    let name: Option<String> = redis::from_redis_value(node.first()?.clone()).ok()?;
    let name = name
        .filter(|name| !matches!(name.as_str(), "" | "?"))
        .unwrap_or_else(|| asked.name.clone());
    Some(Host {
        name,
        port: u16::try_from(*port).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primary_of_a_slot_is_the_first_node_of_its_range() {
        let node =
            |name: &str, port| Value::Array(vec![Value::BulkString(name.into()), Value::Int(port)]);
        let range = |first, last, nodes: Vec<Value>| {
            let mut range = vec![Value::Int(first), Value::Int(last)];
            range.extend(nodes);
            Value::Array(range)
        };
        let slots = Value::Array(vec![
            range(0, 99, vec![node("10.0.0.1", 1), node("10.0.0.2", 2)]),
            range(100, 199, vec![node("", 3)]),
        ]);
        let asked = Host {
            name: "seed".into(),
            port: 9,
        };
        let found = |slot| primary_of(slot, &slots, &asked).map(|host| (host.name, host.port));
        assert_eq!(found(99), Some(("10.0.0.1".into(), 1)));
        assert_eq!(found(100), Some(("seed".into(), 3)));
        assert_eq!(found(200), None);
    }
}
