//! Which back ends a server gets, when they are refused, and whose data is in them.

use super::*;
use crate::crd::{
    Backends, CqlBackend, GrytServerClassSpec, OidcIssuer, RedisBackend, Replication, SignInSecret,
};
use crate::fetch::ServerKey;
use crate::observed::{JobSeen, Record, SecretContents};
use crate::record;

fn sign_in(name: &str) -> SignInSecret {
    SignInSecret {
        name: name.to_owned(),
    }
}

fn key(name: &str) -> Option<SecretKey> {
    Some(SecretKey {
        name: name.to_owned(),
        key: "ca.crt".to_owned(),
    })
}

fn all() -> Backends {
    Backends {
        redis: Some(RedisBackend {
            url: "redis+sentinel://s-1,s-2/gryt".to_owned(),
            admin_secret_ref: sign_in("redis-admin"),
            sentinel_secret_ref: Some(sign_in("sentinels")),
            ca_secret_ref: None,
        }),
        cql: Some(CqlBackend {
            contact_points: vec!["db-1".to_owned(), "db-2:9142".to_owned()],
            datacenter: Some("dc1".to_owned()),
            replication: [("dc1", 3), ("dc2", 1)]
                .map(|(datacenter, copies)| Replication {
                    datacenter: datacenter.to_owned(),
                    copies,
                })
                .into(),
            shared_keyspace: None,
            admin_secret_ref: sign_in("cql-admin"),
            ca_secret_ref: key("ca"),
        }),
        issuers: vec![OidcIssuer {
            name: "staff".to_owned(),
            issuer: "https://id.example.org/realms/staff".to_owned(),
            client_id: "gryt-{serverId}".to_owned(),
            audience: Some("{serverId}".to_owned()),
            ..OidcIssuer::default()
        }],
    }
}

/// A server with `replicas` of a class with these back ends, whose Secrets are all there.
fn of_class(backends: Backends, replicas: i32) -> Observed {
    let observed = observed()
        .with_class(|class| class.spec.backends = backends)
        .with_server(|server| server.spec.signaling.replicas = replicas);
    with_secrets(observed)
}

fn with_secrets(mut observed: Observed) -> Observed {
    let platform = &mut observed.named_secrets.platform;
    for (name, keys) in [
        ("redis-admin", &["username", "password"][..]),
        ("cql-admin", &["username", "password"]),
        ("sentinels", &["password"]),
        ("ca", &["ca.crt"]),
    ] {
        platform.insert(name.to_owned(), secret(keys));
    }
    observed
}

fn without(leave_out: fn(&mut Backends)) -> Backends {
    let mut backends = all();
    leave_out(&mut backends);
    backends
}

/// The class of what was observed has these back ends by now.
fn changed(mut observed: Observed, change: impl FnOnce(&mut GrytServerClassSpec)) -> Observed {
    change(&mut Arc::make_mut(&mut observed.classes[0]).spec);
    observed
}

/// What the operator remembers of a server whose data is in the database of `all`.
fn with_record(mut observed: Observed, uid: &str, holder: (&str, &str)) -> Observed {
    let pin = format!(r#"{{"keyspace":"gryt_{ID}","contactPoints":["db-1","db-2:9142"]}}"#);
    let annotations = [
        (record::SERVER_UID, uid),
        (record::DATABASE, &pin),
        (record::DATABASE_PREPARED, "abc"),
    ];
    let (namespace, name) = holder;
    observed.own_secrets.backends = Some(Record {
        contents: SecretContents {
            annotations: annotations
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..SecretContents::default()
        },
        holder: ServerKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
    });
    observed
}

fn own_record(observed: Observed) -> Observed {
    with_record(observed, "uid-chat", ("team-a", "chat"))
}

#[test]
fn all_back_ends_together_allow_several_replicas() {
    let valid = valid(&of_class(all(), 3));
    assert_eq!(valid.signaling_replicas, 3);
    let backends = valid.backends;
    assert!(backends.are_shared());
    let redis = backends.redis.unwrap();
    assert_eq!(redis.ports, [6379, 26379].into());
    assert!(!redis.sentinel.unwrap().names_user);
    let cql = backends.cql.unwrap();
    assert_eq!(cql.replication, "dc1:3,dc2:1");
    assert_eq!(cql.ports, [9042, 9142].into());
    let issuer = &backends.issuers[0];
    assert_eq!(issuer.client_id, format!("gryt-{ID}"));
    assert_eq!((issuer.audience.as_deref(), issuer.port), (Some(ID), 443));
}

#[test]
fn a_class_without_back_ends_gives_none() {
    let backends = valid(&observed().with_class(|_| {})).backends;
    assert_eq!(backends, crate::valid::ValidBackends::default());
}

#[test]
fn several_replicas_are_refused_by_what_is_missing_and_heal_from_both_sides() {
    for (backends, missing) in [
        (without(|all| all.redis = None), "names no redis:"),
        (without(|all| all.cql = None), "names no cql:"),
        (without(|all| all.issuers.clear()), "names no issuers:"),
        (
            Backends::default(),
            "names no redis and no cql and no issuers:",
        ),
    ] {
        let refused = of_class(backends.clone(), 2);
        let refusals = validate(&refused, &defaults()).unwrap_err();
        assert_eq!(refusals.reason(), Reason::SharedBackendsRequired);
        assert!(
            refusals.message().contains(missing),
            "{}",
            refusals.message()
        );
        assert_eq!(reasons(&of_class(backends, 1)), [], "one replica is enough");
        assert_eq!(reasons(&changed(refused, |spec| spec.backends = all())), []);
    }
}

#[test]
fn secrets_of_back_ends_have_to_be_there_with_their_keys() {
    for name in ["redis-admin", "cql-admin", "sentinels", "ca"] {
        let mut observed = of_class(all(), 1);
        let platform = &mut observed.named_secrets.platform;
        platform.get_mut(name).unwrap().keys.remove(match name {
            "ca" => "ca.crt",
            _ => "password",
        });
        assert_eq!(reasons(&observed), [Reason::SecretKeyMissing], "{name}");
        observed.named_secrets.platform.remove(name);
        assert_eq!(reasons(&observed), [Reason::SecretNotFound], "{name}");
        let message = validate(&observed, &defaults()).unwrap_err().message();
        assert!(message.contains(&format!("\"{name}\"")), "{message}");
    }
}

#[test]
fn an_address_that_got_past_the_schema_is_refused() {
    let bad = changed(of_class(all(), 1), |spec| {
        spec.backends.redis.as_mut().unwrap().url = "redis://a,b".to_owned();
        spec.backends.cql.as_mut().unwrap().contact_points = vec!["db:0".to_owned()];
        spec.backends.issuers[0].issuer = "id.example.org".to_owned();
    });
    assert_eq!(reasons(&bad), [Reason::InvalidSpec; 3]);
}

#[test]
fn data_on_a_volume_is_not_left_for_an_empty_database() {
    let mut observed = of_class(Backends::default(), 1);
    observed.children = running();
    assert_eq!(reasons(&observed), []);
    let gained = changed(observed.clone(), |spec| spec.backends = all());
    assert_eq!(reasons(&gained), [Reason::BackendsChanged]);
    let message = validate(&gained, &defaults()).unwrap_err().message();
    assert!(message.contains("the volume \"chat-data\""), "{message}");
    // What keeps no messages may come and go.
    let others = changed(observed, |spec| {
        spec.backends = without(|all| all.cql = None);
    });
    assert_eq!(reasons(&others), []);
    let mut gone = gained;
    gone.children.volume = None;
    assert_eq!(reasons(&gone), [], "the volume was deleted by hand");
}

#[test]
fn a_volume_that_the_back_ends_left_unused_changes_nothing() {
    let mut observed = own_record(of_class(all(), 2));
    observed.children = running();
    assert_eq!(reasons(&observed), []);
    observed.children.volume.as_mut().unwrap().requested = Some("9Ti".to_owned());
    assert_eq!(reasons(&observed), [], "and its size neither");
}

#[test]
fn data_stays_in_the_database_that_it_is_in() {
    let observed = own_record(of_class(all(), 1));
    assert_eq!(reasons(&observed), []);
    let cql = |change: fn(&mut CqlBackend)| {
        changed(observed.clone(), |spec| {
            change(spec.backends.cql.as_mut().unwrap());
        })
    };
    let moved = cql(|cql| cql.contact_points = vec!["db-2:9142".to_owned(), "db-3".to_owned()]);
    assert_eq!(reasons(&moved), [], "one node stayed");
    for elsewhere in [
        cql(|cql| cql.contact_points = vec!["other".to_owned()]),
        cql(|cql| cql.shared_keyspace = Some("gryt_all".to_owned())),
        changed(observed.clone(), |spec| spec.backends.cql = None),
        changed(observed.clone(), |spec| spec.backends = Backends::default()),
    ] {
        assert_eq!(reasons(&elsewhere), [Reason::BackendsChanged]);
    }
}

#[test]
fn what_an_earlier_server_left_is_taken_over_only_if_both_sides_say_so() {
    let left = with_record(of_class(all(), 1), "uid-before", ("team-a", "chat"));
    assert_eq!(reasons(&left), [Reason::DataOfAnotherServer]);
    let adopting = |observed: Observed, id: &str| {
        observed.with_server(|server| {
            let adopt = (ADOPT_ANNOTATION.to_owned(), id.to_owned());
            server.metadata.annotations = Some([adopt].into());
        })
    };
    assert_eq!(reasons(&adopting(left.clone(), ID)), []);
    let wrong = adopting(left, OTHER_ID);
    assert_eq!(reasons(&wrong), [Reason::DataOfAnotherServer]);

    // A tenant who has learned the id of somebody else's data gets nothing by it.
    for holder in [("team-b", "chat"), ("team-a", "talk")] {
        let foreign = with_record(of_class(all(), 1), "uid-before", holder);
        let foreign = adopting(foreign, ID);
        assert_eq!(reasons(&foreign), [Reason::DataOfAnotherServer]);
        let message = validate(&foreign, &defaults()).unwrap_err().message();
        assert!(message.contains(&format!("\"backends-{ID}\"")), "{message}");
        assert!(!message.contains("team-b"), "{message}");
    }
}

#[test]
fn what_was_done_is_read_from_the_record_and_from_jobs() {
    let mut observed = own_record(of_class(all(), 1));
    let jobs = &mut observed.children.jobs;
    for (name, complete) in [("bus-a", true), ("database-a", false)] {
        let failed = false;
        jobs.insert(name.to_owned(), JobSeen { complete, failed });
    }
    let progress = valid(&observed).backends.progress;
    assert_eq!(progress.database.as_deref(), Some("abc"));
    assert_eq!(progress.bus, None);
    assert_eq!(progress.complete, ["bus-a".to_owned()].into());
}

#[test]
fn a_server_that_leaves_is_cleared_where_its_data_is_or_not_at_all() {
    let leaves = |observed: &Observed| match leaving(observed, &defaults()) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.iter().map(|refusal| refusal.reason).collect(),
    };
    let observed = own_record(of_class(all(), 1)).with_server(|server| {
        // What stands in the way of running is no matter here.
        server.spec.signaling.replicas = 32;
        server.spec.template.image_pull_secrets = vec![PullSecret {
            name: "gone".to_owned(),
        }];
    });
    assert_eq!(leaves(&observed), []);
    let server = leaving(&observed, &defaults()).unwrap();
    assert!(server.backends.redis.is_some() && server.backends.cql.is_some());

    let elsewhere = changed(observed.clone(), |spec| spec.backends.cql = None);
    assert_eq!(leaves(&elsewhere), [Reason::BackendsChanged]);
    let mut with_user = observed.clone();
    let record = with_user.own_secrets.backends.as_mut().unwrap();
    let password = (
        record::REDIS_PASSWORD.to_owned(),
        k8s_openapi::ByteString(vec![b'a']),
    );
    record.contents.data = [password].into();
    assert_eq!(leaves(&with_user), []);
    let no_redis = changed(with_user, |spec| spec.backends.redis = None);
    assert_eq!(leaves(&no_redis), [Reason::BackendsChanged]);
    let mut no_secret = observed.clone();
    no_secret.named_secrets.platform.remove("cql-admin");
    assert_eq!(leaves(&no_secret), [Reason::SecretNotFound]);
    let no_class = observed.with_server(|server| {
        server.spec.class_name = Some("gone".to_owned());
    });
    assert_eq!(leaves(&no_class), [Reason::ClassNotFound]);
}
