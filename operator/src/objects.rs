//! Everything that one GrytServer becomes. `build` prepares the objects, `apply` brings them to
//! the cluster; only what was applied makes a status. The fields stand in the order of applying:
//! what others refer to first, media Services before the pods that announce their ports.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::Value;

use crate::names::ServerName;

/// Objects as `build` wants them.
#[derive(Debug, Clone, Copy)]
pub enum Prepared {}

/// Objects as the cluster has them.
#[derive(Debug, Clone, Copy)]
pub enum Applied {}

/// All objects of one server. Whoever goes through them destructures without `..`, so that a new
/// field can't be forgotten.
#[derive(Debug, Clone)]
pub struct Objects<State> {
    /// `ca-<server id>` in the operator's namespace, and so without an owner.
    pub authority: Secret,
    /// `backends-<server id>` in the operator's namespace, where something of the server lives in
    /// back ends.
    pub backends_record: Option<Secret>,
    /// In the operator's namespace: what prepares the back ends, as far as it isn't done.
    pub jobs: Vec<Job>,
    /// `<server>-signaling` and `<server>-sfu`.
    pub service_accounts: Vec<ServiceAccount>,
    /// Owner's invite, mTLS of both processes, and the web certificate if the operator keeps it.
    pub secrets: Vec<Secret>,
    /// `<server>-nodes`, where the class knows addresses of nodes.
    pub node_addresses: Option<ConfigMap>,
    /// `<server>-data`, unless the back ends keep everything. One that is there stays.
    pub volume: Option<PersistentVolumeClaim>,
    /// `<server>-signaling` and `<server>-sfu`.
    pub network_policies: Vec<NetworkPolicy>,
    /// `<server>-signaling` and `<server>-sfu`.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// `<server>-sfu-<n>-media`, where media comes by a Service.
    pub media_services: Vec<Service>,
    /// `<server>-sfu-<n>`, for gRPC.
    pub sfu_services: Vec<Service>,
    /// `<server>-signaling`.
    pub signaling_service: Service,
    /// `<server>-web-tls`, what cert-manager is asked for.
    pub certificate: Option<DynamicObject>,
    /// `<server>`, where the web is behind a Gateway.
    pub http_route: Option<DynamicObject>,
    /// `<server>`, where the web is behind an Ingress controller.
    pub ingress: Option<Ingress>,
    /// `<server>-sfu-<n>`, of the slots whose address is known.
    pub sfus: Vec<Deployment>,
    /// `<server>-signaling`, once its origin is known.
    pub signaling: Option<Deployment>,
    /// Deployments that wait for a port, an address or their turn: not applied, and not deleted
    /// either.
    pub awaited: Vec<String>,
    /// Whether the cluster has them.
    pub state: PhantomData<State>,
}

/// A kind of object that belongs to a GrytServer and lives in its namespace (Jobs: in the
/// operator's): what is watched, and what is deleted when it is no longer wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Child {
    /// v1
    ServiceAccount,
    /// v1
    Secret,
    /// v1
    ConfigMap,
    /// v1
    PersistentVolumeClaim,
    /// networking.k8s.io/v1
    NetworkPolicy,
    /// policy/v1
    PodDisruptionBudget,
    /// v1
    Service,
    /// cert-manager.io/v1; only where its CRD is installed
    Certificate,
    /// gateway.networking.k8s.io/v1; only where its CRD is installed
    HttpRoute,
    /// networking.k8s.io/v1
    Ingress,
    /// batch/v1; in the operator's namespace only
    Job,
    /// apps/v1
    Deployment,
}

impl Child {
    /// Every kind, in the order of applying.
    pub const ALL: [Self; 12] = [
        Self::ServiceAccount,
        Self::Secret,
        Self::ConfigMap,
        Self::PersistentVolumeClaim,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::Service,
        Self::Certificate,
        Self::HttpRoute,
        Self::Ingress,
        Self::Job,
        Self::Deployment,
    ];

    /// How the API server calls it.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Certificate => {
                let kind = GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate");
                ApiResource::from_gvk_with_plural(&kind, "certificates")
            }
            Self::HttpRoute => {
                let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
                ApiResource::from_gvk_with_plural(&kind, "httproutes")
            }
            Self::Ingress => ApiResource::erase::<Ingress>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
        }
    }

    /// Whether a child of this kind and name can belong to `server`.
    #[must_use]
    pub fn can_be(self, server: &ServerName, name: &str) -> bool {
        let slot = |suffix: &str| {
            let of_slots = name
                .strip_prefix(&server.sfu())
                .and_then(|rest| rest.strip_prefix('-'));
            of_slots
                .and_then(|rest| rest.strip_suffix(suffix))
                .is_some_and(|number| number.parse::<i32>().is_ok())
        };
        match self {
            Self::ServiceAccount | Self::NetworkPolicy | Self::PodDisruptionBudget => {
                [server.signaling(), server.sfu()]
                    .iter()
                    .any(|own| own == name)
            }
            Self::Secret => {
                let own = [
                    server.owner(),
                    server.signaling_tls(),
                    server.sfu_tls(),
                    server.web_tls(),
                    server.backends(),
                ];
                own.iter().any(|own| own == name)
            }
            Self::ConfigMap => name == server.nodes(),
            Self::PersistentVolumeClaim => name == server.data(),
            Self::Service => name == server.signaling() || slot("") || slot("-media"),
            Self::Certificate => name == server.web_tls(),
            Self::HttpRoute | Self::Ingress => name == server.web(),
            // None lives beside its server.
            Self::Job => false,
            Self::Deployment => name == server.signaling() || slot(""),
        }
    }

    /// Whether every Kubernetes has this kind; the others come with a CRD of somebody else.
    #[must_use]
    pub fn is_built_in(self) -> bool {
        !matches!(self, Self::Certificate | Self::HttpRoute)
    }
}

/// One object of whatever kind, as far as it is to be written.
pub trait Wanted: Sync {
    /// Its namespace: the operator's or the server's.
    fn namespace(&self) -> String;

    /// Its name.
    fn name(&self) -> String;

    /// All of it as JSON.
    ///
    /// # Errors
    /// A value in it has no form in JSON.
    fn body(&self) -> Result<Value, serde_json::Error>;
}

impl<K: Resource + Serialize + Sync> Wanted for K {
    fn namespace(&self) -> String {
        ResourceExt::namespace(self).unwrap_or_default()
    }

    fn name(&self) -> String {
        self.name_any()
    }

    fn body(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

/// Objects of several kinds.
type Kinds<'a> = Vec<(Child, &'a dyn Wanted)>;

impl<State> Objects<State> {
    /// Every object, in the order of applying.
    #[must_use]
    pub fn all(&self) -> Kinds<'_> {
        let mut all = self.remembered();
        all.extend(self.wanted());
        all
    }

    /// What is kept in the operator's namespace: nothing else is made before it, because it is lost
    /// otherwise.
    pub(crate) fn remembered(&self) -> Kinds<'_> {
        let mut all = Kinds::new();
        add(&mut all, Child::Secret, [&self.authority]);
        add(&mut all, Child::Secret, &self.backends_record);
        all
    }

    /// Kind and name of every child in the namespace of the GrytServer, awaited ones too, and of
    /// every Job. A child of the server that is not among them is no longer wanted.
    #[must_use]
    pub fn children(&self) -> BTreeSet<(Child, String)> {
        let objects = self.wanted().into_iter();
        let awaited = self.awaited.iter();
        objects
            .map(|(kind, object)| (kind, object.name()))
            .chain(awaited.map(|name| (Child::Deployment, name.clone())))
            .collect()
    }

    /// Every object that is made after what is remembered, in the order of applying.
    pub(crate) fn wanted(&self) -> Kinds<'_> {
        let Self {
            authority: _,
            backends_record: _,
            jobs,
            service_accounts,
            secrets,
            node_addresses,
            volume,
            network_policies,
            disruption_budgets,
            media_services,
            sfu_services,
            signaling_service,
            certificate,
            http_route,
            ingress,
            sfus,
            signaling,
            awaited: _,
            state: _,
        } = self;
        let mut all = Kinds::new();
        add(&mut all, Child::Job, jobs);
        add(&mut all, Child::ServiceAccount, service_accounts);
        add(&mut all, Child::Secret, secrets);
        add(&mut all, Child::ConfigMap, node_addresses);
        add(&mut all, Child::PersistentVolumeClaim, volume);
        add(&mut all, Child::NetworkPolicy, network_policies);
        add(&mut all, Child::PodDisruptionBudget, disruption_budgets);
        add(&mut all, Child::Service, media_services);
        add(&mut all, Child::Service, sfu_services);
        add(&mut all, Child::Service, [signaling_service]);
        add(&mut all, Child::Certificate, certificate);
        add(&mut all, Child::HttpRoute, http_route);
        add(&mut all, Child::Ingress, ingress);
        add(&mut all, Child::Deployment, sfus);
        add(&mut all, Child::Deployment, signaling);
        all
    }
}

impl Objects<Prepared> {
    /// The same, once the cluster has them.
    pub(crate) fn applied(self) -> Objects<Applied> {
        let Self {
            authority,
            backends_record,
            jobs,
            service_accounts,
            secrets,
            node_addresses,
            volume,
            network_policies,
            disruption_budgets,
            media_services,
            sfu_services,
            signaling_service,
            certificate,
            http_route,
            ingress,
            sfus,
            signaling,
            awaited,
            state: PhantomData,
        } = self;
        Objects {
            authority,
            backends_record,
            jobs,
            service_accounts,
            secrets,
            node_addresses,
            volume,
            network_policies,
            disruption_budgets,
            media_services,
            sfu_services,
            signaling_service,
            certificate,
            http_route,
            ingress,
            sfus,
            signaling,
            awaited,
            state: PhantomData,
        }
    }
}

fn add<'a, K: Resource + Serialize + Sync + 'a>(
    all: &mut Kinds<'a>,
    kind: Child,
    objects: impl IntoIterator<Item = &'a K>,
) {
    let objects = objects.into_iter();
    all.extend(objects.map(|object| (kind, object as &dyn Wanted)));
}
