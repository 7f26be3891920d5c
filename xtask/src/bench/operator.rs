//! The operator's release build as a process of this machine, with exactly the rights that its
//! chart gives, against etcd and an API server alone: no scheduler, no controller, no node.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::cluster::nodes::{Nodes, Running};
use crate::cluster::product::{self, NAMESPACE};
use crate::command::{command, output};
use crate::packages;
use crate::release;

#[derive(Args)]
pub(super) struct Operator {
    /// Prints the JSON line alone on standard output.
    #[arg(long)]
    json: bool,
    /// How many GrytServers.
    #[arg(long, default_value_t = 1000)]
    servers: usize,
}

pub(super) fn run(bench: &Operator) -> Result<()> {
    ensure!(
        packages::is_root(),
        "the API server gets an address of its own, which only root may give"
    );
    let nodes = Nodes::bench()?;
    let programs = release::build(&["gryt-operator", "gryt-cluster-load"])?;
    let _running = Running(&nodes);
    eprintln!("\u{203a} start etcd and the API server");
    output(nodes.script("api-server.sh"))?;
    eprintln!("\u{203a} install the chart");
    product::install_unready(&nodes)?;

    let kubeconfig = nodes.folder().join("operator.kubeconfig");
    let mut rights = nodes.script("service-account.sh");
    rights.args([NAMESPACE, "gryt-operator"]);
    fs::write(&kubeconfig, output(rights)?).context("write the operator's kubeconfig")?;

    let mut load = command(&programs.join("gryt-cluster-load").to_string_lossy(), &[]);
    load.arg("--operator")
        .arg(programs.join("gryt-operator"))
        .arg("--operator-kubeconfig")
        .arg(&kubeconfig)
        .arg("--operator-log")
        .arg(nodes.folder().join("log/operator.log"))
        .args(["--servers", &bench.servers.to_string()])
        .env("KUBECONFIG", nodes.kubeconfig())
        .stderr(Stdio::inherit());
    let printed = output(load)?;
    let line = printed.lines().last().unwrap_or_default();
    match bench.json {
        true => println!("{line}"),
        false => println!("{}", told(&serde_json::from_str(line)?)),
    }
    Ok(())
}

/// The figures for people, each with its goal.
fn told(figures: &Value) -> String {
    let (operator, restart, bare) = (&figures["operator"], &figures["restart"], &figures["bare"]);
    let writes = &operator["writes_per_server"];
    format!(
        "{servers} servers, machine load {load}\n\
         writes per server: {children} to children, {spec} of the id, {status} of the status (goal: one per child, at most 2 of the status), {events} events\n\
         writes after a restart: {again} (goal: 0), {again_events} events\n\
         processor time per server: {cpu} ms (goal: under 5), after a restart {again_cpu} ms, reconciles {reconciles}\n\
         peak memory: {peak} MiB (goal: under 60 with 1000 servers), {idle} MiB without servers, {again_peak} MiB after a restart\n\
         rate: {rate} servers/s, {writing} writes/s; the bare loop {bare_rate} servers/s, {bare_writing} writes/s: {share} % of it (goal: 60)",
        servers = figures["servers"],
        load = figures["load_average"],
        children = writes["children"],
        spec = writes["spec"],
        status = writes["status"],
        events = writes["events"],
        again = restart["writes"],
        again_events = restart["events"],
        cpu = operator["cpu_ms_per_server"],
        again_cpu = restart["cpu_ms_per_server"],
        reconciles = operator["reconciles_per_server"],
        peak = operator["peak_mib"],
        idle = operator["idle_mib"],
        again_peak = restart["peak_mib"],
        rate = operator["servers_per_second"],
        writing = operator["writes_per_second"],
        bare_rate = bare["servers_per_second"],
        bare_writing = bare["writes_per_second"],
        share = figures["rate_share_percent"],
    )
}
