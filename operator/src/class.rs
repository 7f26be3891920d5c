//! Which class serves a server: the one it names, the one it was pinned to, the default, or the
//! operator's own settings where the cluster has no class at all.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::crd::{GrytServer, GrytServerClass, GrytServerClassSpec};
use crate::refusal::{Reason, Refusal};

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

impl ResolvedClass {
    fn of(class: &GrytServerClass) -> Self {
        Self {
            name: Some(class.name_any()),
            spec: class.spec.clone(),
        }
    }

    /// How messages call it.
    pub(crate) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("GrytServerClass \"{name}\""),
            None => "the operator's own settings".to_owned(),
        }
    }
}

/// Finds the class: `spec.className`, else `status.className` (the pin), else the default, else
/// none. Another default class never moves a server that has its class.
///
/// # Errors
/// The named or pinned class is missing, or the choice is not clear.
pub fn resolve(
    server: &GrytServer,
    classes: &[Arc<GrytServerClass>],
) -> Result<ResolvedClass, Refusal> {
    let find = |name: &str| classes.iter().find(|class| class.name_any() == name);
    let choice = || choice(server, classes);
    if let Some(name) = &server.spec.class_name {
        return find(name).map(|class| ResolvedClass::of(class)).ok_or_else(|| {
            Refusal::new(
                Reason::ClassNotFound,
                format!(
                    "spec.className names the GrytServerClass \"{name}\", which doesn't exist: name another ({}), or ask who runs the cluster to make this one.",
                    choice()
                ),
            )
        });
    }
    if let Some(pinned) = pinned(server) {
        return find(pinned).map(|class| ResolvedClass::of(class)).ok_or_else(|| {
            Refusal::new(
                Reason::ClassNotFound,
                format!(
                    "The GrytServerClass \"{pinned}\", which serves this server, is gone: name another in spec.className ({}), or ask who runs the cluster to bring it back.",
                    choice()
                ),
            )
        });
    }
    default_class(server, classes)
}

fn pinned(server: &GrytServer) -> Option<&str> {
    server.status.as_ref()?.class_name.as_deref()
}

fn default_class(
    server: &GrytServer,
    classes: &[Arc<GrytServerClass>],
) -> Result<ResolvedClass, Refusal> {
    let mut defaults = classes.iter().filter(|class| class.spec.default);
    match (defaults.next(), defaults.next()) {
        (Some(class), None) => Ok(ResolvedClass::of(class)),
        (Some(_), Some(_)) => {
            let names = names(classes.iter().filter(|class| class.spec.default));
            Err(Refusal::new(
                Reason::DefaultClassAmbiguous,
                format!(
                    "More than one GrytServerClass is marked as default ({names}): leave the mark on one, or name a class in spec.className."
                ),
            ))
        }
        (None, _) if classes.is_empty() => Ok(ResolvedClass {
            name: None,
            spec: GrytServerClassSpec::default(),
        }),
        (None, _) => Err(Refusal::new(
            Reason::ClassRequired,
            format!(
                "No GrytServerClass is marked as default: name one in spec.className ({}).",
                choice(server, classes)
            ),
        )),
    }
}

/// The classes that the server may name: those that are open to its namespace.
fn choice(server: &GrytServer, classes: &[Arc<GrytServerClass>]) -> String {
    let namespace = server.namespace().unwrap_or_default();
    let open = classes
        .iter()
        .filter(|class| is_open_to(&class.spec, &namespace));
    match names(open) {
        names if names.is_empty() => "there is none for this namespace".to_owned(),
        names => format!("there are: {names}"),
    }
}

/// In order, and no more than a person reads.
fn names<'a>(classes: impl Iterator<Item = &'a Arc<GrytServerClass>>) -> String {
    const MOST: usize = 5;
    let mut names: Vec<_> = classes.map(|class| class.name_any()).collect();
    names.sort();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let names = names.join(", ");
    if more > 0 {
        format!("{names} and {more} more")
    } else {
        names
    }
}

fn is_open_to(class: &GrytServerClassSpec, namespace: &str) -> bool {
    let allowed = &class.allowed_namespaces;
    allowed.is_empty() || allowed.iter().any(|allowed| allowed == namespace)
}

/// Refuses a class that isn't for this namespace and host name.
pub(crate) fn check_allowed(
    class: &ResolvedClass,
    namespace: &str,
    hostname: &crate::names::Hostname,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !is_open_to(&class.spec, namespace) {
        refusals.push(Refusal::new(
            Reason::NamespaceNotAllowed,
            format!(
                "{} isn't open to the namespace \"{namespace}\": ask the platform to list it in allowedNamespaces, or name another class.",
                class.title()
            ),
        ));
    }
    let rules = &class.spec.allowed_hostnames;
    if rules.is_empty() {
        return refusals;
    }
    let suffixes: Vec<&str> = rules
        .iter()
        .filter(|rule| rule.namespace == namespace)
        .flat_map(|rule| rule.suffixes.iter().map(String::as_str))
        .collect();
    if !suffixes.iter().any(|suffix| hostname.is_under(suffix)) {
        let choice = if suffixes.is_empty() {
            "no host name is allowed there".to_owned()
        } else {
            format!(
                "allowed there are names that end in {}",
                suffixes.join(", ")
            )
        };
        refusals.push(Refusal::new(
            Reason::HostnameNotAllowed,
            format!(
                "{} doesn't give the host name \"{hostname}\" to the namespace \"{namespace}\": {choice}.",
                class.title()
            ),
        ));
    }
    refusals
}
