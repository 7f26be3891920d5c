// One upload from begin to end, part by part. What breaks off is tried again and goes on where it
// stopped. Talks to the server and the storage by `Doors` only.

/** A request that the server signed for us. */
export interface SignedPart {
  readonly part: number;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** A file of a message, as REST writes it. */
export interface StoredFile {
  readonly file_id: string;
  readonly name: string;
  readonly content_type: string;
  readonly size_bytes: number;
  readonly width: number | null;
  readonly height: number | null;
}

/** An answer, or why there is none. `lost`: trying again makes sense. */
export type Reply<T> =
  | { kind: "answer"; value: T }
  | { kind: "refused"; message: string }
  | { kind: "lost" };

export interface Doors {
  begin(file: File): Promise<Reply<{ upload: string; parts: number; part_bytes: number }>>;
  sign(upload: string, part: number, sha256: string): Promise<Reply<SignedPart>>;
  /** `tellSent`: how many bytes of the body are on their way. */
  put(
    part: SignedPart,
    body: Blob,
    tellSent: (bytes: number) => void,
  ): Promise<"taken" | "refused" | "lost">;
  arrived(upload: string): Promise<Reply<readonly number[]>>;
  complete(
    upload: string,
    sha256: readonly string[],
  ): Promise<Reply<{ ticket: string; attachment: StoredFile }>>;
  abort(upload: string): Promise<void>;
  /** The SHA-256 in base64. */
  digest(part: Blob): Promise<string>;
  pause(ms: number): Promise<void>;
}

export type TransferEnd =
  | { kind: "done"; ticket: string; file: StoredFile }
  | { kind: "failed"; message: string }
  | { kind: "canceled" };

/** About six minutes, with the pauses below. */
const mostTries = 30;
const longestPauseMs = 15_000;
const lostMessage = "The connection was lost for too long.";

class Ended extends Error {
  readonly end: TransferEnd;
  constructor(end: TransferEnd) {
    super("transfer ended");
    this.end = end;
  }
}

/** Uploads `file`. `tellSent`: how many bytes of it are there or on their way. Never rejects. */
export async function transfer(
  doors: Doors,
  file: File,
  tellSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<TransferEnd> {
  let upload: string | undefined;
  const goOn = () => {
    if (signal.aborted) throw new Ended({ kind: "canceled" });
  };
  /** Asks until there is an answer. */
  const insist = async <T>(ask: () => Promise<Reply<T>>): Promise<T> => {
    for (let tries = 0; tries < mostTries; tries += 1) {
      goOn();
      const reply = await ask();
      if (reply.kind === "answer") return reply.value;
      if (reply.kind === "refused") throw new Ended({ kind: "failed", message: reply.message });
      await doors.pause(Math.min(longestPauseMs, 500 * 2 ** tries));
    }
    throw new Ended({ kind: "failed", message: lostMessage });
  };

  try {
    const begun = await insist(() => doors.begin(file));
    upload = begun.upload;
    const digests: string[] = [];
    for (let part = 1; part <= begun.parts; part += 1) {
      const start = (part - 1) * begun.part_bytes;
      const body = file.slice(start, start + begun.part_bytes);
      const sha256 = await doors.digest(body);
      digests.push(sha256);
      await insist(() =>
        sendPart(doors, begun.upload, { part, sha256, body }, (n) => tellSent(start + n)),
      );
      tellSent(start + body.size);
    }
    goOn();
    const { ticket, attachment } = await insist(() => doors.complete(begun.upload, digests));
    return { kind: "done", ticket, file: attachment };
  } catch (error) {
    if (upload !== undefined) void doors.abort(upload).catch(() => undefined);
    if (error instanceof Ended) return error.end;
    return { kind: "failed", message: "The file could not be read." };
  }
}

async function sendPart(
  doors: Doors,
  upload: string,
  { part, sha256, body }: { part: number; sha256: string; body: Blob },
  tellSent: (bytes: number) => void,
): Promise<Reply<undefined>> {
  const signed = await doors.sign(upload, part, sha256);
  if (signed.kind !== "answer") return signed;
  switch (await doors.put(signed.value, body, tellSent)) {
    case "taken":
      return { kind: "answer", value: undefined };
    case "refused":
      return { kind: "refused", message: "The file storage refused the file." };
    case "lost": {
      // Maybe only the answer was lost.
      const arrived = await doors.arrived(upload);
      if (arrived.kind === "answer" && arrived.value.includes(part)) {
        return { kind: "answer", value: undefined };
      }
      return { kind: "lost" };
    }
  }
}
