//! The rules, each with the file it is about.

use gryt_model::{AudibleLimit, ChannelId, ChannelKind, MemberId, Role};

use super::*;

const LIMIT: u64 = 1_000;

fn admit_by(role: Role, kind: ChannelKind, size_bytes: u64) -> Result<UploadedFile, Refusal> {
    let uploader = Member {
        id: MemberId::from_random([1; 16]),
        name: "Someone".parse().unwrap(),
        role,
        server_muted: false,
    };
    let channel = Channel {
        id: ChannelId::from_random([1; 16]),
        name: "general".parse().unwrap(),
        kind,
        position: 0,
        audible_limit: AudibleLimit::default(),
    };
    let draft = FileDraft {
        channel: &channel,
        name: "../Plan.PDF",
        content_type: "Application/PDF; q=1",
        size_bytes,
    };
    admit(draft, &uploader, LIMIT)
}

#[test]
fn members_upload_to_text_channels_up_to_the_limit() {
    let forbidden = Some(Refusal::Forbidden(Permission::Send));
    for (role, kind, size, refusal) in [
        (Role::Member, ChannelKind::Text, 1, None),
        (Role::Member, ChannelKind::Text, LIMIT, None),
        (Role::Guest, ChannelKind::Text, 1, forbidden),
        (
            Role::Owner,
            ChannelKind::Voice,
            1,
            Some(Refusal::WrongChannelKind),
        ),
        (Role::Owner, ChannelKind::Text, 0, Some(Refusal::EmptyFile)),
        (
            Role::Owner,
            ChannelKind::Text,
            LIMIT + 1,
            Some(Refusal::FileTooLarge),
        ),
        (
            Role::Owner,
            ChannelKind::Text,
            u64::MAX,
            Some(Refusal::FileTooLarge),
        ),
    ] {
        let admitted = admit_by(role, kind, size);
        assert_eq!(admitted.err(), refusal, "{role:?} {kind:?} {size}");
    }
}

#[test]
fn description_is_cleaned() {
    let file = admit_by(Role::Member, ChannelKind::Text, 1).unwrap();
    assert_eq!(file.name.as_str(), "Plan.PDF");
    assert_eq!(file.content_type.as_str(), "application/pdf");
}

#[test]
fn only_what_cannot_carry_script_is_shown_in_place() {
    for (content_type, expected) in [
        ("image/png", Showing::Picture),
        ("image/webp", Showing::Picture),
        ("video/mp4", Showing::Media),
        ("image/svg+xml", Showing::Saved),
        ("text/html", Showing::Saved),
        ("application/xhtml+xml", Showing::Saved),
        ("text/xml", Showing::Saved),
        ("application/pdf", Showing::Saved),
        ("text/javascript", Showing::Saved),
        ("multipart/x-mixed-replace", Showing::Saved),
        ("application/octet-stream", Showing::Saved),
    ] {
        assert_eq!(
            showing(&ContentType::clean(content_type)),
            expected,
            "{content_type}"
        );
    }
}

#[test]
fn shown_files_begin_like_their_type() {
    let webp = b"RIFF\x10\0\0\0WEBPVP8 ";
    let wav = b"RIFF\x10\0\0\0WAVEfmt ";
    let svg = b"<svg onload=alert(1)>";
    for (content_type, beginning, good) in [
        ("image/png", b"\x89PNG\r\n\x1a\nIHDR".as_slice(), true),
        ("image/png", svg, false),
        ("image/png", b"<!doctype html>", false),
        ("image/png", b"", false),
        ("image/jpeg", b"\xff\xd8\xff\xe0", true),
        ("image/jpeg", b"\x89PNG\r\n\x1a\n", false),
        ("image/webp", webp, true),
        ("image/webp", wav, false),
        ("image/webp", b"RIFF", false),
        ("audio/wav", wav, true),
        ("audio/mpeg", b"ID3\x04", true),
        ("audio/mpeg", b"\xff\xfb\x90", true),
        ("audio/mpeg", b"GIF89a", false),
        ("video/mp4", b"\0\0\0\x18ftypisom", true),
        // Never shown, so it may be anything.
        ("image/svg+xml", svg, true),
        ("application/zip", b"", true),
    ] {
        let inspected = inspect(&ContentType::clean(content_type), beginning);
        assert_eq!(inspected.is_ok(), good, "{content_type} {beginning:?}");
    }
}

#[test]
fn longest_mark_is_within_the_beginning() {
    let ends = SHOWN.iter().flat_map(|(.., marks)| marks.iter());
    let longest = ends.map(|(at, mark)| at + mark.len()).max().unwrap();
    assert!(longest as u64 <= BEGINNING_BYTES);
}

#[test]
fn files_wait_three_days_for_their_message() {
    let day = 24 * 3_600_000;
    assert!(!is_orphan(day, day));
    assert!(!is_orphan(day, 4 * day));
    assert!(is_orphan(day, 4 * day + 1));
    assert!(!is_orphan(u64::MAX, day));
}
