//! Servers of every kind of exposure, and secrets that are the same in every run.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Toleration, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use gryt_model::ServerId;

use crate::build::{Material, SignIns, Token};
use crate::class::ResolvedClass;
use crate::crd::{
    GrytServerClassSpec, Limits, MediaType, NodeAddress, PodTemplate, PortRange, PullPolicy,
    PullSecret, Resources, ServerResources,
};
use crate::pki::{Authority, Certificates, Files, Leaf, Pair};
use crate::valid::{
    Administrator, Announced, Progress, SecretFile, SentinelSignIn, Slot, SlotPorts, Tls,
    ValidBackends, ValidCql, ValidImages, ValidIssuer, ValidRedis, ValidServer, ValidStorage, Web,
};

/// A server on an empty cluster, of which only the host name was given.
pub(super) fn smallest() -> ValidServer {
    ValidServer {
        name: "chat".parse().unwrap(),
        namespace: "team-a".parse().unwrap(),
        uid: "0b5a4d6e-1111-4222-8333-944455556666".to_owned(),
        generation: 1,
        id: ServerId::from_random([7; 16]),
        hostname: "chat.example.org".parse().unwrap(),
        display_name: "chat".to_owned(),
        class: ResolvedClass {
            name: None,
            spec: GrytServerClassSpec::default(),
        },
        suspended: false,
        signaling_replicas: 1,
        backends: ValidBackends::default(),
        storage: ValidStorage {
            size: "1Gi".to_owned(),
            storage_class_name: None,
        },
        slots: vec![Slot {
            number: 0,
            leaving: false,
            image: None,
            ports: SlotPorts::default(),
            announced: Announced::NodeAddress { port: 30081 },
        }],
        images: ValidImages {
            signaling: "registry.example.org/gryt/gryt-signaling:1.2.3".to_owned(),
            sfu: "registry.example.org/gryt/gryt-sfu:1.2.3".to_owned(),
            pull_policy: PullPolicy::IfNotPresent,
            version: "1.2.3".to_owned(),
        },
        web: Web::NodePort {
            annotations: BTreeMap::new(),
        },
        tls: Tls::SelfSigned,
        origin: Some("https://chat.example.org:30443".to_owned()),
        template: PodTemplate::default(),
    }
}

/// Media by load balancer, web by a Gateway that ends TLS.
fn gateway() -> ValidServer {
    let mut server = smallest();
    server.class.spec.exposure.media.type_ = MediaType::LoadBalancer;
    server.class.spec.exposure.media.annotations = one("example.org/pool", "media");
    server.class.spec.trusted_proxies = vec!["10.42.0.0/16".to_owned(), "fd00::/8".to_owned()];
    server.slots[0].announced = Announced::Fixed {
        addresses: vec!["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()],
        port: 8081,
    };
    server.web = Web::Gateway {
        name: "public".to_owned(),
        namespace: "gateways".to_owned(),
        section_name: Some("https".to_owned()),
        annotations: BTreeMap::new(),
    };
    server.tls = Tls::AtGateway;
    server.origin = Some("https://chat.example.org".to_owned());
    server
}

/// Web by an Ingress with cert-manager's certificate, media by ports of the node.
fn ingress() -> ValidServer {
    let mut server = smallest();
    server.class.spec.exposure.media.type_ = MediaType::HostPort;
    server.class.spec.exposure.media.ports = Some(PortRange {
        first: 20000,
        last: 20100,
    });
    server.slots[0].announced = Announced::NodeAddress { port: 20007 };
    server.web = Web::Ingress {
        class_name: Some("traefik".to_owned()),
        annotations: one("example.org/timeout", "1h"),
    };
    server.tls = Tls::Issuer {
        name: "letsencrypt".to_owned(),
        kind: "ClusterIssuer",
    };
    server.origin = Some("https://chat.example.org".to_owned());
    server
}

/// The network of the node, behind 1:1 NAT, and a certificate of the tenant.
fn host_network() -> ValidServer {
    let mut server = smallest();
    server.class.spec.exposure.media.type_ = MediaType::HostNetwork;
    server.class.spec.exposure.media.node_addresses =
        [("node2", "2001:db8::2"), ("node1", "192.0.2.1")]
            .map(|(node, address)| NodeAddress {
                node: node.to_owned(),
                address: address.to_owned(),
            })
            .into();
    server.slots[0].ports = SlotPorts {
        media: 20000,
        grpc: 20001,
        probes: 20002,
    };
    server.slots[0].announced = Announced::NodeAddress { port: 20000 };
    server.web = Web::LoadBalancer {
        annotations: one("example.org/pool", "web"),
    };
    server.tls = Tls::TenantSecret {
        name: "chat-certificate".to_owned(),
    };
    server.origin = Some("https://chat.example.org".to_owned());
    server
}

/// Three SFUs on ports of the nodes: one waits for its turn in a rollout, one is leaving.
fn several_sfus() -> ValidServer {
    let mut server = host_network();
    let first = server.slots[0].clone();
    let slot = |number: i32| {
        let media = 20000 + 3 * number;
        Slot {
            number,
            ports: SlotPorts {
                media,
                grpc: media + 1,
                probes: media + 2,
            },
            announced: Announced::NodeAddress { port: media },
            ..first.clone()
        }
    };
    let old = "registry.example.org/gryt/gryt-sfu:1.2.2".to_owned();
    server.slots = vec![
        slot(0),
        Slot {
            image: Some(old),
            ..slot(1)
        },
        Slot {
            leaving: true,
            ..slot(2)
        },
    ];
    server
}

fn suspended() -> ValidServer {
    let mut server = smallest();
    server.suspended = true;
    server
}

/// Everything that tenant and class may say about pods.
fn full_template() -> ValidServer {
    let mut server = smallest();
    let quantities = |list: [(&str, &str); 2]| {
        list.map(|(name, value)| (name.to_owned(), Quantity(value.to_owned())))
            .into()
    };
    server.display_name = "Größe: $(HOME) & more".to_owned();
    server.class.name = Some("gold".to_owned());
    server.class.spec.limits = Limits {
        room_capacity: Some(50),
        places_per_worker: Some(200),
        max_storage: None,
    };
    server.storage = ValidStorage {
        size: "20Gi".to_owned(),
        storage_class_name: Some("fast".to_owned()),
    };
    server.images.pull_policy = PullPolicy::Always;
    server.tls = Tls::ClassSecret {
        name: "wildcard".to_owned(),
    };
    server.template = PodTemplate {
        annotations: [
            ("example.org/team".to_owned(), "a".to_owned()),
            ("gryt.chat/server-id".to_owned(), "forged".to_owned()),
        ]
        .into(),
        node_selector: one("disk", "ssd"),
        tolerations: vec![Toleration {
            key: Some("dedicated".to_owned()),
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }],
        topology_spread_constraints: vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "topology.kubernetes.io/zone".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        }],
        image_pull_secrets: vec![PullSecret {
            name: "registry".to_owned(),
        }],
        resources: ServerResources {
            signaling: None,
            sfu: Some(Resources {
                requests: quantities([("cpu", "1"), ("memory", "256Mi")]),
                limits: quantities([("cpu", "2"), ("memory", "1Gi")]),
            }),
        },
    };
    server
}

fn admin(secret: &str) -> Administrator {
    Administrator {
        secret: secret.to_owned(),
        version: "7".to_owned(),
    }
}

fn file(secret: &str) -> SecretFile {
    SecretFile {
        secret: secret.to_owned(),
        key: "ca.crt".to_owned(),
    }
}

/// Nothing on a volume, three signaling pods, nothing prepared: signaling waits.
pub(super) fn new_backends() -> ValidServer {
    let mut server = gateway();
    server.signaling_replicas = 3;
    server.backends = ValidBackends {
        redis: Some(ValidRedis {
            url: "rediss+sentinel://redis-1.data.svc,redis-2.data.svc/gryt".to_owned(),
            ports: [6379, 26379].into(),
            admin: admin("redis-admin"),
            sentinel: Some(SentinelSignIn {
                secret: "sentinels".to_owned(),
                names_user: true,
            }),
            ca: Some(file("redis-ca")),
        }),
        cql: Some(ValidCql {
            contact_points: vec!["db-1.data.svc".to_owned(), "db-2.data.svc:9142".to_owned()],
            ports: [9042, 9142].into(),
            datacenter: Some("dc1".to_owned()),
            replication: "dc1:3".to_owned(),
            shared_keyspace: None,
            admin: admin("cql-admin"),
            ca: Some(file("cql-ca")),
        }),
        issuers: vec![ValidIssuer {
            name: "staff".to_owned(),
            label: Some("Staff: $5".to_owned()),
            issuer: "https://id.example.org/realms/staff".to_owned(),
            client_id: "gryt-web".to_owned(),
            audience: None,
            jwks_url: Some("https://keycloak.id.svc:8443/realms/staff/certs".to_owned()),
            discovery_url: None,
            port: 8443,
            ca: Some(file("id-ca")),
        }],
        progress: Progress::default(),
    };
    server
}

/// The same as its Jobs have left it.
pub(super) fn shared_backends() -> ValidServer {
    let mut server = new_backends();
    let pending = crate::build::preparing(&server, &material(&server));
    let complete = pending.into_iter().map(|preparing| preparing.job);
    server.backends.progress.complete = complete.collect();
    server
}

/// Messages in a shared keyspace; events and accounts on the volume.
pub(super) fn database_only() -> ValidServer {
    let mut server = smallest();
    let cql = new_backends().backends.cql.unwrap();
    server.backends.cql = Some(ValidCql {
        shared_keyspace: Some("gryt_all".to_owned()),
        datacenter: None,
        ca: None,
        ..cql
    });
    server
}

/// Every golden server with the name of its file.
pub(super) fn servers() -> Vec<(&'static str, ValidServer)> {
    vec![
        ("smallest", smallest()),
        ("gateway", gateway()),
        ("ingress", ingress()),
        ("host-network", host_network()),
        ("several-sfus", several_sfus()),
        ("suspended", suspended()),
        ("full-template", full_template()),
        ("new-backends", new_backends()),
        ("shared-backends", shared_backends()),
        ("database-only", database_only()),
    ]
}

/// Secrets whose contents say what they stand for.
pub(super) fn material(server: &ValidServer) -> Material {
    let pair = |name: &str| Pair {
        certificate: format!("certificate of {name}\n"),
        key: format!("key of {name}\n"),
    };
    let leaf = |name: &str| Leaf {
        authorities: "certificate of ca\n".to_owned(),
        pair: pair(name),
    };
    Material {
        operator_namespace: "gryt-system".parse().unwrap(),
        certificates: Certificates {
            authority: Authority {
                current: pair("ca"),
                next: None,
                previous: None,
            },
            signaling: leaf("signaling"),
            sfu: leaf("sfu"),
            web: (server.tls == Tls::SelfSigned).then(|| pair("web")),
            due: UNIX_EPOCH,
        },
        class_certificate: Some(pair("class")),
        owner_token: Token::from_random([1; 20]),
        sign_ins: sign_ins(server),
    }
}

fn sign_ins(server: &ValidServer) -> SignIns {
    let backends = &server.backends;
    let token = |byte| Token::from_random([byte; 20]);
    let mut files = Files::new();
    if backends.are_shared() {
        let names = [
            "redis-sentinel-password",
            "redis-sentinel-username",
            "redis-ca.crt",
            "cql-ca.crt",
            "issuer-staff-ca.crt",
        ];
        files.extend(names.map(|name| (name.to_owned(), ByteString(name.as_bytes().to_vec()))));
    }
    SignIns {
        redis: backends.redis.is_some().then(|| token(2)),
        cql: backends.cql.is_some().then(|| token(3)),
        files,
    }
}

fn one(key: &str, value: &str) -> BTreeMap<String, String> {
    [(key.to_owned(), value.to_owned())].into()
}
