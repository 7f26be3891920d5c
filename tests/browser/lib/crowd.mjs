// Many people in one Chromium: a context each, and a microphone of the page's own that can be
// quiet or speak, since the fake device is one per process.

import { chromium } from "playwright-core";

import { CHROMIUM_FLAGS } from "./browsers.mjs";
import { installEar } from "./ear.mjs";
import { Person } from "./person.mjs";

/** Runs in the page. `window.microphone.speak(true)` is heard; without it there is silence. */
function installMicrophone() {
  let context;
  let voice;
  window.microphone = { speaks: false };
  window.microphone.speak = (speaks) => {
    window.microphone.speaks = speaks;
    if (voice) voice.gain.value = speaks ? 0.4 : 0;
  };
  if (!navigator.mediaDevices) return;
  navigator.mediaDevices.getUserMedia = async () => {
    context ??= new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 220 });
    voice = new GainNode(context, { gain: window.microphone.speaks ? 0.4 : 0 });
    const out = new MediaStreamAudioDestinationNode(context);
    tone.connect(voice).connect(out);
    tone.start();
    return out.stream;
  };
}

export class Crowd {
  static async open() {
    const browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      ignoreDefaultArgs: ["--headless"],
      args: CHROMIUM_FLAGS,
    });
    return new Crowd(browser);
  }

  constructor(browser) {
    this.browser = browser;
  }

  /** A page in a context of its own, not signed in. */
  async visitor(name, { viewport = { width: 1440, height: 900 }, colorScheme = "dark" } = {}) {
    const context = await this.browser.newContext({
      viewport,
      colorScheme,
      locale: "en-GB",
      permissions: ["microphone"],
      reducedMotion: "reduce",
    });
    await context.addInitScript(installEar);
    await context.addInitScript(installMicrophone);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    return new Person({ browser: this.browser, context, page }, name);
  }

  /** A person who has made an account and looks at the server. */
  async person(name, url, options) {
    const person = await this.visitor(name, options);
    await person.arrive(url);
    return person;
  }

  close() {
    return this.browser.close();
  }
}

/** Shows the page in the look: theme and width. */
export async function show(page, { theme, width }) {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.setViewportSize(width === 390 ? { width, height: 844 } : { width, height: 900 });
}

/** Lets the named person be heard, or not. */
export function speak(person, speaks = true) {
  return person.page.evaluate((on) => window.microphone.speak(on), speaks);
}
