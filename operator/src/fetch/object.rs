//! A child as the API server sends it: its metadata read, everything else left as the text that
//! came. Most of what comes is the echo of our own writes, into which nobody looks.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// One object of any kind. `Debug` shows its name only: it may be a Secret.
#[derive(Clone)]
pub(crate) struct Object {
    /// Without `managedFields`, which are as large as the object and which nobody reads.
    metadata: ObjectMeta,
    fields: BTreeMap<String, Box<RawValue>>,
}

impl Object {
    /// One of the fields beside the metadata; null where there is none.
    pub(crate) fn field(&self, name: &str) -> Value {
        let text = self.fields.get(name).map_or("null", |field| field.get());
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As JSON, without what the cluster writes into every object as time goes by.
    pub(crate) fn steady(&self) -> String {
        self.steady_but(|name| name == "status")
    }

    /// The same without this field.
    pub(crate) fn steady_without(&self, field: &str) -> String {
        self.steady_but(|name| name == "status" || name == field)
    }

    fn steady_but(&self, left_out: impl Fn(&str) -> bool) -> String {
        let steady = Steady {
            metadata: ObjectMeta {
                resource_version: None,
                generation: None,
                creation_timestamp: None,
                ..self.metadata.clone()
            },
            fields: self
                .fields
                .iter()
                .map(|(name, field)| (name.as_str(), &**field))
                .filter(|(name, _)| !left_out(name))
                .collect(),
        };
        serde_json::to_string(&steady).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Steady<'a> {
    metadata: ObjectMeta,
    #[serde(flatten)]
    fields: BTreeMap<&'a str, &'a RawValue>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("namespace", &self.metadata.namespace)
            .field("name", &self.metadata.name)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        let metadata = fields.remove("metadata");
        let metadata = metadata.ok_or_else(|| D::Error::missing_field("metadata"))?;
        let metadata = serde_json::from_str::<Metadata>(metadata.get());
        Ok(Self {
            metadata: metadata.map_err(D::Error::custom)?.into(),
            fields,
        })
    }
}

/// The fields of `ObjectMeta` but for those that nobody reads.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    uid: Option<String>,
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        let Metadata {
            annotations,
            creation_timestamp,
            deletion_grace_period_seconds,
            deletion_timestamp,
            finalizers,
            generation,
            labels,
            name,
            namespace,
            owner_references,
            resource_version,
            uid,
        } = read;
        Self {
            annotations,
            creation_timestamp,
            deletion_grace_period_seconds,
            deletion_timestamp,
            finalizers,
            generate_name: None,
            generation,
            labels,
            managed_fields: None,
            name,
            namespace,
            owner_references,
            resource_version,
            self_link: None,
            uid,
        }
    }
}

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
