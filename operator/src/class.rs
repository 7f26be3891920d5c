//! Which class serves a server: the one it names, the one it was pinned to, the default, or the
//! operator's own settings where the cluster has no class at all.

use crate::crd::GrytServerClassSpec;

/// The operator's own settings, from its flags: what a class leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// `--image-registry`: registry and path before the image names, no closing slash.
    pub image_registry: String,
    /// `--image-tag`.
    pub image_tag: String,
    /// The namespace of the operator, where Secrets of classes and CAs live.
    pub namespace: String,
}

/// The class as it applies to one server.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedClass {
    /// Its name, pinned in `status.className`. `None`: the cluster has no class, and nothing is
    /// pinned, so that a class installed later takes the server over.
    pub name: Option<String>,
    /// Its spec, all defaults where there is no class.
    pub spec: GrytServerClassSpec,
}
