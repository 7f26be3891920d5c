// Gives the connection panel the details of a server's peer connection.

import { useEffect, useState } from "react";
import type { ConnectionDetails } from "../connection/stats.ts";
import { voiceCallOf } from "../connection/voiceCalls.ts";
import type { VoiceLink } from "../signaling/voiceSignals.ts";

/** Read once a second while the component is shown; undefined without a connection. */
export function usePeerConnection(link: VoiceLink): ConnectionDetails | undefined {
  const [details, setDetails] = useState<ConnectionDetails>();
  useEffect(() => {
    const call = voiceCallOf(link);
    const read = () => {
      call
        .details()
        .then(setDetails)
        .catch(() => setDetails(undefined));
    };
    read();
    const timer = setInterval(read, 1_000);
    return () => clearInterval(timer);
  }, [link]);
  return details;
}
