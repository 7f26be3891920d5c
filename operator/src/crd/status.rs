//! What the operator reports about one server.

#![allow(
    rustdoc::bare_urls,
    reason = "kubectl explain prints these comments, brackets included"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{MediaType, WebType};

/// What the operator saw last.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GrytServerStatus {
    /// The metadata.generation that this status speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready sums up TLSReady, StorageReady, DatabaseReady, BusReady, SignalingAvailable and
    /// MediaAvailable. Reconciling and Stalled are present only while they are true, DatabaseReady
    /// and BusReady only where the class names such a back end. MediaReachable says whether the
    /// media address answered a probe, and from where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,

    /// Where a browser finds the server, for example https://chat.example.org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// The version that runs, or ran last: the tag of the image of the signaling pods that serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,

    /// The class that serves this server. It stays until spec.className names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,

    /// How browsers reach the server and its media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<ExposureStatus>,

    /// Signaling pods: ready/wanted, for example 1/1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signaling: Option<String>,

    /// SFU pods: ready/wanted, for example 1/1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sfu: Option<String>,

    /// The address at which each SFU tells browsers to send media.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["slot"])
    )]
    pub media: Vec<MediaStatus>,
}

/// How browsers reach the server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExposureStatus {
    /// How the web page and the signaling are exposed: what Auto turned into.
    pub web: WebType,
    /// How the media is exposed.
    pub media: MediaType,
}

/// One SFU's address.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MediaStatus {
    /// The number of the SFU slot, from 0.
    pub slot: i32,
    /// The address, absent until it is known (on a node: until the pod is placed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The port, for UDP and TCP, absent until the cluster has assigned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}
