//! Who gets a host name, and who finds out about it.

use std::sync::Arc;

use super::*;
use crate::crd::{AllowedHostnames, ExposureStatus, GrytServerStatus, MediaStatus, WebType};
use crate::fixture::{ID, OTHER_ID, at, class, server};

/// `b` asks for what `a` asks for, created `seconds` after it.
fn contest(seconds: i64, change: impl FnOnce(&mut GrytServer)) -> [Vec<Reason>; 2] {
    decided(seconds, |_, b| change(b), Grounds::default())
}

fn decided(
    seconds: i64,
    change: impl FnOnce(&mut GrytServer, &mut GrytServer),
    grounds: Grounds<'_>,
) -> [Vec<Reason>; 2] {
    let mut a = server("a");
    let mut b = server("b");
    b.metadata.creation_timestamp = Some(Time(at(seconds)));
    b.spec.hostname.clone_from(&a.spec.hostname);
    b.spec.server_id = Some(OTHER_ID.to_owned());
    change(&mut a, &mut b);
    let all = [Arc::new(a), Arc::new(b)];
    [&all[0], &all[1]].map(|server| {
        let claims = of_others(server, &all, grounds);
        let hostname = server.spec.hostname.parse().unwrap();
        let refusals = check(server, &hostname, &claims.rivals);
        refusals.iter().map(|refusal| refusal.reason).collect()
    })
}

/// The server was brought to the address.
fn reached_at(server: &mut GrytServer, address: &str) {
    let status = server.status.get_or_insert_default();
    status.address = Some(address.to_owned());
}

/// A class that gives the namespace `team-b` what ends in `team-b.example.org`, and so on.
fn strict() -> [Arc<GrytServerClass>; 1] {
    let mut class = class("strict");
    class.spec.default = true;
    class.spec.allowed_hostnames = ["team-b", "evil"]
        .map(|team| AllowedHostnames {
            namespace: team.to_owned(),
            suffixes: vec![format!("{team}.example.org")],
        })
        .into();
    [Arc::new(class)]
}

#[test]
fn a_host_name_that_its_class_refuses_is_no_claim() {
    let classes = strict();
    let grounds = Grounds {
        classes: &classes,
        ..Grounds::default()
    };
    let squat = |address: Option<&str>| {
        decided(
            60,
            |squatter, owner| {
                squatter.metadata.namespace = Some("evil".to_owned());
                owner.metadata.namespace = Some("team-b".to_owned());
                for server in [&mut *squatter, &mut *owner] {
                    server.spec.hostname = "team-b.example.org".to_owned();
                }
                if let Some(address) = address {
                    reached_at(squatter, address);
                }
            },
            grounds,
        )
    };
    assert_eq!(squat(None)[1], []);
    assert_eq!(
        squat(Some("https://team-b.example.org"))[1],
        [],
        "the platform may take a name away"
    );
    let allowed = decided(
        60,
        |first, second| {
            for server in [first, second] {
                server.metadata.namespace = Some("team-b".to_owned());
                server.spec.hostname = "team-b.example.org".to_owned();
            }
        },
        grounds,
    );
    assert_eq!(allowed[1], [Reason::HostnameTaken]);
}

#[test]
fn a_class_that_does_not_exist_neither_gives_nor_takes() {
    let nowhere = |reached: bool| {
        let classes = [Arc::new(class("other"))];
        let grounds = Grounds {
            classes: &classes,
            ..Grounds::default()
        };
        let change = |a: &mut GrytServer, _: &mut GrytServer| {
            a.spec.class_name = Some("gone".to_owned());
            if reached {
                reached_at(a, "https://a.example.org");
            }
        };
        decided(1, change, grounds)[1].clone()
    };
    assert_eq!(nowhere(false), []);
    assert_eq!(nowhere(true), [Reason::HostnameTaken]);
}

#[test]
fn nobody_gets_around_his_class_by_naming_one_that_is_not_there() {
    let classes = strict();
    let grounds = Grounds {
        classes: &classes,
        ..Grounds::default()
    };
    let change = |a: &mut GrytServer, b: &mut GrytServer| {
        for server in [&mut *a, &mut *b] {
            server.spec.hostname = "team-b.example.org".to_owned();
        }
        a.metadata.namespace = Some("evil".to_owned());
        a.spec.class_name = Some("gone".to_owned());
        reached_at(a, "https://team-b.example.org");
        a.status.as_mut().unwrap().class_name = Some("strict".to_owned());
        b.metadata.namespace = Some("team-b".to_owned());
    };
    assert_eq!(decided(1, change, grounds)[1], []);
}

#[test]
fn an_older_server_that_takes_another_name_wins_none_that_is_in_use() {
    for address in ["https://b.example.org", "https://b.example.org:30443"] {
        let stolen = |b: &mut GrytServer| reached_at(b, address);
        let decided = decided(
            60,
            |a, b| {
                b.spec.hostname = "b.example.org".to_owned();
                stolen(b);
                a.spec.hostname = "b.example.org".to_owned();
                reached_at(a, "https://a.example.org");
            },
            Grounds::default(),
        );
        assert_eq!(decided, [vec![Reason::HostnameTaken], vec![]]);
    }
}

#[test]
fn a_name_is_free_when_its_server_is_reached_by_another() {
    let renamed = |address: &str| {
        let change = |a: &mut GrytServer, b: &mut GrytServer| {
            b.spec.hostname = "a.example.org".to_owned();
            a.spec.hostname = "new.example.org".to_owned();
            reached_at(a, address);
        };
        decided(60, change, Grounds::default())[1].clone()
    };
    assert_eq!(renamed("https://a.example.org"), [Reason::HostnameTaken]);
    assert_eq!(renamed("https://new.example.org"), []);
}

#[test]
fn an_id_belongs_to_the_server_that_its_ca_names() {
    let change = |_: &mut GrytServer, b: &mut GrytServer| {
        b.spec.hostname = "b.example.org".to_owned();
        b.spec.server_id = Some(ID.to_owned());
    };
    let with = |holders: &[&str]| {
        let authority_of: Vec<ServerKey> = holders
            .iter()
            .map(|name| ServerKey::of(&server(name)))
            .collect();
        let grounds = Grounds {
            authority_of: &authority_of,
            ..Grounds::default()
        };
        decided(60, change, grounds)
    };
    let taken = || vec![Reason::ServerIdTaken];
    assert_eq!(
        with(&["b"]),
        [taken(), vec![]],
        "the older one took it over"
    );
    assert_eq!(with(&["a"]), [vec![], taken()]);
    assert_eq!(with(&[]), [vec![], taken()]);
    assert_eq!(with(&["gone"]), [taken(), taken()], "until it is swept");
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
    assert_eq!(
        of_others(&a, [Arc::new(b)], Grounds::default()),
        Claims::default()
    );
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
        let claims = of_others(&b, [Arc::new(a)], Grounds::default());
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
        let claims = of_others(&server("chat"), [Arc::new(other)], Grounds::default()).host_ports;
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

#[test]
fn each_sfu_claims_its_ports() {
    let mut server = server("a");
    let media = [(0, 40_000), (2, 40_006)].map(|(slot, port)| MediaStatus {
        slot,
        address: None,
        port: Some(port),
    });
    server.status = Some(GrytServerStatus {
        exposure: Some(ExposureStatus {
            web: WebType::Ingress,
            media: MediaType::HostNetwork,
        }),
        media: media.into(),
        ..GrytServerStatus::default()
    });
    assert_eq!(ports(&server), [(40_000, 3), (40_006, 3)]);
}
