//! What a status says in each state of a server, and that it says nothing twice.

mod backends;
mod slots;

use super::*;
use crate::conditions::{MEDIA_AVAILABLE, SIGNALING_AVAILABLE, STORAGE_READY};
use crate::crd::{
    GrytServerClass, MediaStatus, MediaType, NodeAddress, ParentGateway, TlsSource, WebType,
};
use crate::fixture::{at, defaults, deployment, observed, running, secret, service};
use crate::observed::{Observed, PodTrouble, RouteSeen};
use crate::validate::validate;

/// Runs validate and status over what was observed.
struct Scene {
    observed: Observed,
    probes: BTreeMap<i32, Probe>,
    held: bool,
    preparing: Vec<Preparing>,
    trouble: Option<String>,
}

impl Scene {
    fn new() -> Self {
        Self {
            observed: observed(),
            probes: BTreeMap::new(),
            held: false,
            preparing: Vec::new(),
            trouble: None,
        }
    }

    /// Everything runs and answers.
    fn running() -> Self {
        let mut scene = Self::new();
        scene.observed.children = running();
        scene.probe(None);
        scene
    }

    fn probe(&mut self, failure: Option<&str>) {
        let probe = Probe {
            address: "192.0.2.1".to_owned(),
            port: 30081,
            failure: failure.map(str::to_owned),
        };
        self.probes.insert(0, probe);
    }

    fn status_at(&self, second: i64) -> GrytServerStatus {
        let decided = validate(&self.observed, &defaults());
        let outcome = match (&decided, &self.trouble) {
            (Ok(valid), None) => Outcome::Applied(valid),
            (Ok(valid), Some(trouble)) => Outcome::ApplyFailed(valid, trouble),
            (Err(refusals), _) => Outcome::Refused(refusals),
        };
        let facts = Facts {
            server: &self.observed.server,
            outcome,
            children: &self.observed.children,
            named_secrets: &self.observed.named_secrets,
            probes: &self.probes,
            vantage: "the operator's pod",
            held: self.held,
            preparing: &self.preparing,
        };
        status(&facts, at(second))
    }

    fn status(&self) -> GrytServerStatus {
        self.status_at(0)
    }

    /// The status is written, and the object comes back with it.
    fn report(&mut self, second: i64) -> GrytServerStatus {
        let status = self.status_at(second);
        let echo = serde_json::to_value(&status).unwrap();
        let echo = serde_json::from_value(echo).unwrap();
        let server = std::sync::Arc::make_mut(&mut self.observed.server);
        server.status = Some(echo);
        status
    }

    fn with_class(mut self, change: impl FnOnce(&mut GrytServerClass)) -> Self {
        self.observed = self.observed.with_class(change);
        self
    }

    fn with_spec(mut self, change: impl FnOnce(&mut crate::crd::GrytServerSpec)) -> Self {
        self.observed = self.observed.with_server(|server| change(&mut server.spec));
        self
    }
}

impl Scene {
    /// The status of a paused server is written, as `report` does it.
    fn paused(&mut self, second: i64) -> GrytServerStatus {
        let facts = Facts {
            server: &self.observed.server,
            outcome: Outcome::Paused,
            children: &self.observed.children,
            named_secrets: &NamedSecrets::default(),
            probes: &BTreeMap::new(),
            vantage: "the operator's pod",
            held: false,
            preparing: &[],
        };
        let status = status(&facts, at(second));
        std::sync::Arc::make_mut(&mut self.observed.server).status = Some(status.clone());
        status
    }

    fn failed(&self, message: &str, second: i64) -> GrytServerStatus {
        let setback = Setback {
            step: Step::Fetch,
            message: message.to_owned(),
        };
        let facts = Facts {
            server: &self.observed.server,
            outcome: Outcome::Failed(&setback),
            children: &self.observed.children,
            named_secrets: &NamedSecrets::default(),
            probes: &BTreeMap::new(),
            vantage: "the operator's pod",
            held: false,
            preparing: &[],
        };
        status(&facts, at(second))
    }
}

/// "Type=Status:Reason" of each condition.
fn shown(status: &GrytServerStatus) -> Vec<String> {
    let show = |c: &Condition| format!("{}={}:{}", c.type_, c.status, c.reason);
    status.conditions.iter().map(show).collect()
}

fn message<'a>(status: &'a GrytServerStatus, type_: &str) -> &'a str {
    &find(&status.conditions, type_).unwrap().message
}

#[test]
fn a_new_server_says_what_it_waits_for() {
    let status = Scene::new().status();
    assert_eq!(
        shown(&status),
        [
            "Ready=False:NotCreated",
            "Reconciling=True:NotCreated",
            "TLSReady=True:SelfSigned",
            "StorageReady=False:NotCreated",
            "SignalingAvailable=False:WaitingForNodePort",
            "MediaAvailable=False:WaitingForNodePort",
            "MediaReachable=Unknown:NotProbed",
        ]
    );
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(status.address, None);
    assert_eq!(status.signaling.as_deref(), Some("0/1"));
    assert_eq!(status.sfu.as_deref(), Some("0/1"));
    assert_eq!(status.class_name, None);
}

#[test]
fn a_failure_is_told_even_of_a_server_that_never_had_a_status() {
    let failed = Scene::new().failed("No answer.", 0);
    assert_eq!(
        shown(&failed),
        [
            "Ready=False:FetchFailed",
            "Reconciling=True:FetchFailed",
            "StorageReady=False:NotCreated",
            "SignalingAvailable=False:NotCreated",
            "MediaAvailable=False:NotCreated",
        ]
    );
    assert_eq!(message(&failed, "Ready"), "No answer.");
}

#[test]
fn a_failure_leaves_what_runs_as_it_is_and_the_same_is_told_once() {
    let mut scene = Scene::running();
    let before = scene.report(0);
    let failed = scene.failed("No answer.", 10);
    assert_eq!(
        shown(&failed),
        [
            "Ready=False:FetchFailed",
            "Reconciling=True:FetchFailed",
            "StorageReady=True:Bound",
            "SignalingAvailable=True:Available",
            "MediaAvailable=True:Available",
            "TLSReady=True:SelfSigned",
            "MediaReachable=True:ProbedFromInside",
        ]
    );
    assert_eq!(failed.address, before.address);
    assert_eq!(failed.class_name, before.class_name);

    let server = std::sync::Arc::make_mut(&mut scene.observed.server);
    server.status = Some(failed.clone());
    assert_eq!(scene.failed("No answer.", 20), failed);
    assert_eq!(shown(&scene.report(30)), shown(&before));
}

#[test]
fn a_running_server_is_ready() {
    let status = Scene::running().status();
    assert_eq!(
        shown(&status),
        [
            "Ready=True:Serving",
            "TLSReady=True:SelfSigned",
            "StorageReady=True:Bound",
            "SignalingAvailable=True:Available",
            "MediaAvailable=True:Available",
            "MediaReachable=True:ProbedFromInside",
        ]
    );
    assert_eq!(
        status.address.as_deref(),
        Some("https://chat.example.org:30443")
    );
    assert_eq!(status.version.as_deref(), Some("0.4.0"));
    assert_eq!(status.signaling.as_deref(), Some("1/1"));
    let exposure = status.exposure.as_ref().unwrap();
    assert_eq!(
        (exposure.web, exposure.media),
        (WebType::NodePort, MediaType::NodePort)
    );
    assert_eq!(
        status.media,
        [MediaStatus {
            slot: 0,
            address: Some("192.0.2.1".to_owned()),
            port: Some(30081),
        }]
    );
    assert!(message(&status, READY).contains("https://chat.example.org:30443"));
    assert!(message(&status, MEDIA_REACHABLE).contains("192.0.2.1:30081"));
    assert!(message(&status, MEDIA_REACHABLE).contains("the operator's pod"));
}

#[test]
fn equal_facts_give_an_equal_status() {
    for mut scene in [Scene::new(), Scene::running()] {
        let first = scene.report(0);
        assert_eq!(scene.report(60), first);
        assert_eq!(scene.report(3600), first);
    }
}

#[test]
fn another_order_of_conditions_is_no_change() {
    let mut scene = Scene::running();
    scene.report(0);
    let server = std::sync::Arc::make_mut(&mut scene.observed.server);
    server.status.as_mut().unwrap().conditions.reverse();
    let reordered = server.status.clone().unwrap();
    assert_eq!(scene.status_at(60), reordered);
}

#[test]
fn an_operator_that_starts_again_writes_nothing() {
    for failure in [None, Some("no answer")] {
        let mut scene = Scene::running();
        scene.probe(failure);
        let before = scene.report(0);
        scene.probes.clear();
        assert_eq!(scene.status_at(60), before, "it has not probed yet");
        scene.probe(failure);
        assert_eq!(scene.status_at(90), before);
    }
}

#[test]
fn a_probe_of_another_address_says_nothing() {
    let mut scene = Scene::running();
    scene.report(0);
    scene.observed.children.pods[1].host_ip = Some("192.0.2.2".parse().unwrap());
    let status = scene.status_at(1);
    assert!(shown(&status).contains(&"MediaReachable=Unknown:NotProbed".to_owned()));
}

#[test]
fn a_silent_media_address_is_told_and_comes_back() {
    let mut scene = Scene::running();
    scene.report(0);
    scene.probe(Some("no answer from 192.0.2.1:30081"));
    let silent = scene.report(10);
    assert!(shown(&silent).contains(&"MediaReachable=False:NoAnswer".to_owned()));
    assert!(message(&silent, MEDIA_REACHABLE).contains("check that UDP"));
    assert!(
        shown(&silent).contains(&"Ready=True:Serving".to_owned()),
        "seen from inside only"
    );
    scene.probe(None);
    let back = scene.report(20);
    assert!(shown(&back).contains(&"MediaReachable=True:ProbedFromInside".to_owned()));
}

#[test]
fn an_address_that_the_cluster_took_back_is_not_reachable_until_there_is_one() {
    let mut scene = Scene::running();
    let good = scene.report(0);
    let service = scene.observed.children.media_services.remove(&0).unwrap();
    // The last answer is about an address that nobody holds.
    let lost = scene.report(10);
    assert!(shown(&lost).contains(&"MediaReachable=False:NoAddress".to_owned()));
    assert!(message(&lost, MEDIA_REACHABLE).contains("chat-sfu-0-media"));
    assert_eq!(
        shown(&lost)[..2],
        [
            "Ready=False:WaitingForNodePort",
            "Reconciling=True:WaitingForNodePort"
        ]
    );

    scene.trouble = Some("The Service is over the quota.".to_owned());
    let refused = scene.report(20);
    assert!(shown(&refused).contains(&"Stalled=True:ApplyRefused".to_owned()));
    assert!(shown(&refused).contains(&"MediaReachable=False:NoAddress".to_owned()));

    scene.trouble = None;
    scene.observed.children.media_services.insert(0, service);
    assert_eq!(shown(&scene.status_at(30)), shown(&good));
}

#[test]
fn a_refusal_keeps_what_was_reported_of_the_last_good_state() {
    let mut scene = Scene::running().with_class(|_| {});
    let good = scene.report(0);
    assert_eq!(good.class_name.as_deref(), Some("shared"));
    let mut scene = scene.with_spec(|spec| spec.signaling.replicas = 2);
    let refused = scene.report(10);
    assert_eq!(
        shown(&refused),
        [
            "Ready=False:SharedBackendsRequired",
            "Stalled=True:SharedBackendsRequired",
            "StorageReady=True:Bound",
            "SignalingAvailable=True:Available",
            "MediaAvailable=True:Available",
            "TLSReady=True:SelfSigned",
            "MediaReachable=True:ProbedFromInside",
        ]
    );
    assert_eq!(refused.address, good.address);
    assert_eq!(refused.media, good.media);
    assert_eq!(refused.class_name, good.class_name);
    assert_eq!(refused.signaling.as_deref(), Some("1/1"));
    assert!(message(&refused, STALLED).contains("spec.signaling.replicas is 2"));
    assert!(message(&refused, READY).ends_with("What ran before keeps running unchanged."));
    assert_eq!(scene.report(20), refused);

    let scene = scene.with_spec(|spec| spec.signaling.replicas = 1);
    assert_eq!(shown(&scene.status_at(30)), shown(&good));
}

#[test]
fn a_server_that_was_refused_from_the_start_has_nothing_running() {
    let scene = Scene::new().with_spec(|spec| spec.class_name = Some("gone".to_owned()));
    let status = scene.status();
    assert_eq!(
        shown(&status),
        [
            "Ready=False:ClassNotFound",
            "Stalled=True:ClassNotFound",
            "StorageReady=False:NotCreated",
            "SignalingAvailable=False:NotCreated",
            "MediaAvailable=False:NotCreated",
        ]
    );
    assert!(!message(&status, READY).contains("keeps running"));
    assert_eq!(
        status.class_name, None,
        "a class that doesn't serve is not pinned"
    );
}

#[test]
fn a_suspended_server_drains_and_then_rests() {
    let mut scene = Scene::running().with_spec(|spec| spec.suspend = true);
    let draining = scene.report(0);
    assert_eq!(
        shown(&draining)[..2],
        ["Ready=False:Suspended", "Reconciling=True:Draining"]
    );
    assert_eq!(draining.sfu.as_deref(), Some("1/0"));

    let mut off = deployment();
    (
        off.wanted,
        off.replicas,
        off.updated,
        off.ready,
        off.available,
    ) = (0, 0, 0, 0, 0);
    scene.observed.children.signaling = Some(off.clone());
    scene.observed.children.sfus.insert(0, off);
    scene.observed.children.pods.clear();
    let resting = scene.report(60);
    assert_eq!(
        shown(&resting),
        [
            "Ready=False:Suspended",
            "TLSReady=True:SelfSigned",
            "StorageReady=True:Bound",
            "SignalingAvailable=False:Suspended",
            "MediaAvailable=False:Suspended",
            "MediaReachable=Unknown:Suspended",
        ]
    );
    assert_eq!(resting.address, draining.address, "addresses are kept");
    assert_eq!(resting.signaling.as_deref(), Some("0/0"));
}

#[test]
fn a_paused_server_says_so_and_what_is_missing() {
    let mut scene = Scene::running();
    let before = scene.report(0);
    let paused = scene.paused(10);
    assert_eq!(
        shown(&paused),
        [
            "Ready=True:Paused",
            "StorageReady=True:Bound",
            "SignalingAvailable=True:Available",
            "MediaAvailable=True:Available",
            "MediaReachable=Unknown:Paused",
            "TLSReady=True:SelfSigned",
        ]
    );
    assert!(message(&paused, READY).contains("gryt.chat/paused"));
    assert!(message(&paused, READY).ends_with("Its pods serve."));
    assert_eq!(paused.address, before.address);
    assert_eq!(scene.paused(20), paused, "an idle one costs no write");

    let signaling = scene.observed.children.signaling.take();
    let broken = scene.paused(30);
    assert_eq!(
        shown(&broken)[..2],
        ["Ready=False:Paused", "Stalled=True:Paused"]
    );
    assert!(shown(&broken).contains(&"SignalingAvailable=False:NotCreated".to_owned()));
    assert!(message(&broken, READY).ends_with("There is no signaling pod."));
    assert_eq!(broken.signaling.as_deref(), Some("0/0"));

    scene.observed.children.signaling = signaling;
    let service = scene.observed.children.web_service.take();
    let closed = scene.paused(40);
    assert_eq!(shown(&closed)[0], "Ready=False:Paused");
    assert!(message(&closed, READY).ends_with("There is no Service of the web page."));

    scene.observed.children.web_service = service;
    assert_eq!(shown(&scene.status_at(50)), shown(&before));
}

#[test]
fn a_paused_server_does_not_claim_to_follow_its_spec() {
    let mut scene = Scene::running();
    scene.report(0);
    let server = std::sync::Arc::make_mut(&mut scene.observed.server);
    server.metadata.generation = Some(4);
    let paused = scene.paused(10);
    assert_eq!(paused.observed_generation, Some(3));
    assert_eq!(paused.conditions[0].observed_generation, Some(3));
    assert!(message(&paused, READY).ends_with("changed in its spec since isn't followed."));
    assert_eq!(scene.status_at(20).observed_generation, Some(4));
}

#[test]
fn the_version_is_the_one_that_runs_and_not_the_one_that_is_wanted() {
    let mut scene = Scene::new();
    assert_eq!(scene.report(0).version, None, "nothing runs yet");
    scene.observed.children = running();
    assert_eq!(scene.report(10).version.as_deref(), Some("0.4.0"));

    let mut scene = scene.with_class(|class| class.spec.images.tag = Some("typo".to_owned()));
    let mut new = scene.observed.children.pods[0].clone();
    new.version = Some("typo".to_owned());
    new.ready = false;
    scene.observed.children.pods.insert(0, new);
    assert_eq!(scene.report(20).version.as_deref(), Some("0.4.0"));
    scene.observed.children.pods.remove(1);
    assert_eq!(
        scene.report(30).version.as_deref(),
        Some("0.4.0"),
        "ran last"
    );

    let mut old = scene.observed.children.pods[0].clone();
    (old.version, old.ready) = (Some("0.4.0".to_owned()), true);
    scene.observed.children.pods[0].ready = true;
    scene.observed.children.pods.push(old);
    assert_eq!(scene.report(40).version.as_deref(), Some("0.4.0"));
    scene.observed.children.pods.last_mut().unwrap().terminating = true;
    assert_eq!(scene.report(50).version.as_deref(), Some("typo"));
}

#[test]
fn a_child_that_the_api_server_refuses_stalls() {
    let mut scene = Scene::running();
    scene.trouble = Some("The PersistentVolumeClaim is over the quota.".to_owned());
    let status = scene.status();
    assert_eq!(
        shown(&status)[..2],
        ["Ready=False:ApplyRefused", "Stalled=True:ApplyRefused"]
    );
    assert!(message(&status, STALLED).contains("quota"));
}

#[test]
fn a_deployment_without_pods_stalls_with_the_clusters_words() {
    let mut scene = Scene::running();
    let mut seen = deployment();
    seen.available = 0;
    seen.ready = 0;
    seen.trouble = Some("exceeded quota: pods".to_owned());
    scene.observed.children.sfus.insert(0, seen);
    let status = scene.status();
    assert_eq!(
        shown(&status)[..2],
        ["Ready=False:PodsNotCreated", "Stalled=True:PodsNotCreated"]
    );
    assert!(message(&status, READY).contains("exceeded quota"));
    assert!(message(&status, MEDIA_AVAILABLE).contains("exceeded quota"));
}

#[test]
fn a_stuck_rollout_stalls_while_the_old_pods_serve() {
    let mut scene = Scene::running();
    let mut seen = deployment();
    seen.trouble = Some("ReplicaSet has timed out progressing.".to_owned());
    scene.observed.children.signaling = Some(seen);
    let status = scene.status();
    assert_eq!(
        shown(&status)[..2],
        ["Ready=True:Serving", "Stalled=True:PodsNotCreated"]
    );
}

/// The finding about a signaling pod with this trouble.
fn trouble(reason: &str, words: &str) -> (String, String) {
    let mut scene = Scene::running();
    let mut seen = deployment();
    seen.available = 0;
    seen.ready = 0;
    scene.observed.children.signaling = Some(seen);
    let pod = &mut scene.observed.children.pods[0];
    pod.ready = false;
    pod.trouble = Some(PodTrouble {
        reason: reason.to_owned(),
        message: words.to_owned(),
    });
    let status = scene.status();
    let found = find(&status.conditions, SIGNALING_AVAILABLE).unwrap();
    assert_eq!(found.status, "False");
    assert_eq!(
        find(&status.conditions, READY).unwrap().reason,
        found.reason
    );
    assert!(
        find(&status.conditions, RECONCILING).is_some(),
        "it may yet come up"
    );
    (found.reason.clone(), found.message.clone())
}

#[test]
fn a_pod_that_does_not_start_is_explained_in_words_that_hold_still() {
    let pull = trouble("ErrImagePull", "rpc error 1");
    assert_eq!(pull, trouble("ImagePullBackOff", "Back-off 20s"));
    assert_eq!(pull.0, "ImagePullBackOff");
    assert!(
        pull.1.contains("ghcr.io/gryt-chat/gryt:0.4.0"),
        "{}",
        pull.1
    );

    let crash = trouble("CrashLoopBackOff", "back-off 10s restarting");
    assert_eq!(
        crash,
        trouble("CrashLoopBackOff", "back-off 20s restarting")
    );
    assert!(crash.1.contains("kubectl logs"));

    let (reason, message) = trouble("Unschedulable", "0/2 nodes are available");
    assert_eq!(reason, "Unschedulable");
    assert!(message.contains("0/2 nodes"));
    let (reason, message) = trouble("CreateContainerConfigError", "secret \"x\" not found");
    assert_eq!(reason, "CreateContainerConfigError");
    assert!(message.contains("secret \"x\" not found"));
}

#[test]
fn steps_of_a_start_that_nobody_acts_on_are_one_status() {
    let mut scene = Scene::running();
    scene.probes.clear();
    scene.observed.children.pods.clear();
    let mut seen = deployment();
    (seen.observed_generation, seen.replicas, seen.updated) = (0, 0, 0);
    (seen.ready, seen.available) = (0, 0);
    let mut with = |seen: crate::observed::DeploymentSeen| {
        scene.observed.children.signaling = Some(seen.clone());
        scene.observed.children.sfus.insert(0, seen);
        scene.status()
    };
    let first = with(seen.clone());
    seen.observed_generation = 1;
    (seen.replicas, seen.updated) = (1, 1);
    assert_eq!(with(seen), first);
}

#[test]
fn replaced_pods_are_reconciling_and_ready() {
    let mut scene = Scene::running();
    scene
        .observed
        .children
        .signaling
        .as_mut()
        .unwrap()
        .generation = 2;
    let status = scene.status();
    assert_eq!(
        shown(&status)[..2],
        ["Ready=True:Serving", "Reconciling=True:RollingOut"]
    );

    let mut scene = Scene::running();
    scene.held = true;
    let status = scene.status();
    assert_eq!(
        shown(&status)[..2],
        ["Ready=True:Serving", "Reconciling=True:RolloutWaiting"]
    );
}

#[test]
fn a_volume_says_how_it_is() {
    let of = |phase: &str, requested: &str, trouble: Option<&str>| {
        let mut scene = Scene::running();
        let volume = scene.observed.children.volume.as_mut().unwrap();
        volume.phase = phase.to_owned();
        volume.requested = Some(requested.to_owned());
        volume.trouble = trouble.map(str::to_owned);
        let scene = scene.with_spec(|spec| spec.storage.size = requested.to_owned());
        let status = scene.status();
        let found = find(&status.conditions, STORAGE_READY).unwrap().clone();
        let stalled = find(&status.conditions, STALLED).is_some();
        (format!("{}:{}", found.status, found.reason), stalled)
    };
    assert_eq!(of("Bound", "1Gi", None), ("True:Bound".to_owned(), false));
    assert_eq!(
        of("Bound", "2Gi", None),
        ("True:Expanding".to_owned(), false)
    );
    assert_eq!(
        of("Bound", "2Gi", Some("no")),
        ("True:ExpansionFailed".to_owned(), false)
    );
    assert_eq!(
        of("Pending", "1Gi", None),
        ("False:VolumePending".to_owned(), false)
    );
    assert_eq!(
        of("Lost", "1Gi", None),
        ("False:VolumeLost".to_owned(), true)
    );
}

#[test]
fn a_volume_that_is_not_bound_names_the_storage_class_that_it_waits_for() {
    let of = |class: Option<&str>| {
        let mut scene = Scene::running();
        let volume = scene.observed.children.volume.as_mut().unwrap();
        volume.phase = "Pending".to_owned();
        volume.volume_name = None;
        volume.storage_class_name = class.map(str::to_owned);
        message(&scene.status(), STORAGE_READY).to_owned()
    };
    assert!(of(Some("fast")).contains("the StorageClass \"fast\", which has to exist"));
    assert!(of(None).contains("no default one"));
    assert!(of(Some("")).contains("made by hand"));
}

#[test]
fn media_waits_are_explained() {
    let of = |hostname: Option<&str>| {
        let mut scene = Scene::running().with_class(|class| {
            class.spec.exposure.media.type_ = MediaType::LoadBalancer;
        });
        let mut service = service("LoadBalancer", None);
        service.hostnames = hostname.map(str::to_owned).into_iter().collect();
        scene.observed.children.media_services.insert(0, service);
        scene.observed.children.sfus.clear();
        let status = scene.status();
        assert_eq!(status.media[0].port, None);
        let found = find(&status.conditions, MEDIA_AVAILABLE).unwrap();
        (found.reason.clone(), found.message.clone())
    };
    let (reason, message) = of(None);
    assert_eq!(reason, "WaitingForLoadBalancer");
    assert!(message.contains("\"chat-sfu-0-media\""));
    assert_eq!(of(Some("lb.example.org")).0, "LoadBalancerWithoutIP");
}

#[test]
fn the_class_says_what_address_a_node_has() {
    let mut scene = Scene::running().with_class(|class| {
        class.spec.exposure.media.node_addresses = vec![
            NodeAddress {
                node: "node-2".to_owned(),
                address: "198.51.100.2".to_owned(),
            },
            NodeAddress {
                node: "node-1".to_owned(),
                address: "198.51.100.1".to_owned(),
            },
        ];
    });
    assert_eq!(
        scene.status().media[0].address.as_deref(),
        Some("198.51.100.1")
    );
    scene.observed.children.pods[1].node = Some("node-3".to_owned());
    assert_eq!(
        scene.status().media[0].address.as_deref(),
        Some("192.0.2.1")
    );
}

#[test]
fn a_draining_sfu_does_not_hide_its_successor() {
    let mut scene = Scene::running();
    let mut old = scene.observed.children.pods[1].clone();
    old.terminating = true;
    old.host_ip = Some("192.0.2.9".parse().unwrap());
    scene.observed.children.pods.push(old.clone());
    assert_eq!(
        scene.status().media[0].address.as_deref(),
        Some("192.0.2.1")
    );
    scene.observed.children.pods = vec![old];
    assert_eq!(
        scene.status().media[0].address.as_deref(),
        Some("192.0.2.9")
    );
}

#[test]
fn a_gateway_has_to_take_the_route() {
    let of = |accepted: Option<bool>, reason: &str, said: &str| {
        let mut scene = Scene::running().with_class(|class| {
            class.spec.exposure.web.gateway = Some(ParentGateway {
                name: "public".to_owned(),
                namespace: "gateways".to_owned(),
                section_name: None,
            });
        });
        scene.observed.cluster.gateway_api = true;
        scene.observed.children.route = Some(RouteSeen {
            accepted,
            reason: reason.to_owned(),
            message: said.to_owned(),
        });
        let scene = scene.with_spec(|spec| spec.tls = Some(TlsSource::default()));
        let status = scene.status();
        assert!(message(&status, TLS_READY).contains("spec.tls isn't used"));
        (
            shown(&status)[..2].join(" "),
            message(&status, READY).to_owned(),
        )
    };
    let fine = of(Some(true), "Accepted", "").0;
    assert!(fine.starts_with("Ready=True:Serving TLSReady"), "{fine}");
    let (shown, message) = of(Some(false), "Strange", "no listener fits");
    assert_eq!(
        shown,
        "Ready=False:RouteNotAccepted Reconciling=True:RouteNotAccepted"
    );
    assert!(message.ends_with("\"gateways\": no listener fits."));
    let (_, message) = of(Some(false), "", "");
    assert!(message.ends_with("it doesn't say why."), "{message}");
    let waits = "Ready=False:WaitingForGateway Reconciling=True:WaitingForGateway";
    assert_eq!(of(None, "", "").0, waits);

    let misfit = "Ready=False:RouteNotAccepted Stalled=True:RouteNotAccepted";
    let (shown, message) = of(Some(false), "NoMatchingListenerHostname", "");
    assert_eq!(shown, misfit);
    assert!(
        message.ends_with(
            "\"gateways\": NoMatchingListenerHostname. A listener of that Gateway has to take the host name \"chat.example.org\", or the server needs another one in spec.hostname."
        ),
        "{message}"
    );
    let (shown, message) = of(Some(false), "NotAllowedByListeners", "No.");
    assert_eq!(shown, misfit);
    assert!(message.contains(": No. A listener"), "{message}");
    assert!(message.contains("namespace \"team-a\""), "{message}");
}

#[test]
fn a_load_balancer_has_to_give_the_web_an_address() {
    let of = |address: Option<&str>, hostname: Option<&str>| {
        let mut scene = Scene::running().with_class(|class| {
            class.spec.exposure.web.type_ = WebType::LoadBalancer;
        });
        let mut service = service("LoadBalancer", Some(31000));
        service.addresses = address.map(|a| a.parse().unwrap()).into_iter().collect();
        service.hostnames = hostname.map(str::to_owned).into_iter().collect();
        scene.observed.children.web_service = Some(service);
        shown(&scene.status())[0].clone()
    };
    assert_eq!(of(None, None), "Ready=False:WaitingForLoadBalancer");
    assert_eq!(of(Some("203.0.113.7"), None), "Ready=True:Serving");
    assert_eq!(of(None, Some("lb.example.org")), "Ready=True:Serving");
}

#[test]
fn a_certificate_that_is_not_issued_yet_is_not_ready() {
    let of = |issued: bool| {
        let mut scene = Scene::running().with_class(|class| {
            class.spec.tls = Some(TlsSource {
                secret_name: None,
                issuer_ref: Some(crate::crd::IssuerRef {
                    name: "a".to_owned(),
                    ..Default::default()
                }),
            });
        });
        scene.observed.cluster.cert_manager = true;
        if issued {
            let keys = secret(&["tls.crt", "tls.key"]);
            scene
                .observed
                .named_secrets
                .tenant
                .insert("chat-web-tls".to_owned(), keys);
        }
        shown(&scene.status())[0].clone()
    };
    assert_eq!(of(false), "Ready=False:Issuing");
    assert_eq!(of(true), "Ready=True:Serving");
}

#[test]
fn condition_types_appear_once() {
    for scene in [Scene::new(), Scene::running()] {
        let status = scene.status();
        let mut types: Vec<_> = status.conditions.iter().map(|c| &c.type_).collect();
        let all = types.len();
        types.sort();
        types.dedup();
        assert_eq!(types.len(), all);
    }
}
