import { describe, expect, test } from "vitest";
import { type Doors, type Reply, type SignedPart, type StoredFile, transfer } from "./transfer.ts";

const stored: StoredFile = {
  file_id: "f",
  name: "a.txt",
  content_type: "text/plain",
  size_bytes: 5,
  width: null,
  height: null,
};

/** A server that keeps parts of two bytes, and what went wrong with it. */
class Server implements Doors {
  readonly kept = new Map<number, string>();
  readonly aborted: string[] = [];
  readonly pauses: number[] = [];
  puts = 0;
  /** What becomes of the puts, in turn; later ones are taken. */
  fates: ("taken" | "refused" | "lost" | "answerLost")[] = [];
  completeReply: Reply<{ ticket: string; attachment: StoredFile }> = {
    kind: "answer",
    value: { ticket: "t", attachment: stored },
  };

  begin = async (file: File) => ({
    kind: "answer" as const,
    value: { upload: "u", parts: Math.ceil(file.size / 2), part_bytes: 2 },
  });
  sign = async (_: string, part: number, sha256: string): Promise<Reply<SignedPart>> => ({
    kind: "answer",
    value: { part, method: "PUT", url: sha256, headers: [] },
  });
  put = async (signed: SignedPart, body: Blob, tellSent: (bytes: number) => void) => {
    this.puts += 1;
    const fate = this.fates.shift() ?? "taken";
    tellSent(1);
    if (fate === "taken" || fate === "answerLost") this.kept.set(signed.part, await body.text());
    return fate === "answerLost" ? "lost" : fate;
  };
  arrived = async () => ({ kind: "answer" as const, value: [...this.kept.keys()] });
  complete = async () => this.completeReply;
  abort = async (upload: string) => {
    this.aborted.push(upload);
  };
  digest = async (part: Blob) => `digest of ${await part.text()}`;
  pause = async (ms: number) => {
    this.pauses.push(ms);
  };
}

const file = new File(["hello"], "a.txt");

async function run(server: Server, signal = new AbortController().signal) {
  const sent: number[] = [];
  const end = await transfer(server, file, (bytes) => sent.push(bytes), signal);
  return { end, sent };
}

describe("a transfer", () => {
  test("sends every part once and tells how far it is", async () => {
    const server = new Server();
    const { end, sent } = await run(server);
    expect(end).toEqual({ kind: "done", ticket: "t", file: stored });
    expect([...server.kept.values()]).toEqual(["he", "ll", "o"]);
    expect(sent).toEqual([1, 2, 3, 4, 5, 5]);
    expect(server.aborted).toEqual([]);
  });

  test("goes on where it broke off", async () => {
    const server = new Server();
    server.fates = ["taken", "lost", "lost", "taken"];
    const { end } = await run(server);
    expect(end.kind).toBe("done");
    expect(server.puts).toBe(5);
    expect(server.pauses).toEqual([500, 1_000]);
  });

  test("does not send a part again whose answer was lost", async () => {
    const server = new Server();
    server.fates = ["answerLost"];
    const { end } = await run(server);
    expect(end.kind).toBe("done");
    expect(server.puts).toBe(3);
  });

  test("gives up after many tries, and cleans up", async () => {
    const server = new Server();
    server.fates = Array.from({ length: 100 }, () => "lost" as const);
    const { end } = await run(server);
    expect(end).toEqual({ kind: "failed", message: "The connection was lost for too long." });
    expect(server.aborted).toEqual(["u"]);
    expect(Math.max(...server.pauses)).toBe(15_000);
  });

  test("says why the server refused", async () => {
    const server = new Server();
    server.completeReply = { kind: "refused", message: "Not a picture." };
    const { end } = await run(server);
    expect(end).toEqual({ kind: "failed", message: "Not a picture." });
    expect(server.aborted).toEqual(["u"]);
  });

  test("ends when it is canceled, and cleans up", async () => {
    const server = new Server();
    const controller = new AbortController();
    server.put = async () => {
      controller.abort();
      return "lost" as const;
    };
    const { end } = await run(server, controller.signal);
    expect(end).toEqual({ kind: "canceled" });
    expect(server.aborted).toEqual(["u"]);
  });
});
