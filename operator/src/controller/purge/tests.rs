//! How a deleted server goes: what is asked of the API server, in which order, and what stands in the
//! way.

use std::convert::Infallible;
use std::sync::Mutex;

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::client::Body;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use serde_json::Value;
use tower::service_fn;

use super::*;
use crate::controller::reconcile::reconcile;
use crate::crd::{GrytServerClass, RedisBackend, SignInSecret};
use crate::events::Events;
use crate::fetch::live;
use crate::fetch::named::NamedSecretsByName;
use crate::fetch::object::Object;
use crate::fixture::{self, ID, class, server};

/// Method, path and body of each write but Events.
type Asked = Arc<Mutex<Vec<(Method, String, Value)>>>;

/// An API server that takes every write, and has every Secret that somebody asks for.
fn cluster(server: &GrytServer, asked: &Asked) -> Client {
    let server = serde_json::to_value(server).unwrap();
    let asked = Arc::clone(asked);
    let answer = move |request: Request<Body>| {
        let (server, asked) = (server.clone(), Arc::clone(&asked));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let path = head.uri.path().to_owned();
            let answer = if path.contains("/secrets/") && head.method == Method::GET {
                json!({"metadata": {"name": "a", "resourceVersion": "1"},
                    "data": {"username": "YQ==", "password": "YQ=="}})
            } else if path.contains("/jobs/") {
                let mut job = body.clone();
                job["metadata"]["uid"] = "uid-job".into();
                job["metadata"]["resourceVersion"] = "9".into();
                job
            } else if head.method == Method::DELETE {
                json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})
            } else {
                server
            };
            if head.method != Method::GET && !path.contains("/events") {
                asked.lock().unwrap().push((head.method, path, body));
            }
            let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
            *response.status_mut() = StatusCode::OK;
            Ok::<_, Infallible>(response)
        }
    };
    Client::new(service_fn(answer), "default")
}

/// Deleted, held, with something in the Redis of its class.
fn deleted() -> GrytServer {
    let mut server = server("chat");
    server.metadata.deletion_timestamp = Some(Time(fixture::at(9)));
    server.metadata.finalizers = Some(vec!["other".to_owned(), FINALIZER.to_owned()]);
    server.spec.deletion_policy = DeletionPolicy::Delete;
    server.spec.class_name = Some("redis".to_owned());
    server
}

fn with_redis() -> GrytServerClass {
    let mut class = class("redis");
    class.spec.backends.redis = Some(RedisBackend {
        url: "redis://redis.data.svc".to_owned(),
        admin_secret_ref: SignInSecret {
            name: "redis-admin".to_owned(),
        },
        ..RedisBackend::default()
    });
    class
}

fn key() -> ServerKey {
    ServerKey::of(&deleted())
}

fn put(ctx: &Context, kind: Child, object: Value) {
    let object: Object = serde_json::from_value(object).unwrap();
    let found = live::read(kind, &object);
    ctx.live.put(key(), kind, object.name_any(), found);
}

fn put_record(ctx: &Context, uid: &str) {
    let labels =
        json!({"gryt.chat/server-namespace": "team-a", "app.kubernetes.io/instance": "chat"});
    let record = json!({"metadata": {
        "name": format!("backends-{ID}"), "namespace": "gryt-system", "uid": "uid-record",
        "resourceVersion": "5", "labels": labels, "annotations": {record::SERVER_UID: uid},
    }});
    put(ctx, Child::Secret, record);
}

fn context(server: &GrytServer, class: Option<GrytServerClass>, asked: &Asked) -> Context {
    let client = cluster(server, asked);
    let (mut ctx, _writer) = fixture::context();
    ctx.named = NamedSecretsByName::new(client.clone());
    ctx.events = Events::new(client.clone(), "test".to_owned(), ctx.metrics.clone());
    ctx.client = client;
    let (classes, mut writer) = reflector::store();
    if let Some(class) = class {
        writer.apply_watcher_event(&Event::Apply(class));
    }
    ctx.classes = classes;
    ctx
}

/// What one reconcile wrote: method and the last parts of the path.
async fn writes(ctx: &Context, server: &GrytServer, asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().clear();
    reconcile(ctx, &Arc::new(server.clone())).await.unwrap();
    let asked = asked.lock().unwrap();
    let writes = asked.iter().map(|(method, path, _)| {
        let last: Vec<&str> = path.rsplit('/').take(2).collect();
        format!("{method} {}/{}", last[1], last[0])
    });
    writes.collect()
}

const LETS_GO: &str = "PATCH grytservers/chat";

#[tokio::test]
async fn a_server_that_made_nothing_goes_at_once_and_keeps_the_finalizers_of_others() {
    let (server, asked) = (deleted(), Asked::default());
    let ctx = context(&server, None, &asked);
    assert_eq!(writes(&ctx, &server, &asked).await, [LETS_GO]);
    let body = asked.lock().unwrap()[0].2.clone();
    assert_eq!(body["metadata"]["finalizers"], json!(["other"]));
    // What another server left under this id is not its to remove.
    put_record(&ctx, "uid-other");
    assert_eq!(writes(&ctx, &server, &asked).await, [LETS_GO]);
}

#[tokio::test]
async fn pods_end_then_a_job_clears_then_the_record_goes_then_the_server() {
    let (server, asked) = (deleted(), Asked::default());
    let ctx = context(&server, Some(with_redis()), &asked);
    put_record(&ctx, "uid-chat");
    let deployment = |replicas: i32| {
        json!({
            "metadata": {"name": "chat-signaling", "namespace": "team-a", "uid": "uid-signaling",
                "resourceVersion": (9 - replicas).to_string()},
            "spec": {"replicas": replicas},
        })
    };
    put(&ctx, Child::Deployment, deployment(2));
    let wrote = writes(&ctx, &server, &asked).await;
    assert_eq!(
        wrote,
        ["PATCH deployments/chat-signaling", "PATCH chat/status"]
    );
    assert_eq!(asked.lock().unwrap()[0].2["spec"]["replicas"], 0);

    put(&ctx, Child::Deployment, deployment(0));
    let wrote = writes(&ctx, &server, &asked).await;
    let job = wrote[0].strip_prefix("PATCH jobs/").unwrap().to_owned();
    assert!(job.starts_with(&format!("purge-{ID}-")), "{job}");
    assert_eq!(wrote[1..], ["PATCH chat/status"]);
    let status = asked.lock().unwrap()[1].2["status"].clone();
    assert_eq!(status["conditions"][0]["reason"], "Purging");
    assert_eq!(
        writes(&ctx, &server, &asked).await,
        ["PATCH chat/status"],
        "one Job"
    );

    let done = json!({"type": "Complete", "status": "True"});
    let complete = json!({
        "metadata": {"name": job, "namespace": "gryt-system", "uid": "uid-job", "resourceVersion": "10"},
        "status": {"conditions": [done]},
    });
    put(&ctx, Child::Job, complete);
    let wrote = writes(&ctx, &server, &asked).await;
    assert_eq!(wrote, [&*format!("DELETE secrets/backends-{ID}"), LETS_GO]);
}

#[tokio::test]
async fn a_class_that_is_gone_is_told_and_can_be_passed_over() {
    let (server, asked) = (deleted(), Asked::default());
    let ctx = context(&server, None, &asked);
    put_record(&ctx, "uid-chat");
    assert_eq!(writes(&ctx, &server, &asked).await, ["PATCH chat/status"]);
    let status = asked.lock().unwrap()[0].2["status"].clone();
    let conditions = status["conditions"].as_array().unwrap();
    let stalled = conditions.iter().find(|one| one["type"] == "Stalled");
    assert_eq!(stalled.unwrap()["reason"], "PurgeBlocked");

    let mut skips = server.clone();
    let skip = (SKIP_PURGE_ANNOTATION.to_owned(), "true".to_owned());
    skips.metadata.annotations = Some([skip].into());
    assert_eq!(writes(&ctx, &skips, &asked).await, [LETS_GO]);
    let mut retains = server;
    retains.spec.deletion_policy = DeletionPolicy::Retain;
    assert_eq!(writes(&ctx, &retains, &asked).await, [LETS_GO]);
}

#[tokio::test]
async fn a_server_is_held_only_while_its_policy_and_its_back_ends_ask_for_it() {
    let (server, asked) = (deleted(), Asked::default());
    let ctx = context(&server, None, &asked);
    for (policy, keeps, is_held_now, writes) in [
        (DeletionPolicy::Delete, true, true, 0),
        (DeletionPolicy::Delete, true, false, 1),
        (DeletionPolicy::Delete, false, true, 1),
        (DeletionPolicy::Retain, true, true, 1),
        (DeletionPolicy::Retain, true, false, 0),
    ] {
        let mut server = server.clone();
        server.spec.deletion_policy = policy;
        if !is_held_now {
            server.metadata.finalizers = None;
        }
        asked.lock().unwrap().clear();
        hold(&ctx, Arc::new(server), keeps).await.unwrap();
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), writes, "{policy:?} {keeps} {is_held_now}");
    }
}
