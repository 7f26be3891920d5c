//! The labels of what the operator makes. One place, because others of its parts find it by them.

/// On everything: the GrytServer's name.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// On what belongs to one component: which.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// The component of Jobs, which do what needs an administrator's secret.
pub const ADMINISTRATION: &str = "administration";
/// On everything of an SFU slot: the slot's number.
pub const SLOT_LABEL: &str = "gryt.chat/slot";
/// On everything: that the operator made it.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`].
pub const MANAGER: &str = "gryt-operator";
/// On what lives in the operator's namespace and belongs to a server: the server's namespace.
pub const SERVER_NAMESPACE_LABEL: &str = "gryt.chat/server-namespace";
/// A namespace with the value "true" may read metrics.
pub const METRICS_LABEL: &str = "gryt.chat/metrics";
