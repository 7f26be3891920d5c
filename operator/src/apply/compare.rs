//! Whether a live object still is what we want. Pure: JSON in, an answer out.
//!
//! The API server fills in defaults and others own fields of their own, so "wanted" has to be
//! part of "live", not equal to it. What we no longer want but once wrote is found by the digest
//! that stands in an annotation of the live object.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Where the digest of the last applied object stands.
pub(crate) const APPLIED_ANNOTATION: &str = "gryt.chat/applied";

/// Lists to which others may add. All other lists are ours as a whole: an item that somebody added
/// by hand to ports or variables is an edit like any other.
const MERGED_LISTS: [&str; 2] = ["finalizers", "ownerReferences"];

/// Objects whose values are quantities, which the API server writes in a form of its own.
const QUANTITIES: [&str; 4] = ["capacity", "limits", "requests", "sizeLimit"];

/// A short digest of an object that is about to be applied.
pub(crate) fn digest(wanted: &Value) -> String {
    const BYTES: usize = 12;
    let hash = Sha256::digest(wanted.to_string().as_bytes());
    let mut text = String::with_capacity(2 * BYTES);
    for byte in hash.iter().take(BYTES) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A Service that asks for certain nodePorts, so that it takes any; `None` if it asks for none.
pub(crate) fn without_node_ports(wanted: &Value) -> Option<Value> {
    let mut any_port = wanted.clone();
    let ports = any_port["spec"]["ports"].as_array_mut()?;
    let asked = ports.iter_mut().filter_map(Value::as_object_mut);
    let asked = asked.filter_map(|port| port.remove("nodePort")).count();
    (asked > 0).then_some(any_port)
}

/// Whether everything in `wanted` stands in `live` too.
pub(crate) fn holds(wanted: &Value, live: &Value) -> bool {
    holds_at("", false, wanted, Some(live))
}

fn holds_at(key: &str, quantities: bool, wanted: &Value, live: Option<&Value>) -> bool {
    match (wanted, live) {
        (Value::Null, _) => true,
        (Value::Object(wanted), Some(Value::Object(live))) => object_holds(key, wanted, live),
        (Value::Array(wanted), Some(Value::Array(live))) => list_holds(key, wanted, live),
        // The API server leaves out what is empty.
        (Value::Object(wanted), None) => wanted.is_empty(),
        (Value::Array(wanted), None) => wanted.is_empty(),
        (Value::String(wanted), None) => wanted.is_empty(),
        (Value::Bool(wanted), None) => !wanted,
        (Value::Number(wanted), None) => wanted.as_i64() == Some(0),
        (wanted, Some(live)) if quantities || QUANTITIES.contains(&key) => {
            wanted == live || same_quantity(wanted, live)
        }
        (wanted, Some(live)) => wanted == live,
    }
}

fn object_holds(key: &str, wanted: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    let quantities = QUANTITIES.contains(&key);
    wanted
        .iter()
        .all(|(key, wanted)| holds_at(key, quantities, wanted, live.get(key)))
}

fn list_holds(key: &str, wanted: &[Value], live: &[Value]) -> bool {
    let item_holds = |wanted, live| holds_at("", false, wanted, Some(live));
    if MERGED_LISTS.contains(&key) {
        return wanted
            .iter()
            .all(|wanted| live.iter().any(|live| item_holds(wanted, live)));
    }
    wanted.len() == live.len() && wanted.iter().zip(live).all(|(w, l)| item_holds(w, l))
}

fn same_quantity(one: &Value, other: &Value) -> bool {
    let (one, other) = (quantity(one), quantity(other));
    match (one, other) {
        // Quantities have at most three decimals that matter, so a tiny distance is none.
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(other.abs()),
        (_, _) => false,
    }
}

fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => return number.as_f64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    const UNITS: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let unit = UNITS.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?;
        Some((number, *factor))
    });
    let (number, factor) = unit.unwrap_or((text, 1.0));
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(change: impl FnOnce(&mut Value)) -> Value {
        let mut live = json!({
            "metadata": {
                "name": "a",
                "uid": "1",
                "labels": {"ours": "1", "theirs": "2"},
                "finalizers": ["theirs", "ours"],
            },
            "spec": {
                "replicas": 1,
                "progressDeadlineSeconds": 600,
                "template": {"spec": {
                    "containers": [{
                        "name": "sfu",
                        "image": "sfu:1",
                        "args": ["a", "b"],
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"containerPort": 8081, "protocol": "UDP"}],
                        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
                        "terminationMessagePath": "/dev/termination-log",
                    }],
                    "tolerations": [{"key": "a"}],
                }},
            },
            "status": {"replicas": 1},
        });
        change(&mut live);
        live
    }

    fn wanted() -> Value {
        json!({
            "metadata": {"name": "a", "labels": {"ours": "1"}, "finalizers": ["ours"]},
            "spec": {
                "replicas": 1,
                "paused": false,
                "minReadySeconds": 0,
                "template": {"spec": {
                    "containers": [{
                        "name": "sfu",
                        "image": "sfu:1",
                        "args": ["a", "b"],
                        "command": [],
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"containerPort": 8081, "protocol": "UDP"}],
                        "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}},
                    }],
                    "tolerations": [{"key": "a"}],
                }},
            },
        })
    }

    #[test]
    fn a_service_gives_up_the_ports_that_it_asked_for() {
        let with = |port| json!({"spec": {"type": "NodePort", "ports": [port]}});
        let asks = with(json!({"port": 8081, "nodePort": 30081}));
        let takes_any = with(json!({"port": 8081}));
        assert_eq!(without_node_ports(&asks), Some(takes_any.clone()));
        assert_eq!(without_node_ports(&takes_any), None);
        assert_eq!(without_node_ports(&json!({"data": {}})), None);
    }

    #[test]
    fn defaults_and_additions_of_others_are_no_change() {
        assert!(holds(&wanted(), &deployment(|_| {})));
    }

    #[test]
    fn every_edit_of_ours_is_seen() {
        type Edit = fn(&mut Value);
        let edits: [(&str, Edit); 10] = [
            ("replicas", |live| live["spec"]["replicas"] = json!(2)),
            ("label", |live| {
                live["metadata"]["labels"]["ours"] = json!("2")
            }),
            ("label gone", |live| {
                live["metadata"]["labels"] = json!({"theirs": "2"});
            }),
            ("image", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["image"] = json!("sfu:2");
            }),
            ("env", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("2");
            }),
            ("env added", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["env"] =
                    json!([{"name": "A", "value": "1"}, {"name": "B"}]);
            }),
            ("args", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["a", "b", "c"]);
            }),
            ("port gone", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([]);
            }),
            ("quantity", |live| {
                live["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] =
                    json!("501m");
            }),
            ("whole list", |live| {
                live["spec"]["template"]["spec"]["tolerations"] =
                    json!([{"key": "a"}, {"key": "b"}]);
            }),
        ];
        for (name, edit) in edits {
            assert!(!holds(&wanted(), &deployment(edit)), "{name}");
        }
    }

    #[test]
    fn digest_follows_the_content_and_not_the_order_of_writing() {
        let one = json!({"a": 1, "b": {"c": [1, 2], "d": null}});
        let same: Value = serde_json::from_str(r#"{"b":{"d":null,"c":[1,2]},"a":1}"#).unwrap();
        assert_eq!(digest(&one), digest(&same));
        assert_ne!(digest(&one), digest(&json!({"a": 2})));
        assert_eq!(digest(&one).len(), 24);
    }
}
