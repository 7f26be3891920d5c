//! Signaling and SFU as the two processes of two pods, with mutual TLS between them: the whole
//! road from the owner's link to voices, over rotations, restarts and a node that is not there.

mod pod;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gryt_proto::client::v1::{self as wire, ChannelKind, client_frame, reply};
use gryt_tests::account::Site;
use gryt_tests::client::{Client, Participant};
use gryt_tests::voice::VoiceConfig;
use gryt_tests::wait::until_answered;
use reqwest::StatusCode;
use tempfile::TempDir;
use url::Url;

use self::pod::{Pod, free_port};
use crate::party::{assert_clean, hears};
use crate::sfu_alone::authority::{Authority, SERVER};

const OWNER: &str = "the-owners-token-that-the-operator-made";
const RELOADED: &str = "certificates were read again";

/// The folders that pods mount, and the ports of their Services.
struct Server {
    dir: TempDir,
    port: u16,
    sfu_port: u16,
    authority: Authority,
}

impl Server {
    fn new() -> Self {
        let dir = TempDir::with_prefix("gryt-server-").unwrap();
        let server = Self {
            dir,
            port: free_port(),
            sfu_port: free_port(),
            authority: Authority::new(),
        };
        for folder in ["sfu-tls", "signaling-tls"] {
            std::fs::create_dir(server.path(folder)).unwrap();
        }
        std::fs::write(server.path("owner"), OWNER).unwrap();
        server.fill(&server.authority, &[&server.authority]);
        server
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Writes leaves of this authority into both folders.
    fn fill(&self, authority: &Authority, trusted: &[&Authority]) {
        authority.sfu().fill(&self.path("sfu-tls"), trusted);
        let signaling = authority.signaling();
        signaling.fill(&self.path("signaling-tls"), trusted);
    }

    async fn sfu(&self) -> Pod {
        Pod::sfu(self.sfu_port, &self.path("sfu-tls")).await
    }

    /// Not yet serving.
    async fn signaling_as(&self, server_id: &str) -> Pod {
        let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let url = self.url();
        Pod::signaling(&[
            &format!("--listen=127.0.0.1:{}", self.port),
            &format!("--server-id={server_id}"),
            "--name=Harbour",
            &format!("--public-url={url}"),
            &flag("data-dir", &self.path("data")),
            &format!("--sfu-urls=https://localhost:{}", self.sfu_port),
            &flag("sfu-tls-dir", &self.path("signaling-tls")),
            &flag("owner-invite-file", &self.path("owner")),
        ])
        .await
    }

    async fn signaling(&self) -> Pod {
        let pod = self.signaling_as(SERVER).await;
        pod.logged("serving", 1).await;
        pod
    }

    fn url(&self) -> Url {
        format!("http://localhost:{}", self.port).parse().unwrap()
    }

    async fn site(&self) -> Result<Site> {
        Site::discover(&self.url()).await
    }
}

async fn invite(owner: &Client, max_uses: u32) -> Result<String> {
    let request = client_frame::Request::CreateInvite(wire::CreateInvite {
        lifetime_seconds: 0,
        max_uses,
    });
    let reply = owner.socket.request(request).await?;
    let reply::Result::CreatedInvite(made) = reply else {
        anyhow::bail!("no invite: {reply:?}");
    };
    let token = made.path.strip_prefix("/invite/").context("no link")?;
    Ok(token.to_owned())
}

async fn join(client: Client, tag: u32) -> Result<Participant> {
    let lounge = client.channel(ChannelKind::Voice)?;
    let config = VoiceConfig {
        tag,
        has_microphone: true,
    };
    client.join(&lounge, config).await
}

/// Asks for a place until the node can be reached.
async fn until_places(client: &Client) -> Result<()> {
    let lounge = client.channel(ChannelKind::Voice)?;
    until_answered("the node gives places", || async {
        let offer = client.ask_for_place(&lounge).await.ok();
        if offer.is_none() {
            // A person presses the button no faster; a session may not either.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        offer
    })
    .await?;
    let leave = client_frame::Request::LeaveVoice(wire::LeaveVoice {});
    client.socket.do_it(leave).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_join_by_links_and_talk_while_all_certificates_change() -> Result<()> {
    let server = Server::new();
    let (sfu, signaling) = (server.sfu().await, server.signaling().await);
    let site = server.site().await?;
    let refused = Client::sign_up(&site, "stranger").await;
    let refused = format!("{:#}", refused.expect_err("no account without an invite"));
    assert!(refused.contains("You need an invite"), "{refused}");

    let owner = Client::sign_up(&site.invited_by(OWNER), "owner").await?;
    assert_eq!(
        owner.socket.welcome().me.as_ref().map(wire::Member::role),
        Some(wire::Role::Owner)
    );
    let again = Client::sign_up(&site.invited_by(OWNER), "second owner").await;
    assert!(again.is_err(), "the owner's link works once");
    let link = site.invited_by(&invite(&owner, 2).await?);
    let people = [
        join(Client::sign_up(&link, "person 0").await?, 0).await?,
        join(Client::sign_up(&link, "person 1").await?, 1).await?,
    ];
    assert!(
        Client::sign_up(&link, "person 2").await.is_err(),
        "the link was for two"
    );
    let first = people[0].voice.speak(20).await?;
    hears(&people[1], &people[0], first + 10).await?;

    let new = Authority::new();
    let steps: [(&Authority, &[&Authority]); 3] = [
        (&server.authority, &[&server.authority, &new]),
        (&new, &[&server.authority, &new]),
        (&new, &[&new]),
    ];
    for (n, (leaves, trusted)) in steps.into_iter().enumerate() {
        server.fill(leaves, trusted);
        // A folder seen half written counts twice at most.
        sfu.logged(RELOADED, n + 1).await;
        signaling.logged(RELOADED, n + 1).await;
        let number = people[0].voice.spoken().await?;
        hears(&people[1], &people[0], number).await?;
    }

    let status = signaling.terminate().await;
    assert!(status.success(), "{status}");
    let end = people[0].voice.hush().await?;
    hears(&people[1], &people[0], end - 1).await?;
    let missing = people[1].voice.reception().missing_of(0, first..end);
    assert!(missing.is_empty(), "{missing:?}");
    assert_clean(&people, &people.iter().collect::<Vec<_>>());

    // A process that knows only the new certificates: what it opens is checked by them.
    let signaling = server.signaling().await;
    let tokens = site.sign_in("owner").await?;
    let socket = gryt_tests::socket::Socket::open(&site, &tokens.access_token).await?;
    let live = socket.welcome().live.clone().unwrap_or_default();
    assert_eq!(live.participants.len(), 2, "the call that it found goes on");
    let owner = Client {
        name: "owner".to_owned(),
        socket,
        tokens,
    };
    until_places(&owner).await?;
    let number = people[0].voice.speak(20).await?;
    hears(&people[1], &people[0], number + 10).await?;
    for pod in [&sfu, &signaling] {
        assert!(!pod.log().contains(OWNER), "no token in the log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signaling_with_the_certificate_of_another_server_gets_no_place() -> Result<()> {
    let server = Server::new();
    let _sfu = server.sfu().await;
    let folder = server.path("signaling-tls");
    let other = server
        .authority
        .issue("signaling.bbbbbbbbbbbbbbbbbbbbbbbbbb.gryt");
    other.fill(&folder, &[&server.authority]);
    let _signaling = server.signaling().await;
    let site = server.site().await?;
    let owner = Client::sign_up(&site.invited_by(OWNER), "owner").await?;

    let lounge = owner.channel(ChannelKind::Voice)?;
    let refused = owner.ask_for_place(&lounge).await.expect_err("no place");
    assert!(format!("{refused:#}").contains("NoNode"), "{refused:#}");

    // Healed without a restart.
    server
        .authority
        .signaling()
        .fill(&folder, &[&server.authority]);
    until_places(&owner).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signaling_serves_without_its_sfu_and_finds_it_later_and_again() -> Result<()> {
    let server = Server::new();
    let _signaling = server.signaling().await;
    let site = server.site().await?;
    let owner = Client::sign_up(&site.invited_by(OWNER), "owner").await?;
    let lounge = owner.channel(ChannelKind::Voice)?;
    let refused = owner.ask_for_place(&lounge).await.expect_err("no place");
    assert!(format!("{refused:#}").contains("NoNode"), "{refused:#}");

    let sfu = server.sfu().await;
    until_places(&owner).await?;
    assert!(sfu.terminate().await.success());
    let _sfu = server.sfu().await;
    until_places(&owner).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_folder_has_one_process_and_one_server() -> Result<()> {
    let server = Server::new();
    let first = server.signaling().await;
    let second = server.signaling_as(SERVER).await;
    second.logged("waiting for the data folder", 1).await;
    let url = server.url().join("/.well-known/gryt")?;
    assert_eq!(reqwest::get(url.clone()).await?.status(), StatusCode::OK);
    assert!(first.terminate().await.success());
    second.logged("serving", 1).await;
    assert_eq!(reqwest::get(url).await?.status(), StatusCode::OK);
    assert!(second.terminate().await.success());

    let stranger = server.signaling_as("bbbbbbbbbbbbbbbbbbbbbbbbbb").await;
    let (status, said) = stranger.ended().await;
    assert!(!status.success());
    assert!(said.contains("mount that server's own volume"), "{said}");
    Ok(())
}
