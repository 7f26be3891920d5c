//! A refusal: why something was not done, in the same words on the socket and in REST.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gryt_model::InvalidId;
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use serde::Serialize;

use crate::auth::AuthError;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// For programs.
    pub(crate) reason: Reason,
    /// An English sentence for logs and as a fallback for people. Never internal.
    pub(crate) message: Cow<'static, str>,
    /// When trying again makes sense.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
            retry_after: None,
        }
    }

    /// Logs what failed, once and with its chain, and says only that something did.
    pub(crate) fn internal(attempt: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(attempt, error = chain(error), "request failed");
        Self::new(Reason::Internal, "The server failed. It is logged.")
    }

    pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::Malformed, message)
    }

    pub(crate) fn rate_limited(retry_after: Duration) -> Self {
        Self {
            reason: Reason::RateLimited,
            message: "Too many requests.".into(),
            retry_after: Some(retry_after),
        }
    }

    /// The socket's form.
    pub(crate) fn into_wire(self) -> wire::Refusal {
        let Self {
            reason,
            message,
            retry_after,
        } = self;
        wire::Refusal {
            reason: reason.into(),
            message: message.into_owned(),
            retry_after_ms: retry_after.map_or(0, |after| {
                u32::try_from(after.as_millis()).unwrap_or(u32::MAX)
            }),
        }
    }

    /// REST's form: `{code, message, request_id}`.
    pub(crate) fn into_response(self, request_id: &str) -> Response {
        let retry_after = self.retry_after;
        let body = Json(Body {
            code: code(self.reason),
            message: &self.message,
            request_id,
        });
        let mut response = (status(self.reason), body).into_response();
        if let Some(after) = retry_after {
            let seconds = after.as_secs().max(1);
            response
                .headers_mut()
                .insert(axum::http::header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Expired => Self::new(Reason::TokenExpired, "The token has run out."),
            AuthError::KeysUnavailable | AuthError::KeyNotFetched => {
                tracing::debug!(%error, "token cannot be checked");
                Self {
                    retry_after: Some(Duration::from_secs(5)),
                    ..Self::new(
                        Reason::IssuerUnavailable,
                        "The sign-in service does not answer, so the token cannot be checked.",
                    )
                }
            }
            AuthError::TooLarge
            | AuthError::Malformed
            | AuthError::Kind
            | AuthError::Bound
            | AuthError::Party
            | AuthError::UnknownIssuer
            | AuthError::Algorithm
            | AuthError::UnknownKey
            | AuthError::Signature
            | AuthError::Audience
            | AuthError::NotYetValid => {
                tracing::debug!(%error, "token refused");
                Self::new(Reason::Unauthenticated, "The token is not accepted.")
            }
        }
    }
}

impl From<InvalidId> for Refusal {
    fn from(error: InvalidId) -> Self {
        Self::malformed(error.to_string())
    }
}

impl From<gryt_chat::Refusal> for Refusal {
    fn from(refusal: gryt_chat::Refusal) -> Self {
        use gryt_chat::Refusal as Chat;
        match refusal {
            Chat::Forbidden(_) => Self::new(Reason::Forbidden, "Your role does not permit this."),
            Chat::NotTheAuthor => Self::new(Reason::Forbidden, "Only its author edits a message."),
            Chat::WrongChannelKind => Self::new(
                Reason::WrongChannelKind,
                "The channel is of the other kind.",
            ),
            Chat::EmptyText => Self::new(Reason::EmptyText, "The text is empty."),
            Chat::TextTooLong => {
                Self::new(Reason::TextTooLong, "The text is over 4,000 characters.")
            }
            Chat::TooManyFiles => {
                Self::new(Reason::TooManyFiles, "A message has at most 10 files.")
            }
            Chat::EmptyFile => Self::new(Reason::FileSize, "The file is empty."),
            Chat::FileTooLarge => Self::new(Reason::FileSize, "The file is too large."),
            Chat::WrongFileType => {
                Self::new(Reason::WrongFileType, "The file is not what its type says.")
            }
            Chat::RateLimited { retry_after } => Self::rate_limited(retry_after),
        }
    }
}

/// An error with all its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    chain
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
}

/// The reason's name without its prefix.
pub(crate) fn code(reason: Reason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("REASON_").unwrap_or(name)
}

fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::Malformed
        | Reason::HelloRequired
        | Reason::WrongChannelKind
        | Reason::EmptyText
        | Reason::TextTooLong
        | Reason::WrongFileType
        | Reason::TooManyFiles
        | Reason::BadAnswer => StatusCode::BAD_REQUEST,
        Reason::TooLarge | Reason::FileSize => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::ClientTooOld => StatusCode::UPGRADE_REQUIRED,
        Reason::Unauthenticated | Reason::TokenExpired => StatusCode::UNAUTHORIZED,
        Reason::OriginForbidden | Reason::Forbidden => StatusCode::FORBIDDEN,
        Reason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::UnknownChannel
        | Reason::UnknownMessage
        | Reason::UnknownMember
        | Reason::UnknownInvite
        | Reason::NoInvites
        | Reason::NoFiles
        | Reason::UnknownFile
        | Reason::NotFound => StatusCode::NOT_FOUND,
        Reason::NonceReused
        | Reason::NotInRoom
        | Reason::StaleOffer
        | Reason::TooManyInvites
        | Reason::UploadIncomplete => StatusCode::CONFLICT,
        Reason::RoomFull
        | Reason::NoNode
        | Reason::SlowConsumer
        | Reason::GoingAway
        | Reason::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Internal | Reason::Unspecified => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
