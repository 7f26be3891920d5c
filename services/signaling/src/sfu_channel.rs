//! The way to an SFU elsewhere: its name is looked up and its certificate checked at every
//! connection, so that neither a new address nor a new certificate needs a restart.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gryt_model::ServerId;
use gryt_runtime::tls::{Part, TlsError, TlsFolder, identity};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use url::Url;

/// For the look-up, the connection and the handshake together.
const CONNECT: Duration = Duration::from_secs(2);
/// Without an answer to a ping for so long a connection is made anew: a node that vanished says
/// nothing.
const PING: Duration = Duration::from_secs(5);

/// An SFU's address is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SfuAddressError {
    /// Neither `http://host:port` nor `https://host:port`.
    #[error("\"{0}\" is no address of an SFU: expected http://host:port or https://host:port")]
    Malformed(Url),
    /// https without certificates.
    #[error("\"{0}\" needs the folder with the certificates: name it with --sfu-tls-dir")]
    NeedsTls(Url),
    /// Certificates that nobody would look at.
    #[error("\"{0}\" is plain text, and there is a folder with certificates: write https")]
    NeedsNoTls(Url),
    /// The folder does not serve the purpose.
    #[error("use the certificates for the SFU")]
    Tls(#[source] TlsError),
    /// The transport takes no such address.
    #[error("name the SFU")]
    Name(#[source] tonic::transport::Error),
}

/// Opens a channel that connects when it is needed, and again whenever the connection is lost.
///
/// # Errors
/// An address or a folder that can never work.
pub fn connect(
    url: &Url,
    tls: Option<&TlsFolder>,
    server: &ServerId,
) -> Result<Channel, SfuAddressError> {
    let malformed = || SfuAddressError::Malformed(url.clone());
    let host = url.host_str().ok_or_else(malformed)?.to_owned();
    let port = url.port_or_known_default().ok_or_else(malformed)?;
    let name = identity(Part::Sfu, server.as_str());
    let connector = match (url.scheme(), tls) {
        ("http", None) => None,
        ("http", Some(_)) => return Err(SfuAddressError::NeedsNoTls(url.clone())),
        ("https", None) => return Err(SfuAddressError::NeedsTls(url.clone())),
        ("https", Some(folder)) => {
            let mut config = folder.client_config(&name).map_err(SfuAddressError::Tls)?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            Some(TlsConnector::from(Arc::new(config)))
        }
        _ => return Err(malformed()),
    };
    let authority = format!("{host}:{port}");
    // The transport is made here, TLS with it: to the endpoint it is plain.
    let endpoint = Endpoint::from_shared(format!("http://{authority}"))
        .map_err(SfuAddressError::Name)?
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .keep_alive_while_idle(true);
    let connect = service_fn(move |_| {
        let (authority, connector, name) = (authority.clone(), connector.clone(), name.clone());
        async move {
            let connected = open(&authority, connector, name);
            timeout(CONNECT, connected)
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                .map(TokioIo::new)
                .inspect_err(|error| tracing::debug!(%error, "could not connect to the SFU"))
        }
    });
    Ok(endpoint.connect_with_connector_lazy(connect))
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn open(
    authority: &str,
    connector: Option<TlsConnector>,
    name: String,
) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let Some(connector) = connector else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    Ok(Box::new(connector.connect(name, stream).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn address_that_cannot_work_is_refused_with_what_to_do() {
        let server = ServerId::from_random([1; 16]);
        let check = |url: &str| connect(&url.parse().unwrap(), None, &server);
        assert!(check("http://sfu:8082").is_ok());
        assert!(check("http://[::1]:8082").is_ok());
        let needs_tls = check("https://sfu:8082").unwrap_err().to_string();
        assert!(needs_tls.contains("--sfu-tls-dir"), "{needs_tls}");
        for bad in ["ftp://sfu:1", "unix:/run/sfu"] {
            assert!(
                matches!(check(bad), Err(SfuAddressError::Malformed(_))),
                "{bad}"
            );
        }
    }
}
