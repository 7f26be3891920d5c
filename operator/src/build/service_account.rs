//! ServiceAccounts: one per component, and none of them can speak to the API server.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata::{Of, child};
use crate::observed::Component;
use crate::valid::ValidServer;

pub(super) fn build(server: &ValidServer) -> Vec<ServiceAccount> {
    let names = [
        (server.name.signaling(), Component::Signaling),
        (server.name.sfu(), Component::Sfu),
    ];
    names
        .into_iter()
        .map(|(name, component)| ServiceAccount {
            metadata: child(server, name, Of::Component(component)),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        })
        .collect()
}
