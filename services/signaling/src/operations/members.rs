//! Members: sign in, list, mute.

use gryt_bus::Audience;
use gryt_model::{Member, MemberId, Permission};
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;

use super::{Operations, storage};
use crate::auth::Claims;
use crate::refusal::Refusal;
use crate::{convert, entropy};

impl Operations {
    /// The member that the token's person is here; made on first sight, and the first is owner.
    pub(crate) async fn sign_in(&self, claims: &Claims) -> Result<Member, Refusal> {
        let fresh = MemberId::from_random(entropy::bits());
        let signed_in = self
            .store
            .sign_in(&claims.user, claims.name.clone(), fresh)
            .await
            .map_err(storage)?;
        if !signed_in.created && !signed_in.renamed {
            return Ok(signed_in.member);
        }
        let id = signed_in.member.id;
        self.in_order(|this| async move {
            // As they are by now: since the sign-in they may have been muted.
            let member = this.member(&id).await?;
            this.tell_member(&member).await?;
            Ok(member)
        })
        .await
    }

    /// A member as stored, if there is such a member.
    pub(crate) async fn find_member(&self, id: &MemberId) -> Result<Option<Member>, Refusal> {
        self.store.member(id).await.map_err(storage)
    }

    /// A member as stored.
    pub(crate) async fn member(&self, id: &MemberId) -> Result<Member, Refusal> {
        self.find_member(id).await?.ok_or_else(unknown_member)
    }

    /// Lists everyone.
    pub(crate) async fn members(&self, actor: &Member) -> Result<Vec<Member>, Refusal> {
        require(actor, Permission::Read)?;
        self.store.members().await.map_err(storage)
    }

    /// Silences a member of a lower role in every room, or ends that.
    pub(crate) async fn mute_member(
        &self,
        actor: &Member,
        target: &MemberId,
        muted: bool,
    ) -> Result<Member, Refusal> {
        require(actor, Permission::MuteMembers)?;
        let target = self.member(target).await?;
        if target.role >= actor.role {
            return Err(Refusal::new(
                Reason::Forbidden,
                "Only members of a lower role can be muted.",
            ));
        }
        self.in_order(|this| async move {
            let changed = this.store.set_server_muted(&target.id, muted).await;
            let member = changed.map_err(storage)?.ok_or_else(unknown_member)?;
            this.tell_member(&member).await?;
            Ok(member)
        })
        .await
    }

    async fn tell_member(&self, member: &Member) -> Result<(), Refusal> {
        let event = Kind::MemberUpdated(convert::member(member));
        self.publish(event, Audience::Everyone).await
    }
}

/// Refuses what the member's role does not permit.
pub(super) fn require(actor: &Member, permission: Permission) -> Result<(), Refusal> {
    if actor.role.permits(permission) {
        return Ok(());
    }
    Err(gryt_chat::Refusal::Forbidden(permission).into())
}

fn unknown_member() -> Refusal {
    Refusal::new(Reason::UnknownMember, "There is no such member.")
}
