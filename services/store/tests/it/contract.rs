//! Which checks every adapter passes. A new adapter adds one line at the end.

/// Makes one test of each check, with one more attribute, on a store that `$open` makes for it.
macro_rules! contract {
    ($adapter:ident, $attribute:tt, $open:expr, $($area:ident: [$($check:ident),* $(,)?]),* $(,)?) => {
        mod $adapter {
            $(mod $area {
                $(#[tokio::test]
                #$attribute
                async fn $check() {
                    let fixture = $open;
                    crate::$area::$check(std::sync::Arc::clone(&fixture.store)).await;
                })*
            })*
        }
    };
}

macro_rules! store_contract {
    ($adapter:ident, $attribute:tt, $open:expr) => {
        contract!(
            $adapter,
            $attribute,
            $open,
            members: [
                first_member_is_owner_and_others_are_not,
                signing_in_again_finds_the_same_member,
                changed_name_replaces_the_old_one,
                same_subject_of_another_issuer_is_someone_else,
                concurrent_first_sign_ins_make_one_owner,
                muted_member_stays_muted_until_it_ends,
                unknown_member_is_none,
            ],
            channels: [
                first_open_brings_its_channels_in_order,
                new_channel_goes_to_the_end,
                same_channel_twice_is_one,
                update_changes_only_what_it_names,
                deleted_channel_takes_its_messages_along,
                unknown_channel_is_none,
            ],
            messages: [
                appended_message_is_found_as_it_was_answered,
                same_nonce_twice_is_one_message,
                same_nonce_of_two_members_is_two_messages,
                nonce_with_another_text_is_refused,
                nonce_in_another_channel_is_refused,
                concurrent_appends_with_one_nonce_write_one_message,
                repeated_nonce_tells_of_an_edit,
                repeated_nonce_tells_of_a_deletion,
                nonce_is_remembered_for_48_hours_and_not_for_ever,
                append_to_an_unknown_channel_is_told,
                ids_rise_whatever_the_clock_does,
                ids_do_not_go_back_after_the_last_message_is_deleted,
                edit_replaces_text_and_keeps_the_rest,
                deleted_message_is_gone,
                message_of_another_channel_is_not_found,
                pages_go_back_to_the_first_message_without_gap,
                page_of_nothing_is_empty,
                page_before_any_number_is_the_newest,
                thousand_appends_at_once_are_all_there_in_one_order,
            ],
            files: [
                message_keeps_its_files,
                nonce_with_other_files_is_refused,
                file_is_in_use_while_a_message_has_it,
                file_of_two_messages_is_in_use_until_both_are_deleted,
                file_of_a_deleted_channel_is_not_in_use,
            ],
        );
    };
}

store_contract!(sqlite, [cfg(test)], crate::fixture::sqlite());
#[cfg(feature = "cql")]
store_contract!(
    cql_with_a_keyspace_per_server,
    [ignore = "needs Cassandra: cargo xtask test backends"],
    crate::fixture::cql(crate::cassandra::Home::new()).await
);
#[cfg(feature = "cql")]
store_contract!(
    cql_with_a_shared_keyspace,
    [ignore = "needs Cassandra: cargo xtask test backends"],
    crate::fixture::cql(crate::cassandra::Home::new_shared()).await
);
