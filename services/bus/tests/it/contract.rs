//! Which checks every adapter passes. A new adapter adds one line at the end.

macro_rules! bus_contract {
    ($adapter:ident, $open:expr, [$($check:ident),* $(,)?]) => {
        mod $adapter {
            $(#[tokio::test]
            async fn $check() {
                let fixture = $open;
                crate::events::$check(std::sync::Arc::clone(&fixture.bus)).await;
            })*
        }
    };
    ($adapter:ident, $open:expr) => {
        bus_contract!(
            $adapter,
            $open,
            [
                new_log_is_empty,
                ids_ascend_by_one,
                every_subscriber_gets_every_event_in_order,
                concurrent_publishers_are_delivered_in_the_order_of_ids,
                live_events_have_no_id_and_are_not_replayed,
                durable_event_published_first_arrives_before_a_later_live_one,
                replay_gives_what_follows_the_cursor_in_pieces,
                replay_keeps_every_audience,
                replay_from_another_epoch_or_from_the_future_asks_for_a_snapshot,
                lagging_subscriber_is_told_how_much_it_lost,
                subscribing_then_replaying_leaves_no_gap,
                text_of_a_deleted_message_is_not_replayed,
            ]
        );
    };
}

bus_contract!(local, crate::fixture::local());
