//! Refresh tokens on a virtual clock.

use super::*;
use crate::accounts::{self, AccountName};
use crate::database::Database;

fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + secs)
}

struct Fixture {
    _dir: tempfile::TempDir,
    database: Database,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(&dir.path().join("issuer.db")).unwrap();
        let name = AccountName::parse("ada").unwrap();
        database
            .write(|tx| accounts::create(tx, "id-of-ada", &name, "hash", at(0)))
            .unwrap();
        Self {
            _dir: dir,
            database,
        }
    }

    fn begin(&self) -> String {
        self.database
            .write(|tx| begin(tx, &SessionId::new(), "id-of-ada", at(0)))
            .unwrap()
    }

    fn refresh(&self, token: &str, now: SystemTime) -> Result<String, Refusal> {
        self.database
            .write(|tx| refresh(tx, token, now))
            .unwrap()
            .map(|refreshed| refreshed.refresh_token)
    }

    fn rows(&self, table: &str) -> u32 {
        let count = format!("SELECT count(*) FROM {table}");
        self.database
            .write(|tx| tx.query_row(&count, [], |row| row.get(0)))
            .unwrap()
    }
}

#[test]
fn token_is_replaced_at_each_use() {
    let fixture = Fixture::new();
    let mut token = fixture.begin();
    for n in 1..=50 {
        let next = fixture.refresh(&token, at(n * 240)).unwrap();
        assert_ne!(next, token);
        token = next;
    }
    assert!(
        fixture.rows("refresh_tokens") <= 2,
        "replaced ones are swept"
    );
}

#[test]
fn copied_token_ends_the_whole_sign_in() {
    let fixture = Fixture::new();
    let first = fixture.begin();
    let second = fixture.refresh(&first, at(100)).unwrap();
    let third = fixture.refresh(&second, at(340)).unwrap();

    assert_eq!(fixture.refresh(&first, at(341)), Err(Refusal::Reused));
    assert_eq!(fixture.refresh(&third, at(342)), Err(Refusal::Unknown));
    assert_eq!(fixture.rows("sessions"), 0);
    assert_eq!(fixture.rows("refresh_tokens"), 0);
}

#[test]
fn copied_token_does_not_end_other_sign_ins() {
    let fixture = Fixture::new();
    let here = fixture.begin();
    let there = fixture.begin();
    fixture.refresh(&here, at(100)).unwrap();
    assert_eq!(fixture.refresh(&here, at(200)), Err(Refusal::Reused));
    assert!(fixture.refresh(&there, at(201)).is_ok());
}

#[test]
fn lost_answer_and_second_tab_sign_nobody_out() {
    let fixture = Fixture::new();
    let first = fixture.begin();
    let one_tab = fixture.refresh(&first, at(100)).unwrap();
    let other_tab = fixture.refresh(&first, at(109)).unwrap();

    let one_tab = fixture.refresh(&one_tab, at(340)).unwrap();
    assert!(fixture.refresh(&other_tab, at(349)).is_ok());
    assert!(fixture.refresh(&one_tab, at(600)).is_ok());
}

#[test]
fn grace_ends_and_is_not_prolonged_by_use() {
    let fixture = Fixture::new();
    let first = fixture.begin();
    fixture.refresh(&first, at(100)).unwrap();
    fixture.refresh(&first, at(109)).unwrap();
    assert_eq!(fixture.refresh(&first, at(110)), Err(Refusal::Reused));
}

#[test]
fn grace_cannot_be_used_to_make_tokens_without_end() {
    let fixture = Fixture::new();
    let first = fixture.begin();
    let made = (0..100)
        .take_while(|_| fixture.refresh(&first, at(100)).is_ok())
        .count();
    assert_eq!(made, 32);
    assert_eq!(fixture.rows("sessions"), 0);
}

#[test]
fn idle_sign_in_ends_and_a_used_one_lasts_a_year() {
    let fixture = Fixture::new();
    let day = 24 * 60 * 60;
    let idle = fixture.begin();
    assert_eq!(fixture.refresh(&idle, at(30 * day)), Err(Refusal::Unknown));

    let mut used = fixture.begin();
    let mut last = 0;
    for days in (20..).step_by(20) {
        match fixture.refresh(&used, at(days * day)) {
            Ok(next) => used = next,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::Unknown);
                last = days;
                break;
            }
        }
    }
    assert_eq!(last, 380);
}

#[test]
fn garbage_is_unknown_and_disturbs_nobody() {
    let fixture = Fixture::new();
    let good = fixture.begin();
    for token in ["", ".", "a.b", "no dot", &"x".repeat(10_000)] {
        assert_eq!(fixture.refresh(token, at(1)), Err(Refusal::Unknown));
    }
    assert!(fixture.refresh(&good, at(2)).is_ok());
}
