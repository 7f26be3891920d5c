//! Decides whether what a deleted server has in back ends can be removed: they are the ones that its
//! data is in, and their Secrets are there. Pure.

use super::{backends, image, parse_names};
use crate::class::{self, Defaults};
use crate::observed::Observed;
use crate::record;
use crate::refusal::{Reason, Refusal, Refusals};
use crate::valid::Leaving;

/// Turns what was observed into a server whose back ends may be cleared.
///
/// # Errors
/// Everything that stands in the way.
pub(crate) fn leaving(observed: &Observed, defaults: &Defaults) -> Result<Leaving, Refusals> {
    let names = parse_names(observed)?;
    let class = class::resolve(&observed.server, &observed.classes)?;
    let mut refusals = Vec::new();
    let backends = backends::resolve(observed, &names, &class, defaults, &mut refusals);
    let record = observed.own_secrets.backends.as_ref();
    let has_user = record.is_some_and(|record| {
        let password = record.contents.data.get(record::REDIS_PASSWORD);
        password.is_some()
    });
    if has_user && class.spec.backends.redis.is_none() {
        refusals.push(Refusal::new(
            Reason::BackendsChanged,
            format!(
                "This server has a user in a Redis, and {} names none.",
                class.title()
            ),
        ));
    }
    if let Some(refusals) = Refusals::of(refusals) {
        return Err(refusals);
    }
    Ok(Leaving {
        name: names.name,
        namespace: names.namespace,
        id: names.id,
        images: image::resolve(&class, defaults),
        backends,
    })
}
