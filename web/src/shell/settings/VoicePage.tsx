// The settings of microphone and speakers.

import { MicrophoneMeter, type MicrophoneProblem, useAudioDevices, useMicrophone } from "#audio";
import { type AudioSettings, settings, useSettings } from "#settings";
import { Button, Notice, Select, Slider, Switch } from "#ui";

function change(part: Partial<AudioSettings>): void {
  settings.update(({ audio }) => ({ audio: { ...audio, ...part } }));
}

const problems: Record<MicrophoneProblem, string> = {
  denied: "The browser does not let this page use the microphone. Allow it beside the address.",
  missing: "There is no microphone. You can still listen.",
  busy: "Another program holds the microphone. Close it and try again.",
  insecure: "Browsers give the microphone only to https pages and to localhost.",
  unplugged: "The microphone was unplugged.",
  unsupported: "This browser cannot record sound.",
  unknown: "The microphone could not be opened.",
};

function percent(volume: number): string {
  return `${Math.round(volume * 100)} %`;
}

export function VoicePage() {
  const audio = useSettings((s) => s.audio);
  const { state, retry } = useMicrophone(audio, true);
  const devices = useAudioDevices(audio);
  const system = { value: "", label: "As the system" };
  const options = (list: readonly { deviceId: string; label: string }[]) => [
    system,
    ...list.map(({ deviceId, label }) => ({ value: deviceId, label })),
  ];
  return (
    <>
      <h3>Microphone</h3>
      {state.status === "failed" && (
        <Notice tone="bad">
          {problems[state.problem]}
          <Button onClick={retry}>Try again</Button>
        </Notice>
      )}
      <Select
        label="Input device"
        value={audio.inputDeviceId}
        options={options(devices.inputs)}
        onChange={(inputDeviceId) => change({ inputDeviceId })}
      />
      {devices.inputMissing && (
        <p className="field-hint">
          The chosen device is not there. The system's is used meanwhile.
        </p>
      )}
      <div className="field">
        <MicrophoneMeter thresholdDb={audio.gateEnabled ? audio.gateThresholdDb : -100} />
        <p className="field-hint">Speak: what reaches beyond the mark is sent.</p>
      </div>
      <Slider
        label="Input volume"
        value={audio.inputVolume}
        min={0}
        max={2}
        step={0.05}
        display={percent(audio.inputVolume)}
        onChange={(inputVolume) => change({ inputVolume })}
      />
      <Switch
        label="Noise gate"
        hint="Sends nothing while you are silent."
        checked={audio.gateEnabled}
        onChange={(gateEnabled) => change({ gateEnabled })}
      />
      <Slider
        label="Gate threshold"
        value={audio.gateThresholdDb}
        min={-100}
        max={0}
        step={1}
        display={`${audio.gateThresholdDb} dB`}
        disabled={!audio.gateEnabled}
        onChange={(gateThresholdDb) => change({ gateThresholdDb })}
      />
      <Switch
        label="Noise suppression"
        hint="Takes fans and keyboards out of your voice."
        checked={audio.noiseSuppression}
        onChange={(noiseSuppression) => change({ noiseSuppression })}
      />
      <Switch
        label="Echo cancellation"
        hint="Leave it on unless you wear headphones."
        checked={audio.echoCancellation}
        onChange={(echoCancellation) => change({ echoCancellation })}
      />
      <Switch
        label="Automatic gain"
        hint="Keeps your loudness even."
        checked={audio.autoGain}
        onChange={(autoGain) => change({ autoGain })}
      />
      <h3>Speakers</h3>
      {devices.canChooseOutput ? (
        <Select
          label="Output device"
          value={audio.outputDeviceId}
          options={options(devices.outputs)}
          onChange={(outputDeviceId) => change({ outputDeviceId })}
        />
      ) : (
        <p className="field-hint">This browser plays on the system's output device.</p>
      )}
      <Slider
        label="Output volume"
        value={audio.outputVolume}
        min={0}
        max={2}
        step={0.05}
        display={percent(audio.outputVolume)}
        onChange={(outputVolume) => change({ outputVolume })}
      />
    </>
  );
}
