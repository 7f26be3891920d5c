import { describe, expect, test } from "vitest";
import { deviceList, effectiveDevice, lacksMicrophone } from "./deviceChoice.ts";

const FOUND = [
  { deviceId: "default", kind: "audioinput", label: "Default - Headset" },
  { deviceId: "communications", kind: "audioinput", label: "Communications - Headset" },
  { deviceId: "usb", kind: "audioinput", label: "Headset" },
  { deviceId: "cam", kind: "videoinput", label: "Camera" },
  { deviceId: "hdmi", kind: "audiooutput", label: "" },
] as const;

describe("device lists", () => {
  test("leave out cameras and the browser's aliases", () => {
    expect(deviceList(FOUND)).toEqual({
      inputs: [{ deviceId: "usb", label: "Headset" }],
      outputs: [{ deviceId: "hdmi", label: "Speakers 1" }],
      labelled: true,
    });
  });

  test("are empty and unlabelled before the microphone was allowed", () => {
    const found = [{ deviceId: "", kind: "audioinput", label: "" }] as const;
    expect(deviceList(found)).toEqual({ inputs: [], outputs: [], labelled: false });
    expect(lacksMicrophone(found)).toBe(false);
    expect(lacksMicrophone([])).toBe(true);
  });

  test("a vanished choice falls back to the system's and comes back with the device", () => {
    const { inputs } = deviceList(FOUND);
    expect(effectiveDevice("usb", inputs)).toBe("usb");
    expect(effectiveDevice("usb", [])).toBe("");
    expect(effectiveDevice("", inputs)).toBe("");
  });
});
