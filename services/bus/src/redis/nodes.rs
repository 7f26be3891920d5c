//! All nodes of a deployment, replicas too: what Redis does not copy between them, such as users, is
//! to be made at each.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd};

use super::config::{Deployment, Host, RedisConfig};
use super::primary::{connect_to, settings, unknown};
use super::session::Broken;

/// What a sentinel or a node says of a node, by name.
type Facts = HashMap<String, Value>;

/// Every node that any of the named sentinels or nodes knows, none twice.
pub(super) async fn all(config: &RedisConfig) -> Result<Vec<Host>, Broken> {
    if config.deployment == Deployment::Single {
        return Ok(config.hosts.clone());
    }
    let mut nodes: Vec<Host> = Vec::new();
    let mut failed = None;
    for asked in &config.hosts {
        match known_to(config, asked).await {
            Ok(found) => {
                for node in found {
                    if !nodes.contains(&node) {
                        nodes.push(node);
                    }
                }
            }
            Err(broken) => failed = Some(broken),
        }
    }
    if nodes.is_empty() {
        return Err(failed.unwrap_or_else(|| unknown("no node is known").into()));
    }
    Ok(nodes)
}

async fn known_to(config: &RedisConfig, asked: &Host) -> Result<Vec<Host>, Broken> {
    let sign_in = config.sign_in_to_ask();
    let mut connection = connect_to(config, asked, sign_in, &settings()).await?;
    let found = match &config.deployment {
        Deployment::Single => vec![asked.clone()],
        Deployment::Sentinel { master } => known_to_sentinel(&mut connection, master).await?,
        Deployment::Cluster => {
            let shards: Vec<Facts> = cmd("CLUSTER")
                .arg("SHARDS")
                .query_async(&mut connection)
                .await?;
            of_shards(shards, asked, config.tls.is_some())?
        }
    };
    Ok(found)
}

async fn known_to_sentinel(
    connection: &mut MultiplexedConnection,
    master: &str,
) -> RedisResult<Vec<Host>> {
    let ask = |what: &str| cmd("SENTINEL").arg(what).arg(master).to_owned();
    let primary: Option<(String, u16)> = ask("GET-MASTER-ADDR-BY-NAME")
        .query_async(connection)
        .await?;
    let (name, port) = primary.ok_or_else(|| unknown("no master of this name"))?;
    let mut nodes = vec![Host { name, port }];
    let replicas: Vec<HashMap<String, String>> = ask("REPLICAS").query_async(connection).await?;
    for replica in replicas {
        let name = replica.get("ip").cloned();
        let port = replica.get("port").and_then(|port| port.parse().ok());
        let (Some(name), Some(port)) = (name, port) else {
            return Err(unknown("a replica without address"));
        };
        nodes.push(Host { name, port });
    }
    Ok(nodes)
}

/// Reads a reply of CLUSTER SHARDS. A node without a name is the one that was asked.
fn of_shards(shards: Vec<Facts>, asked: &Host, has_tls: bool) -> RedisResult<Vec<Host>> {
    let port_of = if has_tls { "tls-port" } else { "port" };
    let mut found = Vec::new();
    for mut shard in shards {
        let nodes: Vec<Facts> = take(&mut shard, "nodes")?;
        for mut node in nodes {
            let name: Option<String> = take(&mut node, "endpoint")?;
            let name = name.filter(|name| !matches!(name.as_str(), "" | "?"));
            found.push(Host {
                name: name.unwrap_or_else(|| asked.name.clone()),
                port: take(&mut node, port_of)?,
            });
        }
    }
    Ok(found)
}

fn take<T: redis::FromRedisValue>(facts: &mut Facts, name: &str) -> RedisResult<T> {
    let value = facts.remove(name).unwrap_or(Value::Nil);
    Ok(redis::from_redis_value(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn every_node_of_every_shard_is_found_also_one_without_slots_or_name() {
        let node = |endpoint: Value, port, tls_port| {
            Value::Map(vec![
                (text("port"), Value::Int(port)),
                (text("tls-port"), Value::Int(tls_port)),
                (text("endpoint"), endpoint),
            ])
        };
        let shard = |nodes| -> Facts {
            HashMap::from([
                ("slots".to_owned(), Value::Array(Vec::new())),
                ("nodes".to_owned(), Value::Array(nodes)),
            ])
        };
        let shards = vec![
            shard(vec![node(text("10.0.0.1"), 1, 11), node(text("b"), 2, 12)]),
            shard(vec![node(Value::Nil, 3, 13)]),
        ];
        let asked = Host {
            name: "seed".into(),
            port: 9,
        };
        let found = |has_tls| {
            let nodes = of_shards(shards.clone(), &asked, has_tls).unwrap();
            nodes
                .into_iter()
                .map(|node| format!("{}:{}", node.name, node.port))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(false), ["10.0.0.1:1", "b:2", "seed:3"]);
        assert_eq!(found(true), ["10.0.0.1:11", "b:12", "seed:13"]);
        let broken = vec![HashMap::from([("nodes".to_owned(), Value::Int(1))])];
        assert!(of_shards(broken, &asked, false).is_err());
    }
}
