//! The Deployment of one SFU slot. A pod that ends keeps its calls until they are over or the
//! drain timeout has passed, while its successor starts beside it, on another node if possible:
//! there the same nodePort leads to the successor alone.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Affinity, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
    ObjectFieldSelector, PodAffinityTerm, PodAntiAffinity, PodTemplateSpec, Volume,
    WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::deployment;
use crate::build::config_map;
use crate::build::metadata::{Of, child, selector};
use crate::build::pod::{self, Parts, Probes, mount, port, secret_volume, variable};
use crate::crd::MediaType;
use crate::observed::Component;
use crate::valid::{Announced, Slot, SlotPorts, ValidServer};

/// How long calls go on in a pod that ends.
const DRAIN_SECONDS: i64 = 590;
/// The kubelet's patience: the drain and a little for the goodbye. A node drain waits this long.
const GRACE_SECONDS: i64 = 600;

const TLS: &str = "/var/run/gryt/tls";
const NODES: &str = "/etc/gryt";

pub(in crate::build) fn build(server: &ValidServer, slot: &Slot) -> Deployment {
    let of = Of::Slot(slot.number);
    let mut volumes = vec![secret_volume("tls", server.name.sfu_tls())];
    if knows_nodes(server, slot) {
        volumes.push(Volume {
            name: "nodes".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: server.name.nodes(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    let parts = Parts {
        of,
        service_account: server.name.sfu(),
        container: container(server, slot),
        volumes,
        grace_seconds: GRACE_SECONDS,
    };
    let mut template = pod::template(server, parts);
    place(&mut template, server, slot);
    // The successor of a pod that ends doesn't wait for it, and never takes its place while it
    // is needed.
    let strategy = DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(0)),
            max_unavailable: Some(IntOrString::Int(1)),
        }),
    };
    let metadata = child(server, server.name.sfu_slot(slot.number), of);
    let replicas = i32::from(!slot.leaving);
    deployment(server, metadata, of, (replicas, strategy, template))
}

fn place(template: &mut PodTemplateSpec, server: &ValidServer, slot: &Slot) {
    let Some(pod) = &mut template.spec else {
        return;
    };
    if server.media_type() == MediaType::HostNetwork {
        pod.host_network = Some(true);
        pod.dns_policy = Some("ClusterFirstWithHostNet".to_owned());
    }
    // The first slot looks for no other: what it is must not depend on whether there are others,
    // or the second would end the calls of the first.
    let apart_from = if slot.number == 0 {
        Of::Slot(0)
    } else {
        Of::Component(Component::Sfu)
    };
    pod.affinity = Some(Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    weight: 100,
                    pod_affinity_term: PodAffinityTerm {
                        label_selector: Some(selector(server, apart_from)),
                        topology_key: "kubernetes.io/hostname".to_owned(),
                        ..PodAffinityTerm::default()
                    },
                },
            ]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    });
}

fn container(server: &ValidServer, slot: &Slot) -> Container {
    let Probes {
        startup,
        readiness,
        liveness,
    } = pod::probes();
    let mut mounts = vec![mount("tls", TLS, true)];
    if knows_nodes(server, slot) {
        mounts.push(mount("nodes", NODES, true));
    }
    Container {
        name: "sfu".to_owned(),
        image: Some(slot.image.as_ref().unwrap_or(&server.images.sfu).clone()),
        image_pull_policy: Some(server.images.pull_policy.as_str().to_owned()),
        env: Some(environment(server, slot)),
        ports: Some(ports(server, slot)),
        resources: Some(pod::resources(
            [("cpu", "100m"), ("memory", "64Mi")],
            "512Mi",
            server.template.resources.sfu.as_ref(),
        )),
        security_context: Some(pod::container_security()),
        startup_probe: Some(startup),
        readiness_probe: Some(readiness),
        liveness_probe: Some(liveness),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

fn ports(server: &ValidServer, slot: &Slot) -> Vec<ContainerPort> {
    let SlotPorts {
        media,
        grpc,
        probes,
    } = slot.ports;
    let on_node = |number: i32, is_media: bool| match server.media_type() {
        MediaType::NodePort | MediaType::LoadBalancer => None,
        MediaType::HostPort => announced_port(slot).filter(|_| is_media),
        // The API server demands both to be the same, and writes it where it is left out.
        MediaType::HostNetwork => Some(number),
    };
    let listen = |name: &str, number, protocol: &str, is_media| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        host_port: on_node(number, is_media),
        protocol: Some(protocol.to_owned()),
        ..ContainerPort::default()
    };
    vec![
        listen(port::MEDIA_UDP, media, "UDP", true),
        listen(port::MEDIA_TCP, media, "TCP", true),
        listen(port::GRPC, grpc, "TCP", false),
        listen(port::PROBES, probes, "TCP", false),
    ]
}

fn announced_port(slot: &Slot) -> Option<i32> {
    match &slot.announced {
        Announced::Pending(_) => None,
        Announced::NodeAddress { port } | Announced::Fixed { port, .. } => Some(*port),
    }
}

fn environment(server: &ValidServer, slot: &Slot) -> Vec<EnvVar> {
    let SlotPorts {
        media,
        grpc,
        probes,
    } = slot.ports;
    let mut env = vec![
        variable("GRYT_SFU_LISTEN", format!("[::]:{grpc}")),
        variable("GRYT_SFU_PROBES_LISTEN", format!("[::]:{probes}")),
        variable("GRYT_SFU_TLS_DIR", TLS),
        variable("GRYT_SFU_MEDIA_PORT", media.to_string()),
        variable("GRYT_SFU_WORKERS", "1"),
        variable("GRYT_SFU_DRAIN_TIMEOUT", DRAIN_SECONDS.to_string()),
        variable("GRYT_SFU_LOG", "info"),
        variable("GRYT_SFU_LOG_FORMAT", "json"),
    ];
    let places = server.class.spec.limits.places_per_worker;
    env.extend(places.map(|most| variable("GRYT_SFU_PLACES_PER_WORKER", most.to_string())));
    env.extend(announcement(server, slot));
    env
}

fn announcement(server: &ValidServer, slot: &Slot) -> Vec<EnvVar> {
    let port = |port: &i32| variable("GRYT_SFU_ANNOUNCE_PORT", port.to_string());
    match &slot.announced {
        Announced::Pending(_) => Vec::new(),
        Announced::Fixed {
            addresses,
            port: number,
        } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            vec![
                variable("GRYT_SFU_ANNOUNCE", addresses.join(",")),
                port(number),
            ]
        }
        Announced::NodeAddress { port: number } => {
            // `$(HOST_IP)` is replaced only where the variable stands before.
            let mut env = vec![
                of_pod("HOST_IP", "status.hostIP"),
                variable("GRYT_SFU_ANNOUNCE", "$(HOST_IP)"),
                port(number),
            ];
            if knows_nodes(server, slot) {
                let file = format!("{NODES}/{}", config_map::FILE);
                env.push(of_pod("GRYT_SFU_NODE_NAME", "spec.nodeName"));
                env.push(variable("GRYT_SFU_NODE_ADDRESSES", file));
            }
            env
        }
    }
}

/// Whether the pod looks its node up in the ConfigMap.
fn knows_nodes(server: &ValidServer, slot: &Slot) -> bool {
    let on_node = matches!(slot.announced, Announced::NodeAddress { .. });
    on_node && !server.class.spec.exposure.media.node_addresses.is_empty()
}

fn of_pod(name: &str, field_path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: field_path.to_owned(),
                api_version: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}
