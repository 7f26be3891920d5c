//! Signing in as the web client does: discovery, authorization code with PKCE (RFC 7636), tokens.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use reqwest::{Client as Http, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::way::Way;

/// What `/.well-known/gryt` tells.
#[derive(Debug, Clone, Deserialize)]
pub struct Site {
    /// 26 base32 characters; the audience of tokens.
    pub server_id: String,
    /// Where the socket opens.
    pub socket_url: Url,
    /// Where people sign in.
    pub issuer: Url,
    /// The client id to use there.
    pub client_id: String,
    #[serde(skip)]
    origin: String,
    #[serde(skip)]
    invite: Option<String>,
    #[serde(skip)]
    way: Way,
}

#[derive(Debug, Deserialize)]
struct Endpoints {
    authorization_endpoint: Url,
    token_endpoint: Url,
}

/// What the token endpoint hands out.
#[derive(Debug, Clone, Deserialize)]
pub struct Tokens {
    /// Opens sockets.
    pub access_token: String,
    /// Good for one renewal.
    pub refresh_token: String,
}

/// A password that the issuer accepts.
pub const PASSWORD: &str = "correct horse battery";

impl Site {
    /// Reads the document of the product at `url`.
    ///
    /// # Errors
    /// When the product does not serve it.
    pub async fn discover(url: &Url) -> Result<Self> {
        Self::discover_by(url, Way::default()).await
    }

    /// Reads the document of the product at `url`, and goes there by this way ever after.
    ///
    /// # Errors
    /// When the product does not serve it.
    pub async fn discover_by(url: &Url, way: Way) -> Result<Self> {
        let document = url.join("/.well-known/gryt")?;
        let response = way.http(url)?.get(document).send();
        let mut site: Self = response.await?.error_for_status()?.json().await?;
        site.origin = url.origin().ascii_serialization();
        site.way = way;
        Ok(site)
    }

    /// The same server, by a link with this token.
    #[must_use]
    pub fn invited_by(&self, token: &str) -> Self {
        Self {
            invite: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The page's origin, which browsers send along.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How the site is reached.
    #[must_use]
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Creates an account and signs it in.
    ///
    /// # Errors
    /// When the issuer refuses, or answers in an unknown way.
    pub async fn create_account(&self, name: &str) -> Result<Tokens> {
        self.authorize(name, "create")
            .await
            .with_context(|| format!("cannot create \"{name}\""))
    }

    /// Signs an account in once more.
    ///
    /// # Errors
    /// When the issuer refuses, or answers in an unknown way.
    pub async fn sign_in(&self, name: &str) -> Result<Tokens> {
        self.authorize(name, "sign-in")
            .await
            .with_context(|| format!("cannot sign in \"{name}\""))
    }

    /// Takes a refresh token for new tokens.
    ///
    /// # Errors
    /// When the issuer refuses.
    pub async fn renew(&self, tokens: &Tokens) -> Result<Tokens> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("refresh_token", &tokens.refresh_token),
        ];
        self.tokens(&form).await
    }

    async fn authorize(&self, name: &str, action: &str) -> Result<Tokens> {
        let mut random = [0; 32];
        OsRng.try_fill_bytes(&mut random)?;
        let verifier = URL_SAFE_NO_PAD.encode(random);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let redirect_uri = format!("{}/signed-in", self.origin);
        let mut page = self.endpoints().await?.authorization_endpoint;
        page.query_pairs_mut().extend_pairs([
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", &redirect_uri),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "of the test"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        if let Some(token) = &self.invite {
            page.query_pairs_mut().append_pair("invite", token);
        }
        let form = [("action", action), ("name", name), ("password", PASSWORD)];
        let response = self.http()?.post(page).form(&form).send().await?;
        if response.status() != StatusCode::SEE_OTHER {
            bail!("{}: {}", response.status(), response.text().await?);
        }
        let location = response
            .headers()
            .get(header::LOCATION)
            .context("no Location")?;
        let location: Url = location.to_str()?.parse()?;
        let code = location.query_pairs().find(|(key, _)| key == "code");
        let (_, code) = code.with_context(|| format!("no code in {location}"))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &verifier),
        ];
        self.tokens(&form).await
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens> {
        let endpoint = self.endpoints().await?.token_endpoint;
        let response = self.http()?.post(endpoint).form(form).send().await?;
        if !response.status().is_success() {
            bail!("{}: {}", response.status(), response.text().await?);
        }
        Ok(response.json().await?)
    }

    async fn endpoints(&self) -> Result<Endpoints> {
        let document = format!("{}/.well-known/openid-configuration", self.issuer);
        Ok(self
            .http()?
            .get(document)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    fn http(&self) -> Result<Http> {
        self.way.http(&self.issuer)
    }
}
