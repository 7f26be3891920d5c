//! The custom resources as Rust types and as YAML. Schemas only: no rule here needs a cluster.

#[expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function, with its visibility"
)]
mod backends;
#[expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function, with its visibility"
)]
mod class;
mod schema;
#[expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function, with its visibility"
)]
mod server;
#[expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function, with its visibility"
)]
mod status;
#[expect(
    unreachable_pub,
    reason = "KubeSchema copies each type into a function, with its visibility"
)]
mod template;
#[cfg(test)]
mod tests;

pub use backends::{Backends, CqlBackend, OidcIssuer, RedisBackend, Replication, SignInSecret};
pub use class::{
    AllowedHostnames, Exposure, GrytServerClass, GrytServerClassSpec, Images, Limits,
    MediaExposure, MediaType, NodeAddress, ParentGateway, PortRange, PullPolicy, Rollout,
    SecretKey, TurnServer, WebExposure, WebType,
};
pub use schema::{YamlError, server_class_crd, server_crd, yaml};
pub use server::{
    DeletionPolicy, GrytServer, GrytServerSpec, IssuerKind, IssuerRef, MAX_SFUS, Sfu, Signaling,
    Storage, TlsSource,
};
pub use status::{ExposureStatus, GrytServerStatus, MediaStatus};
pub use template::{PodTemplate, PullSecret, Resources, ServerResources};

/// The API group of both kinds.
pub const GROUP: &str = "gryt.chat";
/// "Hands off": with the value "true" on a GrytServer, the operator changes nothing of it.
pub const PAUSED_ANNOTATION: &str = "gryt.chat/paused";
/// Lets a GrytServer take over a volume, or data in back ends, that another GrytServer left behind.
/// Its value is the server id of that data.
pub const ADOPT_ANNOTATION: &str = "gryt.chat/adopt";
/// With the value "true" on a GrytServer that is being deleted: it goes without waiting until what it
/// has in back ends is removed, which stays there.
pub const SKIP_PURGE_ANNOTATION: &str = "gryt.chat/skip-purge";
/// On a volume: the server id whose data it holds.
pub const SERVER_ID_ANNOTATION: &str = "gryt.chat/server-id";

/// What the API server takes as the name of most objects (RFC 1123 subdomain). A name becomes a
/// part of a URL, so nothing else may stand in one.
const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// What it takes as the name of a namespace (RFC 1123 label).
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// An amount as Kubernetes writes them, without a sign.
const QUANTITY: &str =
    "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$";

/// True for a value that equals its type's default, so that YAML and schema leave it out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
