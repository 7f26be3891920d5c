//! With the Secrets of one server's pods at the Redis of both.

use std::time::Duration;

use gryt_backends::redis::{Cluster, Redis};
use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, Value, cmd};

use super::{DOCS, Neighbor, listed, neighbors};
use crate::server::{ADMINISTRATOR, ADMINISTRATORS_RIGHTS, PASSWORD, ROOT, Server};

const SECTION: &str = "### What Redis does not refuse\n";

/// Somebody who signs in to a Redis process; each command has a connection of its own.
struct Visitor {
    client: Client,
}

impl Visitor {
    fn new(port: u16, user: &str, password: &str) -> Self {
        let settings = redis::RedisConnectionInfo::default()
            .set_protocol(redis::ProtocolVersion::RESP3)
            .set_skip_set_lib_name()
            .set_username(user)
            .set_password(password);
        let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), port);
        let info = address.into_connection_info().unwrap();
        Self {
            client: Client::open(info.set_redis_settings(settings)).unwrap(),
        }
    }

    /// With all that a server's pods have.
    fn tenant(port: u16, server: &Server) -> Self {
        Self::new(port, &format!("gryt_{}", server.id), PASSWORD)
    }

    async fn connect(&self) -> MultiplexedConnection {
        let connecting = self.client.get_multiplexed_async_connection();
        connecting.await.unwrap()
    }

    async fn send(&self, command: &[String]) -> Result<Value, String> {
        let mut connection = self.connect().await;
        let mut sent = cmd(&command[0]);
        sent.arg(&command[1..]);
        let answer = sent.query_async(&mut connection);
        let answer = tokio::time::timeout(Duration::from_secs(10), answer).await;
        let answer: redis::RedisResult<Value> = answer.expect("neither done nor refused");
        answer.map_err(|error| format!("{}: {error}", error.code().unwrap_or_default()))
    }

    async fn script(&self, script: &str) -> String {
        let load = words("SCRIPT LOAD").into_iter().chain([script.to_owned()]);
        let loaded = self.send(&load.collect::<Vec<_>>()).await.unwrap();
        redis::from_redis_value(loaded).unwrap()
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Whether these are the words of a Redis that does not let somebody do something.
fn is_refusal(words: &str) -> bool {
    // DEBUG and MODULE are refused to everybody, unless the configuration says otherwise.
    [
        "NOPERM",
        "The user executing the script can't",
        "is not allowed from script",
        "command not allowed. If the enable-",
    ]
    .iter()
    .any(|refusal| words.contains(refusal))
}

/// Commands, with `K` for a key of the other's, `M` for one's own key and `U` for the other's user.
const ATTACKS: &str = "\
    GET K; SET K x; GETDEL K; APPEND K x; HGET K epoch; HMGET K epoch head; HGETALL K; HSET K \
    epoch x; HDEL K epoch; DEL K; UNLINK K; EXISTS K; TYPE K; DUMP K; OBJECT ENCODING K; PEXPIRE K \
    1; EXPIRE K 1; PERSIST K; RENAME K M; RENAME M K; COPY K M; MOVE K 1; DEL M K; XADD K * a b; \
    XRANGE K - +; XREAD STREAMS K 0; XLEN K; XTRIM K MAXLEN 0; SADD K x; SREM K x; SMEMBERS K; \
    ZADD K 0 x; ZREM K x; ZRANGEBYLEX K - +; ZRANGEBYSCORE K -inf +inf; ZSCORE K x; SORT M BY K \
    GET K; SORT M STORE K; MIGRATE 127.0.0.1 1 K 0 100; RESTORE K 0 x; WATCH K; MULTI; EXEC; KEYS \
    *; SCAN 0; RANDOMKEY; DBSIZE; FLUSHALL; FLUSHDB; SWAPDB 0 1; CONFIG GET *; CONFIG SET \
    maxmemory 1; CONFIG REWRITE; ACL WHOAMI; ACL LIST; ACL USERS; ACL GETUSER default; ACL SETUSER \
    U nopass; ACL DELUSER U; ACL SAVE; ACL LOAD; ACL LOG; MONITOR; CLIENT LIST; CLIENT ID; CLIENT \
    KILL USER U; CLIENT PAUSE 1000; CLIENT TRACKING ON; SHUTDOWN NOSAVE; DEBUG SLEEP 1; SAVE; \
    BGSAVE; BGREWRITEAOF; REPLICAOF NO ONE; FAILOVER; SYNC; PSYNC ? -1; MODULE LIST; MODULE LOAD \
    /x; SLOWLOG GET; LATENCY LATEST; MEMORY STATS; INFO; INFO clients; INFO keyspace; COMMAND \
    COUNT; LASTSAVE; CLUSTER NODES; CLUSTER SHARDS; CLUSTER FAILOVER; CLUSTER RESET; CLUSTER \
    GETKEYSINSLOT 0 10; SCRIPT FLUSH; SCRIPT KILL; FUNCTION LIST; FUNCTION FLUSH; EVAL x 1 K; EVAL \
    x 0; EVAL_RO x 0; FCALL x 0; PUBSUB CHANNELS; PUBSUB NUMSUB; PSUBSCRIBE *; PSUBSCRIBE {*; \
    SUBSCRIBE __keyspace@0__:K; WAIT 0 0; PING";

/// What somebody may try who means harm: on the other's keys and channels, on its own together with
/// them, and on Redis as a whole.
fn attacks(own: &Server, other: &Server, key: &str) -> Vec<Vec<String>> {
    let other_id = &other.id;
    let mine = format!("{{{}}}:bus:log", own.id);
    let channels = [
        format!("{{{other_id}}}:bus"),
        format!("{{{other_id}}}:presence"),
    ];
    let mut lines: Vec<String> = ATTACKS.split("; ").map(str::to_owned).collect();
    for channel in &channels {
        for command in ["SUBSCRIBE", "SSUBSCRIBE", "PSUBSCRIBE"] {
            lines.push(format!("{command} {channel}"));
        }
        for command in ["PUBLISH", "SPUBLISH"] {
            lines.push(format!("{command} {channel} x"));
        }
    }
    let user = format!("gryt_{other_id}");
    let meant = |word: &str| match word {
        "K" => key.to_owned(),
        "M" => mine.clone(),
        "U" => user.clone(),
        "__keyspace@0__:K" => format!("__keyspace@0__:{key}"),
        word => word.to_owned(),
    };
    let lines = lines.iter();
    lines
        .map(|line| line.split(' ').map(meant).collect())
        .collect()
}

/// Everything is refused.
async fn refuses_all(port: u16, own: &Server, other: &Server, key: &str) {
    let visitor = Visitor::tenant(port, own);
    let mut done = Vec::new();
    for attack in attacks(own, other, key) {
        match visitor.send(&attack).await {
            Err(refusal) if is_refusal(&refusal) => {}
            answer => done.push(format!("{attack:?}: {answer:?}")),
        }
    }
    assert!(done.is_empty(), "{done:#?}");
}

/// The same from within scripts, at the process that has the keys: hidden from Redis, and named.
async fn refuses_scripts(port: u16, own: &Server, other: &Server, key: &str) {
    let visitor = Visitor::tenant(port, own);
    let anything = visitor.script("return redis.call(unpack(ARGV))").await;
    let caught = visitor
        .script("local r = redis.pcall(unpack(ARGV)) return r.err or 'done'")
        .await;
    let mut done = Vec::new();
    for attack in attacks(own, other, key) {
        for sha in [&anything, &caught] {
            let mut hidden = vec!["EVALSHA".to_owned(), sha.clone(), "0".to_owned()];
            hidden.extend(attack.iter().cloned());
            let said = match visitor.send(&hidden).await {
                Ok(value) => redis::from_redis_value::<String>(value).unwrap_or_default(),
                Err(refusal) => refusal,
            };
            if !is_refusal(&said) {
                done.push(format!("{attack:?}: {said}"));
            }
        }
    }
    assert!(done.is_empty(), "{done:#?}");
    let named = ["EVALSHA", &anything, "1", key, "HGETALL", key];
    let named = named.map(str::to_owned);
    let refusal = visitor.send(&named).await.unwrap_err();
    assert!(is_refusal(&refusal), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_refuses_with_one_servers_secrets_all_of_anothers() {
    let (a, b) = neighbors().await;
    let port = a.server.redis.port();
    let visitor = Visitor::tenant(port, &a.server);
    let root = Visitor::new(port, ROOT, ROOT);

    let pattern = format!("KEYS {{{}}}:*", b.server.id);
    let keys = root.send(&words(&pattern)).await.unwrap();
    let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
    assert!(keys.len() > 3, "{keys:?}");
    for key in &keys {
        refuses_all(port, &a.server, &b.server, key).await;
    }
    let log = format!("{{{}}}:bus:log", b.server.id);
    refuses_scripts(port, &a.server, &b.server, &log).await;

    // It is not that nothing works.
    let own = format!("HMGET {{{}}}:bus:log epoch", a.server.id);
    assert!(visitor.send(&words(&own)).await.is_ok());
    let own = format!("SUBSCRIBE {{{}}}:bus", a.server.id);
    assert!(visitor.send(&words(&own)).await.is_ok());
    let nobody = a.server.redis.try_run(&["PING"]).unwrap_err();
    assert!(nobody.contains("NOAUTH"), "{nobody}");

    b.is_undisturbed().await;
    a.is_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_commands_redis_lets_a_server_have_only_those_that_are_listed() {
    let server = Server::bare().await;
    server.administer("provision");
    let other = Server::bare().await;
    let port = server.redis.port();
    let visitor = Visitor::tenant(port, &server);
    let root = Visitor::new(port, ROOT, ROOT);
    let commands = root.send(&words("COMMAND LIST")).await.unwrap();
    let commands: Vec<String> = redis::from_redis_value(commands).unwrap();
    assert!(commands.len() > 200, "{}", commands.len());

    let key = format!("{{{}}}:bus:log", other.id);
    let mut allowed = Vec::new();
    for command in commands {
        let mut line: Vec<String> = command.split('|').map(str::to_owned).collect();
        let about = words("COMMAND INFO").into_iter().chain([command.clone()]);
        let about = root.send(&about.collect::<Vec<_>>()).await.unwrap();
        let arity = arity(&about).unwrap_or_else(|| panic!("{command}: {about:?}"));
        line.resize(line.len().max(arity), key.clone());
        let refusal = match visitor.send(&line).await {
            Ok(_) => String::new(),
            Err(refusal) => refusal,
        };
        // A container of commands is none.
        if !is_refusal(&refusal) && !refusal.contains("unknown subcommand") {
            allowed.push(command.replace('|', " ").to_uppercase());
        }
    }
    let info = visitor.send(&words("INFO server")).await;
    if info.is_ok() {
        allowed.push("INFO server".to_owned());
    }
    allowed.sort();
    assert_eq!(allowed, listed(SECTION));
    assert!(DOCS.contains(ADMINISTRATORS_RIGHTS));
}

/// With how many words at least a command is sent.
fn arity(about: &Value) -> Option<usize> {
    let first = about.as_sequence()?.first()?.as_sequence()?;
    match first.get(1)? {
        Value::Int(arity) => usize::try_from(arity.abs()).ok(),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_of_a_cluster_refuses_with_one_servers_secrets_all_of_anothers() {
    let cluster = Cluster::start();
    for node in cluster.nodes() {
        let secret = format!(">{ADMINISTRATOR}");
        let mut user = vec!["ACL", "SETUSER", ADMINISTRATOR, "on", &secret];
        user.extend(ADMINISTRATORS_RIGHTS.split_whitespace());
        node.run(&user);
    }
    let mut servers = [Server::bare().await, Server::bare().await];
    for server in &mut servers {
        server.redis_url = cluster.url();
        let said = server.administer("provision");
        // Six nodes without an aclfile, and their default users need no password.
        for warning in ["redis has no aclfile", "redis lets anybody in"] {
            assert!(said.contains(warning), "{said}");
        }
    }
    let [a, b] = servers;
    let a = Neighbor::begin(a, "ada").await;
    let b = Neighbor::begin(b, "bob").await;

    let key = format!("{{{}}}:bus:log", b.server.id);
    let has_key = |node: &&Redis| !node.run(&["KEYS", &key]).is_empty();
    let homes: Vec<u16> = cluster
        .nodes()
        .iter()
        .filter(has_key)
        .map(Redis::port)
        .collect();
    assert_eq!(homes.len(), 2, "a primary and its replica");
    for node in cluster.nodes() {
        refuses_all(node.port(), &a.server, &b.server, &key).await;
    }
    refuses_scripts(homes[0], &a.server, &b.server, &key).await;
    b.is_undisturbed().await;
    a.is_undisturbed().await;
}
