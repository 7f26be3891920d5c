//! The user of Redis that a server's processes sign in as: its name, its rights, its passwords.

use data_encoding::HEXLOWER;
use gryt_model::ServerId;
use ring::digest;

use super::RedisBus;

/// The user that a server's processes sign in as: `gryt_<server id>`.
#[must_use]
pub fn user_name(server: &ServerId) -> String {
    format!("gryt_{server}")
}

/// A password as Redis keeps it: hexadecimal SHA-256. So it is never in a command.
pub(super) fn hash(password: &str) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, password.as_bytes()).as_ref())
}

/// The passwords to have from now on, the newest last. The one before stays good until the next
/// change: processes that have not heard of the new one still come in.
///
/// `known`: those that the user has, the newest last.
pub(super) fn passwords_after(known: &[String], new: String) -> Vec<String> {
    let former = known.iter().rfind(|former| **former != new);
    former.cloned().into_iter().chain([new]).collect()
}

/// All that the user may, in the words of `ACL SETUSER`: whatever it could before is gone.
pub(super) fn rules(server: &ServerId, passwords: &[String]) -> Vec<String> {
    let mut rules = vec!["reset".to_owned(), "on".to_owned()];
    rules.extend(passwords.iter().map(|hash| format!("#{hash}")));
    // Named because a Redis may be told to give every new user all channels.
    rules.push("resetchannels".to_owned());
    rules.push(format!("~{{{server}}}:*"));
    rules.push(format!("&{{{server}}}:*"));
    rules.extend(RedisBus::COMMANDS.split_whitespace().map(str::to_owned));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(known: &[&str], new: &str) -> Vec<String> {
        let known: Vec<String> = known.iter().map(|&text| text.to_owned()).collect();
        passwords_after(&known, new.to_owned())
    }

    #[test]
    fn former_password_stays_for_one_change_and_no_longer() {
        assert_eq!(after(&[], "a"), ["a"]);
        assert_eq!(after(&["a"], "b"), ["a", "b"]);
        assert_eq!(after(&["a", "b"], "c"), ["b", "c"]);
    }

    #[test]
    fn password_that_is_set_twice_throws_out_nobody() {
        assert_eq!(after(&["a", "b"], "b"), ["a", "b"]);
        assert_eq!(after(&["a"], "a"), ["a"]);
    }

    #[test]
    fn password_that_comes_back_is_the_newest_again() {
        assert_eq!(after(&["a", "b"], "a"), ["b", "a"]);
        assert_eq!(after(&["b", "a"], "c"), ["a", "c"]);
    }

    #[test]
    fn passwords_are_told_as_redis_keeps_them() {
        let known = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        assert_eq!(hash("foo"), known);
    }
}
