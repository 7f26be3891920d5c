//! What signaling and its Jobs are told of back ends: the same variables, with files from Secrets of
//! the server's namespace or of the operator's.

use k8s_openapi::api::core::v1::{
    EnvVar, EnvVarSource, KeyToPath, ProjectedVolumeSource, SecretKeySelector, SecretProjection,
    Volume, VolumeProjection,
};
use serde::Serialize;

use super::material::SignIns;
use super::pod::{literal, variable};
use crate::record::{CQL_PASSWORD, REDIS_PASSWORD};
use crate::valid::{ValidCql, ValidIssuer, ValidRedis, ValidServer};

/// Where the files are in every container.
pub(super) const FOLDER: &str = "/var/run/gryt/backends";
pub(super) const SENTINEL_PASSWORD: &str = "redis-sentinel-password";
pub(super) const SENTINEL_USER: &str = "redis-sentinel-username";
pub(super) const REDIS_AUTHORITIES: &str = "redis-ca.crt";
pub(super) const CQL_AUTHORITIES: &str = "cql-ca.crt";

/// The file with the authorities of an issuer.
pub(super) fn issuer_authorities(name: &str) -> String {
    format!("issuer-{name}-ca.crt")
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Where Redis is and how the server signs in. `sentinel_user`: the Secret and its key.
pub(super) fn redis(redis: &ValidRedis, sentinel_user: (&str, &str)) -> Vec<EnvVar> {
    let mut env = vec![
        variable("GRYT_SIGNALING_REDIS_URL", literal(&redis.url)),
        variable("GRYT_SIGNALING_REDIS_PASSWORD_FILE", file(REDIS_PASSWORD)),
    ];
    if let Some(sentinel) = &redis.sentinel {
        env.push(variable(
            "GRYT_SIGNALING_REDIS_SENTINEL_PASSWORD_FILE",
            file(SENTINEL_PASSWORD),
        ));
        if sentinel.names_user {
            env.push(from_secret(
                "GRYT_SIGNALING_REDIS_SENTINEL_USER",
                sentinel_user,
            ));
        }
    }
    if redis.ca.is_some() {
        let ca = file(REDIS_AUTHORITIES);
        env.push(variable("GRYT_SIGNALING_REDIS_CA_FILE", ca));
    }
    env
}

/// Where the database is and how the server signs in.
pub(super) fn cql(cql: &ValidCql) -> Vec<EnvVar> {
    let mut env = vec![
        variable(
            "GRYT_SIGNALING_CQL_CONTACT_POINTS",
            cql.contact_points.join(","),
        ),
        variable("GRYT_SIGNALING_CQL_PASSWORD_FILE", file(CQL_PASSWORD)),
    ];
    let named = [
        ("GRYT_SIGNALING_CQL_DATACENTER", &cql.datacenter),
        ("GRYT_SIGNALING_CQL_KEYSPACE", &cql.shared_keyspace),
    ];
    let named = named.map(|(name, value)| Some(variable(name, value.as_ref()?)));
    env.extend(named.into_iter().flatten());
    if cql.ca.is_some() {
        let ca = file(CQL_AUTHORITIES);
        env.push(variable("GRYT_SIGNALING_CQL_CA_FILE", ca));
    }
    env
}

/// Where people sign in; `None`: at the server's own accounts.
pub(super) fn issuers(issuers: &[ValidIssuer]) -> Option<EnvVar> {
    /// As signaling reads it: docs/sign-in.md.
    #[derive(Serialize)]
    struct Issuer<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<&'a str>,
        issuer: &'a str,
        client_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        audience: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        jwks_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        discovery_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ca_file: Option<String>,
    }
    let list = issuers.iter().map(|issuer| Issuer {
        name: &issuer.name,
        label: issuer.label.as_deref(),
        issuer: &issuer.issuer,
        client_id: &issuer.client_id,
        audience: issuer.audience.as_deref(),
        jwks_url: issuer.jwks_url.as_deref(),
        discovery_url: issuer.discovery_url.as_deref(),
        ca_file: issuer
            .ca
            .is_some()
            .then(|| file(&issuer_authorities(&issuer.name))),
    });
    let list: Vec<Issuer<'_>> = list.collect();
    let text = serde_json::to_string(&list).unwrap_or_default();
    (!list.is_empty()).then(|| variable("GRYT_SIGNALING_ISSUERS", literal(&text)))
}

/// A variable that the kubelet fills in.
pub(super) fn from_secret(name: &str, (secret, key): (&str, &str)) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.to_owned(),
                key: key.to_owned(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// Whether signaling reads anything of its Secret.
pub(super) fn are_named(server: &ValidServer, sign_ins: &SignIns) -> bool {
    server.backends.keep_something() || !sign_ins.files.is_empty()
}

/// One file of a Secret.
#[derive(Debug, Clone)]
pub(super) struct File {
    secret: String,
    key: String,
    /// Its name in the folder.
    path: &'static str,
}

impl File {
    pub(super) fn new(secret: &str, key: &str, path: &'static str) -> Self {
        Self {
            secret: secret.to_owned(),
            key: key.to_owned(),
            path,
        }
    }
}

/// Files of several Secrets in one folder, readable for the pod's group.
pub(super) fn folder(name: &str, files: &[File]) -> Volume {
    let source = |File { secret, key, path }: &File| VolumeProjection {
        secret: Some(SecretProjection {
            name: secret.clone(),
            items: Some(vec![KeyToPath {
                key: key.clone(),
                path: (*path).to_owned(),
                mode: None,
            }]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    Volume {
        name: name.to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(files.iter().map(source).collect()),
            default_mode: Some(0o440),
        }),
        ..Volume::default()
    }
}
