// Makes invite links, and shows those that are good.

import { Check, Copy } from "lucide-react";
import { useCallback, useEffect, useId, useRef, useState } from "react";
import type { Invite } from "#proto/model";
import { explainRefusal, type Outcome, type ServerLink, useServerState } from "#socket";
import { Button, Dialog, Select } from "#ui";
import { endsIn, usesLeft } from "./inviteWords.ts";

const lives = [
  { value: "3600", label: "1 hour" },
  { value: "86400", label: "1 day" },
  { value: "604800", label: "7 days" },
  { value: "2592000", label: "30 days" },
] as const;

const people = [
  { value: "1", label: "1 person" },
  { value: "5", label: "5 people" },
  { value: "25", label: "25 people" },
  { value: "100", label: "100 people" },
] as const;

export function InviteDialog(props: { link: ServerLink; open: boolean; onClose: () => void }) {
  return (
    <Dialog
      title="Invite people"
      text="Whoever opens the link can make an account on this server."
      open={props.open}
      onClose={props.onClose}
    >
      <InviteForm link={props.link} onClose={props.onClose} />
    </Dialog>
  );
}

function problemOf(outcome: Outcome): string | undefined {
  if (outcome.case === "refusal") return explainRefusal(outcome.value);
  if (outcome.case === "lost") return "The connection was lost. Try again.";
  return undefined;
}

function InviteForm(props: { link: ServerLink; onClose: () => void }) {
  const { link } = props;
  const { invites, problem: listProblem, reload } = useInvites(link);
  const [life, setLife] = useState<(typeof lives)[number]["value"]>("604800");
  const [uses, setUses] = useState<(typeof people)[number]["value"]>("1");
  const [url, setUrl] = useState<string | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);

  const make = async () => {
    setBusy(true);
    const value = { lifetimeSeconds: Number(life), maxUses: Number(uses) };
    const outcome = await link.request({ case: "createInvite", value });
    setBusy(false);
    setProblem(problemOf(outcome));
    if (outcome.case !== "createdInvite") return;
    setUrl(`${link.address}${outcome.value.path}`);
    await reload();
  };
  const revoke = async (inviteId: string) => {
    const outcome = await link.request({ case: "revokeInvite", value: { inviteId } });
    setProblem(problemOf(outcome));
    await reload();
  };

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void make();
      }}
    >
      <div className="invite-choices">
        <Select label="Good for" value={life} options={lives} onChange={setLife} />
        <Select label="People" value={uses} options={people} onChange={setUses} />
      </div>
      {url && <InviteLink key={url} url={url} />}
      {(problem ?? listProblem) && (
        <p role="alert" className="field-error">
          {problem ?? listProblem}
        </p>
      )}
      {invites.length > 0 && (
        <section aria-label="Open invites" className="invites">
          <h3 className="field-label">Open invites</h3>
          <ul>
            {invites.map((invite) => (
              <InviteRow key={invite.inviteId} link={link} invite={invite} onRevoke={revoke} />
            ))}
          </ul>
        </section>
      )}
      <div className="dialog-actions">
        <Button tone="plain" onClick={props.onClose}>
          Close
        </Button>
        <Button tone="accent" type="submit" disabled={busy}>
          {url ? "Create another link" : "Create link"}
        </Button>
      </div>
    </form>
  );
}

/** The link, shown once. */
function InviteLink(props: { url: string }) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [state, setState] = useState<"new" | "copied" | "selected">("new");
  const copy = async () => {
    input.current?.select();
    try {
      await navigator.clipboard.writeText(props.url);
      setState("copied");
    } catch {
      // Without encryption a page may not write to the clipboard: the person copies the selection.
      setState("selected");
    }
  };
  const notes = {
    new: "Shown only now: copy it before you close this.",
    copied: "Copied. It is shown only now.",
    selected: "Press Ctrl+C to copy it. It is shown only now.",
  };
  return (
    <div className="field">
      <label htmlFor={id}>Invite link</label>
      <div className="invite-link">
        <input
          ref={input}
          id={id}
          className="input"
          readOnly
          value={props.url}
          aria-describedby={`${id}-note`}
          onFocus={(event) => event.target.select()}
        />
        <Button onClick={() => void copy()}>
          {state === "copied" ? (
            <Check size={16} aria-hidden="true" />
          ) : (
            <Copy size={16} aria-hidden="true" />
          )}
          {state === "copied" ? "Copied" : "Copy"}
        </Button>
      </div>
      <p id={`${id}-note`} className="field-hint" role="status">
        {notes[state]}
      </p>
    </div>
  );
}

function InviteRow(props: {
  link: ServerLink;
  invite: Invite;
  onRevoke: (inviteId: string) => Promise<void>;
}) {
  const { invite } = props;
  const maker = useServerState(props.link, (s) => s.members.get(invite.memberId)?.name);
  const [busy, setBusy] = useState(false);
  const what = usesLeft(invite);
  return (
    <li>
      <span className="invite-text">
        <strong>{what}</strong>
        <span className="field-hint">
          {`${endsIn(invite, Date.now())}${maker ? ` · by ${maker}` : ""}`}
        </span>
      </span>
      <Button
        tone="plain"
        aria-label={`Revoke: ${what}`}
        disabled={busy}
        onClick={() => {
          setBusy(true);
          void props.onRevoke(invite.inviteId).finally(() => setBusy(false));
        }}
      >
        Revoke
      </Button>
    </li>
  );
}

function useInvites(link: ServerLink) {
  const [invites, setInvites] = useState<readonly Invite[]>([]);
  const [problem, setProblem] = useState<string | undefined>();
  const reload = useCallback(async () => {
    const outcome = await link.request({ case: "listInvites", value: {} });
    setProblem(problemOf(outcome));
    if (outcome.case === "inviteList") setInvites(outcome.value.invites);
  }, [link]);
  useEffect(() => void reload(), [reload]);
  return { invites, problem, reload };
}
