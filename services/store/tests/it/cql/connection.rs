//! Ways in, and databases that do not answer.

use std::process::Command;
use std::time::Duration;

use gryt_backends::cassandra::Cassandra;
use gryt_store::cql::{self, Authorities, Error};
use gryt_store::{Appended, CqlStore, Messages as _};

use crate::cassandra::{Home, administrator, authority, settings, settings_of};
use crate::fixture::{channel, new_message, sign_ann_in};
#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn changed_password_of_a_server_lets_its_role_in_with_the_new_one_only() {
    let home = Home::new().ready().await;
    let mut wanted = home.provisioning();
    wanted.password = Some(cql::Password::new("another"));
    cql::provision(&administrator(), &wanted).await.unwrap();

    let role = cql::role_name(&home.server);
    let fresh = settings(&role, "another");
    CqlStore::open(&fresh, &home.isolation, home.first_open())
        .await
        .unwrap();
    let stale = settings(&role, "never right");
    let refusal = CqlStore::open(&stale, &home.isolation, home.first_open())
        .await
        .unwrap_err();

    assert!(matches!(refusal, Error::SignIn { .. }), "{refusal:?}");
    let sentence = refusal.to_string();
    assert!(sentence.contains("wrong name or password"), "{sentence}");
    assert!(!format!("{refusal:?} {stale:?}").contains("never right"));
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn store_speaks_tls_with_a_database_whose_authority_it_trusts_and_with_no_other() {
    let home = Home::new().ready().await;
    let trusting = |pem: &str| cql::Settings {
        authorities: Some(Authorities::from_pem(pem.as_bytes()).unwrap()),
        ..home.settings()
    };

    let store = CqlStore::open(&trusting(authority()), &home.isolation, home.first_open()).await;
    sign_ann_in(&store.unwrap()).await;

    let key = rcgen::KeyPair::generate().unwrap();
    let stranger = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let stranger = stranger.self_signed(&key).unwrap().pem();
    let refusal = CqlStore::open(&trusting(&stranger), &home.isolation, home.first_open()).await;
    let refusal = refusal.unwrap_err();
    assert!(matches!(refusal, Error::Reach { .. }), "{refusal:?}");
}

#[test]
fn bundle_without_a_certificate_is_refused() {
    for pem in [
        "",
        "not pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let refusal = Authorities::from_pem(pem.as_bytes()).unwrap_err();
        assert!(matches!(refusal, Error::ReadAuthorities(_)), "{refusal:?}");
    }
}

#[tokio::test]
async fn database_that_does_not_answer_is_told_within_its_time() {
    // It accepts and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = [silent.local_addr().unwrap(), closed.local_addr().unwrap()];
    drop(closed);
    for address in addresses {
        let settings = cql::Settings {
            contact_points: vec![address.to_string().parse().unwrap()],
            local_datacenter: None,
            credentials: None,
            authorities: None,
        };
        let keyspace = "gryt_x".parse().unwrap();
        let migrated = cql::migrate(&settings, &keyspace);

        let ended = tokio::time::timeout(Duration::from_secs(30), migrated).await;

        let refusal = ended.unwrap().unwrap_err();
        assert!(matches!(refusal, Error::Reach { .. }), "{refusal:?}");
        assert!(
            refusal.to_string().contains(&address.to_string()),
            "{refusal}"
        );
    }
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn paused_database_is_told_in_time_and_loses_and_doubles_nothing_afterwards() {
    // Of its own: nobody else's tests are to wait.
    let cassandra = Cassandra::start().unwrap();
    let home = Home::new();
    let administrator = settings_of(&cassandra, "cassandra", "cassandra");
    cql::provision(&administrator, &home.provisioning())
        .await
        .unwrap();
    let keyspace = home.isolation.keyspace(&home.server);
    cql::migrate(&administrator, &keyspace).await.unwrap();
    let store = CqlStore::open(&administrator, &home.isolation, home.first_open())
        .await
        .unwrap();
    sign_ann_in(&store).await;
    let before = store.append_message(new_message("before", "n0")).await;
    assert!(matches!(before.unwrap(), Appended::New(_)));

    signal(&cassandra, "STOP");
    let during = store.append_message(new_message("during", "n1"));
    let during = tokio::time::timeout(Duration::from_secs(20), during).await;
    signal(&cassandra, "CONT");
    during.unwrap().unwrap_err();

    // As a client does that heard nothing.
    let message = loop {
        match store.append_message(new_message("during", "n1")).await {
            Ok(Appended::New(message) | Appended::Repeated(message)) => break message,
            Ok(outcome) => panic!("neither new nor repeated: {outcome:?}"),
            Err(_) => {}
        }
    };
    let page = store.messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(page.messages.len(), 2);
    assert_eq!(page.messages[1], message);
}

fn signal(cassandra: &Cassandra, name: &str) {
    let pid = cassandra.pid().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success());
}
