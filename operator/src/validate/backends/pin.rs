//! Where the data of a server is. It is chosen once: another database, or one where there was a
//! volume, would be an empty server under the same name.

use crate::class::ResolvedClass;
use crate::crd::CqlBackend;
use crate::observed::Observed;
use crate::record::DatabasePin;
use crate::refusal::{Reason, Refusal};
use crate::validate::Names;

/// Refuses a class by which the server would begin anew.
pub(super) fn check(observed: &Observed, names: &Names, class: &ResolvedClass) -> Option<Refusal> {
    let wanted = class.spec.backends.cql.as_ref();
    let record = observed.own_secrets.backends.as_ref();
    let pinned = record.and_then(|record| DatabasePin::of(&record.contents));
    let title = class.title();
    let why = match (pinned, wanted) {
        (Some(pinned), Some(wanted)) => {
            let keyspace = keyspace(wanted, names);
            if pinned.keyspace != keyspace {
                format!(
                    "The data of this server is in the keyspace \"{}\", and {title} names \"{keyspace}\"",
                    pinned.keyspace
                )
            } else if !pinned.shares_a_node(&wanted.contact_points) {
                format!(
                    "The data of this server is in the database at {}, and {title} names none of these nodes",
                    pinned.contact_points.join(", ")
                )
            } else {
                return None;
            }
        }
        (Some(pinned), None) => format!(
            "The data of this server is in the database at {}, and {title} names no database",
            pinned.contact_points.join(", ")
        ),
        (None, Some(_)) if has_volume(observed, names) => format!(
            "The data of this server is on the volume \"{}\", and {title} names a database, where it would begin empty",
            names.name.data()
        ),
        (None, _) => return None,
    };
    Some(Refusal::new(
        Reason::BackendsChanged,
        format!(
            "{why}: name a class in spec.className that has the data where it is, or ask the platform to bring that back. What runs stays as it is."
        ),
    ))
}

/// Whether there is a volume with data of this server.
fn has_volume(observed: &Observed, names: &Names) -> bool {
    let uid = observed.server.metadata.uid.as_ref();
    let volume = observed.children.volume.as_ref();
    volume.is_some_and(|volume| {
        volume.owner_uid.is_some() && volume.owner_uid.as_ref() == uid
            || volume.server_id.as_deref() == Some(names.id.as_str())
    })
}

/// The keyspace that a server has in this database.
fn keyspace(cql: &CqlBackend, names: &Names) -> String {
    let shared = cql.shared_keyspace.clone();
    shared.unwrap_or_else(|| DatabasePin::own_keyspace(&names.id))
}
