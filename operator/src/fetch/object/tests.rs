use kube::ResourceExt as _;
use kube::core::{ObjectList, WatchEvent};
use serde_json::{Value, json};

use super::*;

fn text() -> String {
    let object = json!({
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": "chat",
            "namespace": "team",
            "uid": "1",
            "resourceVersion": "7",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"a": "b"},
            "managedFields": [{"manager": "x", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {"ports": [{"port": 1}]},
        "status": {"loadBalancer": {}},
    });
    object.to_string()
}

fn check(object: &Object) {
    assert_eq!(object.name_any(), "chat");
    assert_eq!(object.resource_version().as_deref(), Some("7"));
    assert_eq!(object.field("spec")["ports"][0]["port"], 1);
    assert_eq!(object.field("data"), Value::Null);
    let steady: Value = serde_json::from_str(&object.steady()).unwrap();
    assert_eq!(
        steady,
        json!({
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": "chat", "namespace": "team", "uid": "1", "labels": {"a": "b"}},
            "spec": {"ports": [{"port": 1}]},
        })
    );
}

/// Raw text can only be had from the reader itself: nothing between may keep a copy of its own.
#[test]
fn an_object_is_read_from_an_answer_a_watch_and_a_listing() {
    let text = text();
    check(&serde_json::from_str(&text).unwrap());

    let event = format!(r#"{{"type":"MODIFIED","object":{text}}}"#);
    let WatchEvent::Modified(object) = serde_json::from_str(&event).unwrap() else {
        panic!("not read as a change");
    };
    check(&object);

    let list = format!(
        r#"{{"kind":"ServiceList","apiVersion":"v1","metadata":{{"resourceVersion":"9"}},"items":[{text}]}}"#
    );
    let list: ObjectList<Object> = serde_json::from_str(&list).unwrap();
    check(&list.items[0]);
}

#[test]
fn a_secret_is_not_shown() {
    let secret = r#"{"metadata":{"name":"key"},"data":{"tls.key":"c2VjcmV0"}}"#;
    let object: Object = serde_json::from_str(secret).unwrap();
    assert!(!format!("{object:?}").contains("c2VjcmV0"));
}
