//! On which node a new room goes.

use std::collections::BTreeMap;

use gryt_model::NodeId;

/// What is known of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// How many seats this server has there.
    pub(crate) seats: usize,
    /// Whether it stopped being heard.
    pub(crate) silent: bool,
    /// Whether it takes no new rooms.
    pub(crate) draining: bool,
    /// Whether a snapshot of it came, since it is known.
    pub(crate) compared: bool,
}

/// The heard node that takes rooms and has the fewest seats; among equals the lowest id, so that it can be predicted.
pub(crate) fn place(nodes: &BTreeMap<NodeId, Node>) -> Option<&NodeId> {
    nodes
        .iter()
        .filter(|(_, node)| !node.silent && !node.draining)
        .min_by_key(|(id, node)| (node.seats, *id))
        .map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(seats: usize, silent: bool) -> Node {
        Node {
            seats,
            silent,
            ..Node::default()
        }
    }

    #[test]
    fn room_goes_to_the_heard_node_with_the_fewest_seats() {
        let id = |n: u8| NodeId::from_random([n; 16]);
        let nodes = BTreeMap::from([
            (id(1), node(5, false)),
            (id(2), node(0, true)),
            (id(3), node(2, false)),
            (id(4), node(2, false)),
        ]);
        assert_eq!(place(&nodes), Some(&id(3)));
        assert_eq!(place(&BTreeMap::from([(id(2), node(0, true))])), None);
        let draining = Node {
            draining: true,
            ..node(0, false)
        };
        assert_eq!(place(&BTreeMap::from([(id(1), draining)])), None);
        assert_eq!(place(&BTreeMap::new()), None);
    }
}
