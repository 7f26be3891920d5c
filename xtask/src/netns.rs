//! A network of the tests' own: browsers and product see one address besides loopback, nothing
//! reaches out, and a fault made in it stays in it.

use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, run};

/// A network namespace, removed when dropped.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace with loopback and one address, 10.77.0.1. Needs root.
    ///
    /// # Errors
    /// When the kernel or the missing `ip` program refuses.
    pub(crate) fn open() -> Result<Self> {
        let name = format!("gryt-{}", std::process::id());
        ip(&["netns", "add", &name]).context("make a network namespace")?;
        let namespace = Self { name };
        // Firefox pairs no loopback candidate unless another interface is up (bugzilla 1659672);
        // a veth pair with both ends inside stands in for a network card.
        for args in [
            &["link", "set", "lo", "up"] as &[&str],
            &[
                "link", "add", "net0", "type", "veth", "peer", "name", "net1",
            ],
            &["address", "add", "10.77.0.1/24", "dev", "net0"],
            &["link", "set", "net0", "up"],
            &["link", "set", "net1", "up"],
            &["route", "add", "default", "dev", "net0"],
        ] {
            let mut inside = vec!["-n", &namespace.name];
            inside.extend(args);
            ip(&inside).context("set up the network namespace")?;
        }
        Ok(namespace)
    }

    /// The command, run inside.
    pub(crate) fn inside(&self, what: &Command) -> Command {
        let mut inside = command("ip", &["netns", "exec", &self.name]);
        inside.arg(what.get_program()).args(what.get_args());
        for (name, value) in what.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = what.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!(
                "the network namespace {} is left behind: {error:#}",
                self.name
            );
        }
    }
}

fn ip(args: &[&str]) -> Result<()> {
    run(command("ip", args))
}
