//! The programs that a cluster is made of: Kubernetes with etcd as one binary, Helm and CoreDNS.
//! Unpacked from a seed folder where there is one, else built by Go; kept in the cache under the
//! hash of the files that they are built from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::cache;
use crate::command::{command, run};
use crate::packages::{self, is_installed};

const PROGRAMS: [&str; 3] = ["hyperkube", "helm", "coredns"];
const SEED_VARIABLE: &str = "GRYT_CLUSTER_SEED";
const OLDEST_GO: &str = "1.26";

/// Gives back the folder with the programs, and a link `kubectl`.
///
/// # Errors
/// When there is neither a seed nor Go, or unpacking or building fails.
pub(crate) fn ensure() -> Result<PathBuf> {
    let mut folder = PathBuf::new();
    for program in PROGRAMS {
        folder = get(program)?;
    }
    let kubectl = folder.join("kubectl");
    if !kubectl.exists() {
        std::os::unix::fs::symlink("hyperkube", &kubectl).context("link kubectl")?;
    }
    Ok(folder)
}

/// Helm alone, for charts that are only rendered.
///
/// # Errors
/// When there is neither a seed nor Go, or unpacking or building fails.
pub(crate) fn helm() -> Result<PathBuf> {
    Ok(get("helm")?.join("helm"))
}

/// Gets one program and gives back the folder that it is in.
fn get(program: &str) -> Result<PathBuf> {
    let sources = cache::root().join("tests/cluster/kubernetes");
    let folder = cache::dir().join(format!("kubernetes-{}", &hash(&sources)?[..16]));
    fs::create_dir_all(&folder).with_context(|| format!("make \"{}\"", folder.display()))?;
    if !folder.join(program).is_file() && !unpack(program, &folder)? {
        build(program, &sources, &folder)?;
    }
    Ok(folder)
}

/// Whether the seed folder had the program.
fn unpack(program: &str, folder: &Path) -> Result<bool> {
    let Some(seed) = std::env::var_os(SEED_VARIABLE) else {
        return Ok(false);
    };
    let packed = PathBuf::from(seed).join(format!("{program}-linux-amd64.xz"));
    if std::env::consts::ARCH != "x86_64" || !packed.is_file() {
        return Ok(false);
    }
    packages::ensure(&packages::UNPACK)?;
    let partial = folder.join(format!("{program}.part"));
    let mut xz = command("xz", &["--decompress", "--stdout"]);
    xz.arg(&packed).stdout(Stdio::from(
        fs::File::create(&partial).with_context(|| format!("create \"{}\"", partial.display()))?,
    ));
    run(xz)?;
    run({
        let mut chmod = command("chmod", &["755"]);
        chmod.arg(&partial);
        chmod
    })?;
    fs::rename(&partial, folder.join(program)).context("put the program in its place")?;
    Ok(true)
}

fn build(program: &str, sources: &Path, folder: &Path) -> Result<()> {
    if !is_installed("go") {
        bail!(
            "Go {OLDEST_GO} or newer is missing, which builds {program} for the test cluster: \
             install it from go.dev/dl or your system's packages"
        );
    }
    println!(
        "\u{203a} building {program}, once for this version: {}",
        minutes(program)
    );
    let mut script = command("bash", &[]);
    script
        .arg(sources.join("build.sh"))
        .arg(program)
        .arg(folder);
    run(script)
}

/// What a person waits for on two cores.
fn minutes(program: &str) -> &'static str {
    match program {
        "hyperkube" => "about 12 minutes",
        _ => "2 to 5 minutes",
    }
}

/// The hash of every file's name and content.
fn hash(sources: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(sources)
        .with_context(|| format!("list \"{}\"", sources.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("read \"{}\"", file.display()))?;
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
