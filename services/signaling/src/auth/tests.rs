//! An issuer on a real port, with good and bad keys and tokens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use url::Url;

use super::*;

mod elsewhere;

const RSA_PEM: &[u8] = include_bytes!("rsa_for_tests.pem");
const RSA_MODULUS: &str = "x-lbN60dWHthYVyEV5S5ZATlTTDREmnXdyWpT6kxxC2Jmvk4HUzU8joDTjRaF3zgkIiIU2PLG9P-P2n_AcHjakO9XWwgsEo898B2ulm1M-fJHuvqMBn5UBOEbZ4IQgbQLnzZpsF9zr7DvQxpGDF6SkfAhf5_1lTr2g8XYHR9JjA2UAFCDJkrMFmgvdgXg-YgMW2z9lfLUqN2snvC59YQDQ4BSbb8p-qLxMMr6UGobD-tdS2Dhf8MFGYoMGurErMpptT4TEMYh4OT8pABN-iXMcKBGhY7vM7ayssngD0cKspgkQ0RMbkOqDORhJM9_LMJvP6e5CUKic60entLo2HTKw";
pub(crate) const ISSUER: &str = "https://issuer.test/realms/gryt";
pub(crate) const AUDIENCE: &str = "abcdefghijklmnopqrstuvwxyz";

fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + secs)
}

fn secs(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) struct Signer {
    kid: &'static str,
    private: Vec<u8>,
    public: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let private =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref(), &random)
                .unwrap();
        Self {
            kid,
            private: private.as_ref().to_vec(),
            public: pair.public_key().as_ref().to_vec(),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&self.public[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&self.public[33..]),
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(self.kid.to_owned());
        encode(&header, claims, &EncodingKey::from_ec_der(&self.private)).unwrap()
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "1234", "exp": secs(at(300)),
        "preferred_username": "ada",
    })
}

fn with(mut claims: Value, field: &str, value: Value) -> Value {
    claims[field] = value;
    claims
}

#[derive(Clone)]
pub(crate) struct Published {
    answer: Arc<Mutex<(StatusCode, String)>>,
    fetches: Arc<AtomicUsize>,
    url: Url,
}

impl Published {
    pub(crate) async fn start(keys: &[Value]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let published = Self {
            answer: Arc::new(Mutex::new((StatusCode::OK, String::new()))),
            fetches: Arc::default(),
            url: url.parse().unwrap(),
        };
        published.publish(keys);
        let router = axum::Router::new()
            .route("/jwks", get(Self::answer))
            .with_state(published.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        published
    }

    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn answer(State(published): State<Self>) -> (StatusCode, String) {
        published.fetches.fetch_add(1, Ordering::SeqCst);
        published.answer.lock().unwrap().clone()
    }

    fn publish(&self, keys: &[Value]) {
        self.answer_with(StatusCode::OK, &json!({ "keys": keys }));
    }

    fn answer_with(&self, status: StatusCode, body: &Value) {
        *self.answer.lock().unwrap() = (status, body.to_string());
    }

    fn break_down(&self) {
        *self.answer.lock().unwrap() = (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(vec![self.config()])
    }

    fn config(&self) -> IssuerConfig {
        IssuerConfig {
            name: "local".into(),
            issuer: ISSUER.to_owned(),
            keys: KeySource::Jwks(self.url.clone()),
            ca_file: None,
            audience: AUDIENCE.to_owned(),
            authorized_parties: Vec::new(),
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            leeway: Duration::from_secs(30),
        }
    }
}

#[tokio::test]
async fn good_token_says_who_it_is_for() {
    let signer = Signer::new("one");
    let verifier = Published::start(&[signer.jwk()]).await.verifier();

    let claims = verifier
        .verify(&signer.sign(&claims()), at(0))
        .await
        .unwrap();

    assert_eq!(&*claims.user.issuer, "local");
    assert_eq!(&*claims.user.subject, "1234");
    assert_eq!(claims.name.as_str(), "ada");
    assert_eq!(claims.expires_at, at(330), "with the leeway");
}

#[tokio::test]
async fn rsa_tokens_as_of_keycloak_are_taken() {
    let jwk = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": RSA_MODULUS, "e": "AQAB",
    });
    let verifier = Published::start(&[jwk]).await.verifier();
    let mut header = Header::new(jsonwebtoken::Algorithm::RS256);
    header.kid = Some("rsa".to_owned());
    let claims = with(claims(), "aud", json!(["account", AUDIENCE]));
    let token = encode(
        &header,
        &claims,
        &EncodingKey::from_rsa_pem(RSA_PEM).unwrap(),
    )
    .unwrap();

    assert!(verifier.verify(&token, at(0)).await.is_ok());
}

#[tokio::test]
async fn bad_claims_are_refused_each_with_its_reason() {
    let signer = Signer::new("one");
    let verifier = Published::start(&[signer.jwk()]).await.verifier();
    let without = |field: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(field);
        claims
    };
    let cases = [
        (
            with(claims(), "iss", json!("https://evil.test")),
            AuthError::UnknownIssuer,
        ),
        (
            with(claims(), "iss", json!(format!("{ISSUER}/"))),
            AuthError::UnknownIssuer,
        ),
        (
            with(claims(), "aud", json!("another-server")),
            AuthError::Audience,
        ),
        (
            with(claims(), "aud", json!(["gryt-web"])),
            AuthError::Audience,
        ),
        (without("aud"), AuthError::Audience),
        (without("iss"), AuthError::Malformed),
        (without("sub"), AuthError::Malformed),
        (without("exp"), AuthError::Malformed),
        (with(claims(), "sub", json!("")), AuthError::Malformed),
        (with(claims(), "exp", json!(-1)), AuthError::Malformed),
        (with(claims(), "exp", json!(1e300)), AuthError::Malformed),
        (with(claims(), "exp", json!("soon")), AuthError::Malformed),
        (
            with(claims(), "exp", json!(secs(at(0)) - 60)),
            AuthError::Expired,
        ),
        (
            with(claims(), "nbf", json!(secs(at(120)))),
            AuthError::NotYetValid,
        ),
    ];
    for (claims, reason) in cases {
        assert_eq!(
            verifier.verify(&signer.sign(&claims), at(0)).await,
            Err(reason),
            "{claims}"
        );
    }
    let early = with(claims(), "nbf", json!(secs(at(20))));
    assert!(verifier.verify(&signer.sign(&early), at(0)).await.is_ok());
    assert!(
        verifier
            .verify(&signer.sign(&claims()), at(320))
            .await
            .is_ok()
    );
    assert!(
        verifier
            .verify(&signer.sign(&claims()), at(340))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn token_cannot_choose_its_algorithm() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    let verifier = published.verifier();
    let x_and_y = &signer.public;
    let jwk = signer.jwk().to_string();
    for secret in [x_and_y.as_slice(), &x_and_y[1..], jwk.as_bytes(), b""] {
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("one".to_owned());
        let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(
            verifier.verify(&token, at(0)).await,
            Err(AuthError::Algorithm)
        );
    }

    let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": "one" }).to_string());
        for token in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
        ] {
            let refused = verifier.verify(&token, at(0)).await;
            assert_eq!(refused, Err(AuthError::Malformed), "{alg}");
        }
    }

    // The key says ES256, whatever an RS256 header of the same `kid` hopes for.
    let mut header = Header::new(jsonwebtoken::Algorithm::RS256);
    header.kid = Some("one".to_owned());
    let rsa = EncodingKey::from_rsa_pem(RSA_PEM).unwrap();
    let token = encode(&header, &claims(), &rsa).unwrap();
    assert_eq!(
        verifier.verify(&token, at(0)).await,
        Err(AuthError::Algorithm)
    );
}

#[tokio::test]
async fn published_symmetric_and_encryption_keys_are_passed_over() {
    let good = Signer::new("good");
    let encryption = Signer::new("enc");
    let mut encryption_jwk = encryption.jwk();
    encryption_jwk["use"] = json!("enc");
    let keys = [
        json!({ "kty": "oct", "alg": "HS256", "kid": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "EC", "crv": "P-9000", "kid": "odd", "x": "AA", "y": "AA" }),
        json!("no object"),
        encryption_jwk,
        good.jwk(),
    ];
    let verifier = Published::start(&keys).await.verifier();

    assert!(verifier.verify(&good.sign(&claims()), at(0)).await.is_ok());
    let by_encryption_key = encryption.sign(&claims());
    assert_eq!(
        verifier.verify(&by_encryption_key, at(0)).await,
        Err(AuthError::UnknownKey)
    );
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some("oct".to_owned());
    let token = encode(&header, &claims(), &EncodingKey::from_secret(b"secret")).unwrap();
    assert_eq!(
        verifier.verify(&token, at(0)).await,
        Err(AuthError::Algorithm)
    );
}

#[tokio::test]
async fn forged_and_damaged_tokens_are_refused() {
    let signer = Signer::new("one");
    let forger = Signer::new("one");
    let verifier = Published::start(&[signer.jwk()]).await.verifier();

    let forged = forger.sign(&claims());
    assert_eq!(
        verifier.verify(&forged, at(0)).await,
        Err(AuthError::Signature)
    );

    let good = signer.sign(&claims());
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("a JWT has three parts");
    };
    let swapped = with(claims(), "sub", json!("someone else")).to_string();
    let swapped = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(swapped));
    assert_eq!(
        verifier.verify(&swapped, at(0)).await,
        Err(AuthError::Signature)
    );

    let critical = json!({ "alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false });
    let critical = URL_SAFE_NO_PAD.encode(critical.to_string());
    let critical = good.replacen(header, &critical, 1);
    assert_eq!(
        verifier.verify(&critical, at(0)).await,
        Err(AuthError::Malformed)
    );

    for token in ["", ".", "..", "a.b.c", "ä.ö.ü", "a.b.c.d", &good[1..]] {
        assert_eq!(
            verifier.verify(token, at(0)).await,
            Err(AuthError::Malformed),
            "{token}"
        );
    }
    let huge = "a".repeat(MAX_TOKEN_BYTES + 1);
    assert_eq!(
        verifier.verify(&huge, at(0)).await,
        Err(AuthError::TooLarge)
    );
}

#[tokio::test]
async fn storm_of_unknown_keys_costs_the_issuer_one_fetch() {
    let known = Signer::new("known");
    let stranger = Signer::new("stranger");
    let published = Published::start(&[known.jwk()]).await;
    let verifier = published.verifier();

    let storm: Vec<_> = (0..50)
        .map(|_| {
            let verifier = verifier.clone();
            let token = stranger.sign(&claims());
            tokio::spawn(async move { verifier.verify(&token, at(0)).await })
        })
        .collect();
    for verification in storm {
        assert_eq!(verification.await.unwrap(), Err(AuthError::UnknownKey));
    }
    assert_eq!(published.fetches(), 1);

    let token = stranger.sign(&claims());
    assert!(verifier.verify(&token, at(29)).await.is_err());
    assert_eq!(published.fetches(), 1);
    assert!(verifier.verify(&token, at(30)).await.is_err());
    assert_eq!(published.fetches(), 2);
}

#[tokio::test]
async fn key_rotated_in_is_fetched_and_a_withdrawn_one_goes() {
    let old = Signer::new("old");
    let new = Signer::new("new");
    let published = Published::start(&[old.jwk()]).await;
    let verifier = published.verifier();
    assert!(verifier.verify(&old.sign(&claims()), at(0)).await.is_ok());

    published.publish(&[new.jwk(), old.jwk()]);
    assert!(verifier.verify(&new.sign(&claims()), at(31)).await.is_ok());
    assert!(verifier.verify(&old.sign(&claims()), at(31)).await.is_ok());
    assert_eq!(published.fetches(), 2);

    published.publish(&[new.jwk()]);
    let later = with(claims(), "exp", json!(secs(at(2_000))));
    assert!(verifier.verify(&new.sign(&later), at(700)).await.is_ok());
    // The stale set is renewed in the background; a flight that holds the lock ends it here.
    let _waited = verifier
        .verify(&Signer::new("x").sign(&later), at(701))
        .await;
    let refused = verifier.verify(&old.sign(&later), at(701)).await;
    assert_eq!(refused, Err(AuthError::UnknownKey));
    assert_eq!(published.fetches(), 3);
}

#[tokio::test]
async fn known_keys_outlive_the_issuer() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    let verifier = published.verifier();
    let token = signer.sign(&with(claims(), "exp", json!(secs(at(1_000_000)))));
    assert!(verifier.verify(&token, at(0)).await.is_ok());

    published.break_down();
    for late in [601, 3_600, 86_400] {
        assert!(verifier.verify(&token, at(late)).await.is_ok(), "{late}");
    }
    let stranger = Signer::new("two").sign(&with(claims(), "exp", json!(secs(at(1_000_000)))));
    assert_eq!(
        verifier.verify(&stranger, at(90_000)).await,
        Err(AuthError::UnknownKey)
    );
}

#[tokio::test]
async fn issuer_that_comes_up_late_is_asked_again_soon() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    published.break_down();
    let verifier = published.verifier();
    let token = signer.sign(&claims());
    for _ in 0..5 {
        let refused = verifier.verify(&token, at(0)).await;
        assert_eq!(refused, Err(AuthError::KeysUnavailable));
    }
    assert_eq!(published.fetches(), 1);

    published.publish(&[signer.jwk()]);
    assert!(verifier.verify(&token, at(1)).await.is_ok());
}

#[tokio::test]
async fn oversized_key_set_is_not_read() {
    let signer = Signer::new("one");
    let mut padded = signer.jwk();
    padded["x5c"] = json!("A".repeat(300_000));
    let published = Published::start(&[padded]).await;
    let refused = published
        .verifier()
        .verify(&signer.sign(&claims()), at(0))
        .await;
    assert_eq!(refused, Err(AuthError::KeysUnavailable));
}

#[tokio::test]
async fn caller_that_hangs_up_does_not_cancel_the_fetch() {
    let signer = Signer::new("one");
    let published = Published::start(&[signer.jwk()]).await;
    let verifier = published.verifier();
    let token = signer.sign(&claims());
    {
        let mut hasty = Box::pin(verifier.verify(&token, at(0)));
        // Polled once: the fetch has begun, and the caller goes.
        let _ = futures_util::FutureExt::now_or_never(hasty.as_mut());
    }
    assert!(verifier.verify(&token, at(0)).await.is_ok());
    assert_eq!(published.fetches(), 1);
}

#[tokio::test]
async fn name_is_cut_to_the_rules_of_member_names() {
    let signer = Signer::new("one");
    let verifier = Published::start(&[signer.jwk()]).await.verifier();
    let long = "x".repeat(100);
    let cases = [
        (
            json!({ "preferred_username": "ada", "name": "Ada L" }),
            "ada",
        ),
        (
            json!({ "preferred_username": " \n ", "name": " Ada\tL " }),
            "AdaL",
        ),
        (json!({ "preferred_username": null, "name": null }), "1234"),
        (json!({ "preferred_username": long }), &long[..32]),
        (
            json!({ "preferred_username": "äöü".repeat(20) }),
            &"äöü".repeat(11)[..64],
        ),
    ];
    for (names, expected) in cases {
        let mut claims = claims();
        for (field, value) in names.as_object().unwrap() {
            claims[field] = value.clone();
        }
        let claims = verifier.verify(&signer.sign(&claims), at(0)).await.unwrap();
        assert_eq!(claims.name.as_str(), expected);
    }
}
