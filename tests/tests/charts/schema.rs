//! `values.schema.json`: no unknown key at any level, and refusals that name the key.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::chart::{CHARTS, Chart, OPERATOR};
use crate::{helm, values};

#[test]
fn an_unknown_key_is_refused_by_name_at_every_level() -> Result<()> {
    for chart in &CHARTS {
        let set = &chart.sets()?[0];
        for path in groups(&chart.values()?) {
            let mut path = path;
            path.push("resorces".to_owned());
            let change = values::at(&path, json!(1));
            let Err(said) = helm::template_with(chart, &set.path, &change)? else {
                bail!("{}: {} was accepted", chart.name, path.join("."));
            };
            assert!(said.contains("'resorces' not allowed"), "{said}");
        }
    }
    Ok(())
}

#[test]
fn every_object_of_a_schema_says_what_else_it_takes() -> Result<()> {
    for chart in &CHARTS {
        let mut open = Vec::new();
        collect_open(&chart.schema()?, "", &mut open);
        open.retain(|path| path != "/properties/global");
        assert!(open.is_empty(), "{}: {open:?}", chart.name);
    }
    Ok(())
}

#[test]
fn every_value_has_a_type_in_the_schema() -> Result<()> {
    for chart in &CHARTS {
        let schema = chart.schema()?;
        for entry in values::entries(chart)? {
            let pointer = format!("/properties/{}", entry.path.join("/properties/"));
            let found = schema.pointer(&pointer).is_some();
            assert!(found, "{}: the schema lacks {}", chart.name, entry.dotted());
        }
    }
    Ok(())
}

#[test]
fn wrong_values_are_refused_with_a_sentence() -> Result<()> {
    let wrong = [
        (json!({"replicas": -1}), "at '/replicas': minimum"),
        (
            json!({"replicas": "two"}),
            "at '/replicas': got string, want integer",
        ),
        (
            json!({"image": {"pullPolicy": "Sometimes"}}),
            "at '/image/pullPolicy'",
        ),
        (
            json!({"image": {"digest": "sha256:short"}}),
            "at '/image/digest'",
        ),
        (
            json!({"resources": {"limits": {"memory": "128 MB"}}}),
            "at '/resources/limits/memory'",
        ),
        (
            json!({"networkPolicy": {"apiServerPorts": [70000]}}),
            "at '/networkPolicy/apiServerPorts/0'",
        ),
    ];
    for (change, sentence) in wrong {
        let said = refusal(&OPERATOR, &change)?;
        assert!(said.contains(sentence), "{change}: {said}");
    }
    Ok(())
}

fn refusal(chart: &Chart, change: &Value) -> Result<String> {
    match helm::template_with(chart, &chart.sets()?[0].path, change)? {
        Ok(_) => bail!("{change} was accepted"),
        Err(said) => Ok(said),
    }
}

/// The paths of the maps of `values.yaml` that have named keys.
fn groups(values: &Value) -> Vec<Vec<String>> {
    let mut groups = vec![Vec::new()];
    for (key, below) in values.as_object().into_iter().flatten() {
        if below.as_object().is_some_and(|map| !map.is_empty()) {
            groups.extend(self::groups(below).into_iter().map(|mut path| {
                path.insert(0, key.clone());
                path
            }));
        }
    }
    groups
}

/// Schemas of objects that neither refuse nor describe other keys.
fn collect_open(schema: &Value, path: &str, open: &mut Vec<String>) {
    let is_object = schema["type"] == "object" || schema.get("properties").is_some();
    if is_object && path != "/properties" && !path.ends_with("/properties") {
        let closed = match (schema.get("properties"), schema.get("additionalProperties")) {
            (_, Some(additional)) => *additional != true,
            (_, None) => false,
        };
        if !closed {
            open.push(path.to_owned());
        }
    }
    match schema {
        Value::Object(map) => {
            for (key, below) in map {
                collect_open(below, &format!("{path}/{key}"), open);
            }
        }
        Value::Array(list) => {
            for (index, below) in list.iter().enumerate() {
                collect_open(below, &format!("{path}/{index}"), open);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
