//! Servers, classes and observations for tests: the smallest that works, to be changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::runtime::reflector::{self, store::Writer};
use tokio::sync::{Notify, watch};

use crate::class::Defaults;
use crate::context::Context;
use crate::controller::prober::Prober;
use crate::controller::queue::queue;
use crate::controller::rollouts::Rollouts;
use crate::crd::{GrytServer, GrytServerClass, GrytServerSpec};
use crate::events::Events;
use crate::fetch::live::LiveObjects;
use crate::fetch::named::NamedSecretsByName;
use crate::fetch::surroundings::Surroundings;
use crate::metrics::Metrics;
use crate::observed::{
    Children, Component, DeploymentSeen, Observed, PodSeen, SecretSeen, ServiceSeen, VolumeSeen,
};

pub(crate) const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const OTHER_ID: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbb";

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// `team-a/<name>` with the host name `<name>.example.org`, created at second 0.
pub(crate) fn server(name: &str) -> GrytServer {
    GrytServer {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("team-a".to_owned()),
            uid: Some(format!("uid-{name}")),
            generation: Some(3),
            creation_timestamp: Some(Time(at(0))),
            ..ObjectMeta::default()
        },
        spec: GrytServerSpec {
            hostname: format!("{name}.example.org"),
            server_id: Some(ID.to_owned()),
            ..GrytServerSpec::default()
        },
        status: None,
    }
}

pub(crate) fn class(name: &str) -> GrytServerClass {
    GrytServerClass {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..GrytServerClass::default()
    }
}

pub(crate) fn defaults() -> Defaults {
    Defaults {
        image_registry: "ghcr.io/gryt-chat".to_owned(),
        image_tag: "0.4.0".to_owned(),
        namespace: "gryt-system".to_owned(),
    }
}

/// An empty cluster with the server `chat`, nothing created yet.
pub(crate) fn observed() -> Observed {
    Observed {
        server: Arc::new(server("chat")),
        ..Observed::default()
    }
}

impl Observed {
    pub(crate) fn with_server(mut self, change: impl FnOnce(&mut GrytServer)) -> Self {
        change(Arc::make_mut(&mut self.server));
        self
    }

    /// Adds the class `shared`, which is the default.
    pub(crate) fn with_class(mut self, change: impl FnOnce(&mut GrytServerClass)) -> Self {
        let mut class = class("shared");
        class.spec.default = true;
        change(&mut class);
        self.classes.push(Arc::new(class));
        self
    }
}

pub(crate) fn secret(keys: &[&str]) -> SecretSeen {
    SecretSeen {
        resource_version: "1".to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    }
}

pub(crate) fn service(type_: &str, node_port: Option<i32>) -> ServiceSeen {
    ServiceSeen {
        type_: type_.to_owned(),
        node_ports: node_port
            .map(|port| ("media-udp".to_owned(), port))
            .into_iter()
            .collect(),
        ..ServiceSeen::default()
    }
}

pub(crate) fn volume() -> VolumeSeen {
    VolumeSeen {
        phase: "Bound".to_owned(),
        requested: Some("1Gi".to_owned()),
        capacity: Some("1Gi".to_owned()),
        storage_class_name: Some("standard".to_owned()),
        volume_name: Some("pv-1".to_owned()),
        owner_uid: Some("uid-chat".to_owned()),
        server_id: Some(ID.to_owned()),
        trouble: None,
    }
}

pub(crate) fn deployment() -> DeploymentSeen {
    DeploymentSeen {
        generation: 1,
        observed_generation: 1,
        wanted: 1,
        replicas: 1,
        updated: 1,
        ready: 1,
        available: 1,
        trouble: None,
        image: Some("ghcr.io/gryt-chat/gryt:0.4.0".to_owned()),
    }
}

pub(crate) fn pod(component: Component) -> PodSeen {
    PodSeen {
        name: format!("chat-{}", component.as_str()),
        component,
        slot: (component == Component::Sfu).then_some(0),
        node: Some("node-1".to_owned()),
        host_ip: Some("192.0.2.1".parse().unwrap()),
        ready: true,
        terminating: false,
        ended: false,
        version: Some("0.4.0".to_owned()),
        trouble: None,
    }
}

/// Everything of `chat` runs, exposed by node ports.
pub(crate) fn running() -> Children {
    Children {
        signaling: Some(deployment()),
        sfus: BTreeMap::from([(0, deployment())]),
        web_service: Some(service("NodePort", Some(30443))),
        media_services: BTreeMap::from([(0, service("NodePort", Some(30081)))]),
        volume: Some(volume()),
        pods: vec![pod(Component::Signaling), pod(Component::Sfu)],
        route: None,
        ingress: None,
        jobs: BTreeMap::new(),
        job_pods: Vec::new(),
    }
}

/// What reconciles share, with empty caches and an API server that is not there.
pub(crate) fn context() -> (Context, Writer<GrytServer>) {
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    gryt_runtime::install_crypto();
    let client = kube::Client::try_from(nowhere).unwrap();
    let (servers, writer) = reflector::store();
    let (classes, _classes) = reflector::store();
    let (_synced, synced) = watch::channel(true);
    let metrics = Metrics::default();
    // Nobody reads: a test looks at what is sent by itself.
    let (queue, _requests) = queue();
    let context = Context {
        namespace: "gryt-system".parse().unwrap(),
        defaults: defaults(),
        servers,
        servers_listed: watch::Sender::new(true),
        classes,
        claimants: Mutex::default(),
        live: LiveObjects::default(),
        surroundings: Surroundings::default(),
        named: NamedSecretsByName::new(client.clone()),
        events: Events::new(client.clone(), "test".to_owned(), metrics.clone()),
        metrics,
        queue,
        prober: Prober::default(),
        rollouts: Rollouts::default(),
        synced,
        sweep: Notify::new(),
        memory: Mutex::default(),
        client,
    };
    (context, writer)
}
