//! The mTLS between signaling and SFU is renewed during a call, authority and all: a new one is
//! trusted first, signs later, and the old one is forgotten last. The operator lets a day pass
//! between these steps; here the files of the authority are aged instead.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gryt_proto::client::v1::ChannelKind;
use gryt_tests::clock;
use gryt_tests::cluster::{Cluster, Namespace, PodSecurity, Visit};
use gryt_tests::wait::until_answered;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::server::{OPERATOR_NAMESPACE, ready};
use crate::{among_others, cluster};

const PARTS: [&str; 2] = ["signaling", "sfu"];
/// What a process logs when it has taken up what the folder of its certificates holds.
const READ_AGAIN: &str = "certificates were read again";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_authority_costs_a_call_nothing_and_keeps_nobody_out() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "rotated", PodSecurity::Restricted).await?;
    ready(&space, "chat", "rotated.gryt.test").await?;
    let visit = Visit::begin(&space, "chat").await?;
    let call = visit.call(1..3).await?;
    let server = Server::of(&space).await?;

    let next = Authority::new(&server.id)?;
    let reads = server.reads().await?;
    server.edit(&next.files(Duration::ZERO)?).await?;
    server.trusts(2).await?;
    server.mounts(&PARTS, &reads).await?;
    server.connects_anew().await?;
    newcomer(&visit, 10).await?;
    println!("trusted: {:?}", call.lost_nothing().await?);

    let (old, reads) = (server.leaves().await?, server.reads().await?);
    server.edit(&next.files(Duration::from_hours(25))?).await?;
    server.shows_others_than(&old).await?;
    server.mounts(&["signaling"], &reads).await?;
    server.connects_anew().await?;
    newcomer(&visit, 20).await?;
    println!("used by one side: {:?}", call.lost_nothing().await?);
    server.mounts(&["sfu"], &reads).await?;
    server.connects_anew().await?;
    newcomer(&visit, 30).await?;
    println!("used by both: {:?}", call.lost_nothing().await?);

    let reads = server.reads().await?;
    server.edit(&[("previous.crt", None)]).await?;
    server.trusts(1).await?;
    server.mounts(&PARTS, &reads).await?;
    server.connects_anew().await?;
    newcomer(&visit, 40).await?;
    println!("the old one forgotten: {:?}", call.lost_nothing().await?);
    Ok(())
}

/// Brings somebody into the call, for which signaling asks the SFU, and lets them leave again. While
/// signaling connects anew people are told that there is no SFU, so the first one may be refused.
async fn newcomer(visit: &Visit, first: u32) -> Result<()> {
    let guest = visit.guest(&format!("guest {first}")).await?;
    let lounge = guest.channel(ChannelKind::Voice)?;
    until_answered("a place for the guest", || async {
        guest.ask_for_place(&lounge).await.ok()
    })
    .await?;
    visit.join(first).await?.leave().await?;
    Ok(())
}

/// The server and where its certificates are.
struct Server<'a> {
    space: &'a Namespace,
    id: String,
}

impl<'a> Server<'a> {
    async fn of(space: &'a Namespace) -> Result<Self> {
        let server = space.get("gs/chat").await?;
        let id = server["spec"]["serverId"].as_str().context("no id")?;
        let id = id.to_owned();
        Ok(Self { space, id })
    }

    /// Changes files of the authority, as the operator itself would: what another had written, the
    /// operator could not take away.
    async fn edit(&self, files: &[(&str, Option<String>)]) -> Result<()> {
        let cluster = self.space.cluster();
        let name = format!("ca-{}", self.id);
        let what = format!("secret/{name}");
        let mut secret = cluster.get(OPERATOR_NAMESPACE, &what).await?;
        let metadata = &secret["metadata"];
        let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
        secret["metadata"] = json!({
            "name": name,
            "namespace": OPERATOR_NAMESPACE,
            "labels": labels,
            "annotations": annotations,
        });
        let data = secret["data"].as_object_mut().context("no files")?;
        for (name, contents) in files {
            data.remove(*name);
            if let Some(contents) = contents {
                data.insert((*name).to_owned(), STANDARD.encode(contents).into());
            }
        }
        let apply = ["apply", "--server-side", "--force-conflicts"];
        let apply = [
            &apply[..],
            &["--field-manager=gryt-operator", "--filename=-"],
        ]
        .concat();
        let said = cluster
            .kubectl_said(&apply, Some(&secret.to_string()))
            .await?;
        ensure!(said.success, "{}", said.complaint);
        Ok(())
    }

    /// Waits until both processes are to trust so many authorities.
    async fn trusts(&self, many: usize) -> Result<()> {
        for part in PARTS {
            let secret = format!("secret/chat-{part}-tls");
            let trusted = |secret: &Value| {
                let authorities = file(secret, "ca.crt")?;
                (authorities.matches("BEGIN").count() == many).then_some(())
            };
            let wish = format!("trusts {many}");
            self.space.until(&secret, &wish, trusted).await?;
        }
        Ok(())
    }

    /// What the processes are to show.
    async fn leaves(&self) -> Result<Vec<String>> {
        let mut leaves = Vec::new();
        for part in PARTS {
            let secret = self.space.get(&format!("secret/chat-{part}-tls")).await?;
            leaves.push(file(&secret, "tls.crt").context("no certificate")?);
        }
        Ok(leaves)
    }

    async fn shows_others_than(&self, old: &[String]) -> Result<()> {
        until_answered("new certificates", || async {
            let leaves = self.leaves().await.ok()?;
            let new = leaves.iter().zip(old).all(|(leaf, old)| leaf != old);
            new.then_some(())
        })
        .await
    }

    /// How often each of the processes has read its certificates again so far.
    async fn reads(&self) -> Result<BTreeMap<&'static str, usize>> {
        let mut reads = BTreeMap::new();
        for part in PARTS {
            reads.insert(part, self.said(part, READ_AGAIN).await?);
        }
        Ok(reads)
    }

    /// Waits until these processes have read their certificates again. The kubelet compares a Secret
    /// with its mount about once a minute, and whenever the pod changes.
    async fn mounts(&self, parts: &[&str], before: &BTreeMap<&str, usize>) -> Result<()> {
        /// The process compares its files every three seconds.
        const LOOK: Duration = Duration::from_secs(4);
        for part in parts {
            let pods = format!("--selector=app.kubernetes.io/component={part}");
            let read = || async {
                let change = format!("gryt.test/changed={}", clock::since_1970().as_millis());
                let annotate = ["annotate", "pods", &pods, &change, "--overwrite"];
                self.space.kubectl(&annotate).await.ok()?;
                tokio::time::sleep(LOOK).await;
                (self.said(part, READ_AGAIN).await.ok()? > before[part]).then_some(())
            };
            until_answered(&format!("{part} reads its certificates"), read).await?;
        }
        Ok(())
    }

    /// How often the pod of this part has logged the phrase.
    async fn said(&self, part: &str, phrase: &str) -> Result<usize> {
        let pods = format!("--selector=app.kubernetes.io/component={part}");
        let log = self.space.kubectl(&["logs", &pods, "--tail=-1"]).await?;
        Ok(log.matches(phrase).count())
    }

    /// Breaks the connection from signaling to the SFU: what follows needs a new one, for which both
    /// sides show what they have now.
    async fn connects_anew(&self) -> Result<()> {
        let sfu = self.space.get("pods").await?;
        let sfu = sfu["items"]
            .as_array()
            .context("no pods")?
            .iter()
            .find(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "sfu");
        let sfu = sfu.and_then(|pod| pod["status"]["podIP"].as_str());
        let sfu = sfu.context("no SFU")?;
        let lost = || self.said("signaling", "watch stream left");
        let before = lost().await?;
        let refuse = format!(
            "add table inet severed
             add chain inet severed way {{ type filter hook forward priority -200; }}
             add rule inet severed way ip daddr {sfu} tcp dport {GRPC} reject with tcp reset"
        );
        self.on_both_nodes(&refuse).await?;
        let noticed = until_answered("signaling lost the SFU", || async {
            (lost().await.ok()? > before).then_some(())
        });
        let noticed = noticed.await;
        self.on_both_nodes("delete table inet severed").await?;
        noticed
    }

    async fn on_both_nodes(&self, rules: &str) -> Result<()> {
        for node in Cluster::NODES {
            let said = self.space.cluster().on_node(node, &["nft", rules]).await?;
            ensure!(said.success, "{node}: {}", said.complaint);
        }
        Ok(())
    }
}

/// The SFU's gRPC port.
const GRPC: u16 = 8082;

/// A file of a Secret.
fn file(secret: &Value, name: &str) -> Option<String> {
    let encoded = secret["data"][name].as_str()?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// An authority as the operator makes them.
struct Authority {
    name: String,
    key: KeyPair,
}

impl Authority {
    fn new(server: &str) -> Result<Self> {
        Ok(Self {
            name: format!("gryt {server}"),
            key: KeyPair::generate()?,
        })
    }

    /// The files that make it the next one, with a certificate that was made so long ago.
    fn files(&self, age: Duration) -> Result<[(&'static str, Option<String>); 2]> {
        const LIFE: Duration = Duration::from_hours(365 * 24);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, self.name.as_str());
        params.not_before = epoch + clock::since_1970() - age;
        params.not_after = params.not_before + LIFE;
        let certificate = params.self_signed(&self.key)?;
        Ok([
            ("next.crt", Some(certificate.pem())),
            ("next.key", Some(self.key.serialize_pem())),
        ])
    }
}
