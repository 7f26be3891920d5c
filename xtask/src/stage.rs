//! The stages of the test command, and the steps they are made of.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command::run_counted;
use crate::count::Count;

mod backends;
mod browser;
pub(crate) mod chaos;
mod cluster;
mod fuzz;
mod lint;
mod unit;
mod web;

/// A part of the tests that can be run alone.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Minutes on two cores with empty caches.
    pub(crate) budget_min: u32,
    pub(crate) needs_root: bool,
    pub(crate) run: fn(&mut Steps) -> Result<()>,
}

/// All stages, in the order they run.
pub(crate) const STAGES: [Stage; 8] = [
    Stage {
        name: "lint",
        about: "formats, lints, docs, dependency rules, licences, wire files",
        budget_min: 12,
        needs_root: false,
        run: lint::run,
    },
    Stage {
        name: "unit",
        about: "every crate's own tests",
        budget_min: 8,
        needs_root: false,
        run: unit::run,
    },
    Stage {
        name: "backends",
        about: "adapters and replicas on real back ends, with faults between them",
        budget_min: 20,
        needs_root: false,
        run: backends::run,
    },
    Stage {
        name: "chaos",
        about: "a server of several processes under load, whose parts are killed and paused",
        budget_min: 14,
        needs_root: false,
        run: chaos::run,
    },
    Stage {
        name: "fuzz",
        about: "coverage-guided garbage for every parser, a bounded time each",
        budget_min: 6,
        needs_root: false,
        run: fuzz::run,
    },
    Stage {
        name: "web",
        about: "the web client's own tests and build",
        budget_min: 4,
        needs_root: false,
        run: web::run,
    },
    Stage {
        name: "browser",
        about: "the product as started by `cargo xtask up`, with browsers and scripted clients",
        budget_min: 23,
        needs_root: true,
        run: browser::run,
    },
    Stage {
        name: "cluster",
        about: "the operator, its charts and images on a real Kubernetes of two nodes",
        budget_min: 38,
        needs_root: true,
        run: cluster::run,
    },
];

/// Runs a stage's steps and keeps their times, counts and failures.
pub(crate) struct Steps {
    deadline: Instant,
    stage: &'static str,
    count: Count,
    times: Vec<(String, Duration)>,
    failures: Vec<String>,
}

impl Steps {
    /// No step runs past `deadline`.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            stage: "",
            count: Count::default(),
            times: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self, stage: &'static str) {
        self.stage = stage;
        self.count = Count::default();
    }

    pub(crate) fn end(&mut self) -> Count {
        self.count
    }

    /// A check that passes or fails as a whole. Whether it passed.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result<()>) -> bool {
        let started = Instant::now();
        let checked = check();
        match &checked {
            Ok(()) => self.count += Count::PASSED,
            Err(error) => self.fail(&format!("{name}: {error:#}")),
        }
        self.took(name, started);
        checked.is_ok()
    }

    /// A program that passes or fails as a whole. Whether it passed.
    pub(crate) fn program(&mut self, name: &str, command: Command) -> bool {
        let deadline = self.deadline;
        self.check(name, || {
            anyhow::ensure!(
                run_counted(command, deadline)?.success,
                "see its output above"
            );
            Ok(())
        })
    }

    /// A test runner: its own counts are ours. One that ran no test has failed.
    pub(crate) fn tests(&mut self, name: &str, command: Command) {
        let started = Instant::now();
        match run_counted(command, self.deadline) {
            Ok(ended) => {
                self.count += ended.count;
                if ended.count.passed + ended.count.failed == 0 {
                    self.fail(&format!("{name}: no test ran"));
                } else if !ended.success && ended.count.failed == 0 {
                    self.fail(&format!("{name}: failed outside its tests"));
                } else if ended.count.failed > 0 {
                    self.failures.push(format!("{} > {name}", self.stage));
                }
            }
            Err(error) => self.fail(&format!("{name}: {error:#}")),
        }
        self.took(name, started);
    }

    /// One failed check.
    pub(crate) fn fail(&mut self, text: &str) {
        println!("FAILED: {text}");
        self.failures.push(format!("{} > {text}", self.stage));
        self.count += Count::FAILED;
    }

    /// The steps that took longest.
    pub(crate) fn slowest(&self, most: usize) -> Vec<(String, Duration)> {
        let mut times = self.times.clone();
        times.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        times.truncate(most);
        times
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    fn took(&mut self, name: &str, started: Instant) {
        self.times
            .push((format!("{} > {name}", self.stage), started.elapsed()));
    }
}
