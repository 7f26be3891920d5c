//! Puts the parts together, serves them, and ends them in the right order.

use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use axum::Router;
use gryt_issuer::Registration;
use gryt_runtime::Parts;
use gryt_runtime::http::{self, Site, TrustedProxies};
use gryt_sfu::Sfu;
use gryt_signaling::data_dir::DataDir;
use gryt_signaling::files::FilesConfig;
use gryt_signaling::issuers::{Beside, Issuers, IssuersElsewhere};
use gryt_signaling::local::{Local, LocalConfig, Naming, Started};
use gryt_signaling::{Limits, OriginPolicy};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::address::{Machine, Reach};
use crate::banner::Banner;
use crate::certificate::Certificate;
use crate::config::Config;
use crate::{clock, doors, media, place, tls};

/// Serves until a signal comes.
pub(crate) async fn serve(config: Config, data: &DataDir) -> anyhow::Result<()> {
    // A folder that is there is taken before all else; a new one is made only when the ports are
    // had, so that a start that fails leaves nothing behind.
    let known = data.path().exists().then(|| data.lock()).transpose()?;
    let stop = gryt_runtime::on_signal().context("listen for signals")?;
    let default_bind = IpAddr::V4(if config.lan {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    });
    let bind = config.bind.unwrap_or(default_bind);
    let listener = listen(bind, config.port).await?;
    let sfu = Arc::new(media::start(config.media_port)?);
    let _locked = match known {
        Some(locked) => locked,
        None => data.lock()?,
    };
    let local = listener.local_addr().context("ask for the port")?;
    let machine = Machine::look()?;
    let reach = Reach::new(&config, bind, local.port(), &machine);
    let certificate = config
        .lan
        .then(|| Certificate::keep(&place::certificate(data), &machine, clock::now()))
        .transpose()?;

    let local = Local::open(data, local_config(&config, &reach)?, clock::now()).await?;
    // The media part goes last: signaling says goodbye to it.
    let media_stop = CancellationToken::new();
    let mut registry = Registry::default();
    sfu.register(&mut registry);
    let (media, calls) = media::connect(&sfu, media_stop.clone())?;
    let Started {
        signaling,
        router,
        keys,
    } = local.start(vec![("this process".to_owned(), media)], registry);
    let router = Router::new().merge(router).merge(signaling.probes_router());
    let media = Arc::clone(&sfu);
    let site = Site {
        router: doors::guard(router, move || media.is_ready()),
        tls: certificate.as_ref().map(tls::acceptor).transpose()?,
        proxies: TrustedProxies::default(),
    };

    let mut parts = Parts::new(stop.clone());
    parts.start("HTTP", http::serve(listener, site, stop.clone()));
    parts.start("the keys", keys.serve(stop.clone()));
    parts.start("signaling", signaling.run(stop.clone()));
    let watched = media::watch(Arc::clone(&sfu), calls, stop);
    parts.start("the media part", watched);
    announce(&reach, certificate.as_ref(), data, &sfu)?;

    let ended = parts.end(gryt_runtime::DEADLINE).await;
    media_stop.cancel();
    // After a signal the process has a deadline of its own; after a failure it has only this.
    let _ = timeout(gryt_runtime::DEADLINE, sfu.shutdown()).await;
    ended?;
    // Nobody may be reading any more.
    let _ = writeln!(std::io::stdout(), "Stopped.");
    Ok(())
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

fn local_config(config: &Config, reach: &Reach) -> anyhow::Result<LocalConfig> {
    let elsewhere = config
        .issuers_file
        .as_deref()
        .map(IssuersElsewhere::read)
        .transpose()?;
    Ok(LocalConfig {
        naming: Naming::Folder(config.name.clone()),
        public: reach.public.clone(),
        // Behind something that changes the address, only the public one is true.
        only_public: config.public_url.is_some(),
        origins: OriginPolicy {
            allowed: reach
                .own
                .iter()
                .chain(&config.allow_origins)
                .cloned()
                .collect(),
            loopback_allowed: reach.loopback,
        },
        issuers: Issuers::elsewhere(elsewhere.unwrap_or_default(), Beside::Own),
        files: Some(FilesConfig::default()),
        registration: Registration::Open,
        limits: Limits::default(),
    })
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
