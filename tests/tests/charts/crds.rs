//! The CRDs in the chart are the files of `crds/`, byte for byte, and what the schemas of the charts say about
//! `GrytServerClass.spec` and `GrytServer.spec` is taken from them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::chart::{Chart, OPERATOR, SERVER, documents, files, read, repository};
use crate::generated;

#[test]
fn the_chart_carries_the_committed_crds() -> Result<()> {
    let folder = OPERATOR.folder().join("files/crds");
    let committed = texts(&repository().join("crds"))?;
    for (name, text) in &committed {
        generated::check(&folder.join(name), text)?;
    }
    let carried = texts(&folder)?;
    assert!(
        carried.keys().eq(committed.keys()),
        "files/crds has {:?}, crds has {:?}",
        carried.keys(),
        committed.keys()
    );
    Ok(())
}

#[test]
fn the_class_in_the_values_follows_the_crd() -> Result<()> {
    let mut schema = OPERATOR.schema()?;
    let spec = strict(&crd_spec("GrytServerClass")?);
    schema["properties"]["class"]["properties"]["spec"] = spec;
    check_schema(&OPERATOR, &schema)
}

#[test]
fn the_values_of_a_server_follow_the_crd() -> Result<()> {
    let mut schema = SERVER.schema()?;
    let defaults = SERVER.values()?;
    let spec = crd_spec("GrytServer")?;
    let fields = spec["properties"].as_object().context("no fields")?;
    for (name, field) in fields {
        let default = defaults.get(name);
        let default = default.with_context(|| format!("values.yaml lacks spec.{name}"))?;
        schema["properties"][name] = or_left_out(strict(field), default);
    }
    let known = ["global", "name", "annotations"];
    let values = schema["properties"].as_object_mut().context("no values")?;
    values.retain(|name, _| fields.contains_key(name) || known.contains(&name.as_str()));
    check_schema(&SERVER, &schema)
}

fn texts(folder: &std::path::Path) -> Result<BTreeMap<String, String>> {
    let yaml = files(folder)?.into_iter();
    yaml.filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok((name.into_owned(), read(&path)?))
        })
        .collect()
}

/// Compares as JSON, so that the hand-written parts keep their lines.
fn check_schema(chart: &Chart, wanted: &Value) -> Result<()> {
    if chart.schema()? == *wanted {
        return Ok(());
    }
    let text = format!("{wanted:#}\n");
    generated::check(&chart.folder().join("values.schema.json"), &text)
}

/// The schema of a kind of ours, with the fields that every kind has and no CRD mentions.
pub(crate) fn schema(kind: &str) -> Result<Value> {
    for text in texts(&repository().join("crds"))?.values() {
        for mut crd in documents(text)? {
            if crd["spec"]["names"]["kind"] == kind {
                let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take();
                for field in ["apiVersion", "kind", "metadata"] {
                    schema["properties"][field] = json!({});
                }
                return Ok(schema);
            }
        }
    }
    bail!("crds/ has no {kind}")
}

fn crd_spec(kind: &str) -> Result<Value> {
    Ok(schema(kind)?["properties"]["spec"].clone())
}

/// A Kubernetes schema as JSON Schema that knows no field besides the named ones.
fn strict(schema: &Value) -> Value {
    let kept = [
        "description",
        "enum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "required",
        "type",
    ];
    let mut out = Map::new();
    for name in kept {
        if let Some(value) = schema.get(name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    if schema["x-kubernetes-int-or-string"] == true {
        out.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if schema["nullable"] == true && schema["type"].is_string() {
        out.insert("type".to_owned(), json!([schema["type"], "null"]));
    }
    if let Some(items) = schema.get("items") {
        out.insert("items".to_owned(), strict(items));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(name, property)| (name.clone(), strict(property)))
            .collect();
        out.insert("properties".to_owned(), properties.into());
        out.insert("additionalProperties".to_owned(), false.into());
    } else if let Some(additional) = schema.get("additionalProperties") {
        out.insert("additionalProperties".to_owned(), strict(additional));
    }
    out.into()
}

/// Accepts also the empty default with which `values.yaml` says that a field is left out.
fn or_left_out(mut schema: Value, default: &Value) -> Value {
    if let Some(defaults) = default.as_object().filter(|map| !map.is_empty()) {
        for (name, default) in defaults {
            let below = schema["properties"][name].take();
            schema["properties"][name] = or_left_out(below, default);
        }
        return schema;
    }
    let empty = [json!(""), json!({})].contains(default);
    if !empty {
        return schema;
    }
    let needs_something = schema.get("required").is_some()
        || schema.get("minLength").is_some()
        || schema.get("pattern").is_some()
        || schema.get("enum").is_some();
    if needs_something {
        json!({ "anyOf": [{ "const": default }, schema] })
    } else {
        schema
    }
}
