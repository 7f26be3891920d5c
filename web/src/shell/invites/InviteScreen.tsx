// What an invite link leads to: an account on this server, or why there is none to be had.

import { MailOpen, MailX } from "lucide-react";
import { useEffect, useState } from "react";
import { checkInvite, type InviteAnswer, type ServerLink, useServerState } from "#socket";
import { Blank, Button, Loading } from "#ui";
import { useServerName } from "../servers/ServerRail.tsx";
import { SignInChoices } from "../servers/SignInChoices.tsx";

/** `none`: all accounts of the server are elsewhere. */
type Bad = Exclude<InviteAnswer, "good"> | "none";

const ask = "Ask whoever invited you for a new link.";

const refusals: Record<Bad, { title: string; text: string }> = {
  unknown: {
    title: "This invite does not work",
    text: `Its link may have been cut when it was copied. ${ask}`,
  },
  expired: { title: "This invite has run out", text: `Its time is over. ${ask}` },
  used: {
    title: "This invite is used up",
    text: `As many people as it was meant for have joined with it. ${ask}`,
  },
  revoked: {
    title: "This invite was taken back",
    text: `Somebody who runs this server ended it. ${ask}`,
  },
  none: {
    title: "This server needs no invites",
    text: "Its people have accounts elsewhere. Sign in with yours.",
  },
  slow: {
    title: "Too many invites were tried",
    text: "Wait a minute and open the link again.",
  },
  unreachable: {
    title: "The server does not answer",
    text: "It may be restarting, or you may be offline. The invite is as good as before.",
  },
};

export function InviteScreen(props: { link: ServerLink; token: string; onDone: () => void }) {
  const { link, token } = props;
  const name = useServerName(link);
  const phase = useServerState(link, (s) => s.phase.kind);
  const me = useServerState(link, (s) => s.me);
  const { answer, own, retry } = useAnswer(link, token);
  const [problem, setProblem] = useState(false);

  const leave = async (prompt: "create" | "login") => {
    const issuer = own && { issuer: own.name };
    setProblem((await link.signIn({ ...issuer, prompt, invite: token })) !== undefined);
  };
  const alert = problem && (
    <p role="alert" className="field-error">
      The sign-in page does not answer. Try again in a moment.
    </p>
  );
  const signIn = own ? (
    <Button onClick={() => void leave("login")}>I have an account</Button>
  ) : (
    <SignInChoices link={link} onProblem={setProblem} />
  );

  if (phase === "connected" && me) {
    return (
      <Blank
        level={1}
        icon={<MailOpen size={26} />}
        title={`You are in ${name} already`}
        actions={
          <Button tone="accent" onClick={props.onDone}>
            Open {name}
          </Button>
        }
      >
        <p>{`You are signed in as ${me.name}, so you need no invite.`}</p>
      </Blank>
    );
  }
  if (answer === undefined) return <Loading label="Reading the invite…" />;
  if (answer !== "good") {
    const { title, text } = refusals[answer];
    return (
      <Blank
        level={1}
        icon={<MailX size={26} />}
        title={title}
        actions={answer === "unreachable" ? <Button onClick={retry}>Try again</Button> : signIn}
      >
        <p>{text}</p>
        {alert}
      </Blank>
    );
  }
  return (
    <Blank
      level={1}
      icon={<MailOpen size={26} />}
      title={`You are invited to ${name}`}
      actions={
        <>
          <Button tone="accent" onClick={() => void leave("create")}>
            Create an account
          </Button>
          {signIn}
        </>
      }
    >
      <p>{`At ${new URL(link.address).host}. With an account you can talk and write with the people there.`}</p>
      {alert}
    </Blank>
  );
}

function useAnswer(link: ServerLink, token: string) {
  const issuers = useServerState(link, (s) => s.discovery?.issuers);
  // Invites are for accounts of the server's own.
  const own = issuers?.find(({ name }) => name === "local");
  const issuer = own?.url;
  const failed = useServerState(link, (s) => s.failure !== undefined);
  const [answer, setAnswer] = useState<InviteAnswer | undefined>();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt asks again
  useEffect(() => {
    let current = true;
    setAnswer(undefined);
    if (issuer) void checkInvite(issuer, token).then((a) => current && setAnswer(a));
    return () => {
      current = false;
    };
  }, [issuer, token, attempt]);
  const retry = () => {
    link.hurry();
    setAttempt((n) => n + 1);
  };
  if (issuers !== undefined && own === undefined) return { answer: "none", own, retry } as const;
  return { answer: issuers === undefined && failed ? "unreachable" : answer, own, retry } as const;
}
