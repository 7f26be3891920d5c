//! Jobs in the operator's namespace: what needs an administrator's secret, which never leaves it. One
//! for each back end, run once for each server, version and description of the back end; and one that
//! removes what a server leaves.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec, Volume};
use kube::api::ObjectMeta;
use serde_json::{Value, json};

use super::backends::{
    self, CQL_AUTHORITIES, FOLDER, File, REDIS_AUTHORITIES, SENTINEL_PASSWORD, from_secret,
};
use super::material::{Material, Token};
use super::metadata::{Labels, common_labels};
use super::pod::{self, mount, variable};
use crate::apply::compare::digest;
use crate::labels::{ADMINISTRATION, COMPONENT_LABEL, SERVER_NAMESPACE_LABEL};
use crate::names::{self, Namespace, ServerName};
use crate::record::{CQL_PASSWORD, REDIS_PASSWORD};
use crate::valid::{Leaving, ValidCql, ValidImages, ValidRedis, ValidServer};
use crate::validate::backends::{PASSWORD, USERNAME};

/// The step of a Job that brings tables up to date.
pub(crate) const MIGRATE: &str = "migrate";
const PROVISION: &str = "provision";
const PURGE: &str = "purge";

const CQL_ADMIN_PASSWORD: &str = "cql-admin-password";
const REDIS_ADMIN_PASSWORD: &str = "redis-admin-password";
const FILES: &str = "backends";
/// The kubelet tries again with growing pauses, five minutes at most. A Job never gives up: what
/// stands in its way is gone at some time.
const MOST_FAILURES: i32 = 1_000_000;
/// How long its log can be read after its end, in seconds.
const KEPT_SECONDS: i32 = 3600;
const GRACE_SECONDS: i64 = 5;
/// As many characters of a digest as tell two Jobs of one server apart.
const DIGEST: usize = 10;

/// A back end that signaling waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Messages and members.
    Database,
    /// Events and presence.
    Bus,
}

/// Something that is yet to be done in a back end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preparing {
    /// In which one.
    pub part: Part,
    /// The name of the Job that does it.
    pub job: String,
}

/// What is to be done in one back end.
pub(super) struct Task {
    part: Part,
    /// Stands for what is done and for whom.
    digest: String,
    job: Job,
}

impl Task {
    pub(super) fn preparing(&self) -> Preparing {
        Preparing {
            part: self.part,
            job: self.name(),
        }
    }

    fn name(&self) -> String {
        self.job.metadata.name.clone().unwrap_or_default()
    }

    fn is_done(&self, server: &ValidServer) -> bool {
        let progress = &server.backends.progress;
        let noted = match self.part {
            Part::Database => &progress.database,
            Part::Bus => &progress.bus,
        };
        noted.as_ref() == Some(&self.digest) || progress.complete.contains(&self.name())
    }
}

/// What isn't done yet.
pub(super) fn pending(server: &ValidServer, material: &Material) -> Vec<Task> {
    let mut tasks = tasks(server, material);
    tasks.retain(|task| !task.is_done(server));
    tasks
}

pub(super) fn build(server: &ValidServer, material: &Material) -> Vec<Job> {
    // A server that is stopped is prepared when it comes back.
    if server.suspended {
        return Vec::new();
    }
    let pending = pending(server, material).into_iter();
    pending.map(|task| task.job).collect()
}

/// What database and Redis were prepared for, as the record is to say: the last that came to its end.
pub(super) fn prepared(server: &ValidServer, material: &Material) -> [Option<String>; 2] {
    let tasks = tasks(server, material);
    let progress = &server.backends.progress;
    [
        (Part::Database, &progress.database),
        (Part::Bus, &progress.bus),
    ]
    .map(|(part, noted)| {
        let task = tasks.iter().find(|task| task.part == part)?;
        if task.is_done(server) {
            Some(task.digest.clone())
        } else {
            noted.clone()
        }
    })
}

fn tasks(server: &ValidServer, material: &Material) -> Vec<Task> {
    let backends = &server.backends;
    let sign_ins = &material.sign_ins;
    let database = backends.cql.as_ref().zip(sign_ins.cql.as_ref());
    let bus = backends.redis.as_ref().zip(sign_ins.redis.as_ref());
    let whose = Whose {
        name: &server.name,
        namespace: &server.namespace,
        id: server.id.as_str(),
        images: &server.images,
        operator_namespace: &material.operator_namespace,
    };
    let database = database.map(|(cql, password)| {
        let with = With::database(cql, &names::backends(whose.id));
        let mut provision = with.env.clone();
        provision.push(variable(
            "GRYT_SIGNALING_CQL_REPLICATION",
            &*cql.replication,
        ));
        let steps = [(PROVISION, provision), (MIGRATE, with.env.clone())];
        whose.task(Part::Database, &steps, &with, password)
    });
    let bus = bus.map(|(redis, password)| {
        let with = With::bus(redis, &names::backends(whose.id));
        let steps = [(PROVISION, with.env.clone())];
        whose.task(Part::Bus, &steps, &with, password)
    });
    database.into_iter().chain(bus).collect()
}

/// Removes all that a server has in its back ends.
pub(super) fn purge(server: &Leaving, operator_namespace: &Namespace) -> Job {
    let whose = Whose {
        name: &server.name,
        namespace: &server.namespace,
        id: server.id.as_str(),
        images: &server.images,
        operator_namespace,
    };
    let own = names::backends(whose.id);
    let database = server.backends.cql.as_ref();
    let bus = server.backends.redis.as_ref();
    let parts = database.map(|cql| With::database(cql, &own));
    let parts = parts
        .into_iter()
        .chain(bus.map(|redis| With::bus(redis, &own)));
    let mut with = With::default();
    for part in parts {
        with.env.extend(part.env);
        with.files.extend(part.files);
        with.admin.push_str(&part.admin);
    }
    let steps = [(PURGE, with.env.clone())];
    let pod = whose.pod(&steps, &with.files);
    let all = json!([with.admin, pod]);
    let name = format!("{PURGE}-{}-{}", whose.id, &digest(&all)[..DIGEST]);
    whose.job(name, pod)
}

/// What an administrator works with.
#[derive(Default)]
struct With {
    env: Vec<EnvVar>,
    files: Vec<File>,
    /// Which version of his secret.
    admin: String,
}

impl With {
    /// `own`: the Secret with the server's passwords.
    fn database(cql: &ValidCql, own: &str) -> Self {
        let mut env = backends::cql(cql);
        let admin = &cql.admin.secret;
        env.extend([
            from_secret("GRYT_SIGNALING_CQL_ADMIN_ROLE", (admin, USERNAME)),
            variable(
                "GRYT_SIGNALING_CQL_ADMIN_PASSWORD_FILE",
                format!("{FOLDER}/{CQL_ADMIN_PASSWORD}"),
            ),
        ]);
        let mut files = vec![
            File::new(own, CQL_PASSWORD, CQL_PASSWORD),
            File::new(admin, PASSWORD, CQL_ADMIN_PASSWORD),
        ];
        let ca = cql.ca.as_ref();
        files.extend(ca.map(|ca| File::new(&ca.secret, &ca.key, CQL_AUTHORITIES)));
        Self {
            env,
            files,
            admin: cql.admin.version.clone(),
        }
    }

    fn bus(redis: &ValidRedis, own: &str) -> Self {
        let sentinel = redis.sentinel.as_ref();
        let sentinel = sentinel.map_or("", |sentinel| &sentinel.secret);
        let mut env = backends::redis(redis, (sentinel, USERNAME));
        let admin = &redis.admin.secret;
        env.extend([
            from_secret("GRYT_SIGNALING_REDIS_ADMIN_USER", (admin, USERNAME)),
            variable(
                "GRYT_SIGNALING_REDIS_ADMIN_PASSWORD_FILE",
                format!("{FOLDER}/{REDIS_ADMIN_PASSWORD}"),
            ),
        ]);
        let mut files = vec![
            File::new(own, REDIS_PASSWORD, REDIS_PASSWORD),
            File::new(admin, PASSWORD, REDIS_ADMIN_PASSWORD),
        ];
        if !sentinel.is_empty() {
            files.push(File::new(sentinel, PASSWORD, SENTINEL_PASSWORD));
        }
        let ca = redis.ca.as_ref();
        files.extend(ca.map(|ca| File::new(&ca.secret, &ca.key, REDIS_AUTHORITIES)));
        Self {
            env,
            files,
            admin: redis.admin.version.clone(),
        }
    }
}

/// For whom a Job works, and by which program.
struct Whose<'a> {
    name: &'a ServerName,
    namespace: &'a Namespace,
    id: &'a str,
    images: &'a ValidImages,
    operator_namespace: &'a Namespace,
}

/// A command of the program and its environment.
type Step<'a> = (&'a str, Vec<EnvVar>);

impl Whose<'_> {
    fn task(&self, part: Part, steps: &[Step<'_>], with: &With, password: &Token) -> Task {
        // What is done, by which program, for whom: not how its pod looks.
        let done = json!({
            "image": self.images.signaling,
            "steps": steps.iter().map(|(step, env)| json!([step, env])).collect::<Vec<Value>>(),
            "password": digest(&Value::from(password.as_str())),
        });
        let pod = self.pod(steps, &with.files);
        // Another administrator's secret is another try at once.
        let all = json!([done, with.admin, pod]);
        let kind = match part {
            Part::Database => "database",
            Part::Bus => "bus",
        };
        let name = format!("{kind}-{}-{}", self.id, &digest(&all)[..DIGEST]);
        Task {
            part,
            digest: digest(&done),
            job: self.job(name, pod),
        }
    }

    /// The steps in their order, each when the one before has done its work.
    fn pod(&self, steps: &[Step<'_>], files: &[File]) -> PodTemplateSpec {
        let containers = steps.iter();
        let mut containers: Vec<Container> = containers
            .map(|(step, env)| self.container(step, env.clone()))
            .collect();
        let last = containers.pop();
        let volume: Volume = backends::folder(FILES, files);
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(self.labels()),
                ..ObjectMeta::default()
            }),
            spec: Some(PodSpec {
                automount_service_account_token: Some(false),
                enable_service_links: Some(false),
                restart_policy: Some("OnFailure".to_owned()),
                security_context: Some(pod::pod_security()),
                termination_grace_period_seconds: Some(GRACE_SECONDS),
                init_containers: (!containers.is_empty()).then_some(containers),
                containers: last.into_iter().collect(),
                volumes: Some(vec![volume]),
                ..PodSpec::default()
            }),
        }
    }

    fn container(&self, command: &str, env: Vec<EnvVar>) -> Container {
        Container {
            name: command.to_owned(),
            image: Some(self.images.signaling.clone()),
            image_pull_policy: Some(self.images.pull_policy.as_str().to_owned()),
            args: Some(vec![
                command.to_owned(),
                format!("--server-id={}", self.id),
                "--log=info".to_owned(),
                "--log-format=json".to_owned(),
            ]),
            env: Some(env),
            resources: Some(pod::resources(
                [("cpu", "10m"), ("memory", "32Mi")],
                "256Mi",
                None,
            )),
            security_context: Some(pod::container_security()),
            volume_mounts: Some(vec![mount(FILES, FOLDER, true)]),
            // The error with which it ends is the last line of its log.
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            ..Container::default()
        }
    }

    fn job(&self, name: String, template: PodTemplateSpec) -> Job {
        Job {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(self.operator_namespace.to_string()),
                labels: Some(self.labels()),
                ..ObjectMeta::default()
            },
            spec: Some(JobSpec {
                backoff_limit: Some(MOST_FAILURES),
                ttl_seconds_after_finished: Some(KEPT_SECONDS),
                template,
                ..JobSpec::default()
            }),
            status: None,
        }
    }

    fn labels(&self) -> Labels {
        let mut labels = common_labels(self.name);
        labels.insert(
            SERVER_NAMESPACE_LABEL.to_owned(),
            self.namespace.to_string(),
        );
        labels.insert(COMPONENT_LABEL.to_owned(), ADMINISTRATION.to_owned());
        labels
    }
}
