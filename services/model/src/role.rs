//! Roles and what they permit.

/// What a member is on a server. Declared from the lowest to the highest, so that order is rank:
/// one acts only on members of a lower role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads and listens.
    Guest,
    /// Writes and talks.
    Member,
    /// Keeps order.
    Moderator,
    /// Shapes the server.
    Admin,
    /// Everything. The first account.
    Owner,
}

/// One thing a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Read messages and see members.
    Read,
    /// Send, edit and delete own messages.
    Send,
    /// Send files with messages.
    Attach,
    /// Join rooms and listen.
    Listen,
    /// Be heard in rooms.
    Speak,
    /// Delete others' messages.
    ManageMessages,
    /// Silence members of a lower role.
    MuteMembers,
    /// Make, see and end invites.
    Invite,
    /// Create, change and delete channels.
    ManageChannels,
}

impl Role {
    /// Whether this role may do it.
    #[must_use]
    pub fn permits(self, permission: Permission) -> bool {
        let lowest = match permission {
            Permission::Read | Permission::Listen => Self::Guest,
            Permission::Send | Permission::Attach | Permission::Speak => Self::Member,
            Permission::ManageMessages | Permission::MuteMembers | Permission::Invite => {
                Self::Moderator
            }
            Permission::ManageChannels => Self::Admin,
        };
        self >= lowest
    }
}
