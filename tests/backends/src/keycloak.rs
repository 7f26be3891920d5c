//! Keycloak with the development realm, and with a second realm that nobody relies on.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::free_port;
use crate::wait::eventually_within;

/// Names the folder of Keycloak's distribution, built.
const HOME_VARIABLE: &str = "GRYT_TEST_KEYCLOAK";
/// Names a `java` of version 17 or newer.
const JAVA_VARIABLE: &str = "GRYT_TEST_JAVA_17";

/// The realm of `deploy/keycloak/gryt-realm.json`.
pub const REALM: &str = "gryt";
/// A realm with the same client and people under other keys.
pub const OTHER_REALM: &str = "other";
/// The administrator of all realms, and its password.
pub const ADMINISTRATOR: &str = "admin";

/// A busy machine takes its time: 35 s of CPU are usual for the first start.
const START_WITHIN: Duration = Duration::from_secs(600);

/// A running Keycloak on `localhost`. Killed when dropped, and when the process ends.
#[derive(Debug)]
pub struct Keycloak {
    shell: Child,
    told: BufReader<ChildStdout>,
    folder: PathBuf,
    port: u16,
}

impl Keycloak {
    /// Starts one and waits until both realms answer.
    #[must_use]
    pub fn start() -> Self {
        let folder = TempDir::with_prefix("gryt-keycloak-")
            .unwrap_or_else(|error| panic!("no temporary folder: {error}"))
            .keep();
        write_realms(&folder.join("data/import"));
        let port = free_port();
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("keycloak/run.sh"), "sh"])
            .arg(variable(HOME_VARIABLE))
            .arg(variable(JAVA_VARIABLE))
            .arg(&folder)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start a shell: {error}"));
        let told = shell
            .stdout
            .take()
            .unwrap_or_else(|| panic!("the shell prints nothing"));
        let keycloak = Self {
            shell,
            told: BufReader::new(told),
            folder,
            port,
        };
        keycloak.wait_until_ready();
        keycloak
    }

    /// Where it answers, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The `iss` of a realm's tokens.
    #[must_use]
    pub fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.url())
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.tell("kill");
    }

    /// Starts it again on what it kept, and waits until it answers.
    pub fn start_again(&mut self) {
        self.tell("start");
        self.wait_until_ready();
    }

    fn tell(&mut self, word: &str) {
        let mut line = String::new();
        let told = match &mut self.shell.stdin {
            Some(stdin) => writeln!(stdin, "{word}").and_then(|()| self.told.read_line(&mut line)),
            None => panic!("the shell hears nothing"),
        };
        if let Err(error) = told {
            panic!("the shell does not {word}: {error}");
        }
    }

    fn wait_until_ready(&self) {
        for realm in [REALM, OTHER_REALM] {
            eventually_within(START_WITHIN, "Keycloak's realm answers", || {
                self.expect_no_failure();
                self.answers(realm).then_some(())
            });
        }
    }

    fn answers(&self, realm: &str) -> bool {
        let path = format!("/realms/{realm}/.well-known/openid-configuration");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        TcpStream::connect(("127.0.0.1", self.port))
            .and_then(|mut socket| {
                socket.write_all(request.as_bytes())?;
                socket.read_to_string(&mut answer)
            })
            .is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    /// Panics with the program's words if it could not start.
    fn expect_no_failure(&self) {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(
            !log.contains("ERROR: Failed to start server"),
            "Keycloak did not start:\n{log}"
        );
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn write_realms(folder: &Path) {
    let realm = include_str!("../../../deploy/keycloak/gryt-realm.json");
    let named = |name: &str| format!("\"realm\": \"{name}\"");
    let other = realm.replace(&named(REALM), &named(OTHER_REALM));
    let write = |name: &str, text: &str| fs::write(folder.join(format!("{name}-realm.json")), text);
    fs::create_dir_all(folder)
        .and_then(|()| write(REALM, realm))
        .and_then(|()| write(OTHER_REALM, &other))
        .unwrap_or_else(|error| panic!("cannot write realms: {error}"));
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the command that starts the tests knows where things are"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run these tests by `cargo xtask test backends`")
    })
}
