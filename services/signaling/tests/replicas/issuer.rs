//! An issuer elsewhere: publishes a key and signs whatever a test wants.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

const ISSUER: &str = "https://issuer.test";
const CLIENT_ID: &str = "gryt-web";
const KID: &str = "one";

pub(crate) struct Issuer {
    private: Vec<u8>,
    /// As `GRYT_SIGNALING_ISSUERS` names it.
    pub(crate) described: String,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let private = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random).unwrap();
        let public = pair.public_key().as_ref();
        let keys = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KID,
            "x": URL_SAFE_NO_PAD.encode(&public[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&public[33..]),
        }]})
        .to_string();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let jwks_url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let answer = get(move || std::future::ready(keys.clone()));
        let router = Router::new().route("/jwks", answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let described = json!([{ "name": "home", "issuer": ISSUER, "jwks_url": jwks_url }]);
        Self {
            private: private.as_ref().to_vec(),
            described: described.to_string(),
        }
    }

    /// A token for `name` at the server that `audience` names.
    pub(crate) fn token(&self, name: &str, audience: &str) -> String {
        let hour = Duration::from_secs(3600);
        let claims = json!({
            "iss": ISSUER, "aud": audience, "azp": CLIENT_ID, "sub": format!("sub-{name}"),
            "exp": (unix_now() + hour).as_secs(), "preferred_username": name,
        });
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(KID.to_owned());
        encode(&header, &claims, &EncodingKey::from_ec_der(&self.private)).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are about real time")]
fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
