//! The node's figures for Prometheus: `gryt_sfu_<noun>_<unit>[_total]`, summed over the workers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gryt_media::{Counters, Discard};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::roster::Roster;

/// One worker's totals. Its thread writes them after each turn, a scrape reads them.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    received_datagrams: AtomicU64,
    received_bytes: AtomicU64,
    sent_datagrams: AtomicU64,
    sent_bytes: AtomicU64,
    received_audio_packets: AtomicU64,
    forwarded_audio_packets: AtomicU64,
    answered_probes: AtomicU64,
    connected_peers: AtomicU64,
    discarded: [AtomicU64; Discard::ALL.len()],
    unsent_datagrams: AtomicU64,
    receive_queue_drops: AtomicU64,
}

impl Totals {
    /// Takes over what the node counted.
    pub(crate) fn record(&self, counters: &Counters) {
        let set = |total: &AtomicU64, value| total.store(value, Ordering::Relaxed);
        set(&self.received_datagrams, counters.received_datagrams);
        set(&self.received_bytes, counters.received_bytes);
        set(&self.sent_datagrams, counters.sent_datagrams);
        set(&self.sent_bytes, counters.sent_bytes);
        set(
            &self.received_audio_packets,
            counters.received_audio_packets,
        );
        set(
            &self.forwarded_audio_packets,
            counters.forwarded_audio_packets,
        );
        set(&self.answered_probes, counters.answered_probes);
        set(&self.connected_peers, counters.connected_peers);
        for (total, reason) in self.discarded.iter().zip(Discard::ALL) {
            set(total, counters.discarded(reason));
        }
    }

    /// The socket did not take a datagram.
    pub(crate) fn unsent(&self) {
        self.unsent_datagrams.fetch_add(1, Ordering::Relaxed);
    }

    /// What the kernel dropped so far because the socket's queue was full.
    pub(crate) fn record_receive_queue_drops(&self, drops: u64) {
        self.receive_queue_drops.store(drops, Ordering::Relaxed);
    }
}

/// Reads everything at each scrape.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) workers: Vec<Arc<Totals>>,
    pub(crate) places: u64,
    pub(crate) roster: Arc<Roster>,
}

impl Figures {
    fn sum(&self, of: impl Fn(&Totals) -> &AtomicU64) -> u64 {
        self.workers
            .iter()
            .map(|totals| of(totals).load(Ordering::Relaxed))
            .sum()
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let census = self.roster.census();
        let counters: [(&str, &str, u64); 11] = [
            (
                "gryt_sfu_received_datagrams",
                "Datagrams received",
                self.sum(|t| &t.received_datagrams),
            ),
            (
                "gryt_sfu_received_bytes",
                "Bytes of datagrams received",
                self.sum(|t| &t.received_bytes),
            ),
            (
                "gryt_sfu_sent_datagrams",
                "Datagrams queued for sending",
                self.sum(|t| &t.sent_datagrams),
            ),
            (
                "gryt_sfu_sent_bytes",
                "Bytes of datagrams queued",
                self.sum(|t| &t.sent_bytes),
            ),
            (
                "gryt_sfu_unsent_datagrams",
                "Datagrams that the socket did not take",
                self.sum(|t| &t.unsent_datagrams),
            ),
            (
                "gryt_sfu_receive_queue_drops",
                "Datagrams that the kernel dropped because a socket's queue was full",
                self.sum(|t| &t.receive_queue_drops),
            ),
            (
                "gryt_sfu_received_audio_packets",
                "Packets of microphones with a valid tag",
                self.sum(|t| &t.received_audio_packets),
            ),
            (
                "gryt_sfu_forwarded_audio_packets",
                "Copies of microphone packets for listeners",
                self.sum(|t| &t.forwarded_audio_packets),
            ),
            (
                "gryt_sfu_answered_probes",
                "Probes answered",
                self.sum(|t| &t.answered_probes),
            ),
            (
                "gryt_sfu_connected_peers",
                "Handshakes that went through",
                self.sum(|t| &t.connected_peers),
            ),
            (
                "gryt_sfu_failed_handshakes",
                "Participants lost before they were connected",
                census.failed_handshakes,
            ),
        ];
        for (name, help, value) in counters {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }

        let mut metric = encoder.encode_descriptor(
            "gryt_sfu_discarded_packets",
            "Datagrams, packets and copies discarded, by reason",
            None,
            MetricType::Counter,
        )?;
        for (place, reason) in Discard::ALL.into_iter().enumerate() {
            let value = ConstCounter::new(self.sum(|t| &t.discarded[place]));
            value.encode(metric.encode_family(&[("reason", label(reason))])?)?;
        }

        let gauges: [(&str, &str, u64); 6] = [
            (
                "gryt_sfu_rooms",
                "Rooms with somebody in them",
                census.rooms as u64,
            ),
            (
                "gryt_sfu_participants",
                "Places taken",
                census.participants as u64,
            ),
            ("gryt_sfu_places", "Places over all workers", self.places),
            (
                "gryt_sfu_workers",
                "Worker threads",
                self.workers.len() as u64,
            ),
            (
                "gryt_sfu_draining",
                "1 while the node takes no new rooms because it is going away",
                census.draining.into(),
            ),
            (
                "gryt_sfu_watchers",
                "Signaling processes that watch",
                census.watchers as u64,
            ),
        ];
        for (name, help, value) in gauges {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        let metric = encoder.encode_descriptor(
            "gryt_sfu_ended_watches",
            "Watches that ended because nobody read them, or too slowly",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(census.ended_watches).encode(metric)
    }
}

/// A reason's name on the metric.
fn label(reason: Discard) -> &'static str {
    match reason {
        Discard::NotDemuxable => "not_demuxable",
        Discard::UnknownAddress => "unknown_address",
        Discard::BadStun => "bad_stun",
        Discard::UnknownUser => "unknown_user",
        Discard::BadIntegrity => "bad_integrity",
        Discard::ProbeRate => "probe_rate",
        Discard::NotConnected => "not_connected",
        Discard::BadRtp => "bad_rtp",
        Discard::BadRtcp => "bad_rtcp",
        Discard::NotAuthentic => "not_authentic",
        Discard::UnknownSsrc => "unknown_ssrc",
        Discard::UnknownPayload => "unknown_payload",
        Discard::NotAllowed => "not_allowed",
        Discard::Silence => "silence",
        Discard::NotAudible => "not_audible",
        Discard::NoSlot => "no_slot",
        Discard::OutputFull => "output_full",
        Discard::KeyExhausted => "key_exhausted",
        Discard::Replayed => "replayed",
        Discard::Late => "late",
        Discard::Withheld => "withheld",
        Discard::EventsFull => "events_full",
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_scrape_sums_the_workers() {
        let workers = vec![Arc::new(Totals::default()), Arc::new(Totals::default())];
        workers[0].unsent();
        workers[1].unsent();
        workers[1].record_receive_queue_drops(7);
        let mut registry = Registry::default();
        let roster = Arc::new(Roster::new(gryt_model::NodeId::from_random([0; 16]), 2));
        roster.drain();
        let places = 1_000;
        registry.register_collector(Box::new(Figures {
            workers,
            places,
            roster,
        }));

        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        for line in [
            "gryt_sfu_unsent_datagrams_total 2",
            "gryt_sfu_receive_queue_drops_total 7",
            "gryt_sfu_discarded_packets_total{reason=\"not_allowed\"} 0",
            "gryt_sfu_participants 0",
            "gryt_sfu_places 1000",
            "gryt_sfu_workers 2",
            "gryt_sfu_draining 1",
            "gryt_sfu_watchers 0",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "no \"{line}\" in\n{page}"
            );
        }
    }
}
