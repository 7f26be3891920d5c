use serde_json::json;

use super::*;

const NAME: &str = "chat-sfu-0";
const KIND: Child = Child::Deployment;

fn key() -> ServerKey {
    ServerKey {
        namespace: "team".to_owned(),
        name: "chat".to_owned(),
    }
}

fn deployment(uid: &str, version: u64, replicas: i32) -> Found {
    read(KIND, &object(uid, version, replicas))
}

fn object(uid: &str, version: u64, replicas: i32) -> Object {
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": NAME,
            "namespace": "team",
            "uid": uid,
            "resourceVersion": version.to_string(),
            "generation": version / 4,
            "annotations": {"gryt.chat/applied": "wanted"},
            "managedFields": [{"manager": version.to_string()}],
        },
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": replicas, "lastSeen": version},
    });
    serde_json::from_value(object).unwrap()
}

fn put(objects: &LiveObjects, found: Found) -> bool {
    objects.put(key(), KIND, NAME.to_owned(), found)
}

fn judge(objects: &LiveObjects, digest: &str) -> Judgement {
    objects.judge(&key(), KIND, NAME, digest)
}

fn confirm(objects: &LiveObjects, found: &Found) {
    objects.confirm(&key(), (KIND, NAME), "wanted", found.live.fingerprint);
}

#[test]
fn status_of_a_confirmed_object_changes_nothing_and_an_edit_is_compared() {
    let objects = LiveObjects::default();
    assert!(matches!(judge(&objects, "wanted"), Judgement::Missing));
    let live = deployment("1", 1, 1);
    put(&objects, live.clone());
    assert!(matches!(judge(&objects, "wanted"), Judgement::Compare(..)));
    confirm(&objects, &live);
    assert!(matches!(judge(&objects, "wanted"), Judgement::Holds));
    let settled = objects.settled(&key());
    assert!(settled.is_some());

    assert!(
        !put(&objects, deployment("1", 2, 1)),
        "touched, not changed"
    );
    assert!(put(&objects, deployment("1", 5, 1)), "another generation");
    assert!(matches!(judge(&objects, "wanted"), Judgement::Holds));
    assert!(matches!(judge(&objects, "other"), Judgement::Differs));

    assert_eq!(objects.settled(&key()), settled);
    put(&objects, deployment("1", 6, 5));
    assert_eq!(objects.settled(&key()), None);
    assert!(matches!(judge(&objects, "wanted"), Judgement::Compare(..)));
    put(&objects, deployment("1", 7, 1));
    assert!(matches!(judge(&objects, "wanted"), Judgement::Holds));
}

#[test]
fn an_edit_that_comes_while_another_is_confirmed_is_not_confirmed_with_it() {
    let objects = LiveObjects::default();
    let written = deployment("1", 1, 1);
    put(&objects, written.clone());
    put(&objects, deployment("1", 2, 5));
    confirm(&objects, &written);
    assert!(matches!(judge(&objects, "wanted"), Judgement::Compare(..)));
}

#[test]
fn old_news_does_not_hide_what_we_wrote() {
    let objects = LiveObjects::default();
    let written = deployment("1", 7, 2);
    put(&objects, written.clone());
    confirm(&objects, &written);
    assert!(!put(&objects, deployment("1", 5, 1)));
    assert!(matches!(judge(&objects, "wanted"), Judgement::Holds));

    objects.remove(&key(), KIND, NAME, "0");
    assert!(matches!(judge(&objects, "wanted"), Judgement::Holds));
    objects.remove(&key(), KIND, NAME, "1");
    assert!(matches!(judge(&objects, "wanted"), Judgement::Missing));
    assert!(objects.of(&key()).is_empty());
}

#[test]
fn a_listing_forgets_what_it_does_not_name_except_our_own_writes() {
    let objects = LiveObjects::default();
    put(&objects, deployment("1", 1, 1));
    objects.begin_listing(KIND);
    assert_eq!(objects.end_listing(KIND), HashSet::from([key()]));
    assert!(matches!(judge(&objects, "wanted"), Judgement::Missing));

    put(&objects, deployment("2", 2, 1));
    objects.begin_listing(KIND);
    put(&objects, deployment("2", 2, 1));
    assert!(objects.end_listing(KIND).is_empty());

    objects.begin_listing(KIND);
    put(&objects, deployment("3", 3, 1));
    assert!(objects.end_listing(KIND).is_empty());
    assert!(matches!(judge(&objects, "wanted"), Judgement::Compare(..)));
}

#[test]
fn the_echo_of_a_write_is_known_and_counts_as_heard_of() {
    let objects = LiveObjects::default();
    let echo = object("1", 5, 1);
    assert!(!objects.knows(&key(), KIND, &echo));
    put(&objects, deployment("1", 5, 1));

    objects.begin_listing(KIND);
    assert!(objects.knows(&key(), KIND, &echo));
    assert!(objects.knows(&key(), KIND, &object("1", 4, 2)), "older");
    assert!(!objects.knows(&key(), KIND, &object("1", 6, 1)), "newer");
    assert!(!objects.knows(&key(), KIND, &object("2", 5, 1)), "another");
    assert!(objects.end_listing(KIND).is_empty());
    assert!(objects.one(&key(), KIND, NAME).is_some());
}

#[test]
fn a_secret_is_compared_with_its_contents() {
    let objects = LiveObjects::default();
    let name = "chat-owner";
    let secret = |token: &str| {
        let secret = json!({
            "metadata": {
                "name": name,
                "namespace": "team",
                "resourceVersion": "1",
                "annotations": {"gryt.chat/applied": "wanted"},
            },
            "data": {"token": token},
            "type": "Opaque",
        });
        let secret: Object = serde_json::from_value(secret).unwrap();
        read(Child::Secret, &secret)
    };
    let (one, other) = (secret("b25l"), secret("b3RoZXI="));
    assert_ne!(one.live.fingerprint, other.live.fingerprint);
    assert!(!one.body.as_ref().unwrap().contains("b25l"), "kept twice");
    objects.put(key(), Child::Secret, name.to_owned(), one);
    let judged = objects.judge(&key(), Child::Secret, name, "wanted");
    let Judgement::Compare(body, _) = judged else {
        panic!("{judged:?}");
    };
    assert_eq!(body["data"], json!({"token": "b25l"}));
    assert_eq!(body["type"], "Opaque");
}
