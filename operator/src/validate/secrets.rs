//! Secrets that somebody else makes must be there before pods that need them are.

use std::collections::BTreeMap;

use super::parse;
use crate::class::{Defaults, ResolvedClass};
use crate::names::ObjectName;
use crate::observed::{Observed, SecretSeen};
use crate::refusal::{Reason, Refusal};

pub(super) fn check_pull_secrets(observed: &Observed) -> Vec<Refusal> {
    let named = &observed.server.spec.template.image_pull_secrets;
    let missing = |name: &str| {
        Refusal::new(
            Reason::SecretNotFound,
            format!(
                "spec.template.imagePullSecrets names the Secret \"{name}\", which doesn't exist in this namespace: create it."
            ),
        )
    };
    let check = |name: &str| -> Option<Refusal> {
        if let Err(refusal) = parse::<ObjectName>("spec.template.imagePullSecrets", name) {
            return Some(refusal);
        }
        let found = observed.named_secrets.tenant.contains_key(name);
        (!found).then(|| missing(name))
    };
    named
        .iter()
        .filter_map(|secret| check(&secret.name))
        .collect()
}

pub(super) fn check_turn(
    observed: &Observed,
    class: &ResolvedClass,
    defaults: &Defaults,
) -> Vec<Refusal> {
    let named = class.spec.turn.iter().map(|server| &server.secret_ref);
    let place = Place {
        field: format!("turn of {}", class.title()),
        namespace: format!("the operator's namespace \"{}\"", defaults.namespace),
        secrets: &observed.named_secrets.platform,
    };
    named
        .filter_map(|secret| place.check(&secret.name, &[&secret.key]))
        .collect()
}

/// Where a Secret is looked for, and who asks.
pub(super) struct Place<'a> {
    /// The field that names it.
    pub(super) field: String,
    /// The namespace, as a message calls it.
    pub(super) namespace: String,
    /// What is there.
    pub(super) secrets: &'a BTreeMap<String, SecretSeen>,
}

impl Place<'_> {
    /// Refuses a Secret that isn't there or has not every key.
    pub(super) fn check(&self, name: &str, keys: &[&str]) -> Option<Refusal> {
        let Self {
            field,
            namespace,
            secrets,
        } = self;
        // Such a name was not even looked for.
        if let Err(error) = name.parse::<ObjectName>() {
            return Some(Refusal::new(
                Reason::InvalidSpec,
                format!("The {field} names no Secret: {error}."),
            ));
        }
        let Some(secret) = secrets.get(name) else {
            return Some(Refusal::new(
                Reason::SecretNotFound,
                format!(
                    "The {field} names the Secret \"{name}\", which doesn't exist in {namespace}: create it."
                ),
            ));
        };
        let missing = keys.iter().find(|key| !secret.keys.contains(**key))?;
        Some(Refusal::new(
            Reason::SecretKeyMissing,
            format!(
                "The Secret \"{name}\" in {namespace}, named by the {field}, has no value under the key \"{missing}\": add it."
            ),
        ))
    }
}
