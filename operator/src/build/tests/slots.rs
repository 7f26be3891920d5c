//! Several SFUs of one server: what belongs to each, and what must not touch the others.

use super::*;
use crate::valid::Slot;

/// Three SFUs on node ports.
fn three() -> ValidServer {
    let mut server = fixture::smallest();
    let first = server.slots[0].clone();
    server.slots.extend([1, 2].map(|number| Slot {
        number,
        announced: Announced::NodeAddress {
            port: 30081 + number,
        },
        ..first.clone()
    }));
    server
}

fn deployment(objects: &[Value], name: &str) -> Value {
    let mut deployments = objects.iter().filter(|o| o["kind"] == "Deployment");
    let found = deployments.find(|o| o["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}")).clone()
}

fn told_sfus(server: &ValidServer) -> String {
    let signaling = deployment(&built(server), "chat-signaling");
    let env = &signaling["spec"]["template"]["spec"]["containers"][0]["env"];
    let mut env = env.as_array().unwrap().iter();
    let urls = env.find(|variable| variable["name"] == "GRYT_SIGNALING_SFU_URLS");
    urls.unwrap()["value"].as_str().unwrap().to_owned()
}

#[test]
fn signaling_is_told_of_every_sfu_until_it_is_gone_and_of_no_change_between() {
    let server = three();
    let all = [0, 1, 2].map(|n| format!("https://chat-sfu-{n}.team-a.svc:8082"));
    assert_eq!(told_sfus(&server), all.join(","));
    let mut changed = server.clone();
    changed.slots[1].announced = Announced::Pending(Pending::NodePort { before: None });
    changed.slots[2].leaving = true;
    assert_eq!(told_sfus(&changed), told_sfus(&server));
    changed.slots.pop();
    assert_eq!(told_sfus(&changed), all[..2].join(","));
}

#[test]
fn more_or_fewer_sfus_leave_the_pods_of_the_others_as_they_are() {
    let objects = built(&three());
    let mut fewer = three();
    fewer.slots[2].leaving = true;
    fewer.slots[1].image = Some("registry.example.org/gryt/gryt-sfu:old".to_owned());
    for (name, others) in [
        ("chat-sfu-0", built(&fixture::smallest())),
        ("chat-sfu-0", built(&fewer)),
    ] {
        assert_eq!(deployment(&objects, name), deployment(&others, name));
    }
}

#[test]
fn a_leaving_sfu_has_no_pods_and_everything_else() {
    let mut server = three();
    server.slots[2].leaving = true;
    for announced in [
        server.slots[2].announced.clone(),
        Announced::Pending(Pending::NodePort { before: None }),
    ] {
        server.slots[2].announced = announced;
        let objects = build(&server, &material(&server));
        assert!(objects.awaited.is_empty(), "it waits for nothing");
        let values = values(&objects);
        assert_eq!(deployment(&values, "chat-sfu-2")["spec"]["replicas"], 0);
        assert_eq!(deployment(&values, "chat-sfu-1")["spec"]["replicas"], 1);
        let children = objects.children();
        for service in ["chat-sfu-2", "chat-sfu-2-media"] {
            assert!(children.contains(&(Child::Service, service.to_owned())));
        }
    }
    server.slots.pop();
    let children = build(&server, &material(&server)).children();
    let left = children.iter().filter(|(_, name)| name.contains("sfu-2"));
    assert_eq!(left.count(), 0);
}

#[test]
fn later_sfus_keep_away_from_the_nodes_of_all_others() {
    let objects = built(&three());
    let avoided = |name: &str| {
        let pod = &deployment(&objects, name)["spec"]["template"]["spec"];
        let affinity = &pod["affinity"]["podAntiAffinity"];
        let preferred = &affinity["preferredDuringSchedulingIgnoredDuringExecution"];
        preferred[0]["podAffinityTerm"]["labelSelector"]["matchLabels"].clone()
    };
    let all = json!({
        "app.kubernetes.io/name": "gryt",
        "app.kubernetes.io/instance": "chat",
        "app.kubernetes.io/component": "sfu",
    });
    assert_eq!(avoided("chat-sfu-1"), all);
    assert_eq!(avoided("chat-sfu-2"), all);
}

#[test]
fn an_sfu_keeps_its_image_until_its_turn() {
    let mut server = three();
    let old = "registry.example.org/gryt/gryt-sfu:old";
    server.slots[1].image = Some(old.to_owned());
    let objects = built(&server);
    let image = |name: &str| {
        let pod = &deployment(&objects, name)["spec"]["template"]["spec"];
        pod["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    assert_eq!(image("chat-sfu-1"), old);
    assert_eq!(image("chat-sfu-2"), server.images.sfu);
}
