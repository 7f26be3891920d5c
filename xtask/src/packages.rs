//! The system packages that tests need: installed where that is allowed, else named.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::cache;

pub(crate) mod back_ends;
mod cassandra;
mod hash;
mod java;
mod keycloak;
mod seaweedfs;
mod toxiproxy;

/// A program and the Debian package that brings it.
pub(crate) struct Package {
    pub(crate) program: &'static str,
    pub(crate) debian: &'static str,
}

/// What the browser stage drives.
pub(crate) const BROWSER: [Package; 5] = [
    Package {
        program: "chromium",
        debian: "chromium",
    },
    Package {
        program: "firefox-esr",
        debian: "firefox-esr",
    },
    Package {
        program: "pulseaudio",
        debian: "pulseaudio",
    },
    Package {
        program: "pactl",
        debian: "pulseaudio-utils",
    },
    Package {
        program: "ip",
        debian: "iproute2",
    },
];

/// What the nodes of the test cluster are made of.
pub(crate) const CLUSTER: [Package; 10] = [
    Package {
        program: "containerd",
        debian: "containerd",
    },
    Package {
        program: "runc",
        debian: "runc",
    },
    Package {
        // The package puts no program on the path: this stands for all of /usr/lib/cni.
        program: "/usr/lib/cni/ptp",
        debian: "containernetworking-plugins",
    },
    Package {
        program: "nft",
        debian: "nftables",
    },
    Package {
        program: "iptables",
        debian: "iptables",
    },
    Package {
        program: "conntrack",
        debian: "conntrack",
    },
    Package {
        program: "socat",
        debian: "socat",
    },
    Package {
        program: "certutil",
        debian: "libnss3-tools",
    },
    Package {
        program: "openssl",
        debian: "openssl",
    },
    Package {
        program: "ip",
        debian: "iproute2",
    },
];

/// What opens a seed of the cluster's programs.
pub(crate) const UNPACK: [Package; 1] = [Package {
    program: "xz",
    debian: "xz-utils",
}];

/// A Redis for the tests.
const REDIS: [Package; 2] = [
    Package {
        program: "redis-server",
        debian: "redis-server",
    },
    Package {
        program: "redis-cli",
        debian: "redis-tools",
    },
];

/// What the fuzz targets are linked with.
pub(crate) const FUZZ: [Package; 1] = [Package {
    program: "c++",
    debian: "g++",
}];

/// Makes sure that the packages are there.
///
/// # Errors
/// When some are missing and can't be installed by us: the text names the one command that does.
pub(crate) fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|p| !is_installed(p.program))
        .map(|p| p.debian)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!(
        "apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    if !(is_root() && is_installed("apt-get")) {
        bail!("these packages are missing; install them with: sudo {install}");
    }
    println!("\u{203a} {install}");
    let mut script = String::new();
    if !Path::new("/var/lib/apt/lists")
        .read_dir()
        .is_ok_and(|mut dir| {
            dir.any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().ends_with("_Packages")))
        })
        || cache::in_ci()
    {
        script.push_str("apt-get update -qq && ");
    }
    script.push_str("DEBIAN_FRONTEND=noninteractive ");
    script.push_str(&install);
    script.push_str(" -qq >/dev/null");
    crate::command::run({
        let mut sh = Command::new("sh");
        sh.args(["-c", &script]);
        sh
    })
}

/// Whether the program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether we may do what only root may.
pub(crate) fn is_root() -> bool {
    crate::command::output(crate::command::command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}
