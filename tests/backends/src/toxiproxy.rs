//! Faults of the network, by toxiproxy.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::wait::eventually;

/// The program's path, where it is not on the search path.
const PROGRAM_VARIABLE: &str = "GRYT_TOXIPROXY";

/// One connection's way to a back end, with what can go wrong on it.
#[derive(Debug)]
pub struct Proxy {
    _process: Process,
    _folder: TempDir,
    control: u16,
    port: u16,
}

impl Proxy {
    /// Starts a proxy before a port of 127.0.0.1.
    #[must_use]
    pub fn start(upstream: u16) -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let program = std::env::var_os(PROGRAM_VARIABLE)
            .unwrap_or_else(|| OsString::from("toxiproxy-server"));
        let control = free_port();
        let control_text = control.to_string();
        let args = ["-host", "127.0.0.1", "-port", &control_text];
        let mut process = Process::start(&program, &args.map(str::to_owned), folder.path());
        eventually("toxiproxy answers", || {
            process.expect_running();
            try_call(control, "GET", "/version", None).ok()
        });
        let port = free_port();
        let proxy = Self {
            _process: process,
            _folder: folder,
            control,
            port,
        };
        proxy.call(
            "POST",
            "/proxies",
            Some(&json!({
                "name": "way",
                "listen": format!("127.0.0.1:{port}"),
                "upstream": format!("127.0.0.1:{upstream}"),
                "enabled": true,
            })),
        );
        proxy
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection and refuses new ones.
    pub fn cut(&self) {
        self.call("POST", "/proxies/way", Some(&json!({ "enabled": false })));
    }

    /// Takes every fault away. A connection that was cut stays so.
    pub fn mend(&self) {
        self.call("POST", "/reset", None);
    }

    /// Delays what comes back.
    pub fn delay_ms(&self, latency_ms: u32) {
        let attributes = json!({ "latency": latency_ms });
        self.add("latency", "downstream", &attributes);
    }

    /// Lets requests through and swallows every answer.
    pub fn swallow_answers(&self) {
        self.add("timeout", "downstream", &json!({ "timeout": 0 }));
    }

    /// Swallows everything, while connections stay as they are: half-open.
    pub fn swallow_everything(&self) {
        for stream in ["downstream", "upstream"] {
            self.add("timeout", stream, &json!({ "timeout": 0 }));
        }
    }

    fn add(&self, kind: &str, stream: &str, attributes: &Value) {
        let toxic = json!({ "type": kind, "stream": stream, "attributes": attributes });
        self.call("POST", "/proxies/way/toxics", Some(&toxic));
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) {
        if let Err(refusal) = try_call(self.control, method, path, body) {
            panic!("toxiproxy refuses {method} {path}: {refusal}");
        }
    }
}

fn try_call(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<(), String> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    socket
        .write_all(request.as_bytes())
        .and_then(|()| socket.read_to_string(&mut answer))
        .map_err(|error| error.to_string())?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') {
        Ok(())
    } else {
        Err(answer)
    }
}
