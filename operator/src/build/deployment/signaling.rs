//! The signaling Deployment. With data on a volume there is one pod, and the old one is gone
//! before the next starts: SQLite takes one process. With all data in back ends there are as many
//! as are asked for, and a new one serves before an old one goes.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EmptyDirVolumeSource, EnvVar, KeyToPath,
    PersistentVolumeClaimVolumeSource, PodTemplateSpec, TopologySpreadConstraint, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::deployment;
use crate::apply::compare::digest;
use crate::build::Material;
use crate::build::backends::{self, SENTINEL_USER};
use crate::build::metadata::{Of, child, selector};
use crate::build::pod::{self, Parts, Probes, literal, mount, port, secret_volume, variable};
use crate::build::service::GRPC_PORT;
use crate::observed::Component;
use crate::valid::{ValidBackends, ValidServer};

const OF: Of = Of::Component(Component::Signaling);

/// Open requests end within this.
const GRACE_SECONDS: i64 = 30;

const DATA: &str = "/var/lib/gryt";
const SFU_TLS: &str = "/var/run/gryt/sfu-tls";
const WEB_TLS: &str = "/var/run/gryt/web-tls";
const OWNER: &str = "/var/run/gryt/owner";
/// On pods: stands for the authorities of back ends that they trust.
const AUTHORITIES: &str = "gryt.chat/authorities";

/// `None` as long as the origin isn't known.
pub(in crate::build) fn build(server: &ValidServer, material: &Material) -> Option<Deployment> {
    let origin = server.origin.as_deref()?;
    let web_tls = server
        .tls
        .secret_name(&server.name)
        .filter(|_| server.web.signaling_serves_tls());
    let reads_backends = backends::are_named(server, &material.sign_ins);
    let mut mounts = vec![mount("tmp", "/tmp", false), mount("sfu-tls", SFU_TLS, true)];
    if !server.backends.are_shared() {
        mounts.insert(0, mount("data", DATA, false));
    }
    if has_own_accounts(server) {
        mounts.push(mount("owner", OWNER, true));
    }
    if reads_backends {
        mounts.push(mount("backends", backends::FOLDER, true));
    }
    let container = container(
        server,
        environment(server, origin),
        (mounts, web_tls.is_some()),
    );
    let parts = Parts {
        of: OF,
        service_account: server.name.signaling(),
        container,
        volumes: volumes(server, web_tls, reads_backends),
        grace_seconds: GRACE_SECONDS,
    };
    let mut template = pod::template(server, parts);
    if server.backends.are_shared() {
        spread(&mut template, server);
    }
    mark_authorities(&mut template, material);
    let metadata = child(server, server.name.signaling(), OF);
    Some(deployment(
        server,
        metadata,
        OF,
        (server.signaling_replicas, strategy(server), template),
    ))
}

fn strategy(server: &ValidServer) -> DeploymentStrategy {
    if server.backends.are_shared() {
        return DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: Some(IntOrString::Int(1)),
                max_unavailable: Some(IntOrString::Int(0)),
            }),
        };
    }
    DeploymentStrategy {
        type_: Some("Recreate".to_owned()),
        rolling_update: None,
    }
}

/// One node that fails takes as few of several pods along as the cluster's size allows.
fn spread(template: &mut PodTemplateSpec, server: &ValidServer) {
    let Some(spec) = &mut template.spec else {
        return;
    };
    spec.topology_spread_constraints.get_or_insert_with(|| {
        vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(selector(server, OF)),
            ..TopologySpreadConstraint::default()
        }]
    });
}

/// A process reads whom it trusts when it starts, unlike its passwords: others are taken by new pods.
fn mark_authorities(template: &mut PodTemplateSpec, material: &Material) {
    let files = &material.sign_ins.files;
    let authorities = files.iter().filter(|(name, _)| name.ends_with(".crt"));
    let authorities: Vec<_> = authorities.collect();
    if authorities.is_empty() {
        return;
    }
    let metadata = template.metadata.get_or_insert_default();
    metadata
        .annotations
        .get_or_insert_default()
        .insert(AUTHORITIES.to_owned(), digest(&json!(authorities)));
}

fn has_own_accounts(server: &ValidServer) -> bool {
    server.backends.issuers.is_empty()
}

fn container(
    server: &ValidServer,
    mut env: Vec<EnvVar>,
    (mut mounts, serves_tls): (Vec<VolumeMount>, bool),
) -> Container {
    let Probes {
        startup,
        readiness,
        liveness,
    } = pod::probes();
    let listen = |name: &str, number| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    if serves_tls {
        mounts.push(mount("web-tls", WEB_TLS, true));
        env.push(variable("GRYT_SIGNALING_TLS_DIR", WEB_TLS));
    }
    Container {
        name: "signaling".to_owned(),
        image: Some(server.images.signaling.clone()),
        image_pull_policy: Some(server.images.pull_policy.as_str().to_owned()),
        env: Some(env),
        ports: Some(vec![
            listen(port::HTTP, port::SIGNALING_HTTP),
            listen(port::PROBES, port::SIGNALING_PROBES),
        ]),
        resources: Some(pod::resources(
            [("cpu", "50m"), ("memory", "64Mi")],
            "512Mi",
            server.template.resources.signaling.as_ref(),
        )),
        security_context: Some(pod::container_security()),
        startup_probe: Some(startup),
        readiness_probe: Some(readiness),
        liveness_probe: Some(liveness),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

fn environment(server: &ValidServer, origin: &str) -> Vec<EnvVar> {
    // Also those whose address is awaited, whose Services are there: another list restarts
    // signaling, so it is changed once, and not again with every address that comes.
    let sfus = server.slots.iter().map(|slot| {
        let service = server.name.sfu_slot(slot.number);
        format!("https://{service}.{}.svc:{GRPC_PORT}", server.namespace)
    });
    let sfus = sfus.collect::<Vec<_>>().join(",");
    let http = format!("[::]:{}", port::SIGNALING_HTTP);
    let probes = format!("[::]:{}", port::SIGNALING_PROBES);
    let mut env = vec![
        variable("GRYT_SIGNALING_LISTEN", http),
        variable("GRYT_SIGNALING_PROBES_LISTEN", probes),
        variable("GRYT_SIGNALING_SERVER_ID", server.id.as_str()),
        variable("GRYT_SIGNALING_NAME", literal(&server.display_name)),
        variable("GRYT_SIGNALING_PUBLIC_URL", origin),
    ];
    if !server.backends.are_shared() {
        env.push(variable("GRYT_SIGNALING_DATA_DIR", DATA));
    }
    env.extend([
        variable("GRYT_SIGNALING_SFU_URLS", sfus),
        variable("GRYT_SIGNALING_SFU_TLS_DIR", SFU_TLS),
    ]);
    if has_own_accounts(server) {
        let token = format!("{OWNER}/token");
        env.push(variable("GRYT_SIGNALING_OWNER_INVITE_FILE", token));
    }
    env.extend([
        variable("GRYT_SIGNALING_LOG", "info"),
        variable("GRYT_SIGNALING_LOG_FORMAT", "json"),
    ]);
    let ValidBackends {
        redis,
        cql,
        issuers,
        progress: _,
    } = &server.backends;
    env.extend(backends::issuers(issuers));
    if let Some(redis) = redis {
        let secret = server.name.backends();
        env.extend(backends::redis(redis, (&secret, SENTINEL_USER)));
    }
    env.extend(cql.iter().flat_map(backends::cql));
    let proxies = &server.class.spec.trusted_proxies;
    if !proxies.is_empty() {
        env.push(variable(
            "GRYT_SIGNALING_TRUSTED_PROXIES",
            proxies.join(","),
        ));
    }
    let capacity = server.class.spec.limits.room_capacity;
    env.extend(capacity.map(|most| variable("GRYT_SIGNALING_ROOM_CAPACITY", most.to_string())));
    env
}

fn volumes(server: &ValidServer, web_tls: Option<String>, reads_backends: bool) -> Vec<Volume> {
    let mut owner = secret_volume("owner", server.name.owner());
    if let Some(secret) = &mut owner.secret {
        secret.items = Some(vec![KeyToPath {
            key: "token".to_owned(),
            path: "token".to_owned(),
            mode: None,
        }]);
    }
    let data = Volume {
        name: "data".to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: server.name.data(),
            read_only: None,
        }),
        ..Volume::default()
    };
    let mut volumes = vec![
        // SQLite sorts what memory doesn't hold here; the image has no folder of its own.
        Volume {
            name: "tmp".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                size_limit: Some(Quantity("256Mi".to_owned())),
                medium: None,
            }),
            ..Volume::default()
        },
        secret_volume("sfu-tls", server.name.signaling_tls()),
    ];
    if !server.backends.are_shared() {
        volumes.insert(0, data);
    }
    if has_own_accounts(server) {
        volumes.push(owner);
    }
    if reads_backends {
        volumes.push(secret_volume("backends", server.name.backends()));
    }
    volumes.extend(web_tls.map(|secret_name| secret_volume("web-tls", secret_name)));
    volumes
}
