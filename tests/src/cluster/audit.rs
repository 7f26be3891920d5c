//! The API server's audit log: who wrote what, and when.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One write, as the API server saw it.
#[derive(Debug, Clone)]
pub struct Write {
    /// `system:serviceaccount:<namespace>:<name>` for a pod.
    pub user: String,
    /// create, update, patch, delete, deletecollection.
    pub verb: String,
    /// For example `deployments`, or `grytservers/status`.
    pub resource: String,
    /// Empty for objects of the whole cluster.
    pub namespace: String,
    /// Empty where the API server chose the name.
    pub name: String,
    /// The code of the answer.
    pub code: u64,
}

pub(super) fn read(log: &Path) -> Result<Vec<Write>> {
    let text = std::fs::read_to_string(log).context("read the audit log")?;
    // The last line may be half written.
    let events = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    Ok(events.map(|event: Value| write(&event)).collect())
}

fn write(event: &Value) -> Write {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let mut resource = text(&object["resource"]);
    if let Some(subresource) = object["subresource"].as_str() {
        resource = format!("{resource}/{subresource}");
    }
    Write {
        user: text(&event["user"]["username"]),
        verb: text(&event["verb"]),
        resource,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
    }
}
