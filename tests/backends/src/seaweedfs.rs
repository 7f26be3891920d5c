//! S3-compatible storage: SeaweedFS, all its parts in one process.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::wait::eventually;

/// The program's path, where it is not on the search path.
const PROGRAM_VARIABLE: &str = "GRYT_SEAWEEDFS";

/// The name of the only access key.
pub const ACCESS_KEY: &str = "gryt-test";
/// Its secret.
pub const SECRET_KEY: &str = "gryt-test-secret";

/// One `weed server` with an S3 door. It has no bucket.
#[derive(Debug)]
pub struct SeaweedFs {
    process: Process,
    args: Vec<String>,
    master: u16,
    port: u16,
    folder: TempDir,
}

impl SeaweedFs {
    /// Starts one that checks signatures, and waits until it can store something.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let keys = json!({ "identities": [{
            "name": "gryt",
            "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }] });
        std::fs::write(folder.path().join("s3.json"), keys.to_string())
            .unwrap_or_else(|error| panic!("cannot write s3.json: {error}"));
        let (master, port) = (free_port(), free_port());
        let args = arguments(master, port);
        let mut storage = Self {
            process: Process::start(&program(), &args, folder.path()),
            args,
            master,
            port,
            folder,
        };
        storage.wait_until_ready();
        storage
    }

    /// Where it speaks S3 on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was, with what it has on disk.
    pub fn start_again(&mut self) {
        self.process.kill();
        self.process = Process::start(&program(), &self.args, self.folder.path());
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        eventually("SeaweedFS can store something", || {
            self.process.expect_running();
            let assigned = ask(self.master, "/dir/assign")?;
            let answers = ask(self.port, "/healthz")?;
            (assigned.contains("\"fid\"") && answers.starts_with("HTTP/1.1 200")).then_some(())
        });
    }
}

fn program() -> OsString {
    std::env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| OsString::from("weed"))
}

/// Every part listens at two ports; what tests have no use for is off.
fn arguments(master: u16, port: u16) -> Vec<String> {
    let fixed = [
        "server",
        "-dir=.",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=20",
        "-volume.preStopSeconds=0",
        "-filer",
        "-s3",
        "-s3.config=s3.json",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ];
    let mut args: Vec<String> = fixed.map(str::to_owned).into();
    args.push(format!("-master.port={master}"));
    args.push(format!("-s3.port={port}"));
    for part in [
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "s3.port.grpc",
    ] {
        args.push(format!("-{part}={}", free_port()));
    }
    args
}

fn ask(port: u16, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}
