//! An issuer: publishes a key and signs whatever a test wants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gryt_signaling::{Algorithm, IssuerConfig, KeySource, Verifier};
use jsonwebtoken::{EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.test";
const KID: &str = "one";

pub(crate) struct Issuer {
    private: Vec<u8>,
    jwks_url: String,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let random = SystemRandom::new();
        let private =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref(), &random)
                .unwrap();
        let public = pair.public_key().as_ref();
        let keys = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KID,
            "x": URL_SAFE_NO_PAD.encode(&public[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&public[33..]),
        }]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let jwks_url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let answer = get(move || {
            let keys = keys.to_string();
            async move { keys }
        });
        let router = Router::new().route("/jwks", answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            private: private.as_ref().to_vec(),
            jwks_url,
        }
    }

    pub(crate) fn verifier(&self, audience: &str) -> Verifier {
        let config = IssuerConfig {
            name: "local".into(),
            issuer: ISSUER.to_owned(),
            keys: KeySource::Jwks(self.jwks_url.parse().unwrap()),
            ca_file: None,
            audience: audience.to_owned(),
            authorized_parties: Vec::new(),
            algorithms: vec![Algorithm::Es256],
            leeway: Duration::ZERO,
        };
        Verifier::new(vec![config])
    }

    pub(crate) fn claims(name: &str, audience: &str, valid_for: i64) -> Value {
        let now = i64::try_from(unix_now().as_secs()).unwrap();
        json!({
            "iss": ISSUER, "aud": audience, "sub": format!("sub-{name}"),
            "exp": now + valid_for, "preferred_username": name,
        })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(KID.to_owned());
        encode(&header, claims, &EncodingKey::from_ec_der(&self.private)).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are about real time")]
fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
