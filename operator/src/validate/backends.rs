//! The back ends that the class names: whether their Secrets are there, whether they are those that
//! the server has its data in, and whether the data is this server's.

mod address;
mod pin;

use kube::ResourceExt as _;

use super::Names;
use super::secrets::Place;
use crate::class::{Defaults, ResolvedClass};
use crate::crd::{ADOPT_ANNOTATION, CqlBackend, OidcIssuer, RedisBackend, SecretKey, SignInSecret};
use crate::labels::{INSTANCE_LABEL, SERVER_NAMESPACE_LABEL};
use crate::names;
use crate::observed::Observed;
use crate::record;
use crate::refusal::{Reason, Refusal};
use crate::valid::{
    Administrator, Progress, SecretFile, SentinelSignIn, ValidBackends, ValidCql, ValidIssuer,
    ValidRedis,
};

/// The keys of a Secret with a sign-in.
pub(crate) const USERNAME: &str = "username";
/// The other one.
pub(crate) const PASSWORD: &str = "password";
/// Stands for the server's id in what a class says about issuers.
const SERVER_ID: &str = "{serverId}";

pub(super) fn resolve(
    observed: &Observed,
    names: &Names,
    class: &ResolvedClass,
    defaults: &Defaults,
    refusals: &mut Vec<Refusal>,
) -> ValidBackends {
    let mut found = Found {
        observed,
        class,
        defaults,
        refusals,
    };
    let wanted = &class.spec.backends;
    let redis = wanted.redis.as_ref().and_then(|redis| found.redis(redis));
    let cql = wanted.cql.as_ref().and_then(|cql| found.cql(cql));
    let issuers = wanted.issuers.iter();
    let issuers = issuers.filter_map(|issuer| found.issuer(issuer, names));
    let issuers = issuers.collect();
    if wanted.redis.is_some() || wanted.cql.is_some() {
        found
            .refusals
            .extend(check_owner(observed, names, defaults));
    }
    found.refusals.extend(pin::check(observed, names, class));
    ValidBackends {
        redis,
        cql,
        issuers,
        progress: progress(observed),
    }
}

/// More than one process needs that none of them keeps anything to itself.
pub(super) fn check_replicas(observed: &Observed, class: &ResolvedClass) -> Option<Refusal> {
    let replicas = observed.server.spec.signaling.replicas;
    let backends = &class.spec.backends;
    let missing = [
        (backends.redis.is_none(), "redis"),
        (backends.cql.is_none(), "cql"),
        (backends.issuers.is_empty(), "issuers"),
    ];
    let missing: Vec<&str> = missing
        .into_iter()
        .filter_map(|(is_missing, name)| is_missing.then_some(name))
        .collect();
    (replicas > 1 && !missing.is_empty()).then(|| {
        Refusal::new(
            Reason::SharedBackendsRequired,
            format!(
                "spec.signaling.replicas is {replicas}, which needs redis, cql and issuers in the backends of the class, and {} names no {}: set spec.signaling.replicas to 1, or ask the platform for another class.",
                class.title(),
                missing.join(" and no ")
            ),
        )
    })
}

fn progress(observed: &Observed) -> Progress {
    let record = observed.own_secrets.backends.as_ref();
    let noted = |annotation: &str| record?.contents.annotations.get(annotation).cloned();
    let jobs = observed.children.jobs.iter();
    Progress {
        database: noted(record::DATABASE_PREPARED),
        bus: noted(record::BUS_PREPARED),
        complete: jobs
            .filter(|(_, job)| job.complete)
            .map(|(name, _)| name.clone())
            .collect(),
    }
}

/// What an earlier GrytServer left behind is taken over only if both sides say so: the platform, in
/// whose namespace the record is, by whom it names, and the tenant by his annotation.
fn check_owner(observed: &Observed, names: &Names, defaults: &Defaults) -> Option<Refusal> {
    let record = observed.own_secrets.backends.as_ref()?;
    let owner = record.contents.annotations.get(record::SERVER_UID);
    if owner.is_some() && *owner? == observed.server.uid().unwrap_or_default() {
        return None;
    }
    let refuse = |message: String| Some(Refusal::new(Reason::DataOfAnotherServer, message));
    let id = names.id.as_str();
    let holder = &record.holder;
    if holder.namespace != names.namespace.as_str() || holder.name != names.name.as_str() {
        return refuse(format!(
            "The back ends hold data of the server {id}, which was another GrytServer's: create this one again without spec.serverId, or ask the platform to give it the data by the labels {INSTANCE_LABEL} and {SERVER_NAMESPACE_LABEL} of the Secret \"{}\" in the namespace \"{}\".",
            names::backends(id),
            defaults.namespace
        ));
    }
    let adopted = observed.server.annotations().get(ADOPT_ANNOTATION);
    if adopted.map(String::as_str) == Some(id) {
        return None;
    }
    refuse(format!(
        "The back ends hold data that an earlier GrytServer of this name and id left behind: take it over with the annotation {ADOPT_ANNOTATION}: {id}, or create this one again without spec.serverId."
    ))
}

/// Looks for what a class names, and collects what is missing.
struct Found<'a> {
    observed: &'a Observed,
    class: &'a ResolvedClass,
    defaults: &'a Defaults,
    refusals: &'a mut Vec<Refusal>,
}

impl Found<'_> {
    fn redis(&mut self, redis: &RedisBackend) -> Option<ValidRedis> {
        let ports = self.parsed("redis.url", &redis.url, address::redis_ports(&redis.url));
        let admin = self.administrator("redis.adminSecretRef", &redis.admin_secret_ref);
        let sentinel = redis.sentinel_secret_ref.as_ref();
        let sentinel = sentinel.map(|secret| self.sentinel(secret));
        let ca = self.file("redis.caSecretRef", redis.ca_secret_ref.as_ref());
        Some(ValidRedis {
            url: redis.url.clone(),
            ports: ports?,
            admin: admin?,
            sentinel: sentinel.map_or(Some(None), |found| found.map(Some))?,
            ca: ca?,
        })
    }

    fn cql(&mut self, cql: &CqlBackend) -> Option<ValidCql> {
        let points = &cql.contact_points;
        let ports = points.iter().map(|point| address::cql_port(point));
        let ports: Option<_> = ports.collect();
        let ports = self.parsed("cql.contactPoints", &points.join(", "), ports);
        let admin = self.administrator("cql.adminSecretRef", &cql.admin_secret_ref);
        let ca = self.file("cql.caSecretRef", cql.ca_secret_ref.as_ref());
        let copies = cql.replication.iter();
        let copies = copies.map(|part| format!("{}:{}", part.datacenter, part.copies));
        Some(ValidCql {
            contact_points: points.clone(),
            ports: ports?,
            datacenter: cql.datacenter.clone(),
            replication: copies.collect::<Vec<_>>().join(","),
            shared_keyspace: cql.shared_keyspace.clone(),
            admin: admin?,
            ca: ca?,
        })
    }

    fn issuer(&mut self, issuer: &OidcIssuer, names: &Names) -> Option<ValidIssuer> {
        let field = format!("issuers[{}]", issuer.name);
        let asked = issuer.jwks_url.as_ref().or(issuer.discovery_url.as_ref());
        let asked = asked.unwrap_or(&issuer.issuer);
        let port = self.parsed(&field, asked, address::web_port(asked));
        let ca = self.file(
            &format!("{field}.caSecretRef"),
            issuer.ca_secret_ref.as_ref(),
        );
        let named = |text: &String| text.replace(SERVER_ID, names.id.as_str());
        Some(ValidIssuer {
            name: issuer.name.clone(),
            label: issuer.label.clone(),
            issuer: issuer.issuer.clone(),
            client_id: named(&issuer.client_id),
            audience: issuer.audience.as_ref().map(named),
            jwks_url: issuer.jwks_url.clone(),
            discovery_url: issuer.discovery_url.clone(),
            port: port?,
            ca: ca?,
        })
    }

    /// The schema refuses what can't be read; objects stored before a schema are not checked by it.
    fn parsed<T>(&mut self, field: &str, text: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() {
            self.refusals.push(Refusal::new(
                Reason::InvalidSpec,
                format!(
                    "backends.{field} of {}: \"{text}\" names no host and port.",
                    self.class.title()
                ),
            ));
        }
        parsed
    }

    /// Notes it if the Secret or one of its keys is missing.
    fn is_there(&mut self, field: &str, name: &str, keys: &[&str]) -> bool {
        let place = Place {
            field: format!("field backends.{field} of {}", self.class.title()),
            namespace: format!("the operator's namespace \"{}\"", self.defaults.namespace),
            secrets: &self.observed.named_secrets.platform,
        };
        let refusal = place.check(name, keys);
        let is_there = refusal.is_none();
        self.refusals.extend(refusal);
        is_there
    }

    fn administrator(&mut self, field: &str, secret: &SignInSecret) -> Option<Administrator> {
        let name = &secret.name;
        let is_there = self.is_there(field, name, &[USERNAME, PASSWORD]);
        let seen = self.observed.named_secrets.platform.get(name);
        seen.filter(|_| is_there).map(|seen| Administrator {
            secret: name.clone(),
            version: seen.resource_version.clone(),
        })
    }

    fn sentinel(&mut self, secret: &SignInSecret) -> Option<SentinelSignIn> {
        let name = &secret.name;
        let is_there = self.is_there("redis.sentinelSecretRef", name, &[PASSWORD]);
        let seen = self.observed.named_secrets.platform.get(name);
        seen.filter(|_| is_there).map(|seen| SentinelSignIn {
            secret: name.clone(),
            names_user: seen.keys.contains(USERNAME),
        })
    }

    /// `None` if it is named and not there.
    fn file(&mut self, field: &str, file: Option<&SecretKey>) -> Option<Option<SecretFile>> {
        let Some(SecretKey { name, key }) = file else {
            return Some(None);
        };
        let (secret, key) = (name.clone(), key.clone());
        self.is_there(field, &secret, &[&key])
            .then_some(Some(SecretFile { secret, key }))
    }
}
