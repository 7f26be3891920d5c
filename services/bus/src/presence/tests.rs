//! Presence without a back end between.

use super::*;

fn member(number: u8) -> MemberId {
    MemberId::from_random([number; 16])
}

fn change(number: u8, online: bool) -> PresenceChange {
    PresenceChange {
        member: member(number),
        online,
    }
}

#[tokio::test]
async fn reader_is_told_outcomes_and_not_flickers() {
    let presence = Presence::local();
    presence.set(&member(1), true);
    presence.set(&member(2), true);
    presence.set(&member(2), false);
    assert_eq!(presence.changes().await, [change(1, true)]);
    presence.set(&member(1), false);
    assert_eq!(presence.changes().await, [change(1, false)]);
}

#[cfg(feature = "redis")]
mod elsewhere {
    use super::*;

    fn online(picture: &mut Picture) -> Vec<PresenceChange> {
        picture.take_changes()
    }

    #[test]
    fn member_is_online_until_the_last_process_has_lost_them() {
        let mut picture = Picture::default();
        picture.replace("a", 1, [member(1)].into());
        picture.replace("b", 1, [member(1), member(2)].into());
        assert_eq!(online(&mut picture), [change(1, true), change(2, true)]);

        assert!(picture.follow("a", 2, vec![change(1, false)]));
        assert_eq!(online(&mut picture), []);
        let gone = picture.keep(|process| process != "b");
        assert_eq!(gone, [Box::<str>::from("b")]);
        assert_eq!(online(&mut picture), [change(1, false), change(2, false)]);
    }

    #[test]
    fn change_after_a_gap_is_not_taken_and_an_old_one_changes_nothing() {
        let mut picture = Picture::default();
        assert!(!picture.follow("a", 1, vec![change(1, true)]), "unknown");
        picture.replace("a", 4, [member(1)].into());
        assert!(picture.follow("a", 4, vec![change(1, false)]));
        assert!(!picture.follow("a", 6, vec![change(1, false)]));
        assert_eq!(online(&mut picture), [change(1, true)]);
    }

    #[test]
    fn too_many_changes_are_written_as_a_whole() {
        let presence = Presence::shared();
        presence.set(&member(1), true);
        presence.set(&member(2), true);
        presence.set(&member(2), false);
        let unwritten = presence.shared.with(Picture::take_unwritten);
        assert_eq!(unwritten, Some(vec![change(1, true), change(2, false)]));

        for number in 0..=u8::MAX {
            presence.set(&member(number), true);
        }
        assert_eq!(presence.shared.with(Picture::take_unwritten), None);
        assert_eq!(presence.shared.with(Picture::take_here).len(), 256);
    }
}
