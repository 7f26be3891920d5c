//! The signaling Deployment. With data on a volume there is one pod, and the old one is gone
//! before the next starts: SQLite takes one process.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EmptyDirVolumeSource, EnvVar, KeyToPath,
    PersistentVolumeClaimVolumeSource, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::deployment;
use crate::build::metadata::{Of, child};
use crate::build::pod::{self, Parts, Probes, mount, port, secret_volume, variable};
use crate::build::service::GRPC_PORT;
use crate::observed::Component;
use crate::valid::ValidServer;

const OF: Of = Of::Component(Component::Signaling);

/// Open requests end within this.
const GRACE_SECONDS: i64 = 30;

const DATA: &str = "/var/lib/gryt";
const SFU_TLS: &str = "/var/run/gryt/sfu-tls";
const WEB_TLS: &str = "/var/run/gryt/web-tls";
const OWNER: &str = "/var/run/gryt/owner";

/// `None` as long as the origin isn't known.
pub(in crate::build) fn build(server: &ValidServer) -> Option<Deployment> {
    let origin = server.origin.as_deref()?;
    let web_tls = server
        .tls
        .secret_name(&server.name)
        .filter(|_| server.web.signaling_serves_tls());
    let container = container(server, environment(server, origin), web_tls.is_some());
    let parts = Parts {
        of: OF,
        service_account: server.name.signaling(),
        container,
        volumes: volumes(server, web_tls),
        grace_seconds: GRACE_SECONDS,
    };
    let strategy = DeploymentStrategy {
        type_: Some("Recreate".to_owned()),
        rolling_update: None,
    };
    let template = pod::template(server, parts);
    let metadata = child(server, server.name.signaling(), OF);
    Some(deployment(
        server,
        metadata,
        OF,
        (server.signaling_replicas, strategy, template),
    ))
}

fn container(server: &ValidServer, env: Vec<EnvVar>, serves_tls: bool) -> Container {
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
    let mut mounts = vec![
        mount("data", DATA, false),
        mount("tmp", "/tmp", false),
        mount("sfu-tls", SFU_TLS, true),
        mount("owner", OWNER, true),
    ];
    let mut env = env;
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
        variable("GRYT_SIGNALING_DATA_DIR", DATA),
        variable("GRYT_SIGNALING_SFU_URLS", sfus),
        variable("GRYT_SIGNALING_SFU_TLS_DIR", SFU_TLS),
        variable("GRYT_SIGNALING_OWNER_INVITE_FILE", format!("{OWNER}/token")),
        variable("GRYT_SIGNALING_LOG", "info"),
        variable("GRYT_SIGNALING_LOG_FORMAT", "json"),
    ];
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

/// Kubernetes replaces `$(NAME)` in values; `$$` stands for a dollar.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn volumes(server: &ValidServer, web_tls: Option<String>) -> Vec<Volume> {
    let mut owner = secret_volume("owner", server.name.owner());
    if let Some(secret) = &mut owner.secret {
        secret.items = Some(vec![KeyToPath {
            key: "token".to_owned(),
            path: "token".to_owned(),
            mode: None,
        }]);
    }
    let mut volumes = vec![
        Volume {
            name: "data".to_owned(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: server.name.data(),
                read_only: None,
            }),
            ..Volume::default()
        },
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
        owner,
    ];
    volumes.extend(web_tls.map(|secret_name| secret_volume("web-tls", secret_name)));
    volumes
}
