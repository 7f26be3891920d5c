//! Who gets a host name, and who finds out about it.

use std::sync::Arc;

use super::*;
use crate::crd::{ExposureStatus, GrytServerStatus, MediaStatus, WebType};
use crate::fixture::{OTHER_ID, at, server};

/// `b` asks for what `a` asks for, created `seconds` after it.
fn contest(seconds: i64, change: impl FnOnce(&mut GrytServer)) -> [Vec<Reason>; 2] {
    let a = server("a");
    let mut b = server("b");
    b.metadata.creation_timestamp = Some(Time(at(seconds)));
    b.spec.hostname.clone_from(&a.spec.hostname);
    b.spec.server_id = Some(OTHER_ID.to_owned());
    change(&mut b);
    let all = [Arc::new(a), Arc::new(b)];
    [&all[0], &all[1]].map(|server| {
        let claims = of_others(server, &all);
        let hostname = server.spec.hostname.parse().unwrap();
        let refusals = check(server, &hostname, &claims.rivals);
        refusals.iter().map(|refusal| refusal.reason).collect()
    })
}

#[test]
fn the_older_server_keeps_its_host_name() {
    assert_eq!(contest(1, |_| {}), [vec![], vec![Reason::HostnameTaken]]);
    assert_eq!(contest(-1, |_| {}), [vec![Reason::HostnameTaken], vec![]]);
}

#[test]
fn in_the_same_second_exactly_one_wins() {
    assert_eq!(contest(0, |_| {}), [vec![], vec![Reason::HostnameTaken]]);
    let other_way = contest(0, |b| b.metadata.uid = Some("a-smaller-uid".to_owned()));
    assert_eq!(other_way, [vec![Reason::HostnameTaken], vec![]]);
}

#[test]
fn a_server_id_is_claimed_like_a_host_name() {
    let same_id = contest(1, |b| {
        b.spec.hostname = "b.example.org".to_owned();
        b.spec.server_id = server("a").spec.server_id;
    });
    assert_eq!(same_id, [vec![], vec![Reason::ServerIdTaken]]);

    let both = contest(1, |b| b.spec.server_id = server("a").spec.server_id);
    assert_eq!(both[1], [Reason::HostnameTaken, Reason::ServerIdTaken]);
}

#[test]
fn servers_without_an_id_do_not_share_one() {
    let mut a = server("a");
    let mut b = server("b");
    a.spec.server_id = None;
    b.spec.server_id = None;
    assert_eq!(of_others(&a, [Arc::new(b)]), Claims::default());
}

#[test]
fn a_stranger_is_not_named_to_another_tenant() {
    let a = server("a");
    let mut b = server("b");
    b.metadata.creation_timestamp = Some(Time(at(1)));
    let hostname = a.spec.hostname.parse().unwrap();
    b.spec.hostname.clone_from(&a.spec.hostname);
    let message = |namespace: &str| {
        let mut a = a.clone();
        a.metadata.namespace = Some(namespace.to_owned());
        let claims = of_others(&b, [Arc::new(a)]);
        check(&b, &hostname, &claims.rivals)[0].message.clone()
    };
    assert!(message("team-a").contains("the GrytServer \"a\""));
    assert!(!message("secret-team").contains("secret-team"));
}

#[test]
fn ports_of_nodes_are_claimed_by_status() {
    let of = |media| {
        let mut other = server("other");
        other.status = Some(GrytServerStatus {
            exposure: Some(ExposureStatus {
                web: WebType::Ingress,
                media,
            }),
            media: vec![MediaStatus {
                slot: 0,
                address: None,
                port: Some(40_000),
            }],
            ..GrytServerStatus::default()
        });
        let claims = of_others(&server("chat"), [Arc::new(other)]).host_ports;
        claims
            .iter()
            .map(|claim| (claim.port, claim.count))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(MediaType::HostPort), [(40_000, 1)]);
    assert_eq!(of(MediaType::HostNetwork), [(40_000, 3)]);
    assert_eq!(of(MediaType::NodePort), []);
    assert_eq!(of(MediaType::LoadBalancer), []);
}
