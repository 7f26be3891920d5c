//! The operator's only tie to the services: every variable that it writes is one that they read,
//! with a value that they take.

use clap::{Command, CommandFactory, Parser};
use gryt_signaling::cli::Cli;
use serde_json::Value;

use super::fixture::servers;
use super::{built, containers, pods};

/// Parses a pod's environment as the process would, by the flag that each variable stands for:
/// a process has one environment, and tests share theirs.
fn parse<C: Parser + CommandFactory>(pod: &Value) -> C {
    parse_container(&pod["spec"]["containers"][0], &C::command())
}

/// The same of one container, whose arguments may name a subcommand: then `command` is that one.
fn parse_container<C: Parser>(container: &Value, command: &Command) -> C {
    let mut arguments = vec!["program".to_owned()];
    let own = container["args"].as_array().into_iter().flatten();
    arguments.extend(own.map(|argument| argument.as_str().unwrap().to_owned()));
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        if name == "HOST_IP" {
            continue;
        }
        let flag = command
            .get_arguments()
            .find(|argument| argument.get_env().is_some_and(|env| env == name))
            .unwrap_or_else(|| panic!("{} reads no {name}", command.get_name()));
        let flag = flag.get_long().unwrap();
        arguments.push(format!("--{flag}={}", value(variable)));
    }
    C::try_parse_from(&arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// The value as the kubelet makes it.
fn value(variable: &Value) -> String {
    let Some(value) = variable["value"].as_str() else {
        let from = &variable["valueFrom"];
        assert!(from["fieldRef"].is_object() || from["secretKeyRef"].is_object());
        return "node1".to_owned();
    };
    value.replace("$(HOST_IP)", "192.0.2.10").replace("$$", "$")
}

#[test]
fn the_services_take_every_variable_that_is_written() {
    for (_, server) in servers() {
        for pod in pods(&built(&server)) {
            match pod["metadata"]["labels"]["app.kubernetes.io/component"].as_str() {
                Some("sfu") => drop(parse::<gryt_sfu::cli::Config>(pod)),
                Some("signaling") => {
                    let cli = parse::<Cli>(pod);
                    let config = cli.serving.0.unwrap();
                    assert_eq!(config.name, server.display_name);
                    let issuers = server.backends.issuers.len();
                    assert_eq!(config.issuers.is_some(), issuers > 0);
                    assert_eq!(
                        cli.redis.redis_url.is_some(),
                        server.backends.redis.is_some()
                    );
                    let nodes = cli.cql.cql_contact_points.len();
                    let named = server.backends.cql.as_ref();
                    assert_eq!(nodes, named.map_or(0, |cql| cql.contact_points.len()));
                }
                Some("administration") => {
                    for container in containers(pod) {
                        let name = container["args"][0].as_str().unwrap();
                        let cli = Cli::command();
                        let command = cli.find_subcommand(name).unwrap();
                        let parsed: Cli = parse_container(container, command);
                        assert!(parsed.command.is_some(), "{name}");
                    }
                }
                other => panic!("no component {other:?}"),
            }
        }
    }
}
