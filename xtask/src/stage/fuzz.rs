//! Coverage-guided fuzzing of every parser that reads a stranger's bytes, on the stable compiler:
//! libFuzzer without sanitizers, since the code is safe Rust and a panic is what we look for.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cache;
use crate::command::command;
use crate::packages;
use crate::release;
use crate::stage::Steps;

const SECONDS_EACH: u32 = 15;

const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing";

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    packages::ensure(&packages::FUZZ)?;
    let fuzz = cache::root().join("fuzz");
    let target = cache::target().join("fuzz");
    let host = release::host_triple()?;
    // With the target named, the flags are for the targets alone and not for build scripts.
    let mut build = command(
        "cargo",
        &["build", "--release", "--locked", "--target", &host],
    );
    build
        .current_dir(&fuzz)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", COVERAGE);
    if !steps.program("build", build) {
        return Ok(());
    }
    for name in targets(&fuzz)? {
        // New finds go to the cache; the kept corpus is only read.
        let finds = cache::dir().join("fuzz-corpus").join(&name);
        std::fs::create_dir_all(&finds).context("make the folder for finds")?;
        let artifacts = format!("-artifact_prefix={}/crash-", finds.display());
        let seconds = format!("-max_total_time={SECONDS_EACH}");
        let binary = target.join(&host).join("release").join(&name);
        let corpus = fuzz.join("corpus").join(&name);
        let mut fuzzer = command(
            &binary.to_string_lossy(),
            &[
                &seconds,
                "-timeout=5",
                "-rss_limit_mb=1024",
                "-print_final_stats=1",
                &artifacts,
            ],
        );
        fuzzer.arg(&finds).arg(&corpus);
        steps.program(&name, fuzzer);
    }
    Ok(())
}

fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(fuzz.join("src/bin"))
        .context("list the fuzz targets")?
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}
