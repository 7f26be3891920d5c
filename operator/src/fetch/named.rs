//! Secrets of others that a server or a class names. Asked for by name and only when needed: a
//! watch would need the right to read every Secret's content into memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::Api;
use kube::{Client, ResourceExt as _};
use tokio::time::Instant;

use super::object::Object;
use super::seen;
use crate::objects::Child;
use crate::observed::{SecretContents, SecretSeen};

/// How long an answer is good for a Secret that exists. Reconciles come in bursts.
const FRESH: Duration = Duration::from_secs(20);
/// The same for one that is missing: somebody waits for it.
const MISSING_FRESH: Duration = Duration::from_secs(2);
/// Answers that are remembered; beyond that the stale ones go, then all.
const MAX_REMEMBERED: usize = 10_000;

/// A named Secret.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) type_: Option<String>,
    pub(crate) contents: SecretContents,
}

impl Named {
    /// Its outside only.
    pub(crate) fn seen(&self) -> SecretSeen {
        let filled = self
            .contents
            .data
            .iter()
            .filter(|(_, value)| !value.0.is_empty());
        SecretSeen {
            resource_version: self.contents.resource_version.clone(),
            keys: filled.map(|(key, _)| key.clone()).collect(),
            type_: self.type_.clone(),
        }
    }
}

type Answer = (Instant, Option<Arc<Named>>);

/// The Secrets that were asked for lately.
pub(crate) struct NamedSecretsByName {
    client: Client,
    answers: Mutex<HashMap<(String, String), Answer>>,
}

impl NamedSecretsByName {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            answers: Mutex::default(),
        }
    }

    /// Asks for one Secret; `None` if there is none, or none that the operator may read.
    pub(crate) async fn find(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Named>>, kube::Error> {
        let key = (namespace.to_owned(), name.to_owned());
        let now = Instant::now();
        if let Some((at, answer)) = self.lock().get(&key) {
            let fresh = if answer.is_some() {
                FRESH
            } else {
                MISSING_FRESH
            };
            if now.duration_since(*at) < fresh {
                return Ok(answer.clone());
            }
        }
        let resource = Child::Secret.api_resource();
        let api: Api<Object> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let found = api.get_opt(name).await?.map(|object| {
            let type_ = object.field("type").as_str().map(str::to_owned);
            debug_assert_eq!(object.name_any(), name);
            Arc::new(Named {
                type_,
                contents: seen::secret(&object),
            })
        });
        let mut answers = self.lock();
        if answers.len() >= MAX_REMEMBERED {
            answers.retain(|_, (at, _)| now.duration_since(*at) < FRESH);
        }
        if answers.len() >= MAX_REMEMBERED {
            answers.clear();
        }
        answers.insert(key, (now, found.clone()));
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
