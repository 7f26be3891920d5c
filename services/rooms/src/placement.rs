//! On which node a new room goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use gryt_model::{NodeId, RoomId, WatcherId};

/// What is known of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// How many seats this server has there.
    pub(crate) seats: usize,
    /// Since when it is not heard.
    pub(crate) silent: Option<Instant>,
    /// Whether it takes no new rooms.
    pub(crate) draining: bool,
    /// Whether a snapshot of it came, since it is known.
    pub(crate) compared: bool,
    /// How many seats it had given by its latest snapshot.
    pub(crate) seats_given: u64,
    /// The signaling processes that watch it.
    pub(crate) watchers: BTreeSet<WatcherId>,
}

/// By rendezvous hashing with bounded loads (Thaler and Ravishankar 1998; Mirrokni et al. 2018):
/// processes that see about the same choose the same node without asking each other, and no node
/// gets rooms while it has a quarter more seats than its share.
pub(crate) fn place<'a>(room: &RoomId, nodes: &'a BTreeMap<NodeId, Node>) -> Option<&'a NodeId> {
    let heard = nodes
        .iter()
        .filter(|(_, node)| node.silent.is_none() && !node.draining);
    let loads = || heard.clone().map(|(_, node)| node.seats);
    let most = ((loads().sum::<usize>() + 1) * 5).div_ceil(4 * loads().count().max(1));
    heard
        .clone()
        .filter(|(_, node)| node.seats < most)
        .max_by_key(|(id, _)| score(room, id))
        .map(|(id, _)| id)
}

/// FNV-1a over the ids' text and a last mix (the finalizer of MurmurHash3): the same in every version
/// of this program, which run side by side in an upgrade.
fn score(room: &RoomId, node: &NodeId) -> u64 {
    let texts = [room.server.as_str(), room.channel.as_str(), node.as_str()];
    let bytes = texts.into_iter().flat_map(str::bytes);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use gryt_model::{ChannelId, ServerId};

    use super::*;

    fn node(seats: usize) -> Node {
        Node {
            seats,
            ..Node::default()
        }
    }

    fn id(n: u8) -> NodeId {
        NodeId::from_random([n; 16])
    }

    fn rooms() -> impl Iterator<Item = RoomId> {
        (0..200).map(|n| RoomId {
            server: ServerId::from_random([1; 16]),
            channel: ChannelId::from_random([n; 16]),
        })
    }

    #[test]
    fn two_versions_of_this_program_choose_the_same_node() {
        let room = rooms().next().unwrap();
        assert_eq!(score(&room, &id(1)), 10_746_720_295_273_498_814);
    }

    #[test]
    fn rooms_spread_over_the_nodes_and_stay_when_another_one_goes() {
        let three = BTreeMap::from([1, 2, 3].map(|n| (id(n), node(0))));
        let mut two = three.clone();
        two.remove(&id(3));
        let mut on = BTreeMap::new();
        for room in rooms() {
            let before = place(&room, &three).unwrap();
            *on.entry(before).or_insert(0) += 1;
            if *before != id(3) {
                assert_eq!(place(&room, &two), Some(before));
            }
        }
        assert!(on.values().all(|rooms| *rooms > 40), "{on:?}");
    }

    #[test]
    fn no_room_goes_to_a_node_with_far_more_than_its_share() {
        let nodes = BTreeMap::from([(id(1), node(25)), (id(2), node(14)), (id(3), node(9))]);
        assert!(rooms().all(|room| place(&room, &nodes) != Some(&id(1))));
        assert!(rooms().any(|room| place(&room, &nodes) == Some(&id(2))));
    }

    #[test]
    fn no_room_goes_to_a_node_that_is_silent_or_drains() {
        let silent = Node {
            silent: Some(crate::rooms::tests::epoch_start()),
            ..node(0)
        };
        let draining = Node {
            draining: true,
            ..node(0)
        };
        let mut nodes = BTreeMap::from([(id(1), silent), (id(2), draining)]);
        assert!(rooms().all(|room| place(&room, &nodes).is_none()));
        nodes.insert(id(3), node(1_000));
        assert!(rooms().all(|room| place(&room, &nodes) == Some(&id(3))));
        assert!(rooms().all(|room| place(&room, &BTreeMap::new()).is_none()));
    }
}
