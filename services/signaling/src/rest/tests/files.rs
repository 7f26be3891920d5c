//! Files from outside: what goes well, and everything that people send instead.

use axum::http::HeaderMap;
use gryt_blobs::{
    BlobKey, Blobs as _, Disposition, Kind, PartNumber, Plan, Read, Sha256, Uploads as _, Validity,
};
use gryt_model::{FileId, MemberId};

use super::*;
use crate::files::Tickets;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot a picture, but it begins like one";
const SVG: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";

/// What a browser gets that follows a link.
struct Followed {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

/// A picture that is one.
fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbaImage::new(1_600, 800);
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn digests(bytes: &[u8]) -> Vec<String> {
    let size = usize::try_from(Plan::PART_BYTES).unwrap();
    let parts = bytes.chunks(size);
    parts.map(|part| Sha256::of(part).to_string()).collect()
}

fn text(reply: &Reply, field: &str) -> String {
    reply.body[field].as_str().unwrap().to_owned()
}

impl Api {
    async fn post_json(&self, name: &str, path: &str, body: Value) -> Reply {
        self.ask(name, "POST", path, Some(body.to_string())).await
    }

    async fn begin(&self, name: &str, file: (&str, &str, usize)) -> Reply {
        let (file_name, content_type, size) = file;
        let path = format!("/channels/{}/uploads", text_channel());
        let body = json!({ "name": file_name, "content_type": content_type, "size_bytes": size });
        self.post_json(name, &path, body).await
    }

    async fn sign(&self, name: &str, upload: &str, parts: &[(u32, &str)]) -> Reply {
        let parts = parts.iter();
        let parts: Vec<_> = parts
            .map(|(part, sha256)| json!({ "part": part, "sha256": sha256 }))
            .collect();
        let body = json!({ "upload": upload, "parts": parts });
        self.post_json(name, "/uploads/parts", body).await
    }

    async fn put(&self, url: &str, body: Vec<u8>) -> StatusCode {
        let request = Request::builder().method("PUT").uri(url);
        let request = request.header("content-length", body.len());
        self.send(request.body(Body::from(body)).unwrap())
            .await
            .status
    }

    async fn complete(&self, name: &str, upload: &str, bytes: &[u8]) -> Reply {
        let body = json!({ "upload": upload, "sha256": digests(bytes) });
        self.post_json(name, "/uploads/complete", body).await
    }

    async fn send_parts(&self, name: &str, upload: &str, bytes: &[u8]) {
        let size = usize::try_from(Plan::PART_BYTES).unwrap();
        for (part, bytes) in (1..).zip(bytes.chunks(size)) {
            let digest = Sha256::of(bytes).to_string();
            let signed = self.sign(name, upload, &[(part, &digest)]).await;
            let url = signed.body["parts"][0]["url"].as_str().unwrap();
            assert_eq!(self.put(url, bytes.to_vec()).await, StatusCode::OK);
        }
    }

    /// The ticket of a whole upload.
    async fn upload(&self, name: &str, content_type: &str, bytes: &[u8]) -> Reply {
        let begun = self.begin(name, ("a file", content_type, bytes.len()));
        let upload = text(&begun.await, "upload");
        self.send_parts(name, &upload, bytes).await;
        self.complete(name, &upload, bytes).await
    }

    async fn send_with(&self, name: &str, nonce: &str, tickets: &[String]) -> Reply {
        let body = json!({ "text": "", "nonce": nonce, "attachments": tickets });
        self.post_json(name, &messages(), body).await
    }

    /// A message with one file, and the path of that file.
    async fn message_with(&self, content_type: &str, bytes: &[u8]) -> (Value, String) {
        let ticket = text(&self.upload("ann", content_type, bytes).await, "ticket");
        let message = self.send_with("ann", "with-a-file", &[ticket]).await;
        assert_eq!(message.status, StatusCode::CREATED, "{}", message.body);
        let file = message.body["attachments"][0]["file_id"].as_str().unwrap();
        let path = format!("{}/files/{file}", message_path(&message.body));
        (message.body, path)
    }

    async fn follow(&self, url: &str) -> Followed {
        let request = Request::builder().uri(url).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 100_000_000).await.unwrap();
        Followed {
            status: parts.status,
            headers: parts.headers,
            bytes: bytes.to_vec(),
        }
    }
}

#[tokio::test]
async fn file_of_several_parts_goes_from_one_member_to_another() {
    let mut api = Api::start().await;
    let bytes: Vec<u8> = (0..Plan::PART_BYTES + 10)
        .map(|n| n.to_le_bytes()[0])
        .collect();

    assert!(matches!(api.next_event().await, Event::MemberUpdated(_)));

    let (message, path) = api.message_with("Text/Plain; x=y", &bytes).await;

    assert_eq!(message["attachments"][0]["name"], "a file");
    assert_eq!(message["attachments"][0]["content_type"], "text/plain");
    assert_eq!(message["attachments"][0]["size_bytes"], bytes.len());
    assert_eq!(message["attachments"][0]["width"], Value::Null);
    let Event::MessageCreated(told) = api.next_event().await else {
        panic!("a message was sent");
    };
    assert_eq!(told.attachments.len(), 1);
    let page = api.get("bob", &messages()).await;
    assert_eq!(page.body["messages"][0], message);
    let link = api.get("bob", &format!("{path}/link")).await;
    let followed = api.follow(&text(&link, "url")).await;
    assert_eq!(followed.status, StatusCode::OK);
    assert!(followed.bytes == bytes);
    let redirect = api.get("bob", &path).await;
    assert_eq!(redirect.status, StatusCode::TEMPORARY_REDIRECT);
    let location = redirect.headers["location"].to_str().unwrap();
    assert!(api.follow(location).await.bytes == bytes);
}

#[tokio::test]
async fn upload_is_resumed_aborted_and_completed_twice() {
    let api = Api::start().await;
    let begun = api.begin("ann", ("a", "text/plain", 5)).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
    assert_eq!(begun.body["parts"], 1);
    let upload = text(&begun, "upload");
    let arrived = || api.post_json("ann", "/uploads/arrived", json!({ "upload": upload }));

    assert_eq!(arrived().await.body["parts"], json!([]));
    let early = api.complete("ann", &upload, b"hello").await;
    check_refused(&early, StatusCode::CONFLICT, "UPLOAD_INCOMPLETE");
    api.send_parts("ann", &upload, b"hello").await;
    assert_eq!(arrived().await.body["parts"], json!([1]));
    let other = api.complete("ann", &upload, b"world").await;
    check_refused(&other, StatusCode::CONFLICT, "UPLOAD_INCOMPLETE");
    for _ in 0..2 {
        let completed = api.complete("ann", &upload, b"hello").await;
        assert_eq!(completed.status, StatusCode::OK, "{}", completed.body);
    }

    let begun = api.begin("ann", ("a", "text/plain", 5)).await;
    let upload = text(&begun, "upload");
    let ended = api.post_json("ann", "/uploads/abort", json!({ "upload": upload }));
    assert_eq!(ended.await.status, StatusCode::NO_CONTENT);
    let late = api.complete("ann", &upload, b"hello").await;
    check_refused(&late, StatusCode::NOT_FOUND, "UNKNOWN_FILE");
}

#[tokio::test]
async fn descriptions_that_are_not_taken() {
    let api = Api::start().await;
    for (size, status, code) in [
        (json!(0), 413, "FILE_SIZE"),
        (json!(20_000_001), 413, "FILE_SIZE"),
        (json!(u64::MAX), 413, "FILE_SIZE"),
        (json!(-1), 400, "MALFORMED"),
        (json!("5"), 400, "MALFORMED"),
        (json!(1.5), 400, "MALFORMED"),
    ] {
        let path = format!("/channels/{}/uploads", text_channel());
        let body = json!({ "name": "a", "content_type": "b", "size_bytes": size });
        let reply = api.post_json("ann", &path, body).await;
        check_refused(&reply, StatusCode::from_u16(status).unwrap(), code);
    }
    for (channel, status, code) in [
        (voice_channel(), 400, "WRONG_CHANNEL_KIND"),
        (channel(9), 404, "UNKNOWN_CHANNEL"),
    ] {
        let path = format!("/channels/{channel}/uploads");
        let body = json!({ "name": "a", "content_type": "b", "size_bytes": 1 });
        let reply = api.post_json("ann", &path, body).await;
        check_refused(&reply, StatusCode::from_u16(status).unwrap(), code);
    }
}

#[tokio::test]
async fn names_are_cleaned_wherever_they_come_from() {
    let api = Api::start().await;
    for (said, kept) in [
        ("../../../etc/passwd", "passwd"),
        ("C:\\x\\evil.exe", "evil.exe"),
        ("a\r\nSet-Cookie: b=c", "aSet-Cookie: b=c"),
        ("..", "file"),
    ] {
        let begun = api.begin("ann", (said, "text/html", 1)).await;
        let upload = text(&begun, "upload");
        api.send_parts("ann", &upload, b"x").await;
        let completed = api.complete("ann", &upload, b"x").await;
        assert_eq!(completed.body["attachment"]["name"], kept);
    }
}

#[tokio::test]
async fn size_lie_is_found_out() {
    let api = Api::start().await;
    let begun = api.begin("ann", ("a", "text/plain", 5)).await;
    let upload = text(&begun, "upload");
    let digest = Sha256::of(b"hello").to_string();
    for body in [&b"hell"[..], b"hello!", b"", b"world", &[0; 100_000]] {
        let signed = api.sign("ann", &upload, &[(1, &digest)]).await;
        let url = signed.body["parts"][0]["url"].as_str().unwrap();
        assert_eq!(api.put(url, body.to_vec()).await, StatusCode::BAD_REQUEST);
    }
    let further = api.sign("ann", &upload, &[(2, &digest)]).await;
    check_refused(&further, StatusCode::BAD_REQUEST, "MALFORMED");
    for (part, digest) in [(0, digest.as_str()), (10_001, &digest), (1, "x")] {
        let refused = api.sign("ann", &upload, &[(part, digest)]).await;
        check_refused(&refused, StatusCode::BAD_REQUEST, "MALFORMED");
    }
    let many = vec![(1, digest.as_str()); 33];
    let refused = api.sign("ann", &upload, &many).await;
    check_refused(&refused, StatusCode::BAD_REQUEST, "MALFORMED");
}

#[tokio::test]
async fn file_that_is_not_what_it_says_is_removed() {
    let api = Api::start().await;
    for (content_type, bytes) in [
        ("image/png", SVG),
        ("image/png", b"<!doctype html><script>".as_slice()),
        ("image/jpeg", PNG),
        ("video/mp4", b"MZ"),
    ] {
        let refused = api.upload("ann", content_type, bytes).await;
        check_refused(&refused, StatusCode::BAD_REQUEST, "WRONG_FILE_TYPE");
    }
    let begun = api.begin("ann", ("a", "image/png", SVG.len())).await;
    let upload = text(&begun, "upload");
    api.send_parts("ann", &upload, SVG).await;
    for code in ["WRONG_FILE_TYPE", "UNKNOWN_FILE"] {
        let refused = api.complete("ann", &upload, SVG).await;
        assert_eq!(refused.body["code"], code);
    }
}

#[tokio::test]
async fn script_never_runs_on_our_origin() {
    for (content_type, bytes) in [
        ("image/svg+xml", SVG),
        ("text/html", b"<script>alert(1)</script>".as_slice()),
        ("application/xhtml+xml", b"<html/>"),
        ("application/pdf", b"%PDF-1.7"),
        ("application/zip", b"PK\x03\x04"),
        // Begins like a picture and is none: not for showing either.
        ("image/png", PNG),
    ] {
        let api = Api::start().await;
        let (message, path) = api.message_with(content_type, bytes).await;
        assert_eq!(message["attachments"][0]["width"], Value::Null);
        let link = api.get("bob", &format!("{path}/link")).await;

        let followed = api.follow(&text(&link, "url")).await;

        let headers = followed.headers;
        assert_eq!(headers["content-type"], "application/octet-stream");
        let disposition = headers["content-disposition"].to_str().unwrap();
        assert!(disposition.starts_with("attachment; "), "{disposition}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("sandbox"), "{policy}");
        let small = api.get("bob", &format!("{path}/link?thumbnail=true")).await;
        check_refused(&small, StatusCode::NOT_FOUND, "UNKNOWN_FILE");
    }
}

#[tokio::test]
async fn pictures_are_shown_in_place_and_in_ranges() {
    let api = Api::start().await;
    let bytes = picture();
    let (message, path) = api.message_with("image/png", &bytes).await;
    assert_eq!(message["attachments"][0]["width"], 1_600);
    assert_eq!(message["attachments"][0]["height"], 800);

    let url = text(&api.get("bob", &format!("{path}/link")).await, "url");
    let followed = api.follow(&url).await;
    assert_eq!(followed.headers["content-type"], "image/png");
    assert_eq!(followed.headers["content-disposition"], "inline");
    assert!(followed.bytes == bytes);
    let request = Request::builder().uri(&url).header("range", "bytes=1-3");
    let ranged = api.router.clone();
    let ranged = ranged.oneshot(request.body(Body::empty()).unwrap()).await;
    let ranged = ranged.unwrap();
    assert_eq!(ranged.status(), StatusCode::PARTIAL_CONTENT);
    let three = axum::body::to_bytes(ranged.into_body(), 10).await.unwrap();
    assert_eq!(&three[..], b"PNG");
}

#[tokio::test]
async fn others_tickets_and_files_are_unknown() {
    let api = Api::start().await;
    let begun = api.begin("ann", ("a", "text/plain", 5)).await;
    let upload = text(&begun, "upload");
    let digest = Sha256::of(b"hello").to_string();
    api.send_parts("ann", &upload, b"hello").await;
    let other_server = Tickets::new(&[9; 32], ServerId::from_random([8; 16]));
    let ours = Tickets::new(&[9; 32], ServerId::from_random([7; 16]));
    let opened = ours.open_upload(&upload).unwrap();
    let foreign = other_server.seal_upload(&opened);
    let completed = api.complete("ann", &upload, b"hello").await;
    let ticket = text(&completed, "ticket");
    let attachment = ours.open_attachment(&ticket).unwrap();
    let half = upload.len() / 2;
    let changed = format!("{}x{}", &upload[..half], &upload[half + 1..]);

    for (name, stolen) in [
        ("bob", upload.as_str()),
        ("ann", &foreign),
        ("ann", &ticket),
        ("ann", &changed),
        ("ann", ""),
        ("ann", "a.b.c"),
    ] {
        let signed = api.sign(name, stolen, &[(1, &digest)]).await;
        check_refused(&signed, StatusCode::NOT_FOUND, "UNKNOWN_FILE");
        let completed = api.complete(name, stolen, b"hello").await;
        check_refused(&completed, StatusCode::NOT_FOUND, "UNKNOWN_FILE");
        for path in ["/uploads/arrived", "/uploads/abort"] {
            let reply = api.post_json(name, path, json!({ "upload": stolen })).await;
            check_refused(&reply, StatusCode::NOT_FOUND, "UNKNOWN_FILE");
        }
    }
    let mut of_bob = attachment.clone();
    of_bob.member = MemberId::from_random([99; 16]);
    let mut of_elsewhere = attachment.clone();
    of_elsewhere.channel = channel(9);
    for (name, stolen) in [
        ("bob", ticket.clone()),
        ("ann", upload.clone()),
        ("ann", other_server.seal_attachment(&attachment)),
        ("ann", ours.seal_attachment(&of_bob)),
        ("ann", ours.seal_attachment(&of_elsewhere)),
        ("ann", String::new()),
    ] {
        let sent = api.send_with(name, "stolen", &[stolen]).await;
        check_refused(&sent, StatusCode::NOT_FOUND, "UNKNOWN_FILE");
    }
    let many = vec![ticket.clone(); 11];
    let sent = api.send_with("ann", "many", &many).await;
    check_refused(&sent, StatusCode::BAD_REQUEST, "TOO_MANY_FILES");
    let sent = api.send_with("ann", "own", &[ticket]).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
}

#[tokio::test]
async fn expired_signatures_open_no_door() {
    let api = Api::start().await;
    let (message, _) = api.message_with("text/plain", b"hello").await;
    let file = message["attachments"][0]["file_id"].as_str().unwrap();
    let file = BlobKey {
        kind: Kind::File,
        id: file.parse().unwrap(),
    };
    let plan = Plan::new(5).unwrap();
    let folder = open_files(&api.folder).folder.unwrap();
    let other = BlobKey {
        kind: Kind::File,
        id: FileId::from_random([1; 16]),
    };
    let upload = folder.begin(&other, "", plan).await.unwrap();
    let part = PartNumber::new(1).unwrap();
    let digest = Sha256::of(b"hello");
    let as_text = Read {
        content_type: "text/plain".into(),
        disposition: Disposition::Inline,
    };
    let minute = Duration::from_secs(60);
    for (from, read, written) in [
        (clock::wall() - 2 * minute, 403, 403),
        (clock::wall(), 200, 200),
    ] {
        let validity = Validity {
            from,
            lasts: minute,
        };
        let link = folder.sign_read(&file, &as_text, validity).await.unwrap();
        let signed = folder.sign_part(&upload, part, &digest, validity).await;
        assert_eq!(api.follow(&link.url).await.status, read);
        assert_eq!(
            api.put(&signed.unwrap().url, b"hello".to_vec()).await,
            written
        );
    }
}

#[tokio::test]
async fn files_are_read_through_their_message_alone() {
    let api = Api::start().await;
    let (message, path) = api.message_with("text/plain", b"hello").await;
    let bare = api.post("ann", "without files", "n2").await;
    let file = message["attachments"][0]["file_id"].as_str().unwrap();
    let other_file = FileId::from_random([1; 16]);
    let at = |channel: &ChannelId, message: &Value, file: &str| {
        let message = message["message_id"].as_str().unwrap();
        format!("/channels/{channel}/messages/{message}/files/{file}/link")
    };

    for (wrong, code) in [
        (
            at(&text_channel(), &message, other_file.as_str()),
            "UNKNOWN_FILE",
        ),
        (at(&text_channel(), &bare.body, file), "UNKNOWN_FILE"),
        (at(&channel(9), &message, file), "UNKNOWN_CHANNEL"),
    ] {
        let reply = api.get("ann", &wrong).await;
        check_refused(&reply, StatusCode::NOT_FOUND, code);
    }
    for malformed in [
        at(&text_channel(), &message, "..%2f..%2fserver.db"),
        format!("{path}/link?thumbnail=maybe"),
        format!("{path}/link?size=1"),
    ] {
        let reply = api.get("ann", &malformed).await;
        check_refused(&reply, StatusCode::BAD_REQUEST, "MALFORMED");
    }
    let url = text(&api.get("ann", &format!("{path}/link")).await, "url");
    for forged in [
        url.replace('.', "x."),
        format!("{url}x"),
        format!("{DOORS}/..%2fserver.db"),
    ] {
        let status = api.follow(&forged).await.status;
        assert_ne!(status, StatusCode::OK, "{forged}");
    }
    assert_eq!(
        api.put(&url, b"hello".to_vec()).await,
        StatusCode::METHOD_NOT_ALLOWED
    );

    let deleted = api
        .ask("ann", "DELETE", &message_path(&message), None)
        .await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let gone = api.get("ann", &format!("{path}/link")).await;
    check_refused(&gone, StatusCode::NOT_FOUND, "UNKNOWN_MESSAGE");
    // Beside the request, so it may take a moment.
    tokio::time::timeout(Duration::from_secs(20), async {
        while api.follow(&url).await.status == StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("its file is removed");
}
