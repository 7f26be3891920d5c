//! The requests that bring one server about, made by the operator's own pure steps: what the
//! operator would write, in its order, without the operator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, ensure};
use gryt_operator::build::{
    MEDIA_TCP_PORT_NAME, MEDIA_UDP_PORT_NAME, Material, Sources, WEB_PORT_NAME, build,
};
use gryt_operator::class::Defaults;
use gryt_operator::crd::{GrytServer, GrytServerClass, GrytServerSpec};
use gryt_operator::names::Namespace;
use gryt_operator::observed::{Children, Observed, OwnSecrets, ServiceSeen};
use gryt_operator::secrets::{draw, draw_server_id};
use gryt_operator::status::{Facts, Outcome, status};
use gryt_operator::validate::validate;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, Request};
use kube::{Resource, ResourceExt as _};
use serde_json::{Value, json};

use crate::servers::{Wish, as_tenant};

/// The operator must not take the loop's objects for its own.
const MANAGER: &str = "bare-loop";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// As long as the digest that the operator leaves in each child.
const DIGEST: &str = "0123456789abcdef01234567";
/// Stands for the port that the API server will assign: the Deployments name one.
const NODE_PORT: i32 = 30_000;

/// What all servers share.
pub(crate) struct Platform {
    classes: Vec<Arc<GrytServerClass>>,
    defaults: Defaults,
    namespace: Namespace,
}

/// The requests of one server in their order.
pub(crate) struct Rendered {
    /// The tenant's apply.
    pub(crate) wish: http::Request<Vec<u8>>,
    /// What follows: the id, the children, the status.
    pub(crate) answer: Vec<http::Request<Vec<u8>>>,
}

impl Platform {
    /// With these classes, and else as the operator starts without flags.
    pub(crate) fn new(classes: Vec<GrytServerClass>) -> Result<Self> {
        const NAMESPACE: &str = "gryt-system";
        Ok(Self {
            classes: classes.into_iter().map(Arc::new).collect(),
            defaults: Defaults {
                image_registry: "ghcr.io/gryt-chat".to_owned(),
                image_tag: env!("CARGO_PKG_VERSION").to_owned(),
                namespace: NAMESPACE.to_owned(),
            },
            namespace: NAMESPACE.parse().context("parse the namespace")?,
        })
    }

    /// Renders one server.
    pub(crate) fn render(&self, wish: &Wish) -> Result<Rendered> {
        let id = draw_server_id()?.as_str().to_owned();
        let server = self.server(wish, &id);
        let children = assigned_ports();
        let observed = |children| Observed {
            server: Arc::clone(&server),
            classes: self.classes.clone(),
            children,
            ..Observed::default()
        };
        let refused = |refusals| anyhow!("the server is refused: {refusals:?}");
        let valid = validate(&observed(children.clone()), &self.defaults).map_err(refused)?;
        let (own, none) = (OwnSecrets::default(), BTreeMap::new());
        let sources = Sources {
            own: &own,
            platform_tls: &none,
            platform_files: &none,
            operator_namespace: &self.namespace,
        };
        let material =
            Material::provide(&valid, &sources, [draw()?, draw()?, draw()?].into(), now())?;
        let objects = build(&valid, &material);
        ensure!(
            objects.awaited.is_empty(),
            "waits for {:?}",
            objects.awaited
        );
        let facts = Facts {
            server: &server,
            outcome: Outcome::Applied(&valid),
            children: &children,
            named_secrets: &observed(Children::default()).named_secrets,
            probes: &BTreeMap::new(),
            vantage: "the operator's pod",
            held: false,
            preparing: &[],
        };
        let status = status(&facts, Timestamp::now());

        let path = GrytServer::url_path(&(), Some(&wish.namespace));
        let requests = Request::new(path);
        let mut answer = vec![requests.patch(
            &wish.name,
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": {"serverId": id}})),
        )?];
        for (kind, object) in objects.all() {
            let child = labelled(object.body()?);
            answer.push(apply(&kind.api_resource(), child)?);
        }
        let reported = json!({
            "apiVersion": GrytServer::api_version(&()),
            "kind": GrytServer::kind(&()),
            "status": status,
        });
        let patch = Patch::Apply(reported);
        let manager = PatchParams::apply(MANAGER).force();
        answer.push(requests.patch_subresource("status", &wish.name, &manager, &patch)?);
        let patch = Patch::Apply(wish.manifest());
        Ok(Rendered {
            wish: requests.patch(&wish.name, &as_tenant(), &patch)?,
            answer,
        })
    }

    fn server(&self, wish: &Wish, id: &str) -> Arc<GrytServer> {
        let spec = GrytServerSpec {
            hostname: wish.hostname.clone(),
            server_id: Some(id.to_owned()),
            ..GrytServerSpec::default()
        };
        let mut server = GrytServer::new(&wish.name, spec);
        server.metadata.namespace = Some(wish.namespace.clone());
        // Nobody looks it up: no garbage collector runs.
        server.metadata.uid = Some("00000000-0000-4000-8000-000000000000".to_owned());
        server.metadata.generation = Some(2);
        Arc::new(server)
    }
}

fn assigned_ports() -> Children {
    let service = |ports: &[&str]| ServiceSeen {
        type_: "NodePort".to_owned(),
        node_ports: ports
            .iter()
            .map(|port| ((*port).to_owned(), NODE_PORT))
            .collect(),
        ..ServiceSeen::default()
    };
    let media = service(&[MEDIA_UDP_PORT_NAME, MEDIA_TCP_PORT_NAME]);
    Children {
        web_service: Some(service(&[WEB_PORT_NAME])),
        media_services: BTreeMap::from([(0, media)]),
        ..Children::default()
    }
}

/// What the operator would leave in a child.
fn labelled(mut child: Value) -> Value {
    let metadata = &mut child["metadata"];
    metadata["labels"][MANAGED_BY] = MANAGER.into();
    metadata["annotations"]["gryt.chat/applied"] = DIGEST.into();
    child
}

fn apply(kind: &ApiResource, child: Value) -> Result<http::Request<Vec<u8>>> {
    let object: DynamicObject = serde_json::from_value(child.clone())?;
    let path = DynamicObject::url_path(kind, object.namespace().as_deref());
    let manager = PatchParams::apply(MANAGER).force();
    let request = Request::new(path).patch(&object.name_any(), &manager, &Patch::Apply(child));
    Ok(request?)
}

fn now() -> SystemTime {
    Timestamp::now().into()
}
