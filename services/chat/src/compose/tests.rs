//! The rules, each with who and what it is about.

use gryt_model::{
    AudibleLimit, ChannelId, ContentType, FileId, FileName, MemberId, MessageId, Role,
};
use proptest::prelude::*;

use super::*;

const ROLES: [Role; 5] = [
    Role::Guest,
    Role::Member,
    Role::Moderator,
    Role::Admin,
    Role::Owner,
];

fn member(number: u8, role: Role) -> Member {
    Member {
        id: MemberId::from_random([number; 16]),
        name: "Someone".parse().unwrap(),
        role,
        server_muted: false,
    }
}

fn channel(kind: ChannelKind) -> Channel {
    Channel {
        id: ChannelId::from_random([1; 16]),
        name: "general".parse().unwrap(),
        kind,
        position: 0,
        audible_limit: AudibleLimit::default(),
    }
}

fn message_by(author: &Member) -> Message {
    Message {
        id: MessageId::new(1),
        channel: ChannelId::from_random([1; 16]),
        author: author.id.clone(),
        text: MessageText::new("hello").unwrap(),
        attachments: Vec::new(),
        nonce: "n1".parse().unwrap(),
        created_at_ms: 1,
        edited_at_ms: None,
    }
}

fn compose_text(text: &str) -> Result<MessageText, Refusal> {
    let channel = &channel(ChannelKind::Text);
    compose(
        Draft {
            channel,
            text,
            attachments: &[],
        },
        &member(1, Role::Member),
    )
}

#[test]
fn everyone_but_guests_sends() {
    let channel = &channel(ChannelKind::Text);
    for role in ROLES {
        let outcome = compose(
            Draft {
                channel,
                text: "hello",
                attachments: &[],
            },
            &member(1, role),
        );
        let refused = Err(Refusal::Forbidden(Permission::Send));
        assert_eq!(outcome.is_ok(), role != Role::Guest, "{role:?}");
        assert!(outcome.is_ok() || outcome == refused, "{role:?}");
    }
}

#[test]
fn voice_channels_have_no_messages() {
    let author = member(1, Role::Owner);
    let channel = &channel(ChannelKind::Voice);
    let draft = Draft {
        channel,
        text: "hello",
        attachments: &[],
    };

    assert_eq!(compose(draft, &author), Err(Refusal::WrongChannelKind));
    assert_eq!(read(channel, &author), Err(Refusal::WrongChannelKind));
    let message = message_by(&author);
    let revised = revise(draft, &message, &author);
    assert_eq!(revised, Err(Refusal::WrongChannelKind));
}

#[test]
fn text_of_blanks_is_empty() {
    for text in ["", " ", "\n\t \r\n", "\u{a0}\u{3000}"] {
        assert_eq!(compose_text(text), Err(Refusal::EmptyText), "{text:?}");
    }
}

#[test]
fn length_counts_characters_once_trimmed() {
    let longest = "ß".repeat(MessageText::MAX_CHARS);
    let padded = format!("  {longest}\n");
    assert_eq!(compose_text(&padded).unwrap().as_str(), longest);

    let longer = format!("{longest}ß");
    assert_eq!(compose_text(&longer), Err(Refusal::TextTooLong));
}

#[test]
fn only_the_author_edits_whatever_the_role() {
    let author = member(1, Role::Member);
    let message = message_by(&author);
    let channel = &channel(ChannelKind::Text);
    let draft = Draft {
        channel,
        text: " better ",
        attachments: &[],
    };

    let revised = revise(draft, &message, &author).unwrap();
    assert_eq!(revised.as_str(), "better");
    for role in [Role::Member, Role::Moderator, Role::Owner] {
        let other = revise(draft, &message, &member(2, role));
        assert_eq!(other, Err(Refusal::NotTheAuthor), "{role:?}");
    }
}

#[test]
fn others_messages_are_erased_from_moderator_on() {
    let author = member(1, Role::Member);
    let message = message_by(&author);

    assert_eq!(erase(&message.author, &author), Ok(()));
    for role in ROLES {
        let outcome = erase(&message.author, &member(2, role));
        assert_eq!(outcome.is_ok(), role >= Role::Moderator, "{role:?}");
    }
}

#[test]
fn guests_read() {
    let reader = member(1, Role::Guest);
    assert_eq!(read(&channel(ChannelKind::Text), &reader), Ok(()));
}

#[test]
fn files_need_no_text_and_are_counted() {
    let file = Attachment {
        file: FileId::from_random([1; 16]),
        name: FileName::clean("a.png"),
        content_type: ContentType::clean("image/png"),
        size_bytes: 1,
        picture: None,
    };
    let channel = &channel(ChannelKind::Text);
    let author = member(1, Role::Member);
    for (count, outcome) in [
        (0, Some(Refusal::EmptyText)),
        (1, None),
        (Attachment::MAX_PER_MESSAGE, None),
        (Attachment::MAX_PER_MESSAGE + 1, Some(Refusal::TooManyFiles)),
    ] {
        let draft = Draft {
            channel,
            text: " ",
            attachments: &vec![file.clone(); count],
        };
        assert_eq!(compose(draft, &author).err(), outcome, "{count} files");
    }
}

proptest! {
    #[test]
    fn composed_text_is_trimmed_bounded_and_composes_to_itself(text in "\\PC{0,40}|[ \\n]{0,5}.{0,20}[ \\n]{0,5}") {
        match compose_text(&text) {
            Ok(kept) => {
                let kept = kept.as_str();
                prop_assert_eq!(kept, text.trim());
                prop_assert!((1..=MessageText::MAX_CHARS).contains(&kept.chars().count()));
                let again = compose_text(kept).unwrap();
                prop_assert_eq!(again.as_str(), kept);
            }
            Err(refusal) => {
                prop_assert_eq!(refusal, Refusal::EmptyText);
                prop_assert!(text.trim().is_empty());
            }
        }
    }
}
