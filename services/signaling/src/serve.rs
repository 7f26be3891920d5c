//! Puts the parts of the process together, serves them, and ends them in the right order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use gryt_issuer::Registration;
use gryt_runtime::http::{self, Site, TrustedProxies};
use gryt_runtime::tls::{ClientAuth, TlsFolder};
use gryt_runtime::{DEADLINE, Parts, Readiness, health_router};
use gryt_signaling::cli::Config;
use gryt_signaling::data_dir::{DataDir, Locked};
use gryt_signaling::files::{FileStorage, FilesConfig};
use gryt_signaling::foundation::BackEnds;
use gryt_signaling::local::{Local, LocalConfig, Naming, Started};
use gryt_signaling::sfu_channel::SfuAddressError;
use gryt_signaling::{Limits, OriginPolicy, sfu_channel};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// For the process before this one, which the cluster ends while it starts us.
const WAIT_FOR_DATA: Duration = Duration::from_secs(30);

/// Serves until a signal comes.
pub(crate) async fn serve(
    config: Config,
    back_ends: BackEnds,
    files: FilesConfig,
) -> anyhow::Result<()> {
    let stop = gryt_runtime::on_signal().context("listen for signals")?;
    let data = DataDir::at(config.data_dir.clone());
    back_ends.check(&config.server_id)?;
    let local = local_config(&config, placed(files, &back_ends)?)?;
    let keeps_files = back_ends.need_folder() || local.issuers.has_own();
    let Some(locked) = stop.run_until_cancelled(lock(&data, keeps_files)).await else {
        return Ok(());
    };
    let _locked = locked?;
    let probes = listen(config.probes_listen).await?;
    let probes_address = probes.local_addr()?;
    let sfu_tls = open_tls(config.sfu_tls_dir.as_deref())?;
    let web_tls = open_tls(config.tls_dir.as_deref())?;
    let sfus = config.sfu_urls.iter().map(|url| {
        let channel = sfu_channel::connect(url, sfu_tls.as_ref(), &config.server_id)?;
        Ok::<_, SfuAddressError>((url.to_string(), channel))
    });
    let sfus = sfus.collect::<Result<_, _>>()?;

    let mut parts = Parts::new(stop.clone());
    let serving = Arc::new(OnceLock::new());
    let probes_site = plain(probes_router(Arc::clone(&serving)));
    parts.start("the probes", http::serve(probes, probes_site, stop.clone()));
    let opening = back_ends.open(&data, &config.server_id, &config.name);
    let Some(foundation) = stop.run_until_cancelled(opening).await else {
        return parts.end(DEADLINE).await;
    };
    let local = Local::on(foundation?, &data, local, now()).await?;
    let Started {
        signaling,
        router,
        keys,
    } = local.start(sfus, Registry::default());
    // Not earlier: a proxy in front sees at once that nobody serves here yet.
    let listener = listen(config.listen).await?;
    // Set here alone.
    let _ = serving.set(signaling.probes_router());
    let site = Site {
        router,
        tls: web_tls.as_ref().map(acceptor).transpose()?,
        proxies: TrustedProxies::new(config.trusted_proxies),
    };
    tracing::info!(
        address = %listener.local_addr()?,
        probes = %probes_address,
        server = %config.server_id,
        "serving"
    );

    parts.start("HTTP", http::serve(listener, site, stop.clone()));
    parts.start("the keys", keys.serve(stop.clone()));
    parts.start("signaling", signaling.run(stop.clone()));
    for folder in [sfu_tls, web_tls].into_iter().flatten() {
        parts.start("a certificate's watch", folder.watch(stop.clone()));
    }
    parts.end(DEADLINE).await
}

/// Takes the folder, where something of the server is kept in it.
async fn lock(data: &DataDir, keeps_files: bool) -> anyhow::Result<Option<Locked>> {
    if !keeps_files {
        return Ok(None);
    }
    Ok(Some(data.lock_within(WAIT_FOR_DATA).await?))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    http::bind(address)
        .await
        .with_context(|| format!("listen on {address}"))
}

/// The probes of a process that waits for its back ends, and then those of the server.
fn probes_router(serving: Arc<OnceLock<Router>>) -> Router {
    let readiness = Readiness::starting();
    readiness.set_unready("waiting for the back ends");
    let waiting = health_router(readiness);
    Router::new().fallback(async move |request: Request| {
        let router = serving.get().unwrap_or(&waiting).clone();
        router.oneshot(request).await
    })
}

fn plain(router: Router) -> Site {
    Site {
        router,
        tls: None,
        proxies: TrustedProxies::default(),
    }
}

fn open_tls(dir: Option<&Path>) -> anyhow::Result<Option<TlsFolder>> {
    Ok(dir.map(TlsFolder::open).transpose()?)
}

fn acceptor(folder: &TlsFolder) -> anyhow::Result<TlsAcceptor> {
    let mut config = folder.server_config(ClientAuth::Anybody)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Files are where the messages are, or the server takes none: a folder is of one process.
fn placed(files: FilesConfig, back_ends: &BackEnds) -> anyhow::Result<Option<FilesConfig>> {
    if back_ends.need_folder() {
        return Ok(Some(files));
    }
    if matches!(files.storage, FileStorage::Folder) {
        tracing::info!("no storage for files is named, so the server takes none");
        return Ok(None);
    }
    anyhow::ensure!(
        files.key.is_some(),
        "processes that share back ends share the secret behind upload tickets, too: name a file \
         with it by GRYT_SIGNALING_FILES_KEY_FILE (--files-key-file)"
    );
    Ok(Some(files))
}

fn local_config(config: &Config, files: Option<FilesConfig>) -> anyhow::Result<LocalConfig> {
    let public = config.public_url.origin().ascii_serialization();
    let owner = config.owner_invite_file.clone();
    Ok(LocalConfig {
        naming: Naming::Given(config.server_id.clone(), config.name.clone()),
        only_public: true,
        origins: OriginPolicy {
            allowed: vec![public.clone()],
            loopback_allowed: false,
        },
        issuers: config.issuers()?,
        registration: owner.map_or(Registration::Open, |owner| Registration::ByInvite { owner }),
        files,
        limits: Limits {
            room_capacity: config.room_capacity.get(),
            ..Limits::default()
        },
        public,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the binary is the shell; what it calls takes `now`"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
