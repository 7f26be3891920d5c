// The ways to sign in to a server: a button for each issuer that it names.

import { useState } from "react";
import { type Issuer, type ServerLink, useServerState } from "#socket";
import { Button } from "#ui";

/** `onProblem`: told whether the issuer's page could not be opened. */
export function SignInChoices(props: { link: ServerLink; onProblem: (problem: boolean) => void }) {
  const { link, onProblem } = props;
  const issuers = useServerState(link, (s) => s.discovery?.issuers) ?? [];
  const [busy, setBusy] = useState(false);
  const signIn = async (issuer: Issuer | undefined) => {
    setBusy(true);
    onProblem((await link.signIn(issuer && { issuer: issuer.name })) !== undefined);
    setBusy(false);
  };
  if (issuers.length < 2) {
    return (
      <Button tone="accent" disabled={busy} onClick={() => void signIn(issuers[0])}>
        {busy ? "Opening…" : "Sign in"}
      </Button>
    );
  }
  return issuers.map((issuer, i) => (
    <Button
      key={issuer.name}
      {...(i === 0 && { tone: "accent" as const })}
      disabled={busy}
      onClick={() => void signIn(issuer)}
    >
      {issuer.name === "local" ? "Sign in with an account here" : `Sign in with ${issuer.label}`}
    </Button>
  ));
}
