//! A GrytServer in a test's namespace.

use anyhow::{Context as _, Result};
use gryt_tests::cluster::Namespace;
pub(crate) use gryt_tests::cluster::OPERATOR_NAMESPACE;
use serde_json::Value;

/// The smallest server there is: a name and a host name.
pub(crate) fn smallest(name: &str, hostname: &str) -> String {
    with_spec(name, &format!("hostname: {hostname}"))
}

/// A server with this spec, in YAML's flow style without the braces.
pub(crate) fn with_spec(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: gryt.chat/v1alpha1
kind: GrytServer
metadata: {{name: {name}}}
spec: {{{spec}}}
"
    )
}

/// Applies the smallest server and waits until people can come.
pub(crate) async fn ready(space: &Namespace, name: &str, hostname: &str) -> Result<()> {
    space.apply(&smallest(name, hostname)).await?;
    space.wait(&format!("gs/{name}"), "condition=Ready").await
}

/// A condition of an object: its status, reason and message.
pub(crate) fn condition(object: &Value, type_: &str) -> Option<(String, String, String)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|c| c["type"] == type_)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> Result<String> {
    let uid = object["metadata"]["uid"].as_str();
    Ok(uid.context("an object without a uid")?.to_owned())
}
