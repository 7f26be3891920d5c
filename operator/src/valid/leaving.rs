//! A server that is being deleted together with what it has in back ends.

use gryt_model::ServerId;

use super::{ValidBackends, ValidImages};
use crate::names::{Namespace, ServerName};

/// A server whose back ends may be cleared.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaving {
    /// `metadata.name`.
    pub name: ServerName,
    /// `metadata.namespace`.
    pub namespace: Namespace,
    /// `spec.serverId`.
    pub id: ServerId,
    /// The program that clears them.
    pub images: ValidImages,
    /// The back ends that its data is in.
    pub backends: ValidBackends,
}
