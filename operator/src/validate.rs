//! Decides whether a server may be built: what it asks for, against what its class gives and what
//! the cluster has. Pure. A refusal applies and deletes nothing, so the last good state stays.

pub(crate) mod backends;
mod exposure;
mod image;
mod leaving;
mod media;
mod secrets;
mod storage;
#[cfg(test)]
mod tests;
mod tls;

use gryt_model::ServerId;
use kube::ResourceExt as _;

use crate::claims;
use crate::class::{self, Defaults};
use crate::names::{Hostname, Namespace, ServerName};
use crate::observed::Observed;
use crate::refusal::{Reason, Refusal, Refusals};
use crate::valid::ValidServer;

pub(crate) use leaving::leaving;

/// Turns what was observed into a server that may be built.
///
/// # Errors
/// Everything that stands in the way, not just the first thing.
pub fn validate(observed: &Observed, defaults: &Defaults) -> Result<ValidServer, Refusals> {
    let names = parse_names(observed)?;
    let class = class::resolve(&observed.server, &observed.classes)?;

    let mut refusals = Vec::new();
    refusals.extend(claims::check(
        &observed.server,
        &names.hostname,
        &observed.claims.rivals,
    ));
    refusals.extend(class::check_allowed(
        &class,
        names.namespace.as_str(),
        &names.hostname,
    ));
    refusals.extend(backends::check_replicas(observed, &class));
    refusals.extend(secrets::check_pull_secrets(observed));
    refusals.extend(secrets::check_turn(observed, &class, defaults));
    let backends = backends::resolve(observed, &names, &class, defaults, &mut refusals);
    // A volume that nobody uses stands in nobody's way.
    let mut unused = Vec::new();
    let of_storage = match backends.are_shared() {
        true => &mut unused,
        false => &mut refusals,
    };
    let storage = storage::resolve(observed, &names, &class, of_storage);
    let web = keep(exposure::resolve(&class, observed), &mut refusals);
    let tls = web.as_ref().and_then(|web| {
        let tls = tls::resolve(observed, &class, defaults, web);
        keep(tls, &mut refusals)
    });
    let slots = keep(media::slots(observed, &names.id, &class), &mut refusals);

    if let Some(refusals) = Refusals::of(refusals) {
        return Err(refusals);
    }
    let (Some(web), Some(tls), Some(slots)) = (web, tls, slots) else {
        unreachable!("each of them is there or has left a refusal");
    };
    let spec = &observed.server.spec;
    let origin = exposure::origin(
        &web,
        &names.hostname,
        observed.children.web_service.as_ref(),
    );
    Ok(ValidServer {
        display_name: display_name(observed, &names.hostname),
        uid: observed.server.uid().unwrap_or_default(),
        generation: observed.server.metadata.generation.unwrap_or_default(),
        images: image::resolve(&class, defaults),
        suspended: spec.suspend,
        signaling_replicas: spec.signaling.replicas,
        backends,
        template: spec.template.clone(),
        name: names.name,
        namespace: names.namespace,
        id: names.id,
        hostname: names.hostname,
        class,
        storage,
        slots,
        web,
        tls,
        origin,
    })
}

/// The names that everything else needs: without them nothing further can be said.
pub(crate) struct Names {
    pub(crate) name: ServerName,
    pub(crate) namespace: Namespace,
    pub(crate) hostname: Hostname,
    pub(crate) id: ServerId,
}

fn parse_names(observed: &Observed) -> Result<Names, Refusals> {
    let server = &observed.server;
    // The schema refuses all of these; objects stored before a schema are not checked by it.
    let name = parse("metadata.name", &server.name_any())?;
    let namespace = parse(
        "metadata.namespace",
        &server.namespace().unwrap_or_default(),
    )?;
    let hostname = parse("spec.hostname", &server.spec.hostname)?;
    let Some(id) = &server.spec.server_id else {
        let message = "The operator is about to write spec.serverId.";
        return Err(Refusal::new(Reason::ServerIdPending, message).into());
    };
    Ok(Names {
        name,
        namespace,
        hostname,
        id: parse("spec.serverId", id)?,
    })
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, Refusal> {
    text.parse()
        .map_err(|error: T::Err| Refusal::new(Reason::InvalidSpec, format!("{field}: {error}.")))
}

fn display_name(observed: &Observed, hostname: &Hostname) -> String {
    let wanted = observed.server.spec.display_name.as_deref();
    let wanted = wanted.map(str::trim).filter(|name| !name.is_empty());
    wanted.unwrap_or_else(|| hostname.first_label()).to_owned()
}

/// Takes the value, or notes why there is none.
fn keep<T>(result: Result<T, Refusal>, refusals: &mut Vec<Refusal>) -> Option<T> {
    result.map_err(|refusal| refusals.push(refusal)).ok()
}
