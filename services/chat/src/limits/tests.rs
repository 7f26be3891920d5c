//! Allowances on a clock that only the tests move.

use proptest::prelude::*;

use super::*;

const ACTS: [Act; 6] = [
    Act::Send,
    Act::Edit,
    Act::Delete,
    Act::Fetch,
    Act::Upload,
    Act::Transfer,
];

/// Some instant; only differences matter.
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` cannot be made in another way"
)]
fn start() -> Instant {
    Instant::now()
}

fn member(number: u64) -> MemberId {
    MemberId::from_random((u128::from(number) << 64).to_be_bytes())
}

/// Takes until refused, at most 1,000 times.
fn drain(limits: &mut Limits, act: Act, now: Instant) -> u32 {
    let taken = (0..1_000).take_while(|_| limits.take(&member(1), act, now).is_ok());
    u32::try_from(taken.count()).unwrap()
}

#[test]
fn a_burst_passes_and_then_the_rate_counts() {
    for act in ACTS {
        let Rate { burst, per_second } = act.rate();
        let start = start();
        let mut limits = Limits::default();

        assert_eq!(drain(&mut limits, act, start), burst, "{act:?}");
        let later = start + Duration::from_secs(2);
        assert_eq!(drain(&mut limits, act, later), 2 * per_second, "{act:?}");
        let much_later = start + Duration::from_secs(3_600);
        assert_eq!(drain(&mut limits, act, much_later), burst, "{act:?}");
    }
}

#[test]
fn refusal_says_exactly_when_to_try_again() {
    let start = start();
    let mut limits = Limits::default();
    drain(&mut limits, Act::Send, start);

    let refusal = limits.take(&member(1), Act::Send, start).unwrap_err();

    let retry_after = Duration::from_millis(100);
    assert_eq!(refusal, Refusal::RateLimited { retry_after });
    let just_before = start + retry_after - Duration::from_nanos(1);
    assert!(limits.take(&member(1), Act::Send, just_before).is_err());
    let then = start + retry_after;
    assert_eq!(limits.take(&member(1), Act::Send, then), Ok(()));
}

#[test]
fn acts_and_members_do_not_share() {
    let start = start();
    let mut limits = Limits::default();
    drain(&mut limits, Act::Send, start);

    assert!(limits.take(&member(1), Act::Send, start).is_err());
    for act in [Act::Edit, Act::Delete, Act::Fetch] {
        assert_eq!(limits.take(&member(1), act, start), Ok(()));
    }
    assert_eq!(limits.take(&member(2), Act::Send, start), Ok(()));
}

#[test]
fn crowd_is_remembered_up_to_the_bound_and_the_exhausted_stay_exhausted() {
    let start = start();
    let mut limits = Limits::default();
    drain(&mut limits, Act::Send, start);

    for number in 0..3 * Limits::MEMBERS as u64 {
        limits
            .take(&member(100 + number), Act::Fetch, start)
            .unwrap();
        assert!(limits.by_member.len() <= Limits::MEMBERS);
    }

    assert!(limits.take(&member(1), Act::Send, start).is_err());
}

#[test]
fn members_with_a_full_allowance_are_forgotten_first() {
    let start = start();
    let mut limits = Limits::default();
    for number in 0..Limits::MEMBERS as u64 {
        limits.take(&member(number), Act::Fetch, start).unwrap();
    }

    let later = start + Duration::from_secs(60);
    limits.take(&member(1 << 40), Act::Fetch, later).unwrap();

    assert_eq!(limits.by_member.len(), 1);
}

proptest! {
    /// In any stretch of time there are at most the burst plus what the rate gives.
    #[test]
    fn no_pattern_of_requests_gets_more_than_burst_and_rate(
        pauses_ms in proptest::collection::vec(0_u64..400, 1..400),
    ) {
        let start = start();
        let Rate { burst, per_second } = Act::SEND;
        let mut limits = Limits::default();
        let mut now = start;
        let mut taken = 0_u32;
        for pause in pauses_ms {
            now += Duration::from_millis(pause);
            taken += u32::from(limits.take(&member(1), Act::Send, now).is_ok());
            let passed = (now - start).as_secs_f64();
            let most = f64::from(burst) + passed * f64::from(per_second);
            prop_assert!(f64::from(taken) <= most + 1e-6);
        }
    }

    /// Who keeps below the rate is never refused.
    #[test]
    fn steady_sender_is_never_refused(pauses_ms in proptest::collection::vec(100_u64..400, 1..300)) {
        let mut limits = Limits::default();
        let mut now = start();
        for pause in pauses_ms {
            prop_assert_eq!(limits.take(&member(1), Act::Send, now), Ok(()));
            now += Duration::from_millis(pause);
        }
    }
}
