//! The operator's only tie to the services: every variable that it writes is one that they read,
//! with a value that they take.

use clap::{CommandFactory, Parser};
use serde_json::Value;

use super::fixture::servers;
use super::{built, pods};

/// Parses a pod's environment as the process would, by the flag that each variable stands for:
/// a process has one environment, and tests share theirs.
fn parse<C: Parser + CommandFactory>(pod: &Value) -> C {
    let command = C::command();
    let mut arguments = vec![command.get_name().to_owned()];
    for variable in pod["spec"]["containers"][0]["env"].as_array().unwrap() {
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
        assert!(variable["valueFrom"]["fieldRef"].is_object());
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
                    let config = parse::<gryt_signaling::cli::Cli>(pod).config.unwrap();
                    assert_eq!(config.name, server.display_name);
                }
                other => panic!("no component {other:?}"),
            }
        }
    }
}
