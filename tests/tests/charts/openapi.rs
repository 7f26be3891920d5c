//! Strict reading of objects by the OpenAPI schemas of a Kubernetes API server, CRDs' own among them: unknown
//! fields, missing fields, wrong types. Ranges, patterns and CEL are left to the server.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One document of `/openapi/v3`, or a CRD's schema alone.
#[derive(Debug)]
pub(crate) struct Schemas {
    components: Value,
}

impl Schemas {
    /// Reads a document of `/openapi/v3/…`.
    pub(crate) fn read(document: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(document).context("read OpenAPI")?;
        Ok(Self {
            components: document["components"]["schemas"].clone(),
        })
    }

    /// What is wrong with an object, by field; none if its kind is not among the schemas.
    pub(crate) fn faults(&self, object: &Value) -> Option<Vec<String>> {
        let (group, version) = group_version(object);
        let wanted = |entry: &Value| {
            entry["group"] == group
                && entry["version"] == version
                && entry["kind"] == object["kind"]
        };
        let schema = self.components.as_object()?.values().find(|schema| {
            let kinds = &schema["x-kubernetes-group-version-kind"];
            kinds.as_array().into_iter().flatten().any(wanted)
        })?;
        let mut faults = Vec::new();
        self.check(schema, object, "", &mut faults);
        Some(faults)
    }

    fn check(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        if value.is_null() {
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.check(&self.components[name], value, path, faults);
        }
        if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
            return self.check(only, value, path, faults);
        }
        if schema.get("oneOf").is_some() || schema["x-kubernetes-int-or-string"] == true {
            return;
        }
        if let Some(wanted) = schema["type"].as_str().filter(|wanted| !is(value, wanted)) {
            faults.push(format!("{path}: not of the type {wanted}"));
            return;
        }
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if value.get(name).is_none() {
                faults.push(format!("{path}: {name} is missing"));
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            self.check(&schema["items"], item, &format!("{path}[{index}]"), faults);
        }
        for (name, field) in value.as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if let Some(known) = schema["properties"].get(name) {
                self.check(known, field, &path, faults);
            } else if let Some(any) = schema.get("additionalProperties") {
                self.check(any, field, &path, faults);
            } else if schema.get("properties").is_some()
                && schema["x-kubernetes-preserve-unknown-fields"] != true
            {
                faults.push(format!("{path}: no such field"));
            }
        }
    }
}

/// What is wrong with a value by one schema that refers to no other, such as a CRD's.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let alone = Schemas {
        components: Value::Null,
    };
    let mut faults = Vec::new();
    alone.check(schema, value, "", &mut faults);
    faults
}

/// Group ("" for the core) and version of an object.
pub(crate) fn group_version(object: &Value) -> (&str, &str) {
    let text = object["apiVersion"].as_str().unwrap_or_default();
    text.split_once('/').unwrap_or(("", text))
}

fn is(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

#[test]
fn unknown_missing_and_wrongly_typed_fields_are_found() -> Result<()> {
    let schemas = Schemas::read(
        r##"{"components": {"schemas": {
            "Pod": {
                "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Pod"}],
                "type": "object",
                "properties": {
                    "apiVersion": {"type": "string"}, "kind": {"type": "string"},
                    "spec": {"allOf": [{"$ref": "#/components/schemas/Spec"}]}
                }
            },
            "Spec": {
                "type": "object", "required": ["containers"],
                "properties": {
                    "containers": {"type": "array", "items": {
                        "type": "object", "properties": {"name": {"type": "string"}}
                    }},
                    "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}}
                }
            }
        }}}"##,
    )?;
    let check = |spec: Value| {
        let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "spec": spec});
        schemas.faults(&pod).unwrap_or_default()
    };
    let json = |text: &str| serde_json::from_str(text);
    let none: [&str; 0] = [];
    assert_eq!(check(json(r#"{"containers": [{"name": "a"}]}"#)?), none);
    assert_eq!(check(json("{}")?), [".spec: containers is missing"]);
    assert_eq!(
        check(json(r#"{"containers": [{"nam": "a"}]}"#)?),
        [".spec.containers[0].nam: no such field"]
    );
    assert_eq!(
        check(json(r#"{"containers": [], "nodeSelector": {"a": 1}}"#)?),
        [".spec.nodeSelector.a: not of the type string"]
    );
    Ok(())
}
