//! What opens, and what does not.

use gryt_model::{ContentType, FileId, FileName};
use jsonwebtoken::get_current_timestamp;

use super::*;

fn tickets(key: u8, server: u8) -> Tickets {
    Tickets::new(&[key; 32], ServerId::from_random([server; 16]))
}

fn upload() -> UploadTicket {
    UploadTicket {
        upload: Upload {
            key: BlobKey {
                kind: Kind::File,
                id: FileId::from_random([1; 16]),
            },
            plan: Plan::new(20_000_000).unwrap(),
            token: "a token of the storage".into(),
        },
        file: UploadedFile {
            name: FileName::clean("Grüße.png"),
            content_type: ContentType::clean("image/png"),
            size_bytes: 20_000_000,
        },
        channel: ChannelId::from_random([2; 16]),
        member: MemberId::from_random([3; 16]),
    }
}

fn attachment() -> AttachmentTicket {
    let UploadTicket {
        upload,
        file,
        channel,
        member,
    } = upload();
    AttachmentTicket {
        attachment: Attachment {
            file: upload.key.id,
            name: file.name,
            content_type: file.content_type,
            size_bytes: file.size_bytes,
            picture: Some((640, 480)),
        },
        channel,
        member,
    }
}

/// An attachment's ticket that ends so many seconds from now.
fn ending(tickets: &Tickets, seconds: i64) -> String {
    let mut claims = tickets.attachment_claims(&attachment());
    claims.exp = get_current_timestamp().checked_add_signed(seconds).unwrap();
    tickets.seal(&claims)
}

#[test]
fn tickets_open_as_they_were_sealed_for_any_process_of_the_server() {
    let sealed = tickets(1, 1).seal_upload(&upload());
    assert_eq!(tickets(1, 1).open_upload(&sealed), Ok(upload()));
    let sealed = tickets(1, 1).seal_attachment(&attachment());
    assert_eq!(tickets(1, 1).open_attachment(&sealed), Ok(attachment()));
}

#[test]
fn expired_ticket_opens_nothing() {
    let ours = tickets(1, 1);
    assert_eq!(ours.open_attachment(&ending(&ours, 60)), Ok(attachment()));
    let late = ending(&ours, -1);
    assert_eq!(ours.open_attachment(&late), Err(NoTicket));
}

#[test]
fn foreign_tickets_open_nothing() {
    let ours = tickets(1, 1);
    for foreign in [tickets(2, 1), tickets(1, 2)] {
        let sealed = foreign.seal_upload(&upload());
        assert_eq!(ours.open_upload(&sealed), Err(NoTicket));
        let sealed = foreign.seal_attachment(&attachment());
        assert_eq!(ours.open_attachment(&sealed), Err(NoTicket));
    }
    let of_upload = ours.seal_upload(&upload());
    assert_eq!(ours.open_attachment(&of_upload), Err(NoTicket));
    let of_attachment = ours.seal_attachment(&attachment());
    assert_eq!(ours.open_upload(&of_attachment), Err(NoTicket));
}

#[test]
fn longest_names_fit_into_what_is_opened() {
    let ours = tickets(1, 1);
    let mut longest = upload();
    longest.file.name = FileName::clean(&"\u{10ffff}".repeat(200));
    longest.file.content_type = ContentType::clean(&format!("application/{}", "x".repeat(88)));
    longest.upload.token = "x".repeat(1_024).into();
    let sealed = ours.seal_upload(&longest);
    assert_eq!(ours.open_upload(&sealed), Ok(longest));
}
