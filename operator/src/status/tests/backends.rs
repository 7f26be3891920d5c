//! What a status says of back ends: by their Jobs, then by whether signaling is ready.

use super::*;
use crate::build::Part;
use crate::crd::{CqlBackend, OidcIssuer, RedisBackend, SignInSecret};
use crate::observed::{JobFailure, JobPodSeen};

/// A class with all back ends; everything runs.
fn scene() -> Scene {
    let admin = || SignInSecret {
        name: "admin".to_owned(),
    };
    let mut scene = Scene::running().with_class(|class| {
        let backends = &mut class.spec.backends;
        backends.redis = Some(RedisBackend {
            url: "redis://a".to_owned(),
            admin_secret_ref: admin(),
            ..RedisBackend::default()
        });
        backends.cql = Some(CqlBackend {
            contact_points: vec!["a".to_owned()],
            admin_secret_ref: admin(),
            ..CqlBackend::default()
        });
        backends.issuers = vec![OidcIssuer {
            name: "staff".to_owned(),
            issuer: "https://id.example.org".to_owned(),
            client_id: "gryt-web".to_owned(),
            ..OidcIssuer::default()
        }];
    });
    scene.observed.children.volume = None;
    let keys = secret(&["username", "password"]);
    let platform = &mut scene.observed.named_secrets.platform;
    platform.insert("admin".to_owned(), keys);
    scene
}

/// Nothing is prepared: signaling waits.
fn preparing() -> Scene {
    let mut scene = scene();
    scene.observed.children.signaling = None;
    scene.preparing = [(Part::Database, "database-a"), (Part::Bus, "bus-a")]
        .map(|(part, job)| Preparing {
            part,
            job: job.to_owned(),
        })
        .into();
    scene
}

fn failure(job: &str, container: &str, said: &str) -> JobPodSeen {
    JobPodSeen {
        job: job.to_owned(),
        failure: Some(JobFailure {
            container: container.to_owned(),
            said: said.to_owned(),
        }),
        trouble: None,
    }
}

fn told(status: &GrytServerStatus, type_: &str) -> (String, String, String) {
    let found = find(&status.conditions, type_).unwrap();
    let Condition {
        status,
        reason,
        message,
        ..
    } = found.clone();
    (status, reason, message)
}

fn says(status: &GrytServerStatus, type_: &str) -> String {
    let (truth, reason, _) = told(status, type_);
    format!("{truth}:{reason}")
}

#[test]
fn ready_pods_prove_that_back_ends_are_reached() {
    let status = scene().status();
    for type_ in [DATABASE_READY, BUS_READY] {
        assert_eq!(says(&status, type_), "True:Connected");
    }
    assert_eq!(says(&status, STORAGE_READY), "True:NotNeeded");
    assert_eq!(says(&status, READY), "True:Serving");
}

#[test]
fn a_server_without_back_ends_says_nothing_of_them() {
    let status = Scene::running().status();
    for type_ in [DATABASE_READY, BUS_READY] {
        assert!(find(&status.conditions, type_).is_none());
    }
}

#[test]
fn pods_that_are_not_ready_leave_it_open_which_back_end_is_away() {
    let mut scene = scene();
    let signaling = scene.observed.children.signaling.as_mut().unwrap();
    (signaling.ready, signaling.available) = (0, 0);
    let status = scene.status();
    assert_eq!(says(&status, DATABASE_READY), "Unknown:Prepared");
    assert_eq!(says(&status, BUS_READY), "Unknown:Prepared");
    assert_eq!(
        says(&status, READY),
        "False:Progressing",
        "what is broken speaks first"
    );
}

#[test]
fn signaling_waits_for_the_jobs() {
    let status = preparing().status();
    assert_eq!(says(&status, DATABASE_READY), "False:Preparing");
    assert_eq!(says(&status, BUS_READY), "False:Preparing");
    let (_, _, message) = told(&status, DATABASE_READY);
    assert!(message.contains("\"database-a\""), "{message}");
    assert_eq!(says(&status, READY), "False:Preparing");
    assert_eq!(says(&status, RECONCILING), "True:Preparing");
}

#[test]
fn a_job_that_fails_speaks_in_its_own_words() {
    let mut scene = preparing();
    let pods = &mut scene.observed.children.job_pods;
    pods.push(failure(
        "database-a",
        "provision",
        "sign in as \"root\": refused",
    ));
    pods.push(failure("bus-a", "provision", ""));
    pods.push(failure("database-old", "migrate", "not asked for"));
    let status = scene.status();
    let (truth, reason, message) = told(&status, DATABASE_READY);
    assert_eq!((&*truth, &*reason), ("False", "ProvisionFailed"));
    assert!(
        message.contains("sign in as \"root\": refused"),
        "{message}"
    );
    let (_, _, message) = told(&status, BUS_READY);
    assert!(message.contains("log says why"), "{message}");
    assert_eq!(says(&status, READY), "False:ProvisionFailed");
    let news = crate::events::notices(None, &status);
    let mut warnings = news.iter().filter(|notice| notice.warning);
    assert!(warnings.any(|notice| notice.reason == "ProvisionFailed"));

    let pods = &mut scene.observed.children.job_pods;
    pods[0] = failure("database-a", "migrate", "x");
    let status = scene.status();
    assert_eq!(says(&status, DATABASE_READY), "False:MigrationFailed");
}

#[test]
fn a_job_whose_pod_does_not_start_says_why() {
    let mut scene = preparing();
    scene.observed.children.job_pods.push(JobPodSeen {
        job: "bus-a".to_owned(),
        failure: None,
        trouble: Some(PodTrouble {
            reason: "ImagePullBackOff".to_owned(),
            message: "back-off".to_owned(),
        }),
    });
    let status = scene.status();
    assert_eq!(says(&status, BUS_READY), "False:ImagePullBackOff");
}

#[test]
fn a_stopped_server_asks_nobody() {
    let scene = scene().with_spec(|spec| spec.suspend = true);
    assert_eq!(says(&scene.status(), DATABASE_READY), "Unknown:Suspended");
    assert_eq!(says(&scene.status(), READY), "False:Suspended");
}

#[test]
fn findings_stay_while_a_spec_is_refused() {
    let mut scene = scene();
    scene.report(0);
    scene.observed.named_secrets.platform.clear();
    let status = scene.status_at(60);
    assert_eq!(says(&status, DATABASE_READY), "True:Connected");
    assert_eq!(says(&status, STALLED), "True:SecretNotFound");
}

#[test]
fn a_server_that_can_not_leave_says_why_and_how_it_could() {
    let scene = scene();
    let of = |departure: &Departure| {
        let facts = Facts {
            server: &scene.observed.server,
            outcome: Outcome::Leaving(departure),
            children: &scene.observed.children,
            named_secrets: &scene.observed.named_secrets,
            probes: &scene.probes,
            vantage: "",
            held: false,
            preparing: &[],
        };
        status(&facts, at(0))
    };
    let clears = of(&Departure::clearing("purge-a", None));
    assert_eq!(says(&clears, READY), "False:Purging");
    assert_eq!(says(&clears, RECONCILING), "True:Purging");
    assert_eq!(clears.conditions.len(), 2);

    let fails = of(&Departure::clearing("purge-a", Some("no route to host")));
    assert_eq!(says(&fails, STALLED), "True:PurgeFailed");
    let mut gone = scene.observed.clone();
    gone.named_secrets.platform.clear();
    let refusals = crate::validate::leaving(&gone, &defaults()).unwrap_err();
    let blocked = of(&Departure::blocked(&refusals));
    assert_eq!(says(&blocked, STALLED), "True:PurgeBlocked");
    for (status, cause) in [(&fails, "no route to host"), (&blocked, "\"admin\"")] {
        let (_, _, message) = told(status, READY);
        assert!(message.contains(cause), "{message}");
        assert!(message.contains("gryt.chat/skip-purge"), "{message}");
        let news = crate::events::notices(None, status);
        assert!(news.iter().any(|notice| notice.warning), "{news:?}");
    }
}

#[test]
fn a_paused_server_keeps_what_is_known_of_back_ends_and_misses_no_volume() {
    let mut scene = scene();
    scene.report(0);
    let paused = scene.paused(10);
    for type_ in [DATABASE_READY, BUS_READY] {
        assert_eq!(says(&paused, type_), "True:Connected");
    }
    assert_eq!(says(&paused, STORAGE_READY), "True:NotNeeded");
    assert_eq!(says(&paused, READY), "True:Paused");
    assert!(find(&paused.conditions, STALLED).is_none());
}
