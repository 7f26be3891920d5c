//! What matters for issuers that others run, such as a Keycloak: which of their tokens are meant
//! for us, clocks that are off, keys by discovery and over TLS, and an issuer that is away.

use axum::Router;
use gryt_proto::client::v1::Reason;
use gryt_runtime::http::{Site, TrustedProxies, serve};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::refusal::Refusal;

/// The claims of a Keycloak's access token for the web client.
fn keycloak_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": "1234", "exp": secs(at(300)),
        "iat": secs(at(0)), "typ": "Bearer", "azp": "gryt-web", "scope": "openid profile",
        "preferred_username": "ada",
    })
}

fn signed_with_typ(signer: &Signer, typ: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some(signer.kid.to_owned());
    header.typ = typ.map(str::to_owned);
    encode(&header, claims, &EncodingKey::from_ec_der(&signer.private)).unwrap()
}

fn elsewhere(published: &Published) -> IssuerConfig {
    IssuerConfig {
        name: "home".into(),
        authorized_parties: vec!["gryt-web".to_owned(), "gryt-bot".to_owned()],
        ..published.config()
    }
}

#[tokio::test]
async fn only_tokens_that_were_made_for_this_server_are_taken() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    let verifier = Verifier::new(vec![elsewhere(&published)]);
    let without = |field: &str| {
        let mut claims = keycloak_claims();
        claims.as_object_mut().unwrap().remove(field);
        claims
    };
    let but = |field: &str, value: Value| with(keycloak_claims(), field, value);
    let other_realm = json!("https://issuer.test/realms/other");
    let other_server = json!(["bcdefghijklmnopqrstuvwxyza"]);
    let by_rfc_9068 = with(without("azp"), "client_id", json!("gryt-web"));
    let cases = [
        ("as given", keycloak_claims(), Ok(())),
        ("of a listed client", but("azp", json!("gryt-bot")), Ok(())),
        ("of RFC 9068's client", by_rfc_9068, Ok(())),
        ("without Keycloak's type", without("typ"), Ok(())),
        (
            "of another client",
            but("azp", json!("wiki")),
            Err(AuthError::Party),
        ),
        ("of no client", without("azp"), Err(AuthError::Party)),
        (
            "of another realm",
            but("iss", other_realm),
            Err(AuthError::UnknownIssuer),
        ),
        (
            "for another server",
            but("aud", other_server),
            Err(AuthError::Audience),
        ),
        (
            "for the client",
            but("aud", json!("gryt-web")),
            Err(AuthError::Audience),
        ),
        ("for nobody", without("aud"), Err(AuthError::Audience)),
        ("an ID token", but("typ", json!("ID")), Err(AuthError::Kind)),
        (
            "a refresh token",
            but("typ", json!("Refresh")),
            Err(AuthError::Kind),
        ),
        (
            "a logout token",
            but("typ", json!("Logout")),
            Err(AuthError::Kind),
        ),
        (
            "another ID token",
            but("at_hash", json!("x")),
            Err(AuthError::Kind),
        ),
        (
            "bound by DPoP",
            but("typ", json!("DPoP")),
            Err(AuthError::Bound),
        ),
        (
            "bound to a key",
            but("cnf", json!({ "jkt": "x" })),
            Err(AuthError::Bound),
        ),
    ];
    for (token, claims, expected) in cases {
        let checked = verifier.verify(&signer.sign(&claims), at(0)).await;
        assert_eq!(checked.map(|_| ()), expected, "{token}");
    }
}

#[tokio::test]
async fn header_says_that_it_is_an_access_token_or_nothing() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    let verifier = Verifier::new(vec![elsewhere(&published)]);
    let cases = [
        (None, Ok(())),
        (Some("JWT"), Ok(())),
        (Some("at+jwt"), Ok(())),
        (Some("application/AT+JWT"), Ok(())),
        (Some("logout+jwt"), Err(AuthError::Kind)),
        (Some("dpop+jwt"), Err(AuthError::Kind)),
        (Some("secevent+jwt"), Err(AuthError::Kind)),
        (Some(""), Err(AuthError::Kind)),
    ];
    for (typ, expected) in cases {
        let token = signed_with_typ(&signer, typ, &keycloak_claims());
        let checked = verifier.verify(&token, at(0)).await;
        assert_eq!(checked.map(|_| ()), expected, "{typ:?}");
    }
}

#[tokio::test]
async fn people_of_two_issuers_are_two_people() {
    let (one, two) = (Signer::new("one"), Signer::new("two"));
    let home = Published::start(&[one.jwk()]).await;
    let away = Published::start(&[two.jwk()]).await;
    let away_issuer = "https://issuer.test/realms/away";
    let verifier = Verifier::new(vec![
        elsewhere(&home),
        IssuerConfig {
            name: "away".into(),
            issuer: away_issuer.to_owned(),
            ..elsewhere(&away)
        },
    ]);
    let at_away = with(keycloak_claims(), "iss", json!(away_issuer));

    let ada = verifier.verify(&one.sign(&keycloak_claims()), at(0)).await;
    let other_ada = verifier.verify(&two.sign(&at_away), at(0)).await;
    let (ada, other_ada) = (ada.unwrap().user, other_ada.unwrap().user);
    assert_ne!(ada, other_ada);
    assert_eq!((&*ada.issuer, &*other_ada.issuer), ("home", "away"));

    // One issuer's key says nothing about another's people.
    let crossed = with(at_away, "iat", json!(0));
    let crossed = verifier.verify(&one.sign(&crossed), at(0)).await;
    assert_eq!(crossed, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn clocks_that_are_two_minutes_off_are_forgiven_within_the_leeway() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    // By the issuer's clock a token of one minute was made this moment; ours says what `now` is.
    let token = |nbf: bool| {
        let mut claims = with(keycloak_claims(), "exp", json!(secs(at(1_060))));
        claims["iat"] = json!(secs(at(1_000)));
        if nbf {
            claims["nbf"] = json!(secs(at(1_000)));
        }
        signer.sign(&claims)
    };
    let (behind, ahead) = (at(880), at(1_120));
    let cases = [
        (
            "behind, and no nbf as of Keycloak",
            false,
            behind,
            30,
            Ok(()),
        ),
        ("behind", true, behind, 30, Err(AuthError::NotYetValid)),
        ("behind, forgiven", true, behind, 150, Ok(())),
        ("ahead", false, ahead, 30, Err(AuthError::Expired)),
        ("ahead, forgiven", false, ahead, 150, Ok(())),
    ];
    for (our_clock, nbf, now, leeway, expected) in cases {
        let verifier = Verifier::new(vec![IssuerConfig {
            leeway: Duration::from_secs(leeway),
            ..elsewhere(&published)
        }]);
        let checked = verifier.verify(&token(nbf), now).await;
        if let Ok(claims) = &checked {
            let left = claims.expires_at.duration_since(now);
            assert!(left.is_ok(), "{our_clock}: a session would end at once");
        }
        assert_eq!(checked.map(|_| ()), expected, "{our_clock}");
    }
}

#[tokio::test]
async fn young_token_of_an_unknown_key_is_worth_another_try() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let published = Published::start(&[old.jwk()]).await;
    let verifier = Verifier::new(vec![elsewhere(&published)]);
    let issued = |signer: &Signer, secs_later: u64| {
        let claims = with(keycloak_claims(), "iat", json!(secs(at(secs_later))));
        signer.sign(&with(claims, "exp", json!(secs(at(1_000)))))
    };
    assert!(verifier.verify(&issued(&old, 90), at(100)).await.is_ok());

    // Rotated within the pause: nobody is told that a good token is bad.
    published.publish(&[new.jwk(), old.jwk()]);
    let refused = verifier.verify(&issued(&new, 105), at(105)).await;
    assert_eq!(refused, Err(AuthError::KeyNotFetched));
    assert!(verifier.verify(&issued(&new, 105), at(131)).await.is_ok());
    assert_eq!(published.fetches(), 2);

    // A key that is gone for longer than that is unknown, however often it is asked for.
    let gone = issued(&Signer::new("gone"), 50);
    let refused = verifier.verify(&gone, at(140)).await;
    assert_eq!(refused, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn issuer_that_is_away_is_said_to_be_away() {
    let (known, new) = (Signer::new("known"), Signer::new("new"));
    let published = Published::start(&[known.jwk()]).await;
    published.break_down();
    let verifier = Verifier::new(vec![elsewhere(&published)]);
    let token = known.sign(&keycloak_claims());
    let at_start = verifier.verify(&token, at(0)).await;
    assert_eq!(at_start, Err(AuthError::KeysUnavailable));

    published.publish(&[known.jwk()]);
    assert!(verifier.verify(&token, at(1)).await.is_ok());

    published.break_down();
    let later = |signer: &Signer| {
        let claims = with(keycloak_claims(), "exp", json!(secs(at(9_000))));
        signer.sign(&with(claims, "iat", json!(secs(at(5_000)))))
    };
    assert!(verifier.verify(&later(&known), at(5_000)).await.is_ok());
    let of_new_key = verifier.verify(&later(&new), at(5_031)).await;
    assert_eq!(of_new_key, Err(AuthError::KeyNotFetched));
}

#[test]
fn refusals_say_whether_to_try_again_or_to_renew() {
    let cases = [
        (AuthError::KeysUnavailable, Reason::IssuerUnavailable),
        (AuthError::KeyNotFetched, Reason::IssuerUnavailable),
        (AuthError::Expired, Reason::TokenExpired),
        (AuthError::NotYetValid, Reason::Unauthenticated),
        (AuthError::UnknownKey, Reason::Unauthenticated),
        (AuthError::Audience, Reason::Unauthenticated),
        (AuthError::Kind, Reason::Unauthenticated),
        (AuthError::Bound, Reason::Unauthenticated),
        (AuthError::Party, Reason::Unauthenticated),
    ];
    for (error, reason) in cases {
        assert_eq!(Refusal::from(error).reason, reason, "{error}");
    }
}

/// A discovery document.
async fn discovery(issuer: &str, jwks_uri: &str) -> Published {
    let document = Published::start(&[]).await;
    let body = json!({ "issuer": issuer, "jwks_uri": jwks_uri });
    document.answer_with(StatusCode::OK, &body);
    document
}

fn discovered(document: &Published) -> Verifier {
    Verifier::new(vec![IssuerConfig {
        keys: KeySource::Discovery(document.url.clone()),
        ..elsewhere(document)
    }])
}

#[tokio::test]
async fn keys_are_found_by_the_discovery_document_of_that_issuer_only() {
    let signer = Signer::new("one");
    let keys = Published::start(&[signer.jwk()]).await;
    let address = keys.url.as_str();
    let token = signer.sign(&keycloak_claims());

    let document = discovery(ISSUER, address).await;
    assert!(discovered(&document).verify(&token, at(0)).await.is_ok());

    let one_slash_more = format!("{ISSUER}/");
    let cases = [
        ("another issuer's", "https://evil.test", address),
        ("with a slash more", &one_slash_more, address),
        ("that leads to a file", ISSUER, "file:///etc/passwd"),
        ("that leads nowhere", ISSUER, "keys"),
    ];
    for (what, issuer, jwks_uri) in cases {
        let document = discovery(issuer, jwks_uri).await;
        let refused = discovered(&document).verify(&token, at(0)).await;
        assert_eq!(refused, Err(AuthError::KeysUnavailable), "{what}");
        assert_eq!(document.fetches(), 1, "{what}");
    }
    assert_eq!(
        keys.fetches(),
        1,
        "only the good document leads to the keys"
    );
}

#[tokio::test]
async fn answers_other_than_200_are_no_keys() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    let token = signer.sign(&keycloak_claims());
    for status in [
        StatusCode::FOUND,
        StatusCode::ACCEPTED,
        StatusCode::NOT_FOUND,
    ] {
        published.answer_with(status, &json!({ "keys": [signer.jwk()] }));
        let verifier = Verifier::new(vec![elsewhere(&published)]);
        let refused = verifier.verify(&token, at(0)).await;
        assert_eq!(refused, Err(AuthError::KeysUnavailable), "{status}");
    }
}

/// Serves a key set by https. Returns its address and the authority of its certificate, as PEM.
async fn serve_over_tls(keys: &[Value]) -> (Url, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/jwks", listener.local_addr().unwrap());
    let body = json!({ "keys": keys }).to_string();
    let site = Site {
        router: Router::new().route("/jwks", get(async move || body.clone())),
        tls: Some(TlsAcceptor::from(Arc::new(tls))),
        proxies: TrustedProxies::default(),
    };
    tokio::spawn(serve(listener, site, CancellationToken::new()));
    (url.parse().unwrap(), made.cert.pem())
}

#[tokio::test]
async fn certificate_of_an_own_authority_is_trusted_once_its_file_says_so() {
    let signer = Signer::new("one");
    let (url, authority) = serve_over_tls(&[signer.jwk()]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let stranger = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let stranger = stranger.cert.pem();
    let published = Published::start(&[]).await;
    let verifier = |ca_file| {
        Verifier::new(vec![IssuerConfig {
            keys: KeySource::Jwks(url.clone()),
            ca_file,
            ..elsewhere(&published)
        }])
    };
    let token = signer.sign(&keycloak_claims());

    let by_the_world = verifier(None).verify(&token, at(0)).await;
    assert_eq!(by_the_world, Err(AuthError::KeysUnavailable));
    std::fs::write(&file, &stranger).unwrap();
    let verifier = verifier(Some(file.clone()));
    let by_a_stranger = verifier.verify(&token, at(0)).await;
    assert_eq!(by_a_stranger, Err(AuthError::KeysUnavailable));
    // The file is read again, as a mounted Secret changes under a running process.
    std::fs::write(&file, format!("{stranger}{authority}")).unwrap();
    assert!(verifier.verify(&token, at(1)).await.is_ok());
}
