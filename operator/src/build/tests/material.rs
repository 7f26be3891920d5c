//! What of the cluster's secrets is taken over.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fixture::{database_only, new_backends, smallest};
use crate::build::{Material, MaterialError, Sources, build};
use crate::fetch::ServerKey;
use crate::names::Namespace;
use crate::objects::{Objects, Prepared};
use crate::observed::{OwnSecrets, Record, SecretContents};
use crate::valid::{Tls, ValidServer};

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn provide(server: &ValidServer, own: &OwnSecrets, byte: u8) -> Result<Material, MaterialError> {
    let operator_namespace: Namespace = "gryt-system".parse().unwrap();
    let sources = Sources {
        own,
        platform_tls: &BTreeMap::new(),
        platform_files: &BTreeMap::new(),
        operator_namespace: &operator_namespace,
    };
    Material::provide(server, &sources, [[byte; 20]; 3].into(), start())
}

/// What the next reconcile finds after these objects were applied.
fn left(objects: &Objects<Prepared>, owner_uid: &str) -> OwnSecrets {
    let contents = |name: &str| {
        let secret = objects
            .secrets
            .iter()
            .find(|secret| secret.metadata.name.as_deref() == Some(name))?;
        Some(SecretContents {
            data: secret.data.clone().unwrap(),
            owner_uid: Some(owner_uid.to_owned()),
            ..SecretContents::default()
        })
    };
    OwnSecrets {
        authority: Some(SecretContents {
            data: objects.authority.data.clone().unwrap(),
            ..SecretContents::default()
        }),
        signaling_tls: contents("chat-signaling-tls"),
        sfu_tls: contents("chat-sfu-tls"),
        web_tls: contents("chat-web-tls"),
        owner: contents("chat-owner"),
        backends: objects.backends_record.as_ref().map(|record| Record {
            contents: SecretContents {
                data: record.data.clone().unwrap(),
                annotations: record.metadata.annotations.clone().unwrap(),
                ..SecretContents::default()
            },
            holder: ServerKey {
                namespace: "team-a".to_owned(),
                name: "chat".to_owned(),
            },
        }),
    }
}

#[test]
fn a_second_reconcile_takes_over_every_secret_of_the_first() {
    let server = smallest();
    let first = provide(&server, &OwnSecrets::default(), 1).unwrap();
    let own = left(&build(&server, &first), &server.uid);
    let second = provide(&server, &own, 2).unwrap();
    assert_eq!(first, second);
    assert_eq!(first.owner_token.as_str().len(), 32);
}

#[test]
fn a_namesake_inherits_neither_invite_nor_leaf() {
    let server = smallest();
    let first = provide(&server, &OwnSecrets::default(), 1).unwrap();
    let own = left(&build(&server, &first), "the uid of a deleted one");
    let second = provide(&server, &own, 2).unwrap();
    assert_ne!(first.owner_token, second.owner_token);
    assert_ne!(first.certificates.sfu, second.certificates.sfu);
}

#[test]
fn the_link_leads_to_the_origin_with_the_token() {
    let server = smallest();
    let material = provide(&server, &OwnSecrets::default(), 1).unwrap();
    let own = left(&build(&server, &material), &server.uid);
    let link = &own.owner.unwrap().data["link"].0;
    let expected = format!(
        "https://chat.example.org:30443/invite/{}",
        material.owner_token.as_str()
    );
    assert_eq!(std::str::from_utf8(link).unwrap(), expected);
}

#[test]
fn a_class_secret_that_is_gone_is_an_error_and_not_a_self_signed_certificate() {
    let mut server = smallest();
    server.tls = Tls::ClassSecret {
        name: "wildcard".to_owned(),
    };
    let error = provide(&server, &OwnSecrets::default(), 1).unwrap_err();
    assert!(matches!(error, MaterialError::CopyClassSecret(name) if name == "wildcard"));
}

#[test]
fn passwords_of_back_ends_are_kept_and_only_those_of_named_ones_are_drawn() {
    let server = database_only();
    let first = provide(&server, &OwnSecrets::default(), 1).unwrap();
    assert!(first.sign_ins.cql.is_some() && first.sign_ins.redis.is_none());
    let own = left(&build(&server, &first), &server.uid);
    let second = provide(&server, &own, 2).unwrap();
    assert_eq!(first.sign_ins, second.sign_ins);
    assert_ne!(
        first.sign_ins.cql,
        provide(&server, &OwnSecrets::default(), 2)
            .unwrap()
            .sign_ins
            .cql
    );
}

#[test]
fn a_secret_that_went_since_the_server_was_validated_is_named() {
    let error = provide(&new_backends(), &OwnSecrets::default(), 1).unwrap_err();
    let MaterialError::CopyBackendSecret(secret) = error else {
        panic!("{error}");
    };
    assert_eq!(secret, "sentinels");
}
