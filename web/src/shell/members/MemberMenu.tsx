// What can be done with a person: volume on this device, and muting for those who may. Opens by
// click, right click, Enter and Shift+F10.

import { Mic, MicOff } from "lucide-react";
import { DropdownMenu, Slider as RadixSlider } from "radix-ui";
import { type KeyboardEvent, type ReactElement, useState } from "react";
import { memberKey, useSettings } from "#settings";
import {
  explainRefusal,
  outranks,
  permits,
  type ServerLink,
  useServerState,
  type VoiceSession,
} from "#socket";

export function MemberMenu(props: {
  link: ServerLink;
  voice: VoiceSession;
  memberId: string;
  children: ReactElement;
}) {
  const { link, voice, memberId } = props;
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState<string | undefined>();
  const me = useServerState(link, (s) => s.me);
  const member = useServerState(link, (s) => s.members.get(memberId));
  const isMe = me?.memberId === memberId;
  const mayMute = permits(me, "muteMembers") && outranks(me, member);

  const mute = async () => {
    const value = { memberId, muted: !member?.serverMuted };
    const outcome = await link.request({ case: "muteMember", value });
    setProblem(outcome.case === "refusal" ? explainRefusal(outcome.value) : undefined);
    if (outcome.case === "refusal") setOpen(true);
  };

  return (
    <DropdownMenu.Root open={open} onOpenChange={setOpen} modal={false}>
      <DropdownMenu.Trigger
        asChild
        onContextMenu={(event) => {
          event.preventDefault();
          setOpen(true);
        }}
      >
        {props.children}
      </DropdownMenu.Trigger>
      <DropdownMenu.Content className="menu" align="start" sideOffset={4} loop>
        <DropdownMenu.Label className="menu-label">
          {member?.name ?? "Unknown"}
          {isMe && " (you)"}
        </DropdownMenu.Label>
        {!isMe && <VolumeItem link={link} voice={voice} memberId={memberId} />}
        {mayMute && (
          <>
            <DropdownMenu.Separator className="menu-separator" />
            <DropdownMenu.Item
              className="menu-item"
              data-tone={member?.serverMuted ? undefined : "danger"}
              onSelect={() => void mute()}
            >
              {member?.serverMuted ? <Mic size={16} /> : <MicOff size={16} />}
              {member?.serverMuted ? "Unmute on this server" : "Mute on this server"}
            </DropdownMenu.Item>
          </>
        )}
        {problem && (
          <p className="menu-label field-error" role="alert">
            {problem}
          </p>
        )}
      </DropdownMenu.Content>
    </DropdownMenu.Root>
  );
}

const step = 0.05;

/** A menu item that is a slider: the left and right arrows move it. */
function VolumeItem(props: { link: ServerLink; voice: VoiceSession; memberId: string }) {
  const { link, voice, memberId } = props;
  const volume = useSettings((s) => s.memberVolumes[memberKey(link.address, memberId)] ?? 1);
  const percent = `${Math.round(volume * 100)} %`;
  const set = (next: number) => voice.setVolume(memberId, Math.min(2, Math.max(0, next)));
  const press = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    event.stopPropagation();
    set(volume + (event.key === "ArrowRight" ? step : -step));
  };
  return (
    <DropdownMenu.Item
      className="menu-slider"
      onSelect={(event) => event.preventDefault()}
      onKeyDown={press}
    >
      <span className="slider-head">
        <span>Volume for you</span>
        <output>{percent}</output>
      </span>
      <RadixSlider.Root
        className="slider"
        value={[volume]}
        min={0}
        max={2}
        step={step}
        onValueChange={([next]) => next !== undefined && set(next)}
      >
        <RadixSlider.Track className="slider-track">
          <RadixSlider.Range className="slider-range" />
        </RadixSlider.Track>
        <RadixSlider.Thumb
          className="slider-thumb"
          aria-label="Volume for you"
          aria-valuetext={percent}
          tabIndex={-1}
        />
      </RadixSlider.Root>
    </DropdownMenu.Item>
  );
}
