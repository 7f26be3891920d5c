//! The part of presence that several processes share: what the others say, and what they do not know
//! of this one yet.

use std::collections::{BTreeMap, BTreeSet};

use gryt_model::MemberId;

use super::{Picture, PresenceChange};

/// Changes that wait to be written one by one at most. Where there are more, all is written anew.
pub(crate) const WRITTEN_AT_ONCE: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// The other processes by name.
    processes: BTreeMap<Box<str>, Process>,
    /// Whose presence here the other processes do not know yet.
    pub(super) unwritten: BTreeSet<MemberId>,
}

/// Who is online in another process.
#[derive(Debug, Default)]
struct Process {
    /// Rises by one with each of its changes.
    version: u64,
    members: BTreeSet<MemberId>,
}

impl Elsewhere {
    pub(super) fn has(&self, member: &MemberId) -> bool {
        let mut processes = self.processes.values();
        processes.any(|process| process.members.contains(member))
    }
}

impl Picture {
    /// Who is here, all of them, to be written anew. Earlier changes are in it.
    pub(crate) fn take_here(&mut self) -> Vec<MemberId> {
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.unwritten.clear();
        }
        self.here.iter().cloned().collect()
    }

    /// The changes here that wait to be written; `None` if there are too many.
    pub(crate) fn take_unwritten(&mut self) -> Option<Vec<PresenceChange>> {
        let unwritten = &mut self.elsewhere.as_mut()?.unwritten;
        if unwritten.len() > WRITTEN_AT_ONCE {
            return None;
        }
        let change = |member: MemberId| PresenceChange {
            online: self.here.contains(&member),
            member,
        };
        Some(std::mem::take(unwritten).into_iter().map(change).collect())
    }

    /// Up to which of its changes another process is known.
    pub(crate) fn version_of(&self, process: &str) -> Option<u64> {
        let processes = &self.elsewhere.as_ref()?.processes;
        processes.get(process).map(|process| process.version)
    }

    /// Takes over what another process changed; false if something before it is missing.
    pub(crate) fn follow(
        &mut self,
        process: &str,
        version: u64,
        changes: Vec<PresenceChange>,
    ) -> bool {
        let elsewhere = self.elsewhere.get_or_insert_default();
        let Some(process) = elsewhere.processes.get_mut(process) else {
            return false;
        };
        if version <= process.version {
            return true;
        }
        if version > process.version + 1 {
            return false;
        }
        process.version = version;
        for PresenceChange { member, online } in changes {
            if online {
                process.members.insert(member.clone());
            } else {
                process.members.remove(&member);
            }
            self.unsure.insert(member);
        }
        true
    }

    /// Takes over everything of another process.
    pub(crate) fn replace(&mut self, process: &str, version: u64, members: BTreeSet<MemberId>) {
        let processes = &mut self.elsewhere.get_or_insert_default().processes;
        let process = processes.entry(process.into()).or_default();
        process.version = version;
        let before = std::mem::replace(&mut process.members, members);
        let differ = before.symmetric_difference(&process.members);
        self.unsure.extend(differ.cloned());
    }

    /// Forgets the processes that are not to be kept, and gives back their names.
    pub(crate) fn keep(&mut self, mut is_kept: impl FnMut(&str) -> bool) -> Vec<Box<str>> {
        let processes = &mut self.elsewhere.get_or_insert_default().processes;
        let gone = processes.extract_if(.., |process, _| !is_kept(process));
        let mut names = Vec::new();
        for (name, process) in gone {
            self.unsure.extend(process.members);
            names.push(name);
        }
        names
    }
}
