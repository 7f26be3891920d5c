//! Parses the query of the authorize page (OpenID Connect Core section 3.1.2.1).

use serde::Deserialize;
use url::Url;

use crate::config::{AllowedOrigins, CLIENT_ID};

/// The parameters as they come. Those we do not know are passed over, as the standard asks; one
/// that comes twice makes the query unreadable.
#[derive(Default, Deserialize)]
pub(super) struct Parameters {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    response_mode: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    prompt: Option<String>,
    login_hint: Option<String>,
    /// Of ours: the token of an invite link.
    invite: Option<String>,
    request: Option<String>,
    request_uri: Option<String>,
}

/// A request that can be answered with a code.
#[derive(Clone)]
pub(super) struct AuthorizeRequest {
    pub(super) return_to: ReturnTo,
    pub(super) nonce: Option<String>,
    pub(super) challenge: String,
    pub(super) prompt: Prompt,
    pub(super) login_hint: Option<String>,
    pub(super) invite: Option<String>,
}

/// Which face the page shows first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prompt {
    /// The client leaves it to us.
    Unasked,
    SignIn,
    /// `prompt=create` (Initiating User Registration via OpenID Connect 1.0).
    Create,
}

/// A checked address to send the browser back to, with the state it has to bring.
#[derive(Debug, Clone)]
pub(super) struct ReturnTo {
    /// As it came, for the comparison at the token endpoint.
    pub(super) text: String,
    url: Url,
    state: Option<String>,
}

/// Why there is no page to sign in.
#[derive(Debug)]
pub(super) enum Invalid {
    /// Nobody to return to that can be trusted.
    DeadEnd(&'static str),
    /// Told to the client (RFC 6749 section 4.1.2.1): its address with the error.
    Told(String),
}

impl ReturnTo {
    /// The client's origin.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The address with a code.
    pub(super) fn with_code(&self, code: &str) -> String {
        self.with(&[("code", code)])
    }

    fn with_error(&self, error: &str, description: &str) -> Invalid {
        Invalid::Told(self.with(&[("error", error), ("error_description", description)]))
    }

    fn with(&self, pairs: &[(&str, &str)]) -> String {
        let mut url = self.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(pairs);
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
        }
        url.into()
    }
}

const MAX_STATE_BYTES: usize = 2_048;
const MAX_NONCE_BYTES: usize = 512;

impl Parameters {
    pub(super) fn check(self, origins: &AllowedOrigins) -> Result<AuthorizeRequest, Invalid> {
        if self.client_id.as_deref() != Some(CLIENT_ID) {
            return Err(Invalid::DeadEnd(
                "The page that sent you here is not a client of this server.",
            ));
        }
        let text = self.redirect_uri.unwrap_or_default();
        let Some(url) = origins.redirect_target(&text) else {
            return Err(Invalid::DeadEnd(
                "The page that sent you here is at an address that this server does not know. \
                 Whoever runs the server can allow it with --allow-origin.",
            ));
        };
        let has_long_state = self
            .state
            .as_ref()
            .is_some_and(|state| state.len() > MAX_STATE_BYTES);
        if has_long_state {
            return Err(Invalid::DeadEnd("The link that led here is too long."));
        }
        let return_to = ReturnTo {
            text,
            url,
            state: self.state,
        };
        let refuse = |error, description| Err(return_to.with_error(error, description));

        if self.request.is_some() {
            return refuse("request_not_supported", "request objects are not supported");
        }
        if self.request_uri.is_some() {
            return refuse(
                "request_uri_not_supported",
                "request objects are not supported",
            );
        }
        if self.response_type.as_deref() != Some("code") {
            return refuse("unsupported_response_type", "response_type has to be code");
        }
        if self.response_mode.is_some_and(|mode| mode != "query") {
            return refuse("invalid_request", "response_mode has to be query");
        }
        let scope = self.scope.unwrap_or_default();
        if !scope.split(' ').any(|scope| scope == "openid") {
            return refuse("invalid_scope", "scope has to contain openid");
        }
        if self.code_challenge_method.as_deref() != Some("S256") {
            return refuse("invalid_request", "code_challenge_method has to be S256");
        }
        let challenge = self.code_challenge.unwrap_or_default();
        let is_digest = challenge.len() == 43
            && challenge
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !is_digest {
            return refuse(
                "invalid_request",
                "code_challenge has to be a SHA-256 digest in base64url",
            );
        }
        if self
            .nonce
            .as_ref()
            .is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES)
        {
            return refuse("invalid_request", "nonce is too long");
        }
        let prompt = match self.prompt.as_deref() {
            // We keep no session in the browser, so a person is always asked.
            Some("none") => return refuse("login_required", "nobody is signed in here"),
            Some("create") => Prompt::Create,
            Some(_) => Prompt::SignIn,
            None => Prompt::Unasked,
        };
        Ok(AuthorizeRequest {
            return_to,
            nonce: self.nonce,
            challenge,
            prompt,
            login_hint: self.login_hint,
            invite: self.invite.filter(|token| !token.is_empty()),
        })
    }
}

impl AuthorizeRequest {
    /// The query that leads back to the same request, with the given face first.
    pub(super) fn query(&self, prompt: Prompt) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("client_id", CLIENT_ID)
            .append_pair("redirect_uri", &self.return_to.text)
            .append_pair("response_type", "code")
            .append_pair("scope", crate::tokens::SCOPE)
            .append_pair("code_challenge", &self.challenge)
            .append_pair("code_challenge_method", "S256");
        for (name, value) in [
            ("state", &self.return_to.state),
            ("nonce", &self.nonce),
            ("invite", &self.invite),
        ] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        match prompt {
            Prompt::Unasked => &mut query,
            Prompt::SignIn => query.append_pair("prompt", "login"),
            Prompt::Create => query.append_pair("prompt", "create"),
        };
        query.finish()
    }
}
