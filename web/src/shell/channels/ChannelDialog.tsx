// Makes, changes or deletes a channel.

import { useState } from "react";
import { type Channel, ChannelKind } from "#proto/model";
import { explainRefusal, type Outcome, type Request, type ServerLink } from "#socket";
import { Button, Confirm, Dialog, Slider, TextField } from "#ui";

const longestName = 64;

/** `subject`: the channel to change, the kind of a new one, or undefined: closed. */
export function ChannelDialog(props: {
  link: ServerLink;
  subject: Channel | ChannelKind | undefined;
  onMade: (channel: Channel) => void;
  onClose: () => void;
}) {
  const { link, subject, onClose } = props;
  const channel = typeof subject === "object" ? subject : undefined;
  const kind = typeof subject === "object" ? subject.kind : subject;
  const isVoice = kind === ChannelKind.VOICE;
  const newTitle = isVoice ? "New voice channel" : "New text channel";
  return (
    <Dialog
      title={channel ? `Edit ${channel.name}` : newTitle}
      open={subject !== undefined}
      onClose={onClose}
    >
      {kind !== undefined && (
        <ChannelForm
          key={channel?.channelId ?? kind}
          link={link}
          channel={channel}
          kind={kind}
          onMade={props.onMade}
          onClose={onClose}
        />
      )}
    </Dialog>
  );
}

function problemOf(outcome: Outcome): string | undefined {
  if (outcome.case === "refusal") return explainRefusal(outcome.value);
  if (outcome.case === "lost") return "The connection was lost. Try again.";
  return undefined;
}

function ChannelForm(props: {
  link: ServerLink;
  channel: Channel | undefined;
  kind: ChannelKind;
  onMade: (channel: Channel) => void;
  onClose: () => void;
}) {
  const { link, channel, kind, onClose } = props;
  const [name, setName] = useState(channel?.name ?? "");
  const [limit, setLimit] = useState(channel?.audibleLimit || 25);
  const [problem, setProblem] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const isVoice = kind === ChannelKind.VOICE;

  const send = async (request: Request) => {
    setBusy(true);
    const outcome = await link.request(request);
    const failure = problemOf(outcome);
    setBusy(false);
    setProblem(failure);
    if (failure !== undefined) return;
    onClose();
    if (request.case === "createChannel" && outcome.case === "channel") props.onMade(outcome.value);
  };
  const save = () => {
    if (!channel) return send({ case: "createChannel", value: { name: name.trim(), kind } });
    const { channelId } = channel;
    const value = { channelId, name: name.trim(), ...(isVoice ? { audibleLimit: limit } : {}) };
    return send({ case: "updateChannel", value });
  };
  const remove = () =>
    channel && void send({ case: "deleteChannel", value: { channelId: channel.channelId } });

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <TextField
        label="Name"
        value={name}
        maxLength={longestName}
        error={problem}
        onChange={(event) => setName(event.target.value)}
      />
      {channel && isVoice && (
        <div>
          <Slider
            label="Audible limit"
            value={limit}
            min={1}
            max={32}
            step={1}
            display={limit === 1 ? "1 voice" : `${limit} voices`}
            onChange={setLimit}
          />
          <p className="field-hint">
            Up to this many people are heard at once. Beyond it, the loudest are.
          </p>
        </div>
      )}
      <div className="dialog-actions">
        {channel && (
          <Button tone="plain" className="push-left" onClick={() => setDeleting(true)}>
            Delete channel
          </Button>
        )}
        <Button tone="plain" onClick={onClose}>
          Cancel
        </Button>
        <Button tone="accent" type="submit" disabled={busy || name.trim() === ""}>
          {channel ? "Save" : "Create"}
        </Button>
      </div>
      <Confirm
        title={`Delete ${channel?.name}?`}
        text={
          isVoice
            ? "Everyone in it is disconnected. This cannot be undone."
            : "All its messages are deleted with it. This cannot be undone."
        }
        action="Delete channel"
        open={deleting}
        onConfirm={remove}
        onClose={() => setDeleting(false)}
      />
    </form>
  );
}
