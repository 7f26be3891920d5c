//! Back ends: who gets which secret, what waits for what, and what makes a Job run again.

use super::fixture::{database_only, new_backends, shared_backends};
use super::*;
use crate::record;

fn record_of(server: &ValidServer) -> Option<Value> {
    let objects = built(server);
    let mut secrets = objects.iter().filter(|o| o["kind"] == "Secret");
    let found = secrets.find(|o| {
        let name = o["metadata"]["name"].as_str().unwrap();
        name.starts_with("backends-")
    });
    found.cloned()
}

fn jobs(server: &ValidServer) -> Vec<String> {
    let objects = build(server, &material(server));
    let names = objects.jobs.into_iter();
    names.map(|job| job.metadata.name.unwrap()).collect()
}

/// As the next reconcile finds it: the record says what was prepared, the Jobs are gone.
fn recorded(server: &ValidServer) -> ValidServer {
    let annotations = record_of(server).unwrap()["metadata"]["annotations"].clone();
    let noted = |name: &str| annotations[name].as_str().map(str::to_owned);
    let mut server = server.clone();
    let progress = &mut server.backends.progress;
    progress.database = noted(record::DATABASE_PREPARED);
    progress.bus = noted(record::BUS_PREPARED);
    progress.complete.clear();
    server
}

#[test]
fn an_administrators_secret_never_reaches_the_tenant() {
    for server in [new_backends(), shared_backends(), database_only()] {
        for object in built(&server) {
            if object["metadata"]["namespace"] == "gryt-system" {
                continue;
            }
            let text = object.to_string();
            assert!(!text.contains("admin"), "{text}");
        }
    }
}

#[test]
fn signaling_waits_until_every_back_end_is_prepared() {
    let mut server = new_backends();
    let objects = build(&server, &material(&server));
    assert!(objects.signaling.is_none());
    assert_eq!(objects.awaited, ["chat-signaling"]);
    let both = jobs(&server);
    let [database, bus] = &both[..] else {
        panic!("two Jobs: {both:?}");
    };
    assert!(database.starts_with("database-") && bus.starts_with("bus-"));

    server.backends.progress.complete.insert(bus.clone());
    assert_eq!(&jobs(&server)[..], std::slice::from_ref(database));
    assert!(build(&server, &material(&server)).signaling.is_none());
    server.backends.progress.complete.insert(database.clone());
    let objects = build(&server, &material(&server));
    assert!(objects.signaling.is_some() && objects.jobs.is_empty());
}

#[test]
fn what_was_done_is_recorded_and_not_done_again() {
    let done = recorded(&shared_backends());
    assert!(done.backends.progress.database.is_some());
    assert!(done.backends.progress.bus.is_some());
    assert_eq!(jobs(&done), Vec::<String>::new());
    assert_eq!(record_of(&done), record_of(&shared_backends()));

    let mut admin = done;
    admin.backends.cql.as_mut().unwrap().admin.version = "8".to_owned();
    assert_eq!(jobs(&admin), Vec::<String>::new(), "another administrator");
    let mut new_admin = new_backends();
    new_admin.backends.cql.as_mut().unwrap().admin.version = "8".to_owned();
    let (before, after) = (jobs(&new_backends()), jobs(&new_admin));
    assert_ne!(before[0], after[0], "is worth another try of what failed");
    assert_eq!(before[1], after[1]);
}

#[test]
fn another_version_or_description_runs_only_what_it_concerns() {
    let done = recorded(&shared_backends());
    let begins = |server: &ValidServer| -> Vec<String> {
        let jobs = jobs(server).into_iter();
        jobs.map(|name| name.split_once('-').unwrap().0.to_owned())
            .collect()
    };
    let mut image = done.clone();
    image.images.signaling = "registry.example.org/gryt/gryt-signaling:2".to_owned();
    assert_eq!(begins(&image), ["database", "bus"]);
    assert!(build(&image, &material(&image)).signaling.is_none());
    let noted = record_of(&image).unwrap()["metadata"]["annotations"].clone();
    assert_eq!(
        noted[record::BUS_PREPARED].as_str(),
        done.backends.progress.bus.as_deref(),
        "until then it is prepared for the version that runs"
    );
    let mut redis = done.clone();
    redis.backends.redis.as_mut().unwrap().url = "rediss://other".to_owned();
    assert_eq!(begins(&redis), ["bus"]);
    let mut looks = done;
    looks.display_name = "Another".to_owned();
    looks
        .template
        .annotations
        .insert("a".to_owned(), "b".to_owned());
    looks.signaling_replicas = 5;
    assert_eq!(begins(&looks), Vec::<String>::new());
}

#[test]
fn another_password_is_told_to_the_back_end() {
    let server = recorded(&shared_backends());
    let mut material = material(&server);
    material.sign_ins.redis = Some(crate::build::Token::from_random([9; 20]));
    let jobs = build(&server, &material).jobs;
    assert_eq!(jobs.len(), 1);
    assert!(jobs[0].metadata.name.as_ref().unwrap().starts_with("bus-"));
}

#[test]
fn a_stopped_server_waits_for_no_back_end() {
    let mut server = new_backends();
    server.suspended = true;
    let objects = build(&server, &material(&server));
    assert!(objects.jobs.is_empty() && objects.awaited.is_empty());
    let signaling = objects.signaling.unwrap().spec.unwrap();
    assert_eq!(signaling.replicas, Some(0));
}

#[test]
fn only_who_keeps_everything_elsewhere_has_several_pods_and_no_volume() {
    let mut database = database_only();
    database.backends.progress.complete = jobs(&database).into_iter().collect();
    for (server, shared) in [(shared_backends(), true), (database, false)] {
        let objects = build(&server, &material(&server));
        assert_eq!(objects.volume.is_none(), shared);
        let spec = objects.signaling.unwrap().spec.unwrap();
        let strategy = spec.strategy.unwrap().type_.unwrap();
        let pod = spec.template.spec.unwrap();
        assert_eq!(pod.topology_spread_constraints.is_some(), shared);
        let wanted = if shared { "RollingUpdate" } else { "Recreate" };
        assert_eq!(strategy, wanted);
        let owner = objects.secrets.iter();
        let mut owner =
            owner.filter(|secret| secret.metadata.name.as_deref() == Some("chat-owner"));
        assert_eq!(
            owner.next().is_none(),
            shared,
            "accounts are elsewhere, too"
        );
    }
}

#[test]
fn other_authorities_are_taken_by_new_pods_and_other_passwords_are_not() {
    let server = shared_backends();
    let template = |change: fn(&mut crate::build::SignIns)| {
        let mut material = material(&server);
        let mut server = server.clone();
        change(&mut material.sign_ins);
        server.backends.progress.complete = crate::build::preparing(&server, &material)
            .into_iter()
            .map(|preparing| preparing.job)
            .chain(server.backends.progress.complete.clone())
            .collect();
        build(&server, &material)
            .signaling
            .unwrap()
            .spec
            .unwrap()
            .template
    };
    let same = template(|_| {});
    let password = template(|sign_ins| {
        sign_ins.redis = Some(crate::build::Token::from_random([9; 20]));
    });
    assert_eq!(same, password);
    let authorities = template(|sign_ins| {
        let file = sign_ins.files.get_mut("cql-ca.crt").unwrap();
        file.0.push(b'\n');
    });
    assert_ne!(same, authorities);
}

#[test]
fn one_job_clears_every_back_end_as_an_administrator() {
    let server = shared_backends();
    let leaving = crate::valid::Leaving {
        name: server.name.clone(),
        namespace: server.namespace.clone(),
        id: server.id.clone(),
        images: server.images.clone(),
        backends: server.backends,
    };
    let job = crate::build::purge(&leaving, &"gryt-system".parse().unwrap());
    let job = serde_json::to_value(job).unwrap();
    assert_eq!(job["metadata"]["namespace"], "gryt-system");
    let labels = &job["metadata"]["labels"];
    assert_eq!(labels["gryt.chat/server-namespace"], "team-a");
    let pod = &job["spec"]["template"];
    assert_eq!(containers(pod).count(), 1);
    let container = containers(pod).next().unwrap();
    assert_eq!(container["args"][0], "purge");
    let env = container["env"].as_array().unwrap();
    let names: BTreeSet<&str> = env.iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), env.len(), "each once");
    for name in [
        "REDIS_ADMIN_USER",
        "REDIS_URL",
        "CQL_ADMIN_ROLE",
        "CQL_CONTACT_POINTS",
    ] {
        assert!(names.contains(&*format!("GRYT_SIGNALING_{name}")), "{name}");
    }
    let sources = pod["spec"]["volumes"][0]["projected"]["sources"]
        .as_array()
        .unwrap();
    let paths = sources
        .iter()
        .map(|s| s["secret"]["items"][0]["path"].as_str());
    let paths: BTreeSet<_> = paths.collect();
    assert_eq!(paths.len(), sources.len(), "each once");
}
