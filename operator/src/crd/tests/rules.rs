//! Every rule of the schemas against `tests/fixtures/cel/*.yaml`, by kube's CEL engine. The
//! cluster tests ask a real API server the same.

use kube::core::cel::{ErrorKind, Validator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::names::NOT_NAMES;

const SERVER: &str = include_str!("../../../tests/fixtures/cel/grytserver.yaml");
const CLASS: &str = include_str!("../../../tests/fixtures/cel/grytserverclass.yaml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: String,
    rules: Vec<Case>,
    bounds: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    refused: Vec<Example>,
    #[serde(default)]
    accepted: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    name: Option<String>,
    before: Option<Value>,
    spec: Value,
}

fn tables() -> [(Table, CustomResourceDefinition); 2] {
    let read = |text| serde_yaml_ng::from_str::<Table>(text).unwrap();
    [
        (read(SERVER), server_crd()),
        (read(CLASS), server_class_crd()),
    ]
}

/// The messages with which the rules of `crd` refuse an example.
fn refusals(kind: &str, crd: &CustomResourceDefinition, example: &Example) -> Vec<String> {
    let object = |spec: &Value| {
        let name = example.name.as_deref().unwrap_or("chat");
        json!({
            "apiVersion": "gryt.chat/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        })
    };
    let before = example.before.as_ref().map(object);
    let schema = serde_json::to_value(schema(crd)).unwrap();
    let judged = Validator::new().validate(&schema, &object(&example.spec), before.as_ref());
    let errors = judged
        .err()
        .into_iter()
        .flat_map(|errors| errors.into_iter());
    errors
        .map(|error| {
            assert_eq!(error.kind, ErrorKind::ValidationFailure, "{error}");
            error.message
        })
        .collect()
}

#[test]
fn each_rule_refuses_and_accepts() {
    for (table, crd) in tables() {
        for Case {
            rule,
            refused,
            accepted,
        } in &table.rules
        {
            assert!(!refused.is_empty() && !accepted.is_empty(), "{rule}");
            for example in refused {
                let messages = refusals(&table.kind, &crd, example);
                assert!(
                    messages.iter().any(|message| message.contains(rule)),
                    "not refused with \"{rule}\": {} but {messages:?}",
                    example.spec
                );
            }
            for example in accepted {
                let messages = refusals(&table.kind, &crd, example);
                assert!(messages.is_empty(), "{}: {messages:?}", example.spec);
            }
        }
    }
}

#[test]
fn no_rule_is_without_a_case() {
    for (table, crd) in tables() {
        for (path, node) in nodes("", schema(&crd)) {
            for rule in node.x_kubernetes_validations.iter().flatten() {
                let message = rule.message.as_deref().unwrap();
                assert!(
                    table.rules.iter().any(|case| message.contains(&case.rule)),
                    "{}{path}: \"{message}\" has no case",
                    table.kind
                );
            }
        }
    }
}

/// Whether the pattern matches, by kube's CEL engine in place of the API server.
fn matches(pattern: &str, text: &str) -> bool {
    let rule = json!({"rule": format!("self.matches('{pattern}')"), "message": "no match"});
    let schema = json!({"type": "string", "x-kubernetes-validations": [rule]});
    let judged = Validator::new().validate(&schema, &json!(text), None);
    judged.is_ok()
}

#[test]
fn patterns_mean_what_the_api_server_takes() {
    for name in NOT_NAMES {
        assert!(!matches(OBJECT_NAME, name), "{name}");
        assert!(!matches(LABEL, name), "{name}");
    }
    for name in ["a", "0", "chat.example.org-tls", "a-1.b"] {
        assert!(matches(OBJECT_NAME, name), "{name}");
    }
    assert!(matches(LABEL, "team-a") && !matches(LABEL, "team.a"));
    for amount in [
        "0", "1", "500m", "1.5", "1.", ".5", "1Ki", "256Mi", "1.5Gi", "1e9", "1E3", "1e-3", "2E",
    ] {
        assert!(matches(QUANTITY, amount), "{amount}");
    }
    for amount in [
        "", "abc", "-1", "1 Gi", "1GB", "1gi", "Gi", "1.2.3", "1e", "0x1", "1K",
    ] {
        assert!(!matches(QUANTITY, amount), "{amount}");
    }
}

#[test]
fn every_name_of_another_object_has_its_pattern() {
    let pattern = |crd: &CustomResourceDefinition, path: &str| {
        let nodes = nodes("", schema(crd));
        let node = nodes.iter().find(|(found, _)| found == path);
        node.unwrap_or_else(|| panic!("no {path}"))
            .1
            .pattern
            .clone()
    };
    let server = server_crd();
    for path in [
        ".spec.className",
        ".spec.storage.storageClassName",
        ".spec.tls.secretName",
        ".spec.tls.issuerRef.name",
        ".spec.template.imagePullSecrets[].name",
    ] {
        assert_eq!(
            pattern(&server, path).as_deref(),
            Some(OBJECT_NAME),
            "{path}"
        );
    }
    let class = server_class_crd();
    for path in [
        ".spec.tls.secretName",
        ".spec.tls.issuerRef.name",
        ".spec.turn[].secretRef.name",
        ".spec.backends.redis.adminSecretRef.name",
        ".spec.backends.redis.sentinelSecretRef.name",
        ".spec.backends.redis.caSecretRef.name",
        ".spec.backends.cql.adminSecretRef.name",
        ".spec.backends.cql.caSecretRef.name",
        ".spec.backends.issuers[].caSecretRef.name",
        ".spec.exposure.web.gateway.name",
        ".spec.exposure.web.ingressClassName",
    ] {
        assert_eq!(
            pattern(&class, path).as_deref(),
            Some(OBJECT_NAME),
            "{path}"
        );
    }
    let namespace = pattern(&class, ".spec.exposure.web.gateway.namespace");
    assert_eq!(namespace.as_deref(), Some(LABEL));
    for component in ["signaling", "sfu"] {
        for list in ["requests", "limits"] {
            let path = format!(".spec.template.resources.{component}.{list}{{}}");
            assert_eq!(pattern(&server, &path).as_deref(), Some(QUANTITY), "{path}");
        }
    }
}

#[test]
fn what_a_bound_accepts_no_rule_refuses() {
    for (table, crd) in tables() {
        for case in &table.bounds {
            assert!(!case.refused.is_empty(), "{}", case.rule);
            for example in &case.accepted {
                let messages = refusals(&table.kind, &crd, example);
                assert!(messages.is_empty(), "{}: {messages:?}", example.spec);
            }
        }
    }
}
