//! Folders as the operator makes them, over a pipe instead of a network.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::{ClientAuth, Part, TlsError, TlsFolder, identity};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A folder with a leaf of this authority that trusts the given ones.
    fn folder(&self, names: &[String], trusted: &[&Self]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        self.fill(dir.path(), names, trusted);
        dir
    }

    fn fill(&self, dir: &Path, names: &[String], trusted: &[&Self]) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.to_vec()).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let leaf = params.signed_by(&key, &self.issuer).unwrap().pem();
        let bundle: String = trusted.iter().map(|ca| ca.pem.as_str()).collect();
        for (name, text) in [
            ("ca.crt", bundle),
            ("tls.crt", leaf),
            ("tls.key", key.serialize_pem()),
        ] {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }
}

type Pair = (
    client::TlsStream<DuplexStream>,
    server::TlsStream<DuplexStream>,
);

/// What both ends need to trust each other as signaling and SFU of server `abc`.
struct Ends {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Ends {
    fn new(sfu: &TlsFolder, signaling: &TlsFolder) -> Self {
        let clients = ClientAuth::Named(identity(Part::Signaling, "abc"));
        let server = sfu.server_config(clients).unwrap();
        let client = signaling
            .client_config(&identity(Part::Sfu, "abc"))
            .unwrap();
        Self {
            acceptor: Arc::new(server).into(),
            connector: Arc::new(client).into(),
        }
    }

    /// Connects and says one byte each way: in TLS 1.3 a client learns only by reading that it was
    /// refused.
    async fn connect(&self) -> std::io::Result<Pair> {
        let (near, far) = duplex(16 * 1024);
        let looked_up = ServerName::try_from("10.0.0.7").unwrap();
        let (client, server) = tokio::join!(
            self.connector.connect(looked_up, near),
            self.acceptor.accept(far)
        );
        let mut pair = (client?, server?);
        talk(&mut pair).await?;
        Ok(pair)
    }
}

async fn talk((client, server): &mut Pair) -> std::io::Result<()> {
    client.write_all(b"a").await?;
    client.flush().await?;
    server.read_u8().await?;
    server.write_all(b"b").await?;
    server.flush().await?;
    client.read_u8().await?;
    Ok(())
}

fn names(part: Part, server: &str) -> Vec<String> {
    vec![identity(part, server), "x-sfu-0.ns.svc".to_owned()]
}

fn open(dir: &TempDir) -> TlsFolder {
    TlsFolder::open(dir.path()).unwrap()
}

#[tokio::test]
async fn only_the_named_part_of_the_same_server_is_talked_to() {
    let ours = Authority::new();
    let other = Authority::new();
    let sfu = ours.folder(&names(Part::Sfu, "abc"), &[&ours]);
    let signaling = ours.folder(&names(Part::Signaling, "abc"), &[&ours]);
    assert!(
        Ends::new(&open(&sfu), &open(&signaling))
            .connect()
            .await
            .is_ok()
    );

    let refused_clients = [
        (
            "another server",
            ours.folder(&names(Part::Signaling, "abd"), &[&ours]),
        ),
        (
            "another part",
            ours.folder(&names(Part::Sfu, "abc"), &[&ours]),
        ),
        (
            "another authority",
            other.folder(&names(Part::Signaling, "abc"), &[&ours]),
        ),
    ];
    for (what, dir) in &refused_clients {
        let tried = Ends::new(&open(&sfu), &open(dir)).connect().await;
        assert!(tried.is_err(), "a client of {what}");
    }
    let refused_servers = [
        (
            "another server",
            ours.folder(&names(Part::Sfu, "abd"), &[&ours]),
        ),
        (
            "another part",
            ours.folder(&names(Part::Signaling, "abc"), &[&ours]),
        ),
        (
            "another authority",
            other.folder(&names(Part::Sfu, "abc"), &[&ours]),
        ),
    ];
    for (what, dir) in &refused_servers {
        let tried = Ends::new(&open(dir), &open(&signaling)).connect().await;
        assert!(tried.is_err(), "a server of {what}");
    }
}

#[tokio::test]
async fn client_without_a_certificate_is_refused() {
    let ours = Authority::new();
    let sfu = open(&ours.folder(&names(Part::Sfu, "abc"), &[&ours]));
    let mut ends = Ends::new(&sfu, &sfu);
    let mut roots = rustls::RootCertStore::empty();
    let pem = ours.pem.as_bytes();
    roots
        .add(rustls::pki_types::pem::PemObject::from_pem_slice(pem).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ends.connector = Arc::new(client).into();
    let (near, far) = duplex(16 * 1024);
    let name = ServerName::try_from("x-sfu-0.ns.svc").unwrap();

    let (_, accepted) = tokio::join!(
        ends.connector.connect(name, near),
        ends.acceptor.accept(far)
    );

    let error = accepted
        .expect_err("no certificate, no connection")
        .to_string();
    assert!(error.contains("no certificates"), "{error}");
}

#[tokio::test]
async fn rotation_holds_open_connections_and_new_ones_use_the_new_certificates() {
    let (old, new) = (Authority::new(), Authority::new());
    let sfu_dir = old.folder(&names(Part::Sfu, "abc"), &[&old]);
    let signaling_dir = old.folder(&names(Part::Signaling, "abc"), &[&old]);
    let (sfu, signaling) = (open(&sfu_dir), open(&signaling_dir));
    let ends = Ends::new(&sfu, &signaling);
    let mut held = ends.connect().await.unwrap();
    let steps: [(&Authority, &[&Authority]); 3] = [
        (&old, &[&old, &new]),
        (&new, &[&old, &new]),
        (&new, &[&new]),
    ];
    for (leaf, trusted) in steps {
        leaf.fill(sfu_dir.path(), &names(Part::Sfu, "abc"), trusted);
        assert!(sfu.reload().unwrap());
        ends.connect().await.unwrap();
        leaf.fill(
            signaling_dir.path(),
            &names(Part::Signaling, "abc"),
            trusted,
        );
        assert!(signaling.reload().unwrap());
        ends.connect().await.unwrap();
        talk(&mut held).await.unwrap();
    }
    // What is over is refused: nothing of the old authority is kept.
    let late = open(&old.folder(&names(Part::Signaling, "abc"), &[&new]));
    assert!(Ends::new(&sfu, &late).connect().await.is_err());
}

#[tokio::test]
async fn folder_that_turns_bad_keeps_what_was_good() {
    let ours = Authority::new();
    let dir = ours.folder(&names(Part::Sfu, "abc"), &[&ours]);
    let signaling = open(&ours.folder(&names(Part::Signaling, "abc"), &[&ours]));
    let sfu = open(&dir);
    let ends = Ends::new(&sfu, &signaling);
    assert!(!sfu.reload().unwrap());

    let other_key = KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(dir.path().join("tls.key"), other_key).unwrap();
    assert!(matches!(sfu.reload(), Err(TlsError::Pair { .. })));
    std::fs::write(dir.path().join("tls.crt"), "nothing").unwrap();
    assert!(matches!(sfu.reload(), Err(TlsError::Empty(_))));
    ours.fill(dir.path(), &names(Part::Sfu, "abc"), &[&ours]);
    std::fs::remove_file(dir.path().join("ca.crt")).unwrap();
    assert!(matches!(sfu.reload(), Err(TlsError::NoAuthorities(_))));
    ends.connect().await.unwrap();
}

#[test]
fn folder_that_cannot_be_used_is_named() {
    let ours = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let error = TlsFolder::open(dir.path()).unwrap_err();
    assert!(matches!(error, TlsError::Read { .. }), "{error}");
    ours.fill(dir.path(), &names(Part::Sfu, "abc"), &[&ours]);
    std::fs::remove_file(dir.path().join("ca.crt")).unwrap();

    let folder = open(&dir);

    assert!(folder.server_config(ClientAuth::Anybody).is_ok());
    let checked = folder.server_config(ClientAuth::Named("signaling.abc.gryt".to_owned()));
    assert!(matches!(checked, Err(TlsError::NoAuthorities(_))));
    assert!(matches!(
        folder.client_config("sfu.abc.gryt"),
        Err(TlsError::NoAuthorities(_))
    ));
    assert_eq!(folder.server_of(Part::Sfu).as_deref(), Some("abc"));
    assert_eq!(folder.server_of(Part::Signaling), None);
}
