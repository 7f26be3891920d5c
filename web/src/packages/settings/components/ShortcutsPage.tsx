// The keyboard, written down.

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const ctrl = isMac ? "⌘" : "Ctrl";

const shortcuts: readonly { keys: readonly string[]; does: string }[] = [
  { keys: [ctrl, "Shift", "M"], does: "Mute or unmute the microphone" },
  { keys: [ctrl, "Shift", "D"], does: "Deafen or undeafen" },
  { keys: [ctrl, "Shift", "H"], does: "Leave the voice channel" },
  { keys: ["Alt", "↑ / ↓"], does: "Previous or next channel" },
  { keys: [ctrl, "Alt", "↑ / ↓"], does: "Previous or next server" },
  { keys: [ctrl, ","], does: "Open the settings" },
  { keys: ["Enter"], does: "Send the message" },
  { keys: ["Shift", "Enter"], does: "New line in the message" },
  { keys: ["↑"], does: "In an empty message: edit the last own one" },
  { keys: ["↑ / ↓"], does: "In the message list: from message to message" },
  { keys: ["Shift", "F10"], does: "On a person: the menu with volume and moderation" },
  { keys: ["Esc"], does: "Close a dialog or a menu, cancel an edit" },
];

export function ShortcutsPage() {
  return (
    <dl className="shortcuts">
      {shortcuts.map(({ keys, does }) => (
        <div key={does}>
          <dt>{does}</dt>
          <dd>
            {keys.map((key) => (
              <kbd key={key} className="kbd">
                {key}
              </kbd>
            ))}
          </dd>
        </div>
      ))}
    </dl>
  );
}
