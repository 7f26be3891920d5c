//! Two servers on one Redis and one database, both provisioned by our own command: with what one has,
//! its Secrets and its ids, nothing of the other is read or written. What a back end cannot refuse is
//! listed in docs/back-ends.md, and held to that list here.

use crate::chatter::Chatter;
use crate::replica::Replica;
use crate::server::Server;

mod database;
mod doors;
mod redis;

const DOCS: &str = include_str!("../../../../docs/back-ends.md");

/// One of two servers, with a process and the person who owns it.
struct Neighbor {
    server: Server,
    replica: Replica,
    owner: Chatter,
}

impl Neighbor {
    async fn begin(server: Server, owner: &str) -> Self {
        server.administer("provision");
        server.administer("migrate");
        let replica = server.replica();
        replica.until_ready().await;
        let owner = server.person(owner, &[&replica]).await;
        owner.say("mine").await;
        Self {
            server,
            replica,
            owner,
        }
    }

    /// All of it works as if nobody else were there.
    async fn is_undisturbed(&self) {
        self.owner.say("still mine").await;
        let record = self.owner.record().clone();
        assert_eq!(record.faults, [""; 0]);
        assert_eq!((record.greetings, record.snapshots), (1, 1));
        assert_eq!(record.online, [record.member_id].into());
        assert_eq!(self.owner.history().await.len(), 2);
    }
}

/// Ada's server and Bob's, on Ada's Redis, to which nobody comes in without a password.
async fn neighbors() -> (Neighbor, Neighbor) {
    let a = Server::bare().await;
    let mut b = Server::bare().await;
    b.redis_url.clone_from(&a.redis_url);
    a.redis.run(&["ACL", "SETUSER", "default", "off"]);
    let a = Neighbor::begin(a, "ada").await;
    let b = Neighbor::begin(b, "bob").await;
    (a, b)
}

/// The names that a section of the docs lists, each in backticks at the beginning of a line's item.
fn listed(section: &str) -> Vec<String> {
    let (_, rest) = DOCS.split_once(section).expect("the section is there");
    let rest = rest.split("\n#").next().unwrap_or_default();
    let items = rest.lines().filter_map(|line| line.strip_prefix("- `"));
    let mut names: Vec<String> = items
        .filter_map(|item| item.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort();
    names
}
