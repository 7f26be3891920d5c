//! The one implementation of TLS's cryptography in a process.

/// Makes `ring` what all TLS of this process uses, and does nothing where it is so already. To be
/// called before anything else: some libraries compile a second implementation in, and then those
/// that do not choose by themselves find none.
pub fn install_crypto() {
    // It fails where one is installed, and everybody installs this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
