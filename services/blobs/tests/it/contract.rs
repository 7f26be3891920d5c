//! Which checks every adapter passes. A new adapter adds one line at the end; a check added to the
//! list is run by all of them.

macro_rules! every_check {
    ($run:ident, $($with:tt)*) => {
        $run! {
            [
                uploads::upload_of_one_part_is_read_back,
                uploads::upload_of_several_parts_is_read_back,
                uploads::nothing_is_read_before_it_is_complete,
                uploads::part_of_another_size_is_refused,
                uploads::part_with_other_bytes_is_refused,
                uploads::signature_is_good_for_its_part_alone,
                uploads::expired_signature_writes_nothing,
                uploads::plan_has_no_further_parts,
                uploads::upload_is_resumed_with_the_parts_that_are_missing,
                uploads::part_that_was_announced_otherwise_is_not_completed,
                uploads::completing_twice_is_completing_once,
                uploads::nothing_is_written_after_completion,
                uploads::aborted_upload_leaves_nothing,
                uploads::old_uploads_are_ended_and_young_ones_are_not,
                blobs::link_says_how_the_file_is_shown,
                blobs::link_is_good_for_its_file_alone,
                blobs::expired_link_reads_nothing,
                blobs::unknown_file_is_none,
                blobs::beginning_of_a_file_is_read,
                blobs::written_blob_replaces_an_earlier_one,
                blobs::deleted_blob_is_gone_and_may_be_deleted_again,
                blobs::pages_list_every_blob_of_a_kind_once,
                blobs::servers_see_nothing_of_each_other,
                blobs::purge_leaves_nothing_of_one_server_and_all_of_the_other,
            ]
            $($with)*
        }
    };
}

/// One test for each check, each with storage of its own.
macro_rules! storage_each {
    ([$($area:ident::$check:ident),* $(,)?] $adapter:ident, $open:expr) => {
        mod $adapter {
            $(#[tokio::test]
            async fn $check() {
                crate::$area::$check($open).await;
            })*
        }
    };
}

/// All checks one after the other, as servers of one storage, which takes seconds to start.
#[cfg(feature = "s3")]
macro_rules! servers_each {
    ([$($area:ident::$check:ident),* $(,)?] $adapter:ident, $start:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs SeaweedFS: cargo xtask test backends"]
        async fn $adapter() {
            let storage = $start;
            storage.provision().await;
            $(
                println!("{}", stringify!($check));
                crate::$area::$check(storage.two_servers()).await;
            )*
        }
    };
}

every_check!(storage_each, folder, crate::fixture::folder());

#[cfg(feature = "s3")]
every_check!(
    servers_each,
    s3_keeps_the_contract,
    crate::s3::Storage::start()
);
#[cfg(feature = "s3")]
every_check!(
    servers_each,
    s3_behind_a_slow_network_keeps_the_contract,
    crate::s3::Storage::start_slow()
);
