//! An issuer elsewhere: publishes two keys, signs by them, and can be gone.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gryt_tests::clock;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const ISSUER: &str = "https://issuer.test";
const CLIENT_ID: &str = "gryt-web";
/// Longer than any run.
const TOKEN_SECONDS: u64 = 12 * 3600;

/// By which key a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// The newest one that the server may know.
    Current,
    /// One that the issuer took up since it was last there: [`Issuer::come_back`] publishes it.
    Next,
}

/// The endpoint of its keys is there until [`Self::go`].
#[derive(Debug)]
pub(crate) struct Issuer {
    /// The oldest first. The last one is not published.
    keys: Vec<Signing>,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
    described: String,
}

#[derive(Debug)]
struct Signing {
    kid: String,
    pair: EcdsaKeyPair,
    public: Value,
}

impl Issuer {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let jwks_url = format!("http://{address}/jwks");
        let described = json!([{ "name": "home", "issuer": ISSUER, "jwks_url": jwks_url }]);
        let mut issuer = Self {
            keys: vec![Signing::generate(0)?, Signing::generate(1)?],
            address,
            serving: None,
            described: described.to_string(),
        };
        issuer.serve(listener);
        Ok(issuer)
    }

    /// As `GRYT_SIGNALING_ISSUERS` names it.
    pub(super) fn described(&self) -> &str {
        &self.described
    }

    /// Nobody answers any more.
    pub(crate) fn go(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    /// Answers again, and publishes the key that was [`Key::Next`] until now, which is
    /// [`Key::Current`] from now on.
    pub(crate) async fn come_back(&mut self) -> Result<()> {
        self.go();
        self.keys.push(Signing::generate(self.keys.len())?);
        let listener = TcpListener::bind(self.address).await;
        self.serve(listener.context("the issuer's port was taken")?);
        Ok(())
    }

    /// A token for `name` at the server that `audience` names.
    pub(super) fn token(&self, name: &str, audience: &str, key: Key) -> Result<String> {
        let place = match key {
            Key::Current => self.keys.len() - 2,
            Key::Next => self.keys.len() - 1,
        };
        let Signing { kid, pair, .. } = &self.keys[place];
        let now = clock::since_1970().as_secs();
        let claims = json!({
            "iss": ISSUER, "aud": audience, "azp": CLIENT_ID, "sub": format!("sub-{name}"),
            "iat": now, "exp": now + TOKEN_SECONDS, "preferred_username": name,
        });
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": kid });
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let content = format!("{header}.{claims}");
        let random = SystemRandom::new();
        let signature = pair.sign(&random, content.as_bytes());
        let signature = signature.map_err(|_| anyhow!("cannot sign"))?;
        Ok(format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn serve(&mut self, listener: TcpListener) {
        let published = &self.keys[..self.keys.len() - 1];
        let keys: Vec<&Value> = published.iter().map(|key| &key.public).collect();
        let body = json!({ "keys": keys }).to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // One after the other: a connection that outlived the task would not be gone.
        self.serving = Some(tokio::spawn(async move {
            loop {
                if let Ok((mut socket, _)) = listener.accept().await {
                    // Who breaks off is not answered.
                    drop(answer_one(&mut socket, &answer).await);
                }
            }
        }));
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.go();
    }
}

async fn answer_one(socket: &mut TcpStream, answer: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await
}

impl Signing {
    fn generate(number: usize) -> Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let failed = || anyhow!("cannot make a key");
        let private = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| failed())?;
        let pair =
            EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random).map_err(|_| failed())?;
        let point = pair.public_key().as_ref();
        let kid = format!("key-{number}");
        let public = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        Ok(Self { kid, pair, public })
    }
}
