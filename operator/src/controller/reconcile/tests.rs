//! How a reconcile fails: what the status says about it, how often, and that it ends.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Mutex;

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;
use tower::service_fn;

use super::*;
use crate::crd::TlsSource;
use crate::events::Events;
use crate::fetch::named::NamedSecretsByName;
use crate::fixture::{self, server};

/// An API server that can't read Secrets and takes every status. Keeps what was written.
fn cluster(server: &GrytServer, written: Arc<Mutex<Vec<Value>>>) -> Client {
    let server = serde_json::to_value(server).unwrap();
    let answer = move |request: Request<Body>| {
        let (mut server, written) = (server.clone(), Arc::clone(&written));
        async move {
            let (head, body) = request.into_parts();
            let (code, answer) = if head.method == Method::PATCH {
                assert!(head.uri.path().ends_with("/status"), "{}", head.uri);
                let body = body.collect_bytes().await.unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                server["status"] = body["status"].clone();
                server["metadata"]["resourceVersion"] = "2".into();
                written.lock().unwrap().push(body["status"].clone());
                (StatusCode::OK, server)
            } else {
                let status = json!({"kind": "Status", "status": "Failure", "code": 500,
                    "reason": "InternalError", "message": "etcd sleeps"});
                (StatusCode::INTERNAL_SERVER_ERROR, status)
            };
            let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
            *response.status_mut() = code;
            Ok::<_, Infallible>(response)
        }
    };
    Client::new(service_fn(answer), "default")
}

fn context(client: Client) -> Context {
    let (mut ctx, _writer) = fixture::context();
    ctx.named = NamedSecretsByName::new(client.clone());
    ctx.events = Events::new(client.clone(), "test".to_owned(), ctx.metrics.clone());
    ctx.client = client;
    ctx
}

#[tokio::test]
async fn a_failure_that_stays_is_told_once() {
    let mut server = server("chat");
    server.metadata.resource_version = Some("1".to_owned());
    server.spec.tls = Some(TlsSource {
        secret_name: Some("s".to_owned()),
        issuer_ref: None,
    });
    let written = Arc::default();
    let ctx = context(cluster(&server, Arc::clone(&written)));
    let server = Arc::new(server);
    let mut told = Vec::new();
    for _ in 0..4 {
        let failed = reconcile(&ctx, &server).await;
        assert!(matches!(failed, Err(Error::Fetch(_))));
        ctx.failed(&ServerKey::of(&server));
        told.push(written.lock().unwrap().len());
    }
    assert_eq!(told, [0, 1, 1, 1], "statuses after each failure");
    let status = written.lock().unwrap()[0].clone();
    let ready = &status["conditions"][0];
    assert_eq!(ready["type"], "Ready");
    assert_eq!(ready["status"], "False");
    assert_eq!(ready["reason"], "FetchFailed");
    let message = ready["message"].as_str().unwrap();
    let cause = "read the Secret \"s\" in \"team-a\": etcd sleeps";
    assert!(message.contains(cause), "{message}");
}

#[tokio::test]
async fn a_paused_server_is_only_looked_at() {
    let mut server = server("chat");
    server.metadata.resource_version = Some("1".to_owned());
    server.metadata.annotations = Some([(PAUSED_ANNOTATION.into(), "true".into())].into());
    let written = Arc::default();
    let ctx = context(cluster(&server, Arc::clone(&written)));
    let mut server = Arc::new(server);
    for _ in 0..2 {
        let done = reconcile(&ctx, &server).await.unwrap();
        assert_eq!(done.result, ReconcileResult::Skipped);
        let status = written.lock().unwrap()[0].clone();
        let status = serde_json::from_value(status).unwrap();
        Arc::make_mut(&mut server).status = Some(status);
    }
    assert_eq!(written.lock().unwrap().len(), 1, "it says the same once");
    let ready = written.lock().unwrap()[0]["conditions"][0].clone();
    assert_eq!(ready["status"], "False", "nothing of it is there");
    assert_eq!(ready["reason"], "Paused");

    // One that goes is none of our business any more.
    let gone = Arc::make_mut(&mut server);
    gone.metadata.deletion_timestamp = Some(Time(now()));
    gone.metadata.resource_version = Some("3".to_owned());
    gone.status = None;
    reconcile(&ctx, &server).await.unwrap();
    assert_eq!(written.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_name_of_a_secret_is_not_asked_for() {
    let mut server = server("chat");
    server.spec.tls = Some(TlsSource {
        secret_name: Some("?watch=true&x=".to_owned()),
        issuer_ref: None,
    });
    let written = Arc::default();
    let ctx = context(cluster(&server, Arc::clone(&written)));
    let done = reconcile(&ctx, &Arc::new(server)).await.unwrap();
    assert_eq!(done.result, ReconcileResult::Refused);
    let status = written.lock().unwrap()[0].clone();
    assert_eq!(status["conditions"][0]["reason"], "InvalidSpec");
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_without_end_is_broken_off() {
    let begun = tokio::time::Instant::now();
    let ended = timeout(2 * LIMIT, within(LIMIT, pending())).await;
    assert!(matches!(ended, Ok(Err(Error::TimedOut))));
    assert!(begun.elapsed() <= LIMIT + Duration::from_secs(1));
    let setback = Error::TimedOut.setback().unwrap();
    assert_eq!(setback.step.reason(), "TimedOut");
}

#[test]
fn only_what_the_next_try_may_not_settle_is_told() {
    let answered = |code: u16| {
        let mut status = Status::failure("No way.", "Because");
        status.code = code;
        kube::Error::Api(Box::new(status))
    };
    let apply = |code| {
        Error::Apply(apply::Error::Write {
            verb: "apply",
            kind: crate::objects::Child::Service,
            name: "chat".to_owned(),
            source: answered(code),
        })
    };
    let write = |what, code| Error::WriteServer {
        what,
        source: answered(code),
    };
    let broken = MaterialError::CopyClassSecret("w".to_owned());
    for (error, reason, part) in [
        (apply(500), "ApplyFailed", "apply Service \"chat\": No way."),
        (Error::Provide(broken), "ProvideFailed", "Secret \"w\"."),
        (
            write(SERVER_ID, 403),
            "WriteFailed",
            "spec.serverId: No way.",
        ),
        (
            Error::Unanswered(SERVER_ID),
            "WriteFailed",
            "no answer in time.",
        ),
    ] {
        let setback = error.setback().unwrap();
        assert_eq!(setback.step.reason(), reason);
        assert!(setback.message.ends_with(part), "{}", setback.message);
    }
    for error in [
        apply(409),
        write(SERVER_ID, 409),
        write(STATUS, 500),
        Error::Unanswered(STATUS),
        Error::Refused(apply::Error::Gone),
    ] {
        assert_eq!(error.setback(), None, "{error:?}");
    }
}
