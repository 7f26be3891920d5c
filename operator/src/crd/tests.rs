//! The schemas: their files, what may change in them, how they read, and every rule.

mod additive;
mod rules;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::ResourceExt as _;

use super::schema::document;
use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds");

fn crds() -> [(&'static str, CustomResourceDefinition); 2] {
    [
        ("gryt.chat_grytserverclasses.yaml", server_class_crd()),
        ("gryt.chat_grytservers.yaml", server_crd()),
    ]
}

fn schema(crd: &CustomResourceDefinition) -> &JSONSchemaProps {
    let schema = crd.spec.versions[0].schema.as_ref().unwrap();
    schema.open_api_v3_schema.as_ref().unwrap()
}

/// Every node of a schema with its path, the root first.
fn nodes<'a>(path: &str, schema: &'a JSONSchemaProps) -> Vec<(String, &'a JSONSchemaProps)> {
    let mut found = vec![(path.to_owned(), schema)];
    for (name, property) in schema.properties.iter().flatten() {
        found.extend(nodes(&format!("{path}.{name}"), property));
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        found.extend(nodes(&format!("{path}[]"), item));
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
        found.extend(nodes(&format!("{path}{{}}"), value));
    }
    found
}

/// `GRYT_UPDATE_GOLDEN=1 cargo test -p gryt-operator` writes them anew.
#[test]
fn crd_files_are_what_the_types_say() {
    for (file, crd) in crds() {
        let path = format!("{FOLDER}/{file}");
        let text = document(&crd).unwrap();
        if std::env::var_os("GRYT_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "crds/{file} differs from the types: GRYT_UPDATE_GOLDEN=1 cargo test -p gryt-operator crd_files"
        );
    }
}

#[test]
fn both_crds_are_one_yaml_stream() {
    let text = yaml().unwrap();
    let documents: Vec<_> = text
        .split("---\n")
        .filter(|part| !part.is_empty())
        .collect();
    assert_eq!(documents.len(), 2);
    for (document, (_, crd)) in documents.iter().zip(crds()) {
        let read: CustomResourceDefinition = serde_yaml_ng::from_str(document).unwrap();
        assert_eq!(read, crd);
    }
}

fn is_ours(path: &str) -> bool {
    [
        "tolerations[]",
        "topologySpreadConstraints[]",
        "conditions[]",
    ]
    .iter()
    .all(|list| !path.contains(list))
}

#[test]
fn every_field_is_explained_in_whole_lines() {
    for (_, crd) in crds() {
        for (path, node) in nodes("", schema(&crd)) {
            let metadata = path.is_empty() || path == ".metadata";
            let derived = path.ends_with("[]") || path.ends_with("{}");
            // Kubernetes' own types speak for themselves.
            let borrowed = path.contains("[].") && !is_ours(&path);
            if metadata || derived || borrowed {
                continue;
            }
            let text = node.description.as_deref().unwrap_or_default();
            assert!(
                !text.is_empty(),
                "{}{path} has no description",
                crd.name_any()
            );
            assert!(
                !text.contains('\n'),
                "{}{path} wraps: {text:?}",
                crd.name_any()
            );
            assert!(
                !text.contains('`'),
                "{}{path} speaks Rust: {text:?}",
                crd.name_any()
            );
        }
    }
}

#[test]
fn schemas_keep_to_what_the_api_server_takes() {
    for (_, crd) in crds() {
        for (path, node) in nodes("", schema(&crd)) {
            let name = format!("{}{path}", crd.name_any());
            assert_eq!(node.nullable, None, "{name}");
            let format = node.format.as_deref();
            assert!(
                !matches!(
                    format,
                    Some("uint" | "uint16" | "uint32" | "float" | "double")
                ),
                "{name} is a {format:?}"
            );
            for rule in node.x_kubernetes_validations.iter().flatten() {
                assert!(
                    rule.message.is_some(),
                    "{name} has a rule without a message"
                );
            }
        }
    }
}

#[test]
fn defaults_stand_in_the_schema() {
    let crd = server_crd();
    let default = |wanted: &str| {
        let nodes = nodes("", schema(&crd));
        let (_, node) = nodes.iter().find(|(path, _)| path == wanted).unwrap();
        serde_json::to_value(node.default.as_ref().unwrap()).unwrap()
    };
    assert_eq!(default(".spec.suspend"), false);
    assert_eq!(default(".spec.signaling.replicas"), 1);
    assert_eq!(default(".spec.storage.size"), "1Gi");
    assert_eq!(default(".spec.storage")["size"], "1Gi");
    assert_eq!(default(".spec.tls.issuerRef.kind"), "Issuer");
}

#[test]
fn the_smallest_server_has_only_a_host_name() {
    let server: GrytServer = serde_yaml_ng::from_str(
        "{apiVersion: gryt.chat/v1alpha1, kind: GrytServer, metadata: {name: a}, spec: {hostname: a.b}}",
    )
    .unwrap();
    let expected = GrytServerSpec {
        hostname: "a.b".to_owned(),
        ..GrytServerSpec::default()
    };
    assert_eq!(server.spec, expected);
}

#[test]
fn lists_show_what_people_look_for() {
    let columns = |crd: &CustomResourceDefinition, wide: bool| -> Vec<String> {
        let columns = crd.spec.versions[0]
            .additional_printer_columns
            .iter()
            .flatten();
        let shown = columns.filter(|column| (column.priority.unwrap_or(0) > 0) == wide);
        shown.map(|column| column.name.clone()).collect()
    };
    let server = server_crd();
    assert_eq!(
        columns(&server, false),
        ["Ready", "Reason", "Address", "Version", "Age"]
    );
    assert_eq!(columns(&server, true), ["Class", "Signaling", "SFU"]);
    assert_eq!(
        columns(&server_class_crd(), false),
        ["Default", "Web", "Media", "Age"]
    );
    assert_eq!(
        server.spec.names.short_names.as_deref(),
        Some(&["gs".to_owned()][..])
    );
    assert_eq!(
        server.spec.names.categories.as_deref(),
        Some(&["gryt".to_owned()][..])
    );
    assert_eq!(server.spec.scope, "Namespaced");
    assert_eq!(server_class_crd().spec.scope, "Cluster");
    assert_eq!(server_class_crd().spec.names.plural, "grytserverclasses");
}
