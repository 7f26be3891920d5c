//! What is asked of the API server, and what of its answers is kept.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tower::service_fn;

use super::*;

/// Answers every request with the same Secret, and counts them.
fn cluster(asked: Arc<AtomicUsize>) -> Client {
    let answer = move |request: Request<Body>| {
        asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(request.uri().path(), "/api/v1/namespaces/team-a/secrets/s");
        assert_eq!(request.uri().query(), None);
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "resourceVersion": "7", "annotations": {"a": "dG9w"}},
            "type": "Opaque",
            "data": {"tls.crt": "Y3J0", "tls.key": "a2V5", "login": "dG9w", "empty": ""},
        });
        async move { Ok::<_, Infallible>(Response::new(Body::from(secret.to_string().into_bytes()))) }
    };
    Client::new(service_fn(answer), "default")
}

fn name() -> ObjectName {
    "s".parse().unwrap()
}

#[tokio::test]
async fn only_what_is_wanted_of_a_secret_is_kept() {
    let secrets = NamedSecretsByName::new(cluster(Arc::default()));
    let find = async |wanted| {
        let found = secrets.find("team-a", &name(), wanted).await.unwrap();
        let found = found.unwrap();
        let keys: Vec<_> = found.seen.keys.iter().cloned().collect();
        (keys, found.contents.clone())
    };
    assert_eq!(
        find(Wanted::Outside).await,
        (vec!["tls.crt".to_owned(), "tls.key".to_owned()], None)
    );
    let (keys, contents) = find(Wanted::Keys).await;
    assert_eq!((keys.len(), contents), (3, None));
    let (_, contents) = find(Wanted::Certificate).await;
    let contents = contents.unwrap();
    let kept: Vec<_> = contents.data.keys().map(String::as_str).collect();
    assert_eq!(kept, TLS_KEYS);
    assert!(contents.annotations.is_empty());
    let memory = lock(&secrets.memory);
    let with_contents = memory.answers().filter(|named| named.contents.is_some());
    assert_eq!(with_contents.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_are_forgotten_when_nobody_asks_any_more() {
    let asked = Arc::new(AtomicUsize::new(0));
    let secrets = NamedSecretsByName::new(cluster(Arc::clone(&asked)));
    for _ in 0..3 {
        secrets
            .find("team-a", &name(), Wanted::Outside)
            .await
            .unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(lock(&secrets.memory).size().0, 1);
    sleep(2 * FRESH + Duration::from_secs(1)).await;
    assert_eq!(lock(&secrets.memory).size(), (0, 0));
    // And the next answer is forgotten too.
    secrets
        .find("team-a", &name(), Wanted::Outside)
        .await
        .unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    sleep(2 * FRESH + Duration::from_secs(1)).await;
    assert_eq!(lock(&secrets.memory).size(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let silent = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
    let secrets = NamedSecretsByName::new(Client::new(silent, "default"));
    let begun = Instant::now();
    let name = name();
    let found = secrets.find("team-a", &name, Wanted::Outside);
    let found = timeout(Duration::from_secs(60), found).await;
    assert!(matches!(found, Ok(Err(FindError::Unanswered))));
    assert!(begun.elapsed() <= ANSWER_LIMIT + Duration::from_secs(1));
}
