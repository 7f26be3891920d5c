//! `values.yaml` as a promise: every value has a sentence and an example, the example is accepted and changes
//! what is rendered, and templates read nothing that is not in it.

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Map, Value};

use crate::chart::{CHARTS, Chart, yaml};
use crate::helm;

/// One commented key of `values.yaml`.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The keys that lead to it.
    pub(crate) path: Vec<String>,
    pub(crate) text: String,
    /// None for a group of values.
    pub(crate) example: Option<String>,
}

impl Entry {
    pub(crate) fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// The commented keys of a chart's values, in their order.
pub(crate) fn entries(chart: &Chart) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<String> = Vec::new();
    for line in chart.read("values.yaml")?.lines() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        if let Some(text) = body.strip_prefix('#') {
            comment.push(text.trim().to_owned());
        } else if let (Some((key, _)), false) = (body.split_once(':'), comment.is_empty()) {
            above.retain(|(column, _)| *column < indent);
            above.push((indent, key.to_owned()));
            let path = above.iter().map(|(_, key)| key.clone()).collect();
            entries.push(entry(path, &std::mem::take(&mut comment)));
        } else {
            // An empty line ends a comment; a key without one is part of the value above it.
            comment.clear();
        }
    }
    Ok(entries)
}

fn entry(path: Vec<String>, comment: &[String]) -> Entry {
    let example = comment
        .iter()
        .find_map(|line| line.strip_prefix("Example: "));
    let sentences = comment.iter().filter(|line| !line.starts_with("Example: "));
    Entry {
        path,
        text: sentences.cloned().collect::<Vec<_>>().join(" "),
        example: example.map(str::to_owned),
    }
}

#[test]
fn every_value_has_a_sentence_and_an_example() -> Result<()> {
    for chart in &CHARTS {
        let entries = entries(chart)?;
        for entry in &entries {
            assert!(!entry.text.is_empty(), "{}: no sentence", entry.dotted());
        }
        let examples = entries.iter().filter(|entry| entry.example.is_some());
        let examples: Vec<String> = examples.map(Entry::dotted).collect();
        for leaf in leaves(&chart.values()?) {
            let covered = examples
                .iter()
                .any(|path| leaf == *path || leaf.starts_with(&format!("{path}.")));
            assert!(covered, "{}: {leaf} has no example above it", chart.name);
        }
    }
    Ok(())
}

#[test]
fn every_example_is_accepted_and_changes_what_is_rendered() -> Result<()> {
    for chart in &CHARTS {
        let sets = chart.sets()?;
        let mut plain = Vec::new();
        for set in &sets {
            plain.push(helm::template(chart, &[&set.path])?.map_err(|said| anyhow!(said))?);
        }
        for entry in entries(chart)? {
            let Some(example) = &entry.example else {
                continue;
            };
            let change = at(&entry.path, yaml(example)?);
            let mut changed = false;
            for (set, plain) in sets.iter().zip(&plain) {
                let answer = helm::template_with(chart, &set.path, &change)?;
                let rendered = answer.map_err(|said| {
                    anyhow!(
                        "{}: the example of {} is refused: {said}",
                        chart.name,
                        entry.dotted()
                    )
                })?;
                if rendered != *plain {
                    changed = true;
                    break;
                }
            }
            if !changed {
                bail!(
                    "{}: nothing rendered depends on {}",
                    chart.name,
                    entry.dotted()
                );
            }
        }
    }
    Ok(())
}

#[test]
fn templates_read_only_values_that_exist() -> Result<()> {
    for chart in &CHARTS {
        let values = chart.values()?;
        for (file, text) in chart.templates()? {
            for path in references(&text) {
                let pointer = format!("/{}", path.replace('.', "/"));
                values.pointer(&pointer).with_context(|| {
                    format!(
                        "{}: {file} reads .Values.{path}, which values.yaml lacks",
                        chart.name
                    )
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn every_value_is_named_in_a_template() -> Result<()> {
    for chart in &CHARTS {
        let templates = chart.templates()?;
        let read: Vec<String> = templates
            .iter()
            .flat_map(|(_, text)| references(text))
            .collect();
        for entry in entries(chart)?
            .iter()
            .filter(|entry| entry.example.is_some())
        {
            let path = entry.dotted();
            assert!(
                read.contains(&path),
                "{}: no template names {path}",
                chart.name
            );
        }
    }
    Ok(())
}

/// What a template names after `.Values.`.
fn references(text: &str) -> Vec<String> {
    let after = text.split(".Values.").skip(1);
    after
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            rest[..end.unwrap_or(rest.len())]
                .trim_end_matches('.')
                .to_owned()
        })
        .collect()
}

/// The paths of everything that is not a map with keys.
fn leaves(value: &Value) -> Vec<String> {
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        return vec![String::new()];
    };
    map.iter()
        .flat_map(|(key, below)| {
            leaves(below).into_iter().map(move |path| {
                if path.is_empty() {
                    key.clone()
                } else {
                    format!("{key}.{path}")
                }
            })
        })
        .collect()
}

/// Values in which only `path` is given.
pub(crate) fn at(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| {
        Value::Object(Map::from_iter([(key.clone(), value)]))
    })
}
