//! The contract of `Members`.

use std::sync::Arc;

use gryt_model::{Role, UserId};
use gryt_store::Store;
use tokio::task::JoinSet;

use crate::fixture::{member, sign_ann_in, user};

pub(crate) async fn first_member_is_owner_and_others_are_not(store: Arc<dyn Store>) {
    let ann = store
        .sign_in(&user("ann"), "Ann".parse().unwrap(), member(1))
        .await
        .unwrap();
    let bob = store
        .sign_in(&user("bob"), "Bob".parse().unwrap(), member(2))
        .await
        .unwrap();

    assert!(ann.created && bob.created);
    assert_eq!(ann.member.role, Role::Owner);
    assert_eq!(bob.member.role, Role::Member);
    assert_eq!(store.members().await.unwrap(), [ann.member, bob.member]);
}

pub(crate) async fn signing_in_again_finds_the_same_member(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let again = store
        .sign_in(&user("ann"), "Ann".parse().unwrap(), member(9))
        .await
        .unwrap();

    assert_eq!(again.member.id, member(1));
    assert!(!again.created && !again.renamed);
}

pub(crate) async fn changed_name_replaces_the_old_one(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let renamed = store
        .sign_in(&user("ann"), "Anna".parse().unwrap(), member(9))
        .await
        .unwrap();

    assert!(renamed.renamed && !renamed.created);
    assert_eq!(renamed.member.name.as_str(), "Anna");
    let found = store.member(&member(1)).await.unwrap();
    assert_eq!(found, Some(renamed.member));
}

pub(crate) async fn same_subject_of_another_issuer_is_someone_else(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let elsewhere = UserId {
        issuer: "elsewhere".into(),
        subject: "ann".into(),
    };
    let other = store
        .sign_in(&elsewhere, "Ann".parse().unwrap(), member(2))
        .await
        .unwrap();

    assert!(other.created);
    assert_eq!(other.member.id, member(2));
}

pub(crate) async fn concurrent_first_sign_ins_make_one_owner(store: Arc<dyn Store>) {
    let mut sign_ins = JoinSet::new();
    for number in 1..=50 {
        let store = Arc::clone(&store);
        sign_ins.spawn(async move {
            let user = user(&format!("user {number}"));
            let name = "Someone".parse().unwrap();
            store.sign_in(&user, name, member(number)).await.unwrap()
        });
    }
    let members = sign_ins.join_all().await;

    let owners = members.iter().filter(|m| m.member.role == Role::Owner);
    assert_eq!(owners.count(), 1);
}

pub(crate) async fn muted_member_stays_muted_until_it_ends(store: Arc<dyn Store>) {
    let ann = sign_ann_in(&*store).await;

    let muted = store.set_server_muted(&ann, true).await.unwrap().unwrap();
    assert!(muted.server_muted);
    let signed_in = store
        .sign_in(&user("ann"), "Ann".parse().unwrap(), member(9))
        .await
        .unwrap();
    assert!(signed_in.member.server_muted);

    let heard = store.set_server_muted(&ann, false).await.unwrap().unwrap();
    assert!(!heard.server_muted);
}

pub(crate) async fn unknown_member_is_none(store: Arc<dyn Store>) {
    assert_eq!(store.member(&member(5)).await.unwrap(), None);
    let muted = store.set_server_muted(&member(5), true).await.unwrap();
    assert_eq!(muted, None);
}
