// What stands in place of a server that is not there: signing in, connecting, stopped.

import { CircleSlash, KeyRound, RefreshCw, Unplug } from "lucide-react";
import { useState } from "react";
import {
  type Discovery,
  type DiscoveryFailure,
  type ServerLink,
  type SignedOutReason,
  type StopReason,
  useServerState,
} from "#socket";
import { Blank, Button, Loading } from "#ui";
import { RetryCountdown } from "./RetryCountdown.tsx";
import { useServerName } from "./ServerRail.tsx";
import { SignInChoices } from "./SignInChoices.tsx";

const endings: Partial<Record<SignedOutReason, string>> = {
  ended: "Your sign-in has ended. Sign in again to go on.",
  refused:
    "The server does not accept your sign-in. If it goes on after signing in again, tell whoever runs the server: its log says why.",
};

function whereTo({ issuers, byInvite }: Discovery): string {
  const [first, second] = issuers;
  if (second) return "Choose where you have an account. You come back here.";
  if (first && first.name !== "local") {
    return `You sign in at ${new URL(first.url).host}, and come back here.`;
  }
  return byInvite
    ? "With your account on this server. New people join by an invite link: ask somebody who is here for one."
    : "With your account on this server. You can make one on the next page.";
}

/** Per server: an account here belongs to one of this server's issuers. */
export function SignInScreen(props: { link: ServerLink }) {
  const { link } = props;
  const name = useServerName(link);
  const failure = useServerState(link, (s) => s.failure);
  const discovery = useServerState(link, (s) => s.discovery);
  const why = useServerState(link, ({ phase }) =>
    phase.kind === "signedOut" ? phase.why : "left",
  );
  const [problem, setProblem] = useState(false);
  return (
    <Blank
      level={1}
      icon={<KeyRound size={26} />}
      title={`Sign in to ${name}`}
      actions={<SignInChoices link={link} onProblem={setProblem} />}
    >
      {endings[why] && <p role="status">{endings[why]}</p>}
      {discovery && <p>{whereTo(discovery)}</p>}
      {(problem || failure) && (
        <p role="alert" className="field-error">
          The sign-in page does not answer. Try again in a moment.
        </p>
      )}
    </Blank>
  );
}

const stops: Record<StopReason, { title: string; text: string; reload: boolean }> = {
  clientTooOld: {
    title: "A newer version is here",
    text: "The server was updated while this page was open. Reload to go on where you were.",
    reload: true,
  },
  clientDefect: {
    title: "Something went wrong in this page",
    text: "The server could not read what this page sent. Reloading usually helps.",
    reload: true,
  },
  originForbidden: {
    title: "This address is not allowed",
    text: `The server does not accept clients from ${location.origin}. Open the server's own page, or ask its owner to allow this address.`,
    reload: false,
  },
  forbidden: {
    title: "You have no access",
    text: "The server knows you, and does not let you in. Ask its owner.",
    reload: false,
  },
};

export function StoppedScreen(props: { link: ServerLink; reason: StopReason }) {
  const { title, text, reload } = stops[props.reason];
  return (
    <Blank
      level={1}
      icon={reload ? <RefreshCw size={26} /> : <CircleSlash size={26} />}
      title={title}
      actions={
        reload ? (
          <Button tone="accent" onClick={() => location.reload()}>
            Reload
          </Button>
        ) : (
          <>
            <Button onClick={props.link.start}>Try again</Button>
            <Button tone="plain" onClick={() => void props.link.signOut()}>
              Sign out
            </Button>
          </>
        )
      }
    >
      <p>{text}</p>
    </Blank>
  );
}

const failures: Record<DiscoveryFailure, string> = {
  unreachable: "The server does not answer. It may be restarting, or you may be offline.",
  notGryt: "Something else than a Gryt server answers at this address.",
  originRefused: "The server does not accept this client's address.",
  insecure: "The browser blocks this server, because its address is not encrypted.",
};

const notConnected = "The connection does not come about.";
const issuerAway =
  "The sign-in service does not answer. Your sign-in is kept, and the page tries again by itself.";

/** Before the first welcome. */
export function ConnectingScreen(props: { link: ServerLink }) {
  const { link } = props;
  const name = useServerName(link);
  const phase = useServerState(link, (s) => s.phase);
  const failure = useServerState(link, (s) => s.failure);
  if (phase.kind !== "reconnecting") return <Loading label={`Connecting to ${name}…`} />;
  return (
    <Blank
      level={1}
      icon={<Unplug size={26} />}
      title={phase.issuerAway ? `Signing in to ${name} does not work` : `${name} is not reachable`}
      actions={<Button onClick={link.hurry}>Try now</Button>}
    >
      <p>{phase.issuerAway ? issuerAway : failure ? failures[failure] : notConnected}</p>
      <RetryCountdown atMs={phase.retryAtMs} />
    </Blank>
  );
}
