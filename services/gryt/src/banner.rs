//! The one thing that the server says on standard output: that it is ready, and where.

use std::fmt::Write as _;
use std::path::Path;

use crate::address::Reach;

/// What there is to say.
pub(crate) struct Banner<'a> {
    pub(crate) reach: &'a Reach,
    /// Of the own certificate, with `--lan`.
    pub(crate) fingerprint: Option<&'a str>,
    pub(crate) data_dir: &'a Path,
    pub(crate) media_ports: &'a [u16],
}

impl Banner<'_> {
    /// One block of lines; programs read the first one.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("Gryt is ready: {}\n", self.reach.public);
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<9}{value}");
        };
        if self.fingerprint.is_some() {
            let others = self
                .reach
                .own
                .iter()
                .filter(|own| **own != self.reach.public);
            for (n, origin) in others.enumerate() {
                line(if n == 0 { "also at" } else { "" }, origin);
            }
        }
        let ports: Vec<_> = self.media_ports.iter().map(u16::to_string).collect();
        line("voices", &format!("UDP port {}", ports.join(", ")));
        line("data", &self.data_dir.display().to_string());
        line("stop", "Ctrl-C");
        if let Some(fingerprint) = self.fingerprint {
            let _ = write!(
                text,
                "\n  Each browser will warn once that the connection is not private, because this \
                 server made\n  its certificate itself. Choose Advanced, then Proceed (Chrome, \
                 Edge), Accept the Risk\n  (Firefox) or visit this website (Safari). It is this \
                 server if the SHA-256 fingerprint is\n  {fingerprint}\n"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_is_the_address_and_lan_explains_the_warning() {
        let reach = Reach {
            public: "https://192.168.1.5:8080".to_owned(),
            own: vec![
                "https://192.168.1.5:8080".to_owned(),
                "https://localhost:8080".to_owned(),
            ],
            loopback: true,
        };
        let banner = |fingerprint| {
            Banner {
                reach: &reach,
                fingerprint,
                data_dir: Path::new("/data"),
                media_ports: &[8081],
            }
            .text()
        };
        let lan = banner(Some("AB:CD"));
        assert_eq!(
            lan.lines().next(),
            Some("Gryt is ready: https://192.168.1.5:8080")
        );
        assert!(lan.contains("also at  https://localhost:8080"));
        assert!(lan.contains("not private") && lan.contains("AB:CD"));
        assert!(!banner(None).contains("private"));
    }
}
