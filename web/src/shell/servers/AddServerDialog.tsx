// Puts another server into the rail, by its address.

import { useState } from "react";
import { type DiscoveryFailure, discover, parseAddress, useSockets } from "#socket";
import { Button, Dialog, TextField } from "#ui";
import { selectServer } from "../navigation.ts";

const explanations: Record<DiscoveryFailure, string> = {
  unreachable: "Nothing answers at this address. Is it spelled right, and is the server running?",
  notGryt: "Something answers at this address, but it is not a Gryt server.",
  originRefused: `The server does not accept this client's address, ${location.origin}. Its owner can allow it with “--allow-origin ${location.origin}”.`,
  insecure:
    "This page is encrypted and the server is not, so the browser blocks it. Use the server's https address, or open that server's own page.",
};

export function AddServerDialog(props: { open: boolean; onClose: () => void }) {
  return (
    <Dialog
      title="Add a server"
      text="Ask whoever runs it for the address. It is the one you would open in a browser."
      open={props.open}
      onClose={props.onClose}
    >
      <AddServerForm onClose={props.onClose} />
    </Dialog>
  );
}

function AddServerForm(props: { onClose: () => void }) {
  const { links, add } = useSockets();
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);

  const submit = async () => {
    const address = parseAddress(text);
    if (!address) {
      setProblem("This is not an address. One looks like chat.example.org or 192.168.1.20:8080.");
      return;
    }
    if (!links.some((link) => link.address === address)) {
      setBusy(true);
      const result = await discover(address, location);
      setBusy(false);
      if (result.kind === "failed") {
        setProblem(explanations[result.failure]);
        return;
      }
      add({ address, name: result.discovery.name });
    }
    selectServer(address);
    props.onClose();
  };

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <TextField
        label="Address"
        placeholder="chat.example.org"
        value={text}
        error={problem}
        autoComplete="url"
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => {
          setText(event.target.value);
          setProblem(undefined);
        }}
      />
      <div className="dialog-actions">
        <Button tone="plain" onClick={props.onClose}>
          Cancel
        </Button>
        <Button tone="accent" type="submit" disabled={busy || text.trim() === ""}>
          {busy ? "Looking…" : "Add server"}
        </Button>
      </div>
    </form>
  );
}
