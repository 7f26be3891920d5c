//! Measures the operator with many servers against an API server without nodes: its writes by the
//! API server's own counters, its processor time and memory, and its rate beside a loop that
//! writes the same objects and does nothing else. Prints one JSON line; progress goes to stderr.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of the terminal: it prints"
)]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config as ClientConfig};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

mod bare;
mod counters;
mod operator;
mod rendered;
mod servers;

use counters::Writes;
use operator::{Launch, Operator};
use servers::Tenants;

/// Servers that the bare loop works on at the same time: as many as the operator by default.
const AT_ONCE: usize = 16;
/// Servers before anything is measured: the first writes of each kind cost an API server more.
const WARM_UP: usize = 20;
/// Nothing is written for so long: the operator is done.
const QUIET: Duration = Duration::from_secs(5);

/// The administrator's kubeconfig is `$KUBECONFIG`.
#[derive(Parser)]
struct Config {
    /// The operator's program.
    #[arg(long)]
    operator: PathBuf,
    /// The kubeconfig that the operator and the bare loop use.
    #[arg(long)]
    operator_kubeconfig: PathBuf,
    /// Where the operator's log goes.
    #[arg(long)]
    operator_log: PathBuf,
    /// How many GrytServers.
    #[arg(long, default_value_t = 1000)]
    servers: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Where this is built together with what compiles a second one in, kube would find none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::parse();
    println!("{}", measure(&config).await?);
    Ok(())
}

async fn measure(config: &Config) -> Result<Value> {
    let admin = Client::try_default().await.context("read $KUBECONFIG")?;
    let bare = bare_loop(&admin, config).await?;

    let launch = Launch {
        program: &config.operator,
        kubeconfig: &config.operator_kubeconfig,
        log: &config.operator_log,
    };
    let first = first_run(&admin, &launch, config.servers).await?;
    let again = second_run(&admin, &launch, config.servers).await?;
    let share = 100.0 * bare.took.as_secs_f64() / first["seconds"].as_f64().unwrap_or(f64::NAN);
    Ok(json!({
        "bench": "operator",
        "servers": config.servers,
        "load_average": load_average()?,
        "operator": first,
        "restart": again,
        "bare": {
            "seconds": round(bare.took.as_secs_f64()),
            "servers_per_second": round(rate(config.servers, bare.took)),
            "writes_per_second": round(rate(bare.writes, bare.took)),
        },
        "rate_share_percent": round(share),
    }))
}

async fn bare_loop(admin: &Client, config: &Config) -> Result<bare::Done> {
    let kubeconfig = Kubeconfig::read_from(&config.operator_kubeconfig)?;
    let as_operator =
        ClientConfig::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let writers = bare::Writers {
        tenants: admin.clone(),
        operator: Client::try_from(as_operator)?,
    };
    bare::run(&writers, &Tenants::create(admin, "warm-up", WARM_UP).await?).await?;
    let tenants = Tenants::create(admin, "bare", config.servers).await?;
    eprintln!("bare loop: {} servers", config.servers);
    let done = bare::run(&writers, &tenants).await?;
    eprintln!("  {:.1} s, {} writes", done.took.as_secs_f64(), done.writes);
    Ok(done)
}

/// From the apply of the first server until all of them are reported and nothing more happens.
async fn first_run(admin: &Client, launch: &Launch<'_>, servers: usize) -> Result<Value> {
    let tenants = Tenants::create(admin, "bench", servers).await?;
    let mut operator = Operator::start(launch).await?;
    let idle = operator.usage()?;
    let before = Writes::read(admin).await?;
    eprintln!("operator: {servers} servers");
    let begun = Instant::now();
    tenants.apply_and_wait(admin, AT_ONCE).await?;
    let took = begun.elapsed();
    eprintln!("  {:.1} s", took.as_secs_f64());
    let counted = quiet(admin, &mut operator).await?.since(&before);
    let usage = operator.usage()?;
    let reconciles = operator.reconciles().await?;
    operator.stop().await?;
    let deployments = tenants.deployments(admin).await?;
    ensure!(
        deployments == 2 * servers,
        "{deployments} Deployments for {servers} servers"
    );

    let per_server = |count: u64| round(to_float(count) / to_float(servers));
    Ok(json!({
        "seconds": round(took.as_secs_f64()),
        "servers_per_second": round(rate(servers, took)),
        "writes_per_second": round(rate(counted.of_operator() + servers as u64, took)),
        "writes_per_server": {
            "children": per_server(counted.of_children()),
            "spec": per_server(counted.of("PATCH", "grytservers")),
            "status": per_server(counted.of_status()),
            "events": per_server(counted.of_events()),
        },
        "writes": counted.all(),
        "reconciles_per_server": per_server(reconciles),
        "cpu_ms_per_server": round(to_float(usage.cpu_ms - idle.cpu_ms) / to_float(servers)),
        "idle_mib": round(idle.peak_mib()),
        "peak_mib": round(usage.peak_mib()),
    }))
}

/// A new process finds every server as it should be.
async fn second_run(admin: &Client, launch: &Launch<'_>, servers: usize) -> Result<Value> {
    eprintln!("operator anew");
    let before = Writes::read(admin).await?;
    let begun = Instant::now();
    let mut operator = Operator::start(launch).await?;
    operator.reconciled(servers).await?;
    let took = begun.elapsed();
    let counted = quiet(admin, &mut operator).await?.since(&before);
    let usage = operator.usage()?;
    let reconciles = operator.reconciles().await?;
    operator.stop().await?;
    let servers = to_float(servers);
    Ok(json!({
        "seconds": round(took.as_secs_f64()),
        "writes": counted.of_operator(),
        "events": counted.of_events(),
        "reconciles_per_server": round(to_float(reconciles) / servers),
        "cpu_ms_per_server": round(to_float(usage.cpu_ms) / servers),
        "peak_mib": round(usage.peak_mib()),
    }))
}

/// Waits until neither a write nor a reconcile happens.
async fn quiet(admin: &Client, operator: &mut Operator) -> Result<Writes> {
    let mut known = (Writes::read(admin).await?, operator.reconciles().await?);
    loop {
        sleep(QUIET).await;
        let now = (Writes::read(admin).await?, operator.reconciles().await?);
        if now == known {
            return Ok(now.0);
        }
        known = now;
    }
}

/// Of the last minute, of five minutes, of fifteen.
fn load_average() -> Result<Vec<f64>> {
    let text = std::fs::read_to_string("/proc/loadavg").context("read the load")?;
    let numbers = text.split_whitespace().take(3).map(str::parse);
    numbers.collect::<Result<_, _>>().context("parse the load")
}

fn rate(count: impl TryInto<u64>, took: Duration) -> f64 {
    to_float(count) / took.as_secs_f64()
}

fn to_float(count: impl TryInto<u64>) -> f64 {
    let count = count.try_into().unwrap_or_default();
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Two decimals are more than a run repeats.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
