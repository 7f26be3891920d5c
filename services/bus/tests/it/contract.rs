//! Which checks every adapter passes. A new adapter adds one line at the end; a check added to the
//! list is run by all of them.

macro_rules! every_check {
    ($run:ident, $($with:tt)*) => {
        $run! {
            [
                new_log_is_empty,
                ids_ascend_by_one,
                every_subscriber_gets_every_event_in_order,
                concurrent_publishers_are_delivered_in_the_order_of_ids,
                live_events_have_no_id_and_are_not_replayed,
                durable_and_live_events_of_one_publisher_keep_their_order,
                replay_gives_what_follows_the_cursor_in_pieces,
                replay_keeps_every_audience,
                replay_from_another_epoch_or_from_the_future_asks_for_a_snapshot,
                lagging_subscriber_is_told_how_much_it_lost,
                subscribing_then_replaying_leaves_no_gap,
                text_of_a_deleted_message_is_not_replayed,
                texts_of_a_deleted_channel_are_not_replayed,
                log_keeps_its_newest_events_and_says_what_it_trimmed,
            ]
            $($with)*
        }
    };
}

/// One test for each check, each with a bus of its own.
macro_rules! a_bus_each {
    ([$($check:ident),* $(,)?] $adapter:ident, $open:expr) => {
        mod $adapter {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let fixture = $open;
                crate::events::$check(std::sync::Arc::clone(&fixture.bus)).await;
            })*
        }
    };
}

/// The same for back ends that have to be installed.
#[cfg(feature = "redis")]
macro_rules! a_back_end_each {
    ([$($check:ident),* $(,)?] $adapter:ident, $open:expr) => {
        mod $adapter {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs redis-server: cargo xtask test backends"]
            async fn $check() {
                let fixture = $open;
                crate::events::$check(std::sync::Arc::clone(&fixture.bus)).await;
            })*
        }
    };
}

/// All checks one after the other as servers of one deployment, which takes seconds to start.
#[cfg(feature = "redis")]
macro_rules! a_server_each {
    ([$($check:ident),* $(,)?] $adapter:ident, $start:expr, $open:path) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs redis-server: cargo xtask test backends"]
        async fn $adapter() {
            let deployment = $start;
            $(
                println!("{}", stringify!($check));
                crate::events::$check(std::sync::Arc::new($open(&deployment.url()).await)).await;
            )*
        }
    };
}

every_check!(a_bus_each, local, crate::fixture::local());

#[cfg(feature = "redis")]
every_check!(a_back_end_each, redis_single, crate::redis::single().await);
#[cfg(feature = "redis")]
every_check!(
    a_back_end_each,
    redis_behind_a_slow_network,
    crate::redis::slow().await
);
#[cfg(feature = "redis")]
every_check!(
    a_server_each,
    redis_with_sentinels_keeps_the_contract,
    gryt_backends::redis::Sentinels::start(),
    crate::redis::another_server
);
#[cfg(feature = "redis")]
every_check!(
    a_server_each,
    redis_cluster_keeps_the_contract,
    gryt_backends::redis::Cluster::start(),
    crate::redis::another_server
);
