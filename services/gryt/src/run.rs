//! Puts the parts together, serves them, and ends them in the right order.

use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use axum::Router;
use gryt_bus::{LocalBus, LogEpoch};
use gryt_issuer::{AllowedOrigins, CLIENT_ID, Issuer, IssuerConfig};
use gryt_model::ServerId;
use gryt_sfu::Sfu;
use gryt_signaling::{
    Algorithm, Limits, OriginPolicy, Ports, Signaling, SignalingConfig, Verifier,
};
use gryt_store::{FirstOpen, Server, SqliteStore, Store as _};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::address::{Machine, Reach};
use crate::banner::Banner;
use crate::certificate::Certificate;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::http::{self, Site};
use crate::parts::Parts;
use crate::{clock, doors, entropy, media, tls};

/// Where the issuer is on the one port.
const ISSUER_PATH: &str = "/issuer";

/// Serves until a signal comes.
pub(crate) async fn serve(config: Config, data: &DataDir) -> anyhow::Result<()> {
    let _locked = data.lock()?;
    let stop = gryt_runtime::on_signal().context("listen for signals")?;
    let default_bind = IpAddr::V4(if config.lan {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    });
    let bind = config.bind.unwrap_or(default_bind);
    let listener = listen(bind, config.port).await?;
    let local = listener.local_addr().context("ask for the port")?;
    let machine = Machine::look()?;
    let reach = Reach::new(&config, bind, local.port(), &machine);
    let certificate = config
        .lan
        .then(|| Certificate::keep(&data.certificate(), &machine, clock::now()))
        .transpose()?;

    let store = Arc::new(open_store(&config, data)?);
    let issuer = open_issuer(&config, data, &reach, store.server())?;
    let bus = LocalBus::open(&data.events_db(), &LogEpoch::from_random(entropy::bits()?))
        .context("open the event log")?;
    let sfu = Arc::new(media::start(config.media_port)?);
    // The media part goes last: signaling says goodbye to it.
    let media_stop = CancellationToken::new();
    let mut registry = Registry::default();
    sfu.register(&mut registry);
    let (media, calls) = media::connect(&sfu, media_stop.clone())?;
    let ports = Ports {
        bus: Arc::new(bus),
        sfu: media,
        verifier: verifier(&reach, local, certificate.as_ref(), store.server())?,
        store,
        registry,
    };
    let signaling = Signaling::new(signaling_config(&config, &reach), ports);
    let router = Router::new()
        .nest(ISSUER_PATH, issuer.router())
        .merge(signaling.router());
    let media = Arc::clone(&sfu);
    let site = Site {
        router: doors::guard(router, move || media.is_ready()),
        tls: certificate.as_ref().map(tls::acceptor).transpose()?,
    };

    let mut parts = Parts::new(stop.clone());
    parts.start("HTTP", http::serve(listener, site, stop.clone()));
    parts.start("signaling", signaling.run(stop.clone()));
    let watched = media::watch(Arc::clone(&sfu), calls, stop);
    parts.start("the media part", watched);
    announce(&reach, certificate.as_ref(), data, &sfu)?;

    let ended = parts.end(gryt_runtime::DEADLINE).await;
    media_stop.cancel();
    // After a signal the process has a deadline of its own; after a failure it has only this.
    let _ = timeout(gryt_runtime::DEADLINE, sfu.shutdown()).await;
    ended
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the standard library's enum is non-exhaustive"
)]
async fn listen(bind: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(bind, port);
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                anyhow!("port {port} is in use: stop what uses it, or choose another with --port")
            }
            ErrorKind::PermissionDenied => anyhow!(
                "port {port} needs more rights than this user has: choose one above 1023 with \
                 --port"
            ),
            ErrorKind::AddrNotAvailable => {
                anyhow!("this machine does not have the address {bind}: choose another with --bind")
            }
            _ => anyhow::Error::new(error).context(format!("listen on {address}")),
        })
}

fn open_store(config: &Config, data: &DataDir) -> anyhow::Result<SqliteStore> {
    let first = FirstOpen {
        server: Server {
            id: ServerId::from_random(entropy::bits()?),
            name: config.name.as_str().into(),
        },
        channels: gryt_signaling::first_channels().context("name the first channels")?,
    };
    SqliteStore::open(&data.server_db(), first).context("open the server's data")
}

fn open_issuer(
    config: &Config,
    data: &DataDir,
    reach: &Reach,
    server: &Server,
) -> anyhow::Result<Issuer> {
    let mut origins = AllowedOrigins::new(reach.own.iter().chain(&config.allow_origins).cloned());
    if reach.loopback {
        origins = origins.and_loopback();
    }
    let issuer = IssuerConfig {
        database: data.issuer_db(),
        issuer: format!("{}{ISSUER_PATH}", reach.public),
        audience: server.id.to_string(),
        server_name: server.name.to_string(),
        origins,
    };
    Issuer::open(issuer, clock::now()).context("open the accounts")
}

/// Tokens are checked by the keys that the issuer publishes, as with an issuer elsewhere.
fn verifier(
    reach: &Reach,
    local: SocketAddr,
    certificate: Option<&Certificate>,
    server: &Server,
) -> anyhow::Result<Verifier> {
    // No proxy: what is asked is this process.
    let mut http = reqwest::Client::builder().no_proxy();
    let mut scheme = "http";
    if let Some(Certificate { certificate, .. }) = certificate {
        let root = reqwest::Certificate::from_der(certificate).context("trust the certificate")?;
        http = http
            .tls_built_in_root_certs(false)
            .add_root_certificate(root);
        scheme = "https";
    }
    let host = match local.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let own = SocketAddr::new(host, local.port());
    let config = gryt_signaling::IssuerConfig {
        name: "local".into(),
        issuer: format!("{}{ISSUER_PATH}", reach.public),
        jwks_url: format!("{scheme}://{own}{ISSUER_PATH}/jwks")
            .parse()
            .context("name the issuer's keys")?,
        audience: server.id.to_string(),
        algorithms: vec![Algorithm::Es256],
    };
    let http = http.build().context("make an HTTP client")?;
    Ok(Verifier::new(vec![config], http))
}

fn signaling_config(config: &Config, reach: &Reach) -> SignalingConfig {
    // Behind something that changes the address, only the public one is true. Else the browser
    // stays at the address that it came by: a laptop has several.
    let (socket_url, issuer_url) = if config.public_url.is_some() {
        let socket = reach.public.replacen("http", "ws", 1);
        (
            format!("{socket}/ws"),
            format!("{}{ISSUER_PATH}", reach.public),
        )
    } else {
        ("/ws".to_owned(), ISSUER_PATH.to_owned())
    };
    SignalingConfig {
        socket_url,
        issuer_url,
        client_id: CLIENT_ID.to_owned(),
        reached_by_tls: reach.by_tls,
        origins: OriginPolicy {
            allowed: reach
                .own
                .iter()
                .chain(&config.allow_origins)
                .cloned()
                .collect(),
            loopback_allowed: reach.loopback,
        },
        limits: Limits::default(),
    }
}

fn announce(
    reach: &Reach,
    certificate: Option<&Certificate>,
    data: &DataDir,
    sfu: &Sfu,
) -> anyhow::Result<()> {
    let fingerprint = certificate.map(Certificate::fingerprint);
    let text = Banner {
        reach,
        fingerprint: fingerprint.as_deref(),
        data_dir: data.path(),
        media_ports: sfu.media_ports(),
    }
    .text();
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("write to standard output")
}
