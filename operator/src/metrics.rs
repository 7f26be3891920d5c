//! What the operator counts. No server's name is ever a label.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::objects::Child;

/// How a reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum ReconcileResult {
    /// Everything is as wanted.
    Applied,
    /// The spec cannot be served; a condition says why.
    Refused,
    /// The operator keeps its hands off: paused or being deleted.
    Skipped,
    /// The cluster refused or did not answer; it is tried again.
    Failed,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Verb {
    /// Server-side apply.
    Apply,
    /// A patch of fields.
    Patch,
    /// A new object.
    Create,
    /// A deletion.
    Delete,
}

/// Of what kind it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names are the API server's")]
pub enum Kind {
    ServiceAccount,
    Secret,
    ConfigMap,
    PersistentVolumeClaim,
    NetworkPolicy,
    PodDisruptionBudget,
    Service,
    Certificate,
    HttpRoute,
    Ingress,
    Job,
    Deployment,
    GrytServer,
    GrytServerStatus,
    Event,
}

impl From<Child> for Kind {
    fn from(child: Child) -> Self {
        match child {
            Child::ServiceAccount => Self::ServiceAccount,
            Child::Secret => Self::Secret,
            Child::ConfigMap => Self::ConfigMap,
            Child::PersistentVolumeClaim => Self::PersistentVolumeClaim,
            Child::NetworkPolicy => Self::NetworkPolicy,
            Child::PodDisruptionBudget => Self::PodDisruptionBudget,
            Child::Service => Self::Service,
            Child::Certificate => Self::Certificate,
            Child::HttpRoute => Self::HttpRoute,
            Child::Ingress => Self::Ingress,
            Child::Job => Self::Job,
            Child::Deployment => Self::Deployment,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: ReconcileResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWrite {
    kind: Kind,
    verb: Verb,
}

/// The operator's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    reconciles: Family<ByResult, Counter>,
    duration: Family<ByResult, Histogram, fn() -> Histogram>,
    writes: Family<ByWrite, Counter>,
    watch_failures: Counter,
    probes: Counter,
    servers: Gauge,
    failing: Gauge,
    leading: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram =
            || Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]);
        Self {
            reconciles: Family::default(),
            duration: Family::new_with_constructor(histogram),
            writes: Family::default(),
            watch_failures: Counter::default(),
            probes: Counter::default(),
            servers: Gauge::default(),
            failing: Gauge::default(),
            leading: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Makes them visible.
    pub fn register(&self, registry: &mut Registry) {
        let Self {
            reconciles,
            duration,
            writes,
            watch_failures,
            probes,
            servers,
            failing,
            leading,
        } = self;
        let mut add = |name: &str, help: &str, metric: &Counter| {
            registry.register(name, help, metric.clone());
        };
        add(
            "gryt_operator_watch_failures",
            "Watches that broke and were begun again",
            watch_failures,
        );
        add(
            "gryt_operator_probes",
            "STUN probes of media addresses",
            probes,
        );
        registry.register(
            "gryt_operator_reconciles",
            "Reconciles by result",
            reconciles.clone(),
        );
        registry.register(
            "gryt_operator_reconcile_duration_seconds",
            "Time of a reconcile by result",
            duration.clone(),
        );
        registry.register(
            "gryt_operator_writes",
            "Writes to the API server by kind and verb, leases aside",
            writes.clone(),
        );
        registry.register(
            "gryt_operator_servers",
            "GrytServers that were seen at the last reconcile",
            servers.clone(),
        );
        registry.register(
            "gryt_operator_servers_failing",
            "GrytServers whose last reconcile failed",
            failing.clone(),
        );
        registry.register(
            "gryt_operator_leading",
            "1 while this replica holds the lease",
            leading.clone(),
        );
    }

    /// Counts one reconcile.
    pub fn reconciled(&self, result: ReconcileResult, took: Duration) {
        let by = ByResult { result };
        self.reconciles.get_or_create(&by).inc();
        self.duration.get_or_create(&by).observe(took.as_secs_f64());
    }

    /// Counts one write.
    pub fn wrote(&self, kind: impl Into<Kind>, verb: Verb) {
        let kind = kind.into();
        self.writes.get_or_create(&ByWrite { kind, verb }).inc();
    }

    /// Counts a watch that broke.
    pub fn watch_failed(&self) {
        self.watch_failures.inc();
    }

    /// Counts a probe.
    pub fn probed(&self) {
        self.probes.inc();
    }

    /// Tells how many servers there are and how many of them fail.
    pub fn set_servers(&self, all: usize, failing: usize) {
        let count = |servers| i64::try_from(servers).unwrap_or(i64::MAX);
        self.servers.set(count(all));
        self.failing.set(count(failing));
    }

    /// Tells whether this replica works.
    pub fn set_leading(&self, leading: bool) {
        self.leading.set(i64::from(leading));
    }
}
