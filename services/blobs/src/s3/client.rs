//! The SDK's client: which TLS, how long to wait, how often to try again.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

use super::settings::{Addressing, Authorities, Settings};
use crate::Error;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Until an answer begins, once.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(5);
/// With all attempts and pauses: nobody at a browser waits longer.
const ALL_WITHIN: Duration = Duration::from_secs(15);
const ATTEMPTS: u32 = 3;

pub(super) fn connect(settings: &Settings, endpoint: &Url) -> Result<Client, Error> {
    let credentials = Credentials::new(
        &*settings.credentials.access_key,
        settings.credentials.secret_key.reveal(),
        None,
        None,
        "settings",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_WITHIN)
        .operation_attempt_timeout(ATTEMPT_WITHIN)
        .operation_timeout(ALL_WITHIN)
        .build();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http(endpoint, settings.authorities.as_ref())?)
        .endpoint_url(endpoint.as_str().trim_end_matches('/'))
        .region(Region::new(settings.region.to_string()))
        .credentials_provider(credentials)
        .force_path_style(settings.addressing == Addressing::Path)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        // We give digests ourselves; checksums as trailers are beyond much storage of one's own.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Ok(Client::from_conf(config))
}

fn http(endpoint: &Url, authorities: Option<&Authorities>) -> Result<SharedHttpClient, Error> {
    if endpoint.scheme() == "http" {
        return Ok(Builder::new().build_http());
    }
    let trust = match authorities {
        None => TrustStore::default(),
        Some(authorities) => {
            // The client would panic over what it cannot read.
            for certificate in CertificateDer::pem_slice_iter(authorities.pem()) {
                certificate.map_err(|error| Error::Open(error.into()))?;
            }
            TrustStore::empty().with_pem_certificate(authorities.pem())
        }
    };
    let context = TlsContext::builder().with_trust_store(trust).build();
    Ok(Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context.map_err(|error| Error::Open(error.into()))?)
        .build_https())
}
