//! Whom news about a server concerns.

use kube::runtime::reflector::store::Writer;

use super::*;
use crate::crd::{ExposureStatus, GrytServerStatus, MediaStatus, MediaType, WebType};
use crate::fixture::{OTHER_ID, context, server};

struct Watch {
    ctx: Context,
    writer: Writer<GrytServer>,
    known: Known,
}

impl Watch {
    fn new() -> Self {
        let (ctx, writer) = context();
        let known = Known::default();
        Self { ctx, writer, known }
    }

    fn see(&mut self, event: Event<GrytServer>) -> Vec<String> {
        self.writer.apply_watcher_event(&event);
        let concerned = server_event(&self.ctx, &mut self.known, event);
        let names: BTreeSet<String> = concerned.into_iter().map(|key| key.name).collect();
        names.into_iter().collect()
    }
}

/// A server with an id of its own.
fn with_id(name: &str) -> GrytServer {
    let mut server = server(name);
    server.spec.server_id = Some(format!("{name}-id"));
    server
}

fn on_node(name: &str, port: i32) -> GrytServer {
    let mut server = with_id(name);
    server.status = Some(GrytServerStatus {
        exposure: Some(ExposureStatus {
            web: WebType::Ingress,
            media: MediaType::HostPort,
        }),
        media: vec![MediaStatus {
            slot: 0,
            address: None,
            port: Some(port),
        }],
        ..GrytServerStatus::default()
    });
    server
}

#[tokio::test]
async fn a_claim_wakes_everybody_who_claims_the_same() {
    let mut watch = Watch::new();
    assert_eq!(watch.see(Event::Apply(with_id("holder"))), ["holder"]);
    assert_eq!(watch.see(Event::Apply(with_id("bystander"))), ["bystander"]);

    let mut rival = with_id("rival");
    assert_eq!(watch.see(Event::Apply(rival.clone())), ["rival"]);
    rival.metadata.generation = Some(4);
    rival.spec.hostname = "holder.example.org".to_owned();
    assert_eq!(watch.see(Event::Apply(rival.clone())), ["holder", "rival"]);
    rival.metadata.generation = Some(5);
    rival.spec.hostname = "rival.example.org".to_owned();
    rival.spec.server_id = Some("holder-id".to_owned());
    assert_eq!(watch.see(Event::Apply(rival)), ["holder", "rival"]);

    let mut young = with_id("young");
    young.spec.server_id = Some(OTHER_ID.to_owned());
    young.spec.hostname = "bystander.example.org".to_owned();
    assert_eq!(watch.see(Event::Apply(young)), ["bystander", "young"]);
}

#[tokio::test]
async fn a_claim_that_a_new_listing_shows_wakes_as_well() {
    let mut watch = Watch::new();
    let list = |watch: &mut Watch, servers: &[GrytServer]| {
        let mut concerned = BTreeSet::new();
        concerned.extend(watch.see(Event::Init));
        for server in servers {
            concerned.extend(watch.see(Event::InitApply(server.clone())));
        }
        concerned.extend(watch.see(Event::InitDone));
        concerned.into_iter().collect::<Vec<_>>()
    };
    let (holder, mut rival) = (with_id("holder"), with_id("rival"));
    let both = [holder.clone(), rival.clone()];
    assert_eq!(list(&mut watch, &both), ["holder", "rival"]);
    assert!(list(&mut watch, &both).is_empty());
    rival.metadata.generation = Some(4);
    rival.spec.hostname.clone_from(&holder.spec.hostname);
    assert_eq!(list(&mut watch, &[holder, rival]), ["holder", "rival"]);
}

#[tokio::test]
async fn two_that_show_the_same_port_of_their_node_wake_each_other() {
    let mut watch = Watch::new();
    watch.see(Event::Apply(on_node("first", 40_000)));
    watch.see(Event::Apply(with_id("second")));
    let second = watch.see(Event::Apply(on_node("second", 40_000)));
    assert_eq!(second, ["first"]);
    // Its own status is no reason to look at a server.
    let elsewhere = watch.see(Event::Apply(on_node("second", 40_001)));
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}
