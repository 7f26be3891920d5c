//! What people call an image: its version, as `status.version` and the version label show it.

/// As many characters of a digest as tell two images apart.
const SHORT_DIGEST: usize = 12;
/// The longest label value.
const LABEL_VALUE: usize = 63;

/// The tag, else the beginning of the digest, else "latest", cut to what a label value may be.
pub(crate) fn version(reference: &str) -> String {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, digest.rsplit(':').next()),
        None => (reference, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let tag = name
        .rsplit('/')
        .next()
        .and_then(|last| last.split_once(':'))
        .map(|(_, tag)| tag);
    let text = match (tag, digest) {
        (Some(tag), _) => tag,
        (None, Some(digest)) => digest.get(..SHORT_DIGEST).unwrap_or(digest),
        (None, None) => "latest",
    };
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let text: String = text.chars().filter(allowed).take(LABEL_VALUE).collect();
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_the_tag_or_a_short_digest() {
        let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for (reference, expected) in [
            ("ghcr.io/gryt-chat/gryt-signaling:0.4.1", "0.4.1"),
            ("registry:5000/gryt-signaling", "latest"),
            ("registry:5000/gryt-signaling:v2-rc.1", "v2-rc.1"),
            (&format!("r/gryt-signaling@{digest}"), "0123456789ab"),
            (&format!("r/gryt-signaling:1.0@{digest}"), "1.0"),
            (&format!("r/s:{}_", "x".repeat(62)), &"x".repeat(62)),
        ] {
            assert_eq!(version(reference), expected, "{reference}");
        }
    }
}
