//! Secrets of others that a server or a class names. Asked for by name and only when needed: a
//! watch would need the right to read every Secret's content into memory. Of what comes, only what
//! decides something is kept, and that for seconds.

mod memory;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kube::Client;
use kube::api::Api;
use tokio::time::{Instant, sleep, timeout};

use super::object::Object;
use super::seen;
use crate::names::ObjectName;
use crate::objects::Child;
use crate::observed::{SecretContents, SecretSeen, TLS_KEYS};

use memory::{FRESH, Memory};

/// An answer that takes longer counts as none. A Secret is read in milliseconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A Secret could not be asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    /// The API server refused or could not be reached.
    #[error("ask the API server")]
    Ask(#[source] kube::Error),
    /// The API server did not answer in time.
    #[error("no answer in time")]
    Unanswered,
}

/// What of a Secret is wanted, and all that is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    /// That it exists, and whether it has the keys of a certificate. No contents.
    Outside,
    /// The names of its keys. No contents.
    Keys,
    /// The certificate and its key, to copy them.
    Certificate,
    /// All of it, to copy some.
    Contents,
}

impl Wanted {
    fn keeps_contents(self) -> bool {
        match self {
            Self::Outside | Self::Keys => false,
            Self::Certificate | Self::Contents => true,
        }
    }

    fn keeps(self, key: &str) -> bool {
        match self {
            Self::Outside | Self::Certificate => TLS_KEYS.contains(&key),
            Self::Keys | Self::Contents => true,
        }
    }
}

/// What is kept of a named Secret.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) seen: SecretSeen,
    /// Only where they were asked for.
    pub(crate) contents: Option<SecretContents>,
}

impl Named {
    fn of(mut contents: SecretContents, wanted: Wanted) -> Self {
        contents.data.retain(|key, _| wanted.keeps(key));
        contents.annotations.clear();
        contents.owner_uid = None;
        let filled = contents
            .data
            .iter()
            .filter(|(_, value)| !value.0.is_empty());
        let seen = SecretSeen {
            resource_version: contents.resource_version.clone(),
            keys: filled.map(|(key, _)| key.clone()).collect(),
        };
        Self {
            seen,
            contents: wanted.keeps_contents().then_some(contents),
        }
    }

    fn bytes(&self) -> usize {
        let keys: usize = self.seen.keys.iter().map(String::len).sum();
        let data = self.contents.iter().flat_map(|secret| &secret.data);
        let data: usize = data.map(|(key, value)| key.len() + value.0.len()).sum();
        keys + data
    }
}

/// Asks for Secrets, and remembers the answers for a moment.
pub(crate) struct NamedSecretsByName {
    client: Client,
    memory: Arc<Mutex<Memory>>,
}

impl NamedSecretsByName {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            memory: Arc::default(),
        }
    }

    /// Asks for one Secret; `None` if there is none.
    pub(crate) async fn find(
        &self,
        namespace: &str,
        name: &ObjectName,
        wanted: Wanted,
    ) -> Result<Option<Arc<Named>>, FindError> {
        let key = (namespace.to_owned(), name.to_string(), wanted);
        let now = Instant::now();
        if let Some(answer) = lock(&self.memory).get(&key, now) {
            return Ok(answer);
        }
        let resource = Child::Secret.api_resource();
        let api: Api<Object> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let found = timeout(ANSWER_LIMIT, api.get_opt(name.as_str()))
            .await
            .map_err(|_elapsed| FindError::Unanswered)?
            .map_err(FindError::Ask)?;
        let found = found.map(|object| Arc::new(Named::of(seen::secret(&object), wanted)));
        let begins = lock(&self.memory).put(key, now, found.clone());
        if begins {
            tokio::spawn(forget(Arc::downgrade(&self.memory)));
        }
        Ok(found)
    }
}

/// Forgets what is old until nothing is left: an idle operator holds nothing.
async fn forget(memory: Weak<Mutex<Memory>>) {
    loop {
        sleep(FRESH).await;
        let Some(memory) = memory.upgrade() else {
            return;
        };
        if lock(&memory).forget(Instant::now()) {
            return;
        }
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
