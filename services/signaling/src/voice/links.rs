//! Which SFU answers at which of the addresses that were named at the start.

use gryt_model::NodeId;

use super::{LinkId, Node};

/// The ways to all SFUs.
#[derive(Debug)]
pub(super) struct Links(Vec<Link>);

#[derive(Debug)]
struct Link {
    node: Node,
    /// Who is there, once it has said so.
    id: Option<NodeId>,
    /// Attempts to hear it that failed, since it was heard.
    failures: u32,
}

/// A connection may fail once for many reasons.
const TRIES: u32 = 3;

impl Links {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        let link = |node| Link {
            node,
            id: None,
            failures: 0,
        };
        Self(nodes.into_iter().map(link).collect())
    }

    /// Who was there last.
    pub(super) fn id(&self, link: LinkId) -> Option<NodeId> {
        self.0.get(link)?.id.clone()
    }

    /// The way to a node.
    pub(super) fn node(&self, id: &NodeId) -> Option<&Node> {
        let link = self.0.iter().find(|link| link.id.as_ref() == Some(id));
        link.map(|link| &link.node)
    }

    /// Another address that leads to the same node.
    pub(super) fn twin(&self, link: LinkId, id: &NodeId) -> Option<LinkId> {
        let mut others = self.0.iter().enumerate();
        let twin = others.find(|(other, at)| *other != link && at.id.as_ref() == Some(id));
        twin.map(|(twin, _)| twin)
    }

    /// Who is there now.
    pub(super) fn learn(&mut self, link: LinkId, id: NodeId) {
        if let Some(here) = self.0.get_mut(link) {
            here.failures = 0;
            here.id = Some(id);
        }
    }

    /// Nobody is there any more, or nobody who counts; gives who was.
    pub(super) fn forget(&mut self, link: LinkId) -> Option<NodeId> {
        self.0.get_mut(link)?.id.take()
    }

    /// An attempt to hear it failed, or its stream ended.
    pub(super) fn failed(&mut self, link: LinkId) {
        if let Some(here) = self.0.get_mut(link) {
            here.failures = here.failures.saturating_add(1);
        }
    }

    /// Whether all nodes were heard, or are not there to be heard soon.
    pub(super) fn all_tried(&self) -> bool {
        let tried = |link: &Link| link.id.is_some() || link.failures >= TRIES;
        self.0.iter().all(tried)
    }
}
