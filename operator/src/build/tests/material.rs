//! What of the cluster's secrets is taken over.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fixture::smallest;
use crate::build::{Material, MaterialError, Sources, build};
use crate::names::Namespace;
use crate::objects::{Objects, Prepared};
use crate::observed::{OwnSecrets, SecretContents};
use crate::valid::{Tls, ValidServer};

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn provide(
    server: &ValidServer,
    own: &OwnSecrets,
    random: [u8; 20],
) -> Result<Material, MaterialError> {
    let operator_namespace: Namespace = "gryt-system".parse().unwrap();
    let sources = Sources {
        own,
        platform_tls: &BTreeMap::new(),
        operator_namespace: &operator_namespace,
    };
    Material::provide(server, &sources, random, start())
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
    }
}

#[test]
fn a_second_reconcile_takes_over_every_secret_of_the_first() {
    let server = smallest();
    let first = provide(&server, &OwnSecrets::default(), [1; 20]).unwrap();
    let own = left(&build(&server, &first), &server.uid);
    let second = provide(&server, &own, [2; 20]).unwrap();
    assert_eq!(first, second);
    assert_eq!(first.owner_token.as_str().len(), 32);
}

#[test]
fn a_namesake_inherits_neither_invite_nor_leaf() {
    let server = smallest();
    let first = provide(&server, &OwnSecrets::default(), [1; 20]).unwrap();
    let own = left(&build(&server, &first), "the uid of a deleted one");
    let second = provide(&server, &own, [2; 20]).unwrap();
    assert_ne!(first.owner_token, second.owner_token);
    assert_ne!(first.certificates.sfu, second.certificates.sfu);
}

#[test]
fn the_link_leads_to_the_origin_with_the_token() {
    let server = smallest();
    let material = provide(&server, &OwnSecrets::default(), [1; 20]).unwrap();
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
    let error = provide(&server, &OwnSecrets::default(), [1; 20]).unwrap_err();
    assert!(matches!(error, MaterialError::CopyClassSecret(name) if name == "wildcard"));
}
