//! What is built and what is refused. Each case changes one thing of the smallest server.

mod backends;
mod slots;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::claims::Grounds;
use crate::crd::{
    ADOPT_ANNOTATION, ExposureStatus, GrytServerClass, GrytServerStatus, IssuerKind, IssuerRef,
    MediaStatus, MediaType, NodeAddress, ParentGateway, PortRange, PullSecret, SecretKey,
    TlsSource, TurnServer, WebType,
};
use crate::fixture::{
    ID, OTHER_ID, at, class, defaults, observed, running, secret, server, service, volume,
};
use crate::names::NOT_NAMES;
use crate::observed::{HostPortClaim, IngressSeen};
use crate::valid::{Announced, Pending, SlotPorts, Tls, Web};

fn valid(observed: &Observed) -> ValidServer {
    validate(observed, &defaults()).unwrap()
}

fn reasons(observed: &Observed) -> Vec<Reason> {
    match validate(observed, &defaults()) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.iter().map(|refusal| refusal.reason).collect(),
    }
}

fn by_secret(name: &str) -> TlsSource {
    TlsSource {
        secret_name: Some(name.to_owned()),
        issuer_ref: None,
    }
}

fn by_issuer(name: &str) -> TlsSource {
    TlsSource {
        secret_name: None,
        issuer_ref: Some(IssuerRef {
            name: name.to_owned(),
            kind: IssuerKind::ClusterIssuer,
        }),
    }
}

fn to_gateway(class: &mut GrytServerClass) {
    class.spec.exposure.web.gateway = Some(ParentGateway {
        name: "public".to_owned(),
        namespace: "gateways".to_owned(),
        section_name: None,
    });
}

#[test]
fn a_host_name_is_enough() {
    let valid = valid(&observed());
    assert_eq!(valid.name.as_str(), "chat");
    assert_eq!(valid.namespace.as_str(), "team-a");
    assert_eq!(valid.uid, "uid-chat");
    assert_eq!(valid.generation, 3);
    assert_eq!(valid.id.as_str(), ID);
    assert_eq!(valid.display_name, "chat");
    assert_eq!(valid.class.name, None);
    assert!(!valid.suspended);
    assert_eq!(valid.signaling_replicas, 1);
    assert_eq!(valid.storage.size, "1Gi");
    assert_eq!(
        valid.images.signaling,
        "ghcr.io/gryt-chat/gryt-signaling:0.4.0"
    );
    assert_eq!(valid.images.sfu, "ghcr.io/gryt-chat/gryt-sfu:0.4.0");
    assert_eq!(valid.images.version, "0.4.0");
    assert_eq!(valid.web.type_(), WebType::NodePort);
    assert_eq!(valid.tls, Tls::SelfSigned);
    assert_eq!(valid.origin, None, "the nodePort isn't assigned");
    assert_eq!(valid.slots.len(), 1);
    assert_eq!(
        valid.slots[0].announced,
        Announced::Pending(Pending::NodePort { before: None })
    );
}

#[test]
fn what_the_cluster_assigned_is_what_is_announced() {
    let mut observed = observed();
    observed.children = running();
    let valid = valid(&observed);
    assert_eq!(
        valid.origin.as_deref(),
        Some("https://chat.example.org:30443")
    );
    assert_eq!(
        valid.slots[0].announced,
        Announced::NodeAddress { port: 30081 }
    );
    assert_eq!(valid.slots[0].ports, SlotPorts::default());
}

#[test]
fn the_display_name_is_trimmed_and_never_empty() {
    for (wanted, expected) in [
        (None, "chat"),
        (Some("  Bücher "), "Bücher"),
        (Some(" "), "chat"),
    ] {
        let observed =
            observed().with_server(|server| server.spec.display_name = wanted.map(str::to_owned));
        assert_eq!(valid(&observed).display_name, expected);
    }
}

#[test]
fn a_class_gives_images() {
    let observed = observed().with_class(|class| {
        class.spec.images.registry = Some("mirror.example.org/gryt".to_owned());
        class.spec.images.tag = Some("0.5.0".to_owned());
        class.spec.images.sfu = Some("mirror.example.org/custom@sha256:00".to_owned());
    });
    let valid = valid(&observed);
    assert_eq!(valid.class.name.as_deref(), Some("shared"));
    assert_eq!(
        valid.images.signaling,
        "mirror.example.org/gryt/gryt-signaling:0.5.0"
    );
    assert_eq!(valid.images.sfu, "mirror.example.org/custom@sha256:00");
    assert_eq!(valid.images.version, "0.5.0");
}

#[test]
fn names_that_got_past_the_schema_are_refused() {
    for change in [
        (|server| server.spec.hostname = "localhost".to_owned()) as fn(&mut crate::crd::GrytServer),
        |server| server.spec.server_id = Some("short".to_owned()),
        |server| server.metadata.name = Some("a.b".to_owned()),
        |server| server.metadata.name = Some("a".repeat(37)),
        |server| server.spec.storage.size = "much".to_owned(),
    ] {
        let observed = observed().with_server(change);
        assert_eq!(
            reasons(&observed),
            [Reason::InvalidSpec],
            "{:?}",
            observed.server
        );
    }
}

#[test]
fn a_server_without_an_id_waits_for_one() {
    let observed = observed().with_server(|server| server.spec.server_id = None);
    assert_eq!(reasons(&observed), [Reason::ServerIdPending]);
}

#[test]
fn more_than_one_signaling_replica_needs_shared_back_ends() {
    let two = || observed().with_server(|server| server.spec.signaling.replicas = 2);
    assert_eq!(reasons(&two()), [Reason::SharedBackendsRequired]);
    assert_eq!(
        reasons(&two().with_class(|_| {})),
        [Reason::SharedBackendsRequired]
    );
    let healed = two().with_server(|server| server.spec.signaling.replicas = 1);
    assert_eq!(reasons(&healed), []);
}

#[test]
fn the_class_decides_before_anything_that_depends_on_it() {
    let observed = observed().with_server(|server| {
        server.spec.class_name = Some("gone".to_owned());
        server.spec.signaling.replicas = 2;
    });
    assert_eq!(reasons(&observed), [Reason::ClassNotFound]);
}

#[test]
fn every_refusal_is_told_at_once() {
    let mut observed = observed()
        .with_server(|server| {
            server.spec.signaling.replicas = 3;
            server.spec.tls = Some(by_secret("gone"));
            server.spec.storage.size = "100Gi".to_owned();
            server.spec.template.image_pull_secrets = vec![PullSecret {
                name: "pull".to_owned(),
            }];
        })
        .with_class(|class| {
            class.spec.limits.max_storage = Some("50Gi".to_owned());
            class.spec.allowed_namespaces = vec!["team-b".to_owned()];
        });
    observed.claims = claims::of_others(&observed.server, [Arc::new(rival())], Grounds::default());
    assert_eq!(
        reasons(&observed),
        [
            Reason::HostnameTaken,
            Reason::NamespaceNotAllowed,
            Reason::SharedBackendsRequired,
            Reason::SecretNotFound,
            Reason::StorageAboveLimit,
            Reason::SecretNotFound,
        ]
    );
    let refusals = validate(&observed, &defaults()).unwrap_err();
    assert_eq!(refusals.reason(), Reason::HostnameTaken);
    for name in [
        "\"shared\"",
        "team-a",
        "\"gone\"",
        "\"pull\"",
        "50Gi",
        "chat.example.org",
    ] {
        assert!(
            refusals.message().contains(name),
            "{name}: {}",
            refusals.message()
        );
    }
}

fn rival() -> crate::crd::GrytServer {
    let mut rival = server("rival");
    rival.spec.hostname = "chat.example.org".to_owned();
    rival.spec.server_id = Some(OTHER_ID.to_owned());
    rival.metadata.creation_timestamp = Some(Time(at(-60)));
    rival
}

#[test]
fn a_lost_host_name_heals_when_its_holder_is_gone() {
    let mut observed = observed();
    observed.claims = claims::of_others(&observed.server, [Arc::new(rival())], Grounds::default());
    assert_eq!(reasons(&observed), [Reason::HostnameTaken]);
    observed.claims.rivals.clear();
    assert_eq!(reasons(&observed), []);
}

/// What `exposure.web` becomes on a cluster.
fn web(
    class: impl FnOnce(&mut GrytServerClass),
    cluster: impl FnOnce(&mut crate::observed::Cluster),
) -> Result<Web, Vec<Reason>> {
    let mut observed = observed().with_class(class);
    cluster(&mut observed.cluster);
    validate(&observed, &defaults())
        .map(|valid| valid.web)
        .map_err(|refusals| refusals.iter().map(|refusal| refusal.reason).collect())
}

#[test]
fn auto_takes_what_the_cluster_has() {
    let type_ = |web: Result<Web, _>| web.map(|web| web.type_());
    assert_eq!(
        type_(web(to_gateway, |c| c.gateway_api = true)),
        Ok(WebType::Gateway)
    );
    assert_eq!(type_(web(to_gateway, |_| {})), Ok(WebType::NodePort));
    assert_eq!(
        type_(web(to_gateway, |c| {
            c.ingress_classes.insert("traefik".to_owned());
        })),
        Ok(WebType::Ingress)
    );
    assert_eq!(
        type_(web(|_| {}, |c| c.gateway_api = true)),
        Ok(WebType::NodePort)
    );
}

#[test]
fn an_ingress_class_is_named_default_or_the_only_one() {
    let two = |c: &mut crate::observed::Cluster| {
        c.ingress_classes
            .extend(["nginx".to_owned(), "traefik".to_owned()]);
    };
    let ingress = |class: &mut GrytServerClass| class.spec.exposure.web.type_ = WebType::Ingress;
    let class_of = |web: Result<Web, _>| match web {
        Ok(Web::Ingress { class_name, .. }) => Ok(class_name),
        Ok(other) => panic!("{other:?}"),
        Err(reasons) => Err(reasons),
    };
    let named = |class: &mut GrytServerClass| {
        ingress(class);
        class.spec.exposure.web.ingress_class_name = Some("nginx".to_owned());
    };
    assert_eq!(class_of(web(named, two)), Ok(Some("nginx".to_owned())));
    assert_eq!(
        class_of(web(ingress, |c| {
            two(c);
            c.default_ingress_class = Some("traefik".to_owned());
        })),
        Ok(Some("traefik".to_owned()))
    );
    assert_eq!(
        class_of(web(ingress, |c| {
            c.ingress_classes.insert("nginx".to_owned());
        })),
        Ok(Some("nginx".to_owned()))
    );
    let missing = Err(vec![Reason::IngressClassMissing]);
    assert_eq!(class_of(web(ingress, two)), missing);
    assert_eq!(class_of(web(ingress, |_| {})), missing);
    assert_eq!(class_of(web(named, |_| {})), missing);
}

/// A server of a class with `Auto` that was reached by an Ingress of the class nginx.
fn reached_by_ingress() -> Observed {
    let mut observed = observed().with_class(|_| {});
    observed.cluster.ingress_classes.insert("nginx".to_owned());
    let web = valid(&observed).web;
    assert_eq!(web.type_(), WebType::Ingress);
    observed.children.ingress = Some(IngressSeen {
        class_name: Some("nginx".to_owned()),
    });
    reached(observed, &web)
}

fn reached(observed: Observed, web: &Web) -> Observed {
    observed.with_server(|server| {
        server.status = Some(GrytServerStatus {
            class_name: Some("shared".to_owned()),
            exposure: Some(ExposureStatus {
                web: web.type_(),
                media: MediaType::NodePort,
            }),
            ..GrytServerStatus::default()
        });
    })
}

#[test]
fn ingress_classes_that_come_and_go_move_no_server() {
    let mut observed = reached_by_ingress();
    let before = valid(&observed).web;
    let classes = &mut observed.cluster.ingress_classes;
    classes.insert("traefik".to_owned());
    assert_eq!(valid(&observed).web, before, "two, and no default");
    observed.cluster.default_ingress_class = Some("traefik".to_owned());
    assert_eq!(valid(&observed).web, before, "another is the default");

    observed.cluster.ingress_classes.remove("nginx");
    assert_eq!(reasons(&observed), [Reason::IngressClassMissing]);
    observed.cluster.ingress_classes.clear();
    observed.cluster.default_ingress_class = None;
    assert_eq!(reasons(&observed), [Reason::IngressClassMissing]);
    let class = &mut observed.cluster.ingress_classes;
    class.insert("nginx".to_owned());
    assert_eq!(valid(&observed).web, before);
}

#[test]
fn a_gateway_api_that_comes_or_goes_moves_no_server() {
    let mut by_ingress = reached_by_ingress();
    let before = valid(&by_ingress).web;
    by_ingress.cluster.gateway_api = true;
    to_gateway(Arc::make_mut(&mut by_ingress.classes[0]));
    assert_eq!(valid(&by_ingress).web, before);

    let mut by_gateway = observed().with_class(to_gateway);
    by_gateway.cluster.gateway_api = true;
    let before = valid(&by_gateway).web;
    let mut by_gateway = reached(by_gateway, &before);
    by_gateway
        .cluster
        .ingress_classes
        .insert("nginx".to_owned());
    assert_eq!(valid(&by_gateway).web, before);
    by_gateway.cluster.gateway_api = false;
    assert_eq!(reasons(&by_gateway), [Reason::GatewayApiMissing]);
    by_gateway.cluster.gateway_api = true;
    assert_eq!(valid(&by_gateway).web, before);

    let mut by_port = observed().with_class(to_gateway);
    let before = valid(&by_port).web;
    by_port = reached(by_port, &before);
    by_port.cluster.gateway_api = true;
    assert_eq!(valid(&by_port).web, before);
}

#[test]
fn a_class_that_says_another_exposure_moves_its_servers() {
    let to = |change: fn(&mut GrytServerClass)| {
        let mut observed = reached_by_ingress();
        observed.cluster.gateway_api = true;
        change(Arc::make_mut(&mut observed.classes[0]));
        valid(&observed).web.type_()
    };
    assert_eq!(
        to(|class| class.spec.exposure.web.type_ = WebType::NodePort),
        WebType::NodePort
    );
    let gateway = to(|class| {
        class.spec.exposure.web.type_ = WebType::Gateway;
        to_gateway(class);
    });
    assert_eq!(gateway, WebType::Gateway);
    let mut moved = reached_by_ingress();
    moved.cluster.gateway_api = true;
    let mut another = class("another");
    to_gateway(&mut another);
    moved.classes.push(Arc::new(another));
    let moved = moved.with_server(|server| server.spec.class_name = Some("another".to_owned()));
    assert_eq!(valid(&moved).web.type_(), WebType::Gateway);
}

#[test]
fn a_gateway_that_is_asked_for_has_to_be_there() {
    let asked = |class: &mut GrytServerClass| class.spec.exposure.web.type_ = WebType::Gateway;
    assert_eq!(
        web(asked, |c| c.gateway_api = true),
        Err(vec![Reason::GatewayRequired])
    );
    let named = |class: &mut GrytServerClass| {
        asked(class);
        to_gateway(class);
    };
    assert_eq!(web(named, |_| {}), Err(vec![Reason::GatewayApiMissing]));
    assert!(web(named, |c| c.gateway_api = true).is_ok());
}

#[test]
fn the_origin_has_a_port_only_with_node_ports() {
    let origin = |type_: WebType, service_type: &str| {
        let mut observed = observed().with_class(|class| {
            class.spec.exposure.web.type_ = type_;
            to_gateway(class);
        });
        observed.cluster.gateway_api = true;
        observed.cluster.default_ingress_class = Some("traefik".to_owned());
        observed.children.web_service = Some(service(service_type, Some(30443)));
        valid(&observed).origin
    };
    let plain = Some("https://chat.example.org".to_owned());
    assert_eq!(origin(WebType::Gateway, "ClusterIP"), plain);
    assert_eq!(origin(WebType::Ingress, "ClusterIP"), plain);
    assert_eq!(origin(WebType::LoadBalancer, "LoadBalancer"), plain);
    let port = Some("https://chat.example.org:30443".to_owned());
    assert_eq!(origin(WebType::NodePort, "NodePort"), port);
    assert_eq!(
        origin(WebType::NodePort, "LoadBalancer"),
        None,
        "it is about to change"
    );
}

#[test]
fn a_certificate_is_the_servers_else_the_classs_else_our_own() {
    let tls = |own: Option<TlsSource>, class: Option<TlsSource>| {
        let mut observed = observed()
            .with_server(|server| server.spec.tls = own)
            .with_class(|shared| shared.spec.tls = class);
        let keys = secret(&["tls.crt", "tls.key"]);
        observed
            .named_secrets
            .tenant
            .insert("own".to_owned(), keys.clone());
        observed
            .named_secrets
            .platform
            .insert("wildcard".to_owned(), keys);
        observed.cluster.cert_manager = true;
        valid(&observed).tls
    };
    let own = Tls::TenantSecret {
        name: "own".to_owned(),
    };
    let wildcard = Tls::ClassSecret {
        name: "wildcard".to_owned(),
    };
    let issuer = |name: &str| Tls::Issuer {
        name: name.to_owned(),
        kind: "ClusterIssuer",
    };
    assert_eq!(
        tls(Some(by_secret("own")), Some(by_secret("wildcard"))),
        own
    );
    assert_eq!(
        tls(Some(by_issuer("a")), Some(by_secret("wildcard"))),
        issuer("a")
    );
    assert_eq!(tls(None, Some(by_secret("wildcard"))), wildcard);
    assert_eq!(tls(None, Some(by_issuer("b"))), issuer("b"));
    assert_eq!(tls(None, None), Tls::SelfSigned);
}

#[test]
fn at_a_gateway_the_listener_has_the_certificate() {
    let mut observed = observed()
        .with_server(|server| server.spec.tls = Some(by_secret("gone")))
        .with_class(to_gateway);
    observed.cluster.gateway_api = true;
    assert_eq!(valid(&observed).tls, Tls::AtGateway);
}

#[test]
fn a_certificate_that_is_named_has_to_be_there() {
    let own = |keys: Option<&[&str]>| {
        let mut observed = observed().with_server(|server| {
            server.spec.tls = Some(by_secret("own"));
        });
        if let Some(keys) = keys {
            let found = observed
                .named_secrets
                .tenant
                .insert("own".to_owned(), secret(keys));
            assert!(found.is_none());
        }
        reasons(&observed)
    };
    assert_eq!(own(None), [Reason::SecretNotFound]);
    assert_eq!(own(Some(&["tls.crt"])), [Reason::SecretKeyMissing]);
    assert_eq!(own(Some(&["tls.crt", "tls.key"])), []);

    let mut wildcard = observed().with_class(|class| class.spec.tls = Some(by_secret("w")));
    wildcard
        .named_secrets
        .tenant
        .insert("w".to_owned(), secret(&["tls.crt", "tls.key"]));
    assert_eq!(
        reasons(&wildcard),
        [Reason::SecretNotFound],
        "in the tenant's namespace only"
    );

    let issued = observed().with_server(|server| server.spec.tls = Some(by_issuer("a")));
    assert_eq!(reasons(&issued), [Reason::CertManagerMissing]);
}

#[test]
fn secrets_of_turn_servers_are_looked_for() {
    let turn = |keys: Option<&[&str]>| {
        let mut observed = observed().with_class(|class| {
            class.spec.turn = vec![TurnServer {
                urls: vec!["turn:turn.example.org".to_owned()],
                secret_ref: SecretKey {
                    name: "turn".to_owned(),
                    key: "secret".to_owned(),
                },
            }];
        });
        let found = keys.map(|keys| ("turn".to_owned(), secret(keys)));
        observed.named_secrets.platform.extend(found);
        reasons(&observed)
    };
    assert_eq!(turn(None), [Reason::SecretNotFound]);
    assert_eq!(turn(Some(&["other"])), [Reason::SecretKeyMissing]);
    assert_eq!(turn(Some(&["secret"])), []);
}

#[test]
fn a_volume_stays_within_its_limit_and_never_shrinks() {
    let storage = |wanted: &str, limit: Option<&str>, has: Option<&str>| {
        let mut observed = observed()
            .with_server(|server| server.spec.storage.size = wanted.to_owned())
            .with_class(|class| class.spec.limits.max_storage = limit.map(str::to_owned));
        observed.children.volume = has.map(|has| {
            let mut volume = volume();
            volume.requested = Some(has.to_owned());
            volume
        });
        reasons(&observed)
    };
    assert_eq!(storage("50Gi", Some("50Gi"), None), []);
    assert_eq!(storage("51200Mi", Some("50Gi"), None), []);
    assert_eq!(
        storage("51Gi", Some("50Gi"), None),
        [Reason::StorageAboveLimit]
    );
    assert_eq!(storage("2Gi", None, Some("1Gi")), []);
    assert_eq!(storage("1024Mi", None, Some("1Gi")), []);
    assert_eq!(
        storage("1G", None, Some("1Gi")),
        [Reason::StorageCannotShrink]
    );
}

#[test]
fn there_is_a_way_back_from_a_size_that_cannot_be() {
    let asked = |size: &str, limit: &str| {
        let mut observed = observed()
            .with_server(|server| server.spec.storage.size = size.to_owned())
            .with_class(|class| class.spec.limits.max_storage = Some(limit.to_owned()));
        let mut volume = volume();
        volume.requested = Some("10Gi".to_owned());
        observed.children.volume = Some(volume);
        validate(&observed, &defaults()).map(|valid| valid.storage.size)
    };
    let refused = |size, limit| asked(size, limit).unwrap_err();
    let above = refused("100Gi", "50Gi");
    assert_eq!(above.reason(), Reason::StorageAboveLimit);
    let way_back = "ask for less, but no less than the 10Gi that the volume has";
    assert!(above.message().contains(way_back), "{}", above.message());
    assert_eq!(asked("10Gi", "50Gi").unwrap(), "10Gi");

    let below = refused("5Gi", "50Gi");
    assert_eq!(below.reason(), Reason::StorageCannotShrink);
    let sentence = "a volume can't shrink: it has 10Gi";
    assert!(below.message().contains(sentence), "{}", below.message());

    // The platform lowered its limit under a volume that is there.
    assert_eq!(asked("10Gi", "5Gi").unwrap(), "10Gi");
    let grown = refused("11Gi", "5Gi");
    assert_eq!(grown.reason(), Reason::StorageAboveLimit);
}

#[test]
fn what_is_no_name_of_an_object_is_refused_with_its_field() {
    let refused = |observed: &Observed, field: &str, name: &str| {
        let refusals = validate(observed, &defaults()).unwrap_err();
        assert_eq!(refusals.reason(), Reason::InvalidSpec, "{field}: {name}");
        assert!(refusals.message().contains(field), "{}", refusals.message());
    };
    for name in NOT_NAMES {
        // As if a Secret answered under this name.
        let seen = [(name.to_owned(), secret(&["tls.crt", "tls.key", "k"]))];
        let mut own = observed().with_server(|server| server.spec.tls = Some(by_secret(name)));
        own.named_secrets.tenant = seen.clone().into();
        refused(&own, "spec.tls.secretName", name);

        let mut pulled = observed().with_server(|server| {
            server.spec.template.image_pull_secrets = vec![PullSecret {
                name: name.to_owned(),
            }];
        });
        pulled.named_secrets.tenant = seen.clone().into();
        refused(&pulled, "spec.template.imagePullSecrets", name);

        let mut class = observed().with_class(|class| class.spec.tls = Some(by_secret(name)));
        class.named_secrets.platform = seen.clone().into();
        refused(&class, "tls of GrytServerClass", name);

        let mut turn = observed().with_class(|class| {
            class.spec.turn = vec![TurnServer {
                urls: vec!["turn:turn.example.org".to_owned()],
                secret_ref: SecretKey {
                    name: name.to_owned(),
                    key: "k".to_owned(),
                },
            }];
        });
        turn.named_secrets.platform = seen.into();
        refused(&turn, "turn of GrytServerClass", name);

        let mut issued = observed().with_server(|server| server.spec.tls = Some(by_issuer(name)));
        issued.cluster.cert_manager = true;
        refused(&issued, "spec.tls.issuerRef", name);
    }
}

#[test]
fn the_storage_class_of_a_volume_stays() {
    let with = |class: Option<&str>| {
        let mut observed = observed().with_server(|server| {
            server.spec.storage.storage_class_name = class.map(str::to_owned);
        });
        observed.children.volume = Some(volume());
        reasons(&observed)
    };
    assert_eq!(with(None), []);
    assert_eq!(with(Some("standard")), []);
    assert_eq!(with(Some("fast")), [Reason::StorageClassFixed]);
}

#[test]
fn a_claim_without_a_volume_may_be_deleted_and_is_then_made_anew() {
    let told = |phase: &str, volume_name: Option<&str>, class: &str, size: &str| {
        let mut observed = observed().with_server(|server| {
            server.spec.storage.storage_class_name = Some(class.to_owned());
            server.spec.storage.size = size.to_owned();
        });
        let mut volume = volume();
        volume.phase = phase.to_owned();
        volume.volume_name = volume_name.map(str::to_owned);
        observed.children.volume = Some(volume);
        let refusals = validate(&observed, &defaults()).unwrap_err();
        refusals.message()
    };
    let way = "kubectl delete persistentvolumeclaim chat-data --namespace team-a";
    for (class, size) in [("fast", "1Gi"), ("standard", "512Mi")] {
        assert!(told("Pending", None, class, size).contains(way));
        // These may hold what people wrote.
        assert!(!told("Pending", Some("pv-1"), class, size).contains("delete"));
        assert!(!told("Bound", Some("pv-1"), class, size).contains("delete"));
        assert!(!told("Lost", Some("pv-1"), class, size).contains("delete"));
    }
}

#[test]
fn a_volume_of_another_server_is_adopted_only_by_name() {
    let with = |adopt: Option<&str>, id: &str| {
        let mut observed = observed().with_server(|server| {
            server.spec.server_id = Some(id.to_owned());
            server.metadata.annotations =
                adopt.map(|id| [(ADOPT_ANNOTATION.to_owned(), id.to_owned())].into());
        });
        let mut volume = volume();
        volume.owner_uid = Some("uid-of-a-deleted-one".to_owned());
        volume.server_id = Some(OTHER_ID.to_owned());
        observed.children.volume = Some(volume);
        reasons(&observed)
    };
    let refused = [Reason::VolumeOfAnotherServer];
    assert_eq!(with(None, ID), refused);
    assert_eq!(with(None, OTHER_ID), refused);
    assert_eq!(with(Some(OTHER_ID), ID), refused);
    assert_eq!(with(Some("true"), OTHER_ID), refused);
    assert_eq!(with(Some(OTHER_ID), OTHER_ID), []);
}

/// What slot 0 announces with this media exposure and Service.
fn announced(media: MediaType, service: Option<crate::observed::ServiceSeen>) -> Announced {
    let mut observed = observed().with_class(|class| class.spec.exposure.media.type_ = media);
    observed
        .children
        .media_services
        .extend(service.map(|service| (0, service)));
    valid(&observed).slots[0].announced.clone()
}

#[test]
fn a_load_balancer_announces_its_addresses() {
    let lb = |addresses: &[&str], hostname: Option<&str>| {
        let mut service = service("LoadBalancer", Some(31000));
        service.addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
        service.hostnames = hostname.map(str::to_owned).into_iter().collect();
        announced(MediaType::LoadBalancer, Some(service))
    };
    let pending = Announced::Pending(Pending::LoadBalancer);
    assert_eq!(announced(MediaType::LoadBalancer, None), pending);
    assert_eq!(lb(&[], None), pending);
    assert_eq!(
        lb(&[], Some("lb.example.org")),
        Announced::Pending(Pending::LoadBalancerHostname)
    );
    assert_eq!(
        lb(&["203.0.113.7", "2001:db8::7"], Some("lb.example.org")),
        Announced::Fixed {
            addresses: vec![
                "203.0.113.7".parse().unwrap(),
                "2001:db8::7".parse().unwrap()
            ],
            port: 8081,
        }
    );
}

#[test]
fn a_service_of_the_old_type_announces_nothing() {
    let balanced = service("LoadBalancer", Some(31000));
    assert_eq!(
        announced(MediaType::NodePort, Some(balanced)),
        Announced::Pending(Pending::NodePort { before: None })
    );
    let by_node = service("NodePort", Some(31000));
    assert_eq!(
        announced(MediaType::LoadBalancer, Some(by_node)),
        Announced::Pending(Pending::LoadBalancer)
    );
}

/// A server of a class with ports of the nodes; others hold `claims` (age in seconds, port).
fn on_nodes(media: MediaType, first: i32, last: i32, claims: &[(i64, i32)]) -> Observed {
    let mut observed = observed().with_class(|class| {
        class.spec.exposure.media.type_ = media;
        class.spec.exposure.media.ports = Some(PortRange { first, last });
        class.spec.exposure.media.node_addresses = vec![NodeAddress::default()];
    });
    observed.claims.host_ports = claims
        .iter()
        .map(|(age, port)| HostPortClaim {
            uid: format!("uid-of-{port}"),
            created: Some(Time(at(-age))),
            port: *port,
            count: claims::ports_per_slot(media),
        })
        .collect();
    observed
}

fn holding(observed: Observed, media: MediaType, port: i32) -> Observed {
    observed.with_server(|server| {
        server.status = Some(GrytServerStatus {
            exposure: Some(ExposureStatus {
                web: WebType::NodePort,
                media,
            }),
            media: vec![MediaStatus {
                slot: 0,
                address: None,
                port: Some(port),
            }],
            class_name: Some("shared".to_owned()),
            ..GrytServerStatus::default()
        });
    })
}

fn port(observed: &Observed) -> Result<i32, Vec<Reason>> {
    match validate(observed, &defaults()) {
        Ok(valid) => {
            let Announced::NodeAddress { port } = valid.slots[0].announced else {
                panic!("{:?}", valid.slots);
            };
            Ok(port)
        }
        Err(refusals) => Err(refusals.iter().map(|refusal| refusal.reason).collect()),
    }
}

#[test]
fn a_service_that_is_gone_had_a_port_that_is_asked_for_again() {
    let announced = |media: MediaType, service: Option<i32>| {
        let mut observed = observed().with_server(|server| {
            server.status = Some(GrytServerStatus {
                exposure: Some(ExposureStatus {
                    web: WebType::NodePort,
                    media,
                }),
                media: vec![MediaStatus {
                    slot: 0,
                    address: None,
                    port: Some(30081),
                }],
                ..GrytServerStatus::default()
            });
        });
        let found = service.map(|port| (0, self::service("NodePort", Some(port))));
        observed.children.media_services.extend(found);
        valid(&observed).slots[0].announced.clone()
    };
    let asked = |before| Announced::Pending(Pending::NodePort { before });
    assert_eq!(announced(MediaType::NodePort, None), asked(Some(30081)));
    assert_eq!(announced(MediaType::HostPort, None), asked(None));
    assert_eq!(
        announced(MediaType::NodePort, Some(30099)),
        Announced::NodeAddress { port: 30099 },
        "what the cluster says goes first"
    );
}

#[test]
fn a_free_port_of_the_range_is_taken() {
    let media = MediaType::HostPort;
    let taken: Vec<(i64, i32)> = (40_000..40_009).map(|port| (9, port)).collect();
    assert_eq!(port(&on_nodes(media, 40_000, 40_009, &taken)), Ok(40_009));
    assert_eq!(
        port(&on_nodes(media, 40_000, 40_008, &taken)),
        Err(vec![Reason::NoFreePort])
    );
    for first in 40_000..40_020 {
        let port = port(&on_nodes(media, first, first + 10, &[])).unwrap();
        assert!((first..=first + 10).contains(&port));
    }
}

#[test]
fn servers_start_their_search_at_different_places() {
    let of = |id: &str| {
        let observed = on_nodes(MediaType::HostPort, 40_000, 40_999, &[])
            .with_server(|server| server.spec.server_id = Some(id.to_owned()));
        port(&observed).unwrap()
    };
    assert_ne!(of(ID), of(OTHER_ID));
}

#[test]
fn the_host_network_takes_three_ports() {
    let media = MediaType::HostNetwork;
    let observed = on_nodes(media, 40_000, 40_007, &[(9, 40_000)]);
    let valid = valid(&observed);
    let ports = valid.slots[0].ports;
    assert_eq!(
        (ports.media, ports.grpc, ports.probes),
        (40_003, 40_004, 40_005)
    );
    assert_eq!(
        valid.slots[0].announced,
        Announced::NodeAddress { port: 40_003 }
    );
    assert_eq!(
        port(&on_nodes(media, 40_000, 40_004, &[(9, 40_001)])),
        Err(vec![Reason::NoFreePort])
    );
}

#[test]
fn a_held_port_is_kept_unless_an_older_server_has_it() {
    let media = MediaType::HostPort;
    let port_with = |claims: &[(i64, i32)]| {
        port(&holding(
            on_nodes(media, 40_000, 40_001, claims),
            media,
            40_001,
        ))
    };
    assert_eq!(port_with(&[]), Ok(40_001));
    assert_eq!(
        port_with(&[(-9, 40_001)]),
        Ok(40_001),
        "the other is younger and moves"
    );
    assert_eq!(port_with(&[(9, 40_001)]), Ok(40_000));
}

#[test]
fn a_port_outside_the_range_or_of_another_type_is_given_up() {
    let media = MediaType::HostPort;
    let outside = holding(on_nodes(media, 40_000, 40_000, &[]), media, 50_000);
    assert_eq!(port(&outside), Ok(40_000));
    let other_type = holding(
        on_nodes(media, 40_000, 40_000, &[]),
        MediaType::NodePort,
        40_000,
    );
    assert_eq!(port(&other_type), Ok(40_000));
    let network = MediaType::HostNetwork;
    let cut = holding(on_nodes(network, 40_000, 40_003, &[]), network, 40_002);
    assert_eq!(port(&cut), Ok(40_000), "its third port would be outside");
}

#[test]
fn ports_of_nodes_need_a_range() {
    let observed = observed().with_class(|class| {
        class.spec.exposure.media.type_ = MediaType::HostPort;
    });
    assert_eq!(reasons(&observed), [Reason::PortRangeRequired]);
}

#[test]
fn another_default_class_does_not_move_a_server() {
    let mut observed = observed().with_class(|_| {}).with_server(|server| {
        server.status = Some(GrytServerStatus {
            class_name: Some("first".to_owned()),
            ..GrytServerStatus::default()
        });
    });
    assert_eq!(reasons(&observed), [Reason::ClassNotFound]);
    observed.classes.push(Arc::new(class("first")));
    assert_eq!(valid(&observed).class.name.as_deref(), Some("first"));
    let named = observed.with_server(|server| server.spec.class_name = Some("shared".to_owned()));
    assert_eq!(valid(&named).class.name.as_deref(), Some("shared"));
}

#[test]
fn refusals_are_sentences() {
    let mut observed = observed().with_server(|server| {
        server.spec.tls = Some(by_secret("gone"));
        server.spec.signaling.replicas = 2;
    });
    let mut rival = rival();
    rival.spec.server_id = Some(ID.to_owned());
    observed.claims = claims::of_others(&observed.server, [Arc::new(rival)], Grounds::default());
    let refusals = validate(&observed, &defaults()).unwrap_err();
    assert_eq!(refusals.iter().count(), 4);
    for refusal in refusals.iter() {
        assert!(refusal.message.ends_with('.'), "{}", refusal.message);
        assert!(
            refusal.message.contains(": "),
            "says what to do: {}",
            refusal.message
        );
    }
}
