//! Certificates over years, and what damaged Secrets do.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use gryt_runtime::tls::{ClientAuth, TlsFolder};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn names() -> Names {
    Names {
        server: ServerId::from_random([7; 16]),
        sfu_services: vec!["chat-sfu-0.team.svc".to_owned()],
        web: Some("chat.example.org".to_owned()),
    }
}

fn made(now: SystemTime) -> Certificates {
    provide(&Stored::default(), &names(), now).unwrap()
}

/// Through the files of the Secrets, as the cluster keeps them.
fn stored(certificates: &Certificates) -> Stored {
    let Certificates {
        authority,
        signaling,
        sfu,
        web,
        due: _,
    } = certificates;
    Stored {
        authority: Authority::from_files(&authority.files()),
        signaling: Leaf::from_files(&signaling.files()),
        sfu: Leaf::from_files(&sfu.files()),
        web: web
            .as_ref()
            .and_then(|pair| Pair::from_files(&pair.files())),
    }
}

fn read(pair: &Pair) -> read::Certificate {
    read::Certificate::read(&pair.certificate).unwrap()
}

/// Whether who holds `there` accepts the certificate of `here`.
fn is_trusted(here: &Leaf, there: &Leaf) -> bool {
    let own = read(&here.pair);
    there
        .authorities
        .split_inclusive("-----END CERTIFICATE-----\n")
        .filter_map(read::Certificate::read)
        .any(|authority| own.is_by(&authority))
}

#[test]
fn what_is_good_is_kept_byte_for_byte() {
    let first = made(start());
    let second = provide(&stored(&first), &names(), start() + DAY).unwrap();
    assert_eq!(first, second);
    assert_eq!(first.due, start() - Duration::from_mins(5) + 20 * DAY);
}

#[test]
fn leaves_name_their_part_and_server() {
    let made = made(start());
    let id = names().server;
    let signaling = read(&made.signaling.pair).names;
    assert_eq!(signaling, [format!("signaling.{id}.gryt")].into());
    let sfu = read(&made.sfu.pair).names;
    let expected = [format!("sfu.{id}.gryt"), "chat-sfu-0.team.svc".to_owned()];
    assert_eq!(sfu, expected.into());
    let web = read(made.web.as_ref().unwrap()).names;
    assert_eq!(web, ["chat.example.org".to_owned()].into());
}

#[test]
fn three_years_pass_without_an_hour_in_which_the_processes_refuse_each_other() {
    let mut now = start();
    let mut before = made(now);
    let mut authorities = vec![before.authority.current.clone()];
    let mut most_trusted = 1;
    while now < start() + 3 * 365 * DAY {
        now = before.due;
        let after = provide(&stored(&before), &names(), now).unwrap();
        assert_ne!(before, after, "nothing was due at {now:?}");
        assert!(after.due > now, "due again at once at {now:?}");
        let processes = [&before.signaling, &before.sfu, &after.signaling, &after.sfu];
        for here in processes {
            assert!(now < read(&here.pair).validity.not_after);
            for there in processes {
                assert!(is_trusted(here, there), "refused at {now:?}");
            }
        }
        if !authorities.contains(&after.authority.current) {
            authorities.push(after.authority.current.clone());
        }
        let trusted = after.sfu.authorities.matches("BEGIN").count();
        most_trusted = most_trusted.max(trusted);
        before = after;
    }
    assert_eq!(authorities.len(), 5, "an authority signs for 8 months");
    assert_eq!(most_trusted, 2, "two authorities are trusted at a time");
}

#[test]
fn an_operator_that_slept_for_years_starts_over() {
    let before = made(start());
    let now = start() + 1000 * DAY;
    let after = provide(&stored(&before), &names(), now).unwrap();
    assert_ne!(before.authority.current, after.authority.current);
    assert!(is_trusted(&after.signaling, &after.sfu));
    assert!(after.due > now);
}

#[test]
fn a_lost_authority_still_understands_yesterdays_leaves() {
    let before = made(start());
    let mut left = stored(&before);
    left.authority = None;
    let after = provide(&left, &names(), start() + DAY).unwrap();
    assert!(is_trusted(&before.signaling, &after.sfu));
    assert!(is_trusted(&after.signaling, &after.sfu));

    let forgotten = provide(&stored(&after), &names(), after.due).unwrap();
    assert!(!is_trusted(&before.signaling, &forgotten.sfu));
}

#[test]
fn a_hidden_rotation_comes_to_its_end_even_when_it_is_late() {
    let first = made(start());
    let with_next = provide(&stored(&first), &names(), start() + 250 * DAY).unwrap();
    assert!(with_next.authority.next.is_some());
    assert_eq!(with_next.authority.current, first.authority.current);

    let late = start() + 500 * DAY;
    let promoted = provide(&stored(&with_next), &names(), late).unwrap();
    let next = with_next.authority.next.map(|pair| pair.certificate);
    assert_eq!(Some(&promoted.authority.current.certificate), next.as_ref());
    assert!(is_trusted(&promoted.signaling, &promoted.sfu));
}

#[test]
fn damaged_secrets_are_made_anew() {
    let good = made(start());
    let other = made(start());
    let now = start() + DAY;
    let pair = |certificate: &str, key: &str| Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let own = &good.sfu.pair;
    let damaged = [
        ("no PEM", pair("hello", &own.key)),
        ("no key", pair(&own.certificate, "")),
        (
            "another key",
            pair(&own.certificate, &good.signaling.pair.key),
        ),
        ("another part's leaf", good.signaling.pair.clone()),
        ("another server's leaf", other.sfu.pair),
        ("an authority", good.authority.current.clone()),
        (
            "no certificate in PEM",
            pair(&own.certificate.replace("MII", "AAA"), &own.key),
        ),
    ];
    for (what, pair) in damaged {
        let mut left = stored(&good);
        left.sfu = left.sfu.map(|leaf| Leaf { pair, ..leaf });
        let healed = provide(&left, &names(), now).unwrap();
        assert_eq!(healed.authority, good.authority, "{what}");
        assert_eq!(healed.signaling, good.signaling, "{what}");
        assert!(is_trusted(&healed.sfu, &good.signaling), "{what}");
        assert!(read(&healed.sfu.pair).is_of(&healed.sfu.pair.key), "{what}");
        assert_eq!(
            read(&healed.sfu.pair).names,
            names().of(Part::Sfu),
            "{what}"
        );
    }
}

#[test]
fn a_new_host_gets_a_new_web_certificate_and_nothing_else() {
    let before = made(start());
    let mut moved = names();
    moved.web = Some("talk.example.org".to_owned());
    let after = provide(&stored(&before), &moved, start() + DAY).unwrap();
    assert_eq!(before.signaling, after.signaling);
    assert_eq!(before.authority, after.authority);
    let web = read(after.web.as_ref().unwrap()).names;
    assert_eq!(web, ["talk.example.org".to_owned()].into());
}

#[test]
fn keys_are_not_in_debug_output() {
    let made = made(start());
    assert!(!format!("{made:?}").contains("PRIVATE"));
}

/// The services' own rules, on real time because they read the system's clock.
#[tokio::test]
async fn processes_of_one_server_shake_hands_and_no_others() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the services check certificates by the system's clock"
    )]
    let now = SystemTime::now();
    let ours = made(now);
    let mut names = names();
    names.server = ServerId::from_random([8; 16]);
    let theirs = provide(&Stored::default(), &names, now).unwrap();

    assert!(connect(&ours.signaling, &ours.sfu).await);
    assert!(
        !connect(&theirs.signaling, &ours.sfu).await,
        "another server"
    );
    assert!(!connect(&ours.sfu, &ours.sfu).await, "the wrong part");
    assert!(
        !connect(&ours.signaling, &ours.signaling).await,
        "the wrong part"
    );
}

/// Whether the server that shows `there` lets in the client that shows `here`, and the other way.
async fn connect(here: &Leaf, there: &Leaf) -> bool {
    let id = names().server;
    let [client, server] = [here, there].map(|leaf| {
        let dir = tempfile::tempdir().unwrap();
        for (name, contents) in leaf.files() {
            std::fs::write(dir.path().join(name), contents.0).unwrap();
        }
        TlsFolder::open(dir.path()).unwrap()
    });
    let clients = ClientAuth::Named(identity(Part::Signaling, id.as_str()));
    let acceptor = TlsAcceptor::from(Arc::new(server.server_config(clients).unwrap()));
    let sfu = identity(Part::Sfu, id.as_str());
    let connector = TlsConnector::from(Arc::new(client.client_config(&sfu).unwrap()));
    let looked_up = ServerName::try_from("chat-sfu-0.team.svc").unwrap();
    let (near, far) = tokio::io::duplex(16 * 1024);
    let (client, server) = tokio::join!(connector.connect(looked_up, near), acceptor.accept(far));
    client.is_ok() && server.is_ok()
}
