//! Invites: make, list, end. Where accounts are made elsewhere there are none.

use std::time::Duration;

use gryt_issuer::{Invite, Invites, MadeInvite, NewInvite};
use gryt_model::{InviteId, Member, Permission};
use gryt_proto::client::v1::Reason;

use super::Operations;
use super::members::require;
use crate::clock;
use crate::refusal::Refusal;

/// What an invite is to be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InviteDraft {
    pub(crate) life: Duration,
    pub(crate) max_uses: u32,
}

impl Operations {
    /// Whether there are invites here at all.
    pub(crate) fn has_invites(&self) -> bool {
        self.invites.is_some()
    }

    /// Makes an invite. Its token is told once.
    pub(crate) async fn create_invite(
        &self,
        actor: &Member,
        draft: InviteDraft,
    ) -> Result<MadeInvite, Refusal> {
        let invites = self.invites_for(actor)?;
        let InviteDraft { life, max_uses } = draft;
        let new = NewInvite {
            made_by: actor.id.clone(),
            life,
            max_uses,
        };
        let made = invites.create(new, clock::wall()).await.map_err(failed)?;
        let made = made.ok_or_else(|| {
            Refusal::new(
                Reason::TooManyInvites,
                "There are too many invites. Revoke one first.",
            )
        })?;
        tracing::info!(invite = %made.invite.id, member = %actor.id, "invite made");
        Ok(made)
    }

    /// Lists the good ones, the newest first.
    pub(crate) async fn invites(&self, actor: &Member) -> Result<Vec<Invite>, Refusal> {
        let invites = self.invites_for(actor)?;
        invites.list(clock::wall()).await.map_err(failed)
    }

    /// Ends an invite.
    pub(crate) async fn revoke_invite(&self, actor: &Member, id: &InviteId) -> Result<(), Refusal> {
        let invites = self.invites_for(actor)?;
        if invites.revoke(id, clock::wall()).await.map_err(failed)? {
            tracing::info!(invite = %id, member = %actor.id, "invite revoked");
            return Ok(());
        }
        Err(Refusal::new(
            Reason::UnknownInvite,
            "There is no such invite, or it is over.",
        ))
    }

    fn invites_for(&self, actor: &Member) -> Result<&Invites, Refusal> {
        require(actor, Permission::Invite)?;
        self.invites.as_ref().ok_or_else(|| {
            Refusal::new(
                Reason::NoInvites,
                "The accounts of this server are made elsewhere.",
            )
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn failed(error: gryt_issuer::DatabaseError) -> Refusal {
    Refusal::internal("use the invites", &error)
}
