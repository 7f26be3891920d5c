//! Golden files of whole servers, and rules that hold for every one of them.

mod backends;
mod environment;
mod fixture;
mod material;
mod slots;

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Value, json};

use super::build;
use crate::crd::{MediaType, Resources};
use crate::objects::{Child, Objects, Prepared};
use crate::valid::{Announced, Pending, ValidServer};
use fixture::{material, servers};

/// Every object in the order of applying, as JSON.
fn values(objects: &Objects<Prepared>) -> Vec<Value> {
    let all = objects.all().into_iter();
    all.map(|(_, object)| object.body().unwrap()).collect()
}

fn built(server: &ValidServer) -> Vec<Value> {
    values(&build(server, &material(server)))
}

/// Of Deployments and Jobs.
fn pods(objects: &[Value]) -> Vec<&Value> {
    let made = |o: &&Value| o["kind"] == "Deployment" || o["kind"] == "Job";
    let makers = objects.iter().filter(made);
    makers.map(|o| &o["spec"]["template"]).collect()
}

fn is_job(pod: &Value) -> bool {
    pod["metadata"]["labels"]["app.kubernetes.io/component"] == "administration"
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    let lists = lists.into_iter().filter_map(Value::as_array);
    lists.flatten()
}

/// `GRYT_UPDATE_GOLDEN=1 cargo test -p gryt-operator golden` writes them anew.
#[test]
fn servers_are_the_golden_ones() {
    for (name, server) in servers() {
        let objects = built(&server);
        let yaml: Vec<String> = objects
            .iter()
            .map(|object| serde_yaml_ng::to_string(object).unwrap())
            .collect();
        let yaml = yaml.join("---\n");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        let file = format!("{folder}/{name}.yaml");
        if std::env::var_os("GRYT_UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &yaml).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap();
        assert!(
            yaml == golden,
            "{name} differs from tests/golden/{name}.yaml"
        );
    }
}

#[test]
fn the_same_server_gives_the_same_bytes() {
    for (name, server) in servers() {
        assert_eq!(built(&server), built(&server.clone()), "{name}");
    }
}

#[test]
fn every_child_has_its_owner_and_labels_and_no_time() {
    for (name, server) in servers() {
        for object in built(&server) {
            let metadata = &object["metadata"];
            let what = format!("{name}: {} {}", object["kind"], metadata["name"]);
            assert!(object["apiVersion"].is_string(), "{what}");
            assert!(metadata.get("creationTimestamp").is_none(), "{what}");
            let labels = &metadata["labels"];
            assert_eq!(labels["app.kubernetes.io/name"], "gryt", "{what}");
            assert_eq!(labels["app.kubernetes.io/instance"], "chat", "{what}");
            assert_eq!(
                labels["app.kubernetes.io/managed-by"], "gryt-operator",
                "{what}"
            );
            if metadata["namespace"] == "gryt-system" {
                assert!(metadata.get("ownerReferences").is_none(), "{what}");
                continue;
            }
            assert_eq!(metadata["namespace"], "team-a", "{what}");
            let owner = &metadata["ownerReferences"][0];
            assert_eq!(owner["uid"], server.uid.as_str(), "{what}");
            assert_eq!(owner["controller"], true, "{what}");
            assert_eq!(owner["blockOwnerDeletion"], true, "{what}");
        }
    }
}

#[test]
fn the_key_of_the_authority_never_reaches_the_tenant() {
    for (name, server) in servers() {
        let secrets = built(&server);
        for secret in secrets.iter().filter(|o| o["kind"] == "Secret") {
            let holds = secret["data"].get("ca.key").is_some();
            let metadata = &secret["metadata"];
            let is_ours = metadata["namespace"] == "gryt-system";
            let is_authority = metadata["name"].as_str().unwrap().starts_with("ca-");
            assert_eq!(holds, is_ours && is_authority, "{name}");
        }
    }
}

#[test]
fn pods_pass_pod_security_restricted() {
    for (name, server) in servers() {
        for pod in pods(&built(&server)) {
            let spec = &pod["spec"];
            let security = &spec["securityContext"];
            assert_eq!(security["runAsNonRoot"], true, "{name}");
            assert_eq!(security["runAsUser"], 65532, "{name}");
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
            let volumes = spec["volumes"].as_array().unwrap();
            for kind in volumes.iter().flat_map(|v| v.as_object().unwrap().keys()) {
                let allowed = [
                    "name",
                    "secret",
                    "configMap",
                    "emptyDir",
                    "persistentVolumeClaim",
                    "projected",
                ];
                assert!(allowed.contains(&kind.as_str()), "{name}: {kind}");
            }
            assert_eq!(spec["containers"].as_array().unwrap().len(), 1, "{name}");
            for container in containers(pod) {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
            }
            let ports = spec["containers"][0]["ports"].as_array();
            let host_ports = ports
                .into_iter()
                .flatten()
                .any(|port| port.get("hostPort").is_some());
            let asked = matches!(
                server.media_type(),
                MediaType::HostPort | MediaType::HostNetwork
            );
            let on_node = host_ports || spec["hostNetwork"] == true;
            assert!(asked || !on_node, "{name}");
        }
    }
}

/// Kubernetes accepts a pod whose mount names no volume only to refuse it later.
#[test]
fn every_mount_has_a_volume_and_every_volume_an_object() {
    for (name, server) in servers() {
        let objects = built(&server);
        let made: BTreeSet<(&str, &str)> = objects
            .iter()
            .map(|o| {
                let name = o["metadata"]["name"].as_str().unwrap();
                (o["kind"].as_str().unwrap(), name)
            })
            .collect();
        for pod in pods(&objects).into_iter().filter(|pod| !is_job(pod)) {
            let volumes = pod["spec"]["volumes"].as_array().unwrap();
            let mounts = pod["spec"]["containers"][0]["volumeMounts"]
                .as_array()
                .unwrap();
            let names: BTreeSet<_> = volumes.iter().map(|v| v["name"].as_str()).collect();
            let mounted: BTreeSet<_> = mounts.iter().map(|m| m["name"].as_str()).collect();
            assert_eq!(names, mounted, "{name}");
            for volume in volumes {
                let wanted = [
                    ("Secret", &volume["secret"]["secretName"]),
                    ("ConfigMap", &volume["configMap"]["name"]),
                    (
                        "PersistentVolumeClaim",
                        &volume["persistentVolumeClaim"]["claimName"],
                    ),
                ];
                for (kind, object) in wanted {
                    let Some(object) = object.as_str() else {
                        continue;
                    };
                    let by_others = server.tls.secret_name(&server.name);
                    let by_others = kind == "Secret" && by_others.as_deref() == Some(object);
                    assert!(
                        by_others || made.contains(&(kind, object)),
                        "{name}: {kind} {object}"
                    );
                }
            }
            let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
            assert!(made.contains(&("ServiceAccount", account)), "{name}");
        }
    }
}

#[test]
fn selectors_match_their_pods_and_name_no_version() {
    for (name, server) in servers() {
        for object in built(&server) {
            let selector = &object["spec"]["selector"];
            let labels = match object["kind"].as_str().unwrap() {
                "Deployment" => {
                    let labels = &object["spec"]["template"]["metadata"]["labels"];
                    for (key, value) in selector["matchLabels"].as_object().unwrap() {
                        assert_eq!(&labels[key], value, "{name}");
                    }
                    &selector["matchLabels"]
                }
                "Service" => selector,
                _ => continue,
            };
            assert!(labels.get("app.kubernetes.io/version").is_none(), "{name}");
            assert!(labels.as_object().unwrap().len() >= 3, "{name}");
        }
    }
}

#[test]
fn a_slot_without_an_address_has_its_services_but_no_deployment() {
    let mut server = fixture::smallest();
    for slot in &mut server.slots {
        slot.announced = Announced::Pending(Pending::NodePort { before: None });
    }
    server.origin = None;
    let objects = build(&server, &material(&server));
    assert_eq!(objects.media_services.len(), 1);
    assert!(objects.sfus.is_empty());
    assert!(objects.signaling.is_none());
    assert_eq!(objects.awaited, ["chat-sfu-0", "chat-signaling"]);
    let children = objects.children();
    assert!(children.contains(&(Child::Deployment, "chat-sfu-0".to_owned())));
    assert!(children.contains(&(Child::Deployment, "chat-signaling".to_owned())));
}

#[test]
fn a_media_service_asks_for_the_port_that_it_had_until_it_is_there() {
    let ports = |announced: Announced| {
        let mut server = fixture::smallest();
        server.slots[0].announced = announced;
        let service = &build(&server, &material(&server)).media_services[0];
        let ports = service.spec.as_ref().unwrap().ports.as_ref().unwrap();
        ports.iter().map(|port| port.node_port).collect::<Vec<_>>()
    };
    let pending = |before| Announced::Pending(Pending::NodePort { before });
    assert_eq!(ports(pending(Some(30081))), [Some(30081), Some(30081)]);
    assert_eq!(ports(pending(None)), [None, None]);
    assert_eq!(ports(Announced::NodeAddress { port: 30081 }), [None, None]);
}

#[test]
fn suspension_changes_nothing_but_the_replicas() {
    let awake = fixture::smallest();
    let mut asleep = awake.clone();
    asleep.suspended = true;
    let mut objects = built(&asleep);
    for object in objects.iter_mut().filter(|o| o["kind"] == "Deployment") {
        assert_eq!(object["spec"]["replicas"], 0);
        object["spec"]["replicas"] = 1.into();
    }
    assert_eq!(objects, built(&awake));
}

#[test]
fn a_resource_that_the_tenant_names_takes_no_default() {
    let container = |requests: &[(&str, &str)], limits: &[(&str, &str)]| {
        let quantities = |list: &[(&str, &str)]| {
            let quantity =
                |(name, value): &(&str, &str)| ((*name).to_owned(), Quantity((*value).to_owned()));
            list.iter().map(quantity).collect()
        };
        let mut server = fixture::smallest();
        server.template.resources.sfu = Some(Resources {
            requests: quantities(requests),
            limits: quantities(limits),
        });
        let objects = built(&server);
        pods(&objects)[0]["spec"]["containers"][0]["resources"].clone()
    };
    assert_eq!(
        container(&[("memory", "2Gi")], &[]),
        json!({"requests": {"cpu": "100m", "memory": "2Gi"}})
    );
    assert_eq!(
        container(&[], &[("cpu", "50m"), ("memory", "32Mi")]),
        json!({"limits": {"cpu": "50m", "memory": "32Mi"}})
    );
}

#[test]
fn what_is_signalings_alone_restarts_no_sfu() {
    let sfu_of = |server: &ValidServer| {
        let objects = built(server);
        let sfu = objects
            .iter()
            .find(|o| o["metadata"]["name"] == "chat-sfu-0" && o["kind"] == "Deployment");
        sfu.unwrap()["spec"]["template"].clone()
    };
    let before = fixture::smallest();
    let mut after = before.clone();
    after.images.signaling = "registry.example.org/gryt/gryt-signaling:2".to_owned();
    after.images.version = "2".to_owned();
    after.display_name = "Another".to_owned();
    after.hostname = "talk.example.org".parse().unwrap();
    after.origin = Some("https://talk.example.org".to_owned());
    after.class.spec.limits.room_capacity = Some(5);
    after.class.spec.trusted_proxies = vec!["10.0.0.0/8".to_owned()];
    assert_eq!(sfu_of(&before), sfu_of(&after));
}

#[test]
fn children_are_exactly_what_is_built() {
    for (name, server) in servers() {
        let objects = build(&server, &material(&server));
        let jobs = objects.jobs.len();
        let children = objects.children().into_iter();
        let (in_ours, beside): (Vec<_>, Vec<_>) =
            children.partition(|(kind, _)| *kind == Child::Job);
        assert_eq!(in_ours.len(), jobs, "{name}");
        let awaited = |name: &String| objects.awaited.contains(name);
        let mut named: BTreeSet<(String, String)> = beside
            .into_iter()
            .filter(|(kind, name)| *kind != Child::Deployment || !awaited(name))
            .map(|(kind, name)| (kind.api_resource().kind, name))
            .collect();
        for object in values(&objects) {
            if object["metadata"]["namespace"] == "gryt-system" {
                continue;
            }
            let kind = object["kind"].as_str().unwrap().to_owned();
            let object = object["metadata"]["name"].as_str().unwrap().to_owned();
            assert!(named.remove(&(kind, object.clone())), "{name}: {object}");
        }
        assert!(named.is_empty(), "{name}: {named:?}");
    }
}
