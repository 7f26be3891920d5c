// Gives components a server's call: what to show of it and what can be done.

import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { memberKey, settings } from "#settings";
import type { VoiceSession, VoiceStats } from "#socket";
import type { VoiceCall } from "../connection/voiceCall.ts";
import { joinOnly, voiceCallOf } from "../connection/voiceCalls.ts";
import type { VoiceLink } from "../signaling/voiceSignals.ts";

const STATS_INTERVAL_MS = 3_000;

/** The call of `link`'s server. It goes on when the component is gone; `leave` ends it. */
export function useSFU(link: VoiceLink): VoiceSession {
  const call = voiceCallOf(link);
  const snapshot = useSyncExternalStore(call.subscribe, call.snapshot);
  const stats = useStats(call, snapshot.state === "connected");
  const actions = useMemo(() => actionsOf(link, call), [link, call]);
  return useMemo(() => ({ ...snapshot, ...actions, stats }), [snapshot, actions, stats]);
}

function actionsOf(link: VoiceLink, call: VoiceCall) {
  return {
    join: async (channelId: string) => joinOnly(link, channelId),
    leave: async () => call.feed({ kind: "leave" }),
    setMuted: (muted: boolean) => call.feed({ kind: "setMuted", muted }),
    setDeafened: (deafened: boolean) => call.feed({ kind: "setDeafened", deafened }),
    setVolume: (memberId: string, volume: number) =>
      settings.update(({ memberVolumes }) => ({
        memberVolumes: { ...memberVolumes, [memberKey(link.address, memberId)]: volume },
      })),
  };
}

const NO_STATS: VoiceStats = {};

function useStats(call: VoiceCall, isConnected: boolean): VoiceStats {
  const [stats, setStats] = useState(NO_STATS);
  useEffect(() => {
    if (!isConnected) return;
    const read = () => {
      call
        .details()
        .then((details) => setStats(details ?? NO_STATS))
        .catch(() => undefined);
    };
    const timer = setInterval(read, STATS_INTERVAL_MS);
    return () => {
      clearInterval(timer);
      setStats(NO_STATS);
    };
  }, [call, isConnected]);
  return stats;
}
