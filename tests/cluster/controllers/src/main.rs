//! What a cloud adds to Kubernetes, for the test cluster: it runs on the host beside the cluster,
//! gives each claim of the class `standard` a folder of this machine, and each Service of type
//! LoadBalancer an address on the cluster's bridge.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use futures_util::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tracing::warn;

mod load_balancer;
mod volumes;

#[derive(Parser)]
struct Config {
    /// Where the folders of volumes are made.
    #[arg(long)]
    folder: PathBuf,
    /// The first of the addresses to give away.
    #[arg(long)]
    first_address: Ipv4Addr,
    /// The last of the addresses to give away.
    #[arg(long)]
    last_address: Ipv4Addr,
}

/// What is watched, as it was last seen.
struct Seen {
    claims: Store<PersistentVolumeClaim>,
    volumes: Store<PersistentVolume>,
    services: Store<Service>,
    endpoints: Store<EndpointSlice>,
    nodes: Store<Node>,
}

/// Changes come in bursts: one look serves all of a burst.
const BURST: Duration = Duration::from_millis(50);
/// A write that was refused is tried again after this time, should no change come before.
const AGAIN: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // Where this is built together with what compiles a second one in, kube would find none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::parse();
    tracing_subscriber::fmt().with_ansi(false).init();
    let client = Client::try_default().await.context("read the kubeconfig")?;
    let (claims, claim_changes) = watch::<PersistentVolumeClaim>(&client);
    let (volumes, volume_changes) = watch::<PersistentVolume>(&client);
    let (services, service_changes) = watch::<Service>(&client);
    let (endpoints, endpoint_changes) = watch::<EndpointSlice>(&client);
    let (nodes, node_changes) = watch::<Node>(&client);
    let seen = Seen {
        claims,
        volumes,
        services,
        endpoints,
        nodes,
    };
    let mut changes = stream::select_all([
        claim_changes,
        volume_changes,
        service_changes,
        endpoint_changes,
        node_changes,
    ]);
    let volumes = volumes::Volumes::new(client.clone(), config.folder);
    let mut balancer =
        load_balancer::LoadBalancer::new(client, config.first_address, config.last_address);
    loop {
        // Told by a change, or after a while: the whole of what is seen is compared, each time.
        let _ = tokio::time::timeout(AGAIN, changes.next()).await;
        while let Ok(Some(())) = tokio::time::timeout(BURST, changes.next()).await {}
        if let Err(error) = volumes.reconcile(&seen).await {
            warn!(error = format!("{error:#}"), "volumes are behind");
        }
        if let Err(error) = balancer.reconcile(&seen).await {
            warn!(error = format!("{error:#}"), "load balancers are behind");
        }
    }
}

type Changes = std::pin::Pin<Box<dyn Stream<Item = ()>>>;

fn watch<K>(client: &Client) -> (Store<K>, Changes)
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::all(client.clone()), watcher::Config::default()).default_backoff();
    let changes = reflector::reflector(writer, events).map(|event| {
        if let Err(error) = event {
            warn!(%error, "a watch was interrupted");
        }
    });
    (store, Box::pin(changes))
}
