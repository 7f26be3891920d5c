// Four people with a tone each and a listener, on Chromium and Firefox.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openChromium, openFirefox } from "./lib/browsers.mjs";
import { FirefoxPerson, Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { startSound } from "./lib/sound.mjs";
import { toneFile } from "./lib/tone.mjs";
import { median, until, untilHears } from "./lib/wait.mjs";

// Far apart, and no tone a multiple of another.
const TONES = { ada: 480, bob: 810, cai: 1270, fox: 1730 };
const ALL = Object.values(TONES);

let product;
let stopSound;
const people = {};

before(async () => {
  stopSound = await startSound();
  product = await startProduct({ port: 18080, mediaPort: 18081 });
  for (const name of ["ada", "bob", "cai"]) {
    people[name] = new Person(await openChromium({ wav: toneFile(TONES[name]) }), name);
    await people[name].arrive(product.url);
  }
  people.fox = new FirefoxPerson(await openFirefox({ hz: TONES.fox }), "fox");
  await people.fox.arrive(product.url);
}, { timeout: 240_000 });

after(async () => {
  await Promise.all(Object.values(people).map((person) => person.close()));
  await endProducts();
  stopSound?.();
});

test("each hears exactly the others' tones", { timeout: 120_000 }, async () => {
  for (const person of Object.values(people)) await person.joinVoice();
  for (const [name, person] of Object.entries(people)) {
    await untilHears(person, ALL, ALL.filter((hz) => hz !== TONES[name]));
  }
});

test("media is encrypted with AES-GCM", async () => {
  const cipher = await people.ada.page.evaluate(async () => {
    const connection = window.ear.connections.find((c) => c.connectionState === "connected");
    const stats = await connection.getStats();
    return [...stats.values()].find((entry) => entry.type === "transport").srtpCipher;
  });
  console.log(`srtpCipher: ${cipher}`);
  assert.match(cipher, /AES_(128|256)_GCM/);
});

test("a person without a microphone hears all", { timeout: 60_000 }, async () => {
  const opened = await openChromium();
  await opened.context.clearPermissions();
  await opened.context.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () =>
      Promise.reject(new DOMException("Requested device not found", "NotFoundError"));
  });
  const listener = new Person(opened, "lis");
  await listener.arrive(product.url);
  await listener.joinVoice();
  await untilHears(listener, ALL, ALL);
  await listener.page.getByText("You are listening without a microphone.").waitFor();
  await listener.close();
});

test("time from the click on the channel to the first audible sample", { timeout: 120_000 }, async () => {
  const times = [];
  for (let round = 0; round < 7; round++) {
    await people.cai.leaveVoice();
    await until("silence", () => people.cai.page.evaluate(() => window.ear.silentFor(300)), Boolean);
    const button = await people.cai.channel("Lounge").elementHandle();
    const heard = people.cai.page.evaluate((element) => window.ear.timeToAudible(element), button);
    await button.click();
    times.push(await heard);
    await people.cai.inVoice();
  }
  const rounded = times.map((ms) => Math.round(ms));
  console.log(`click to first audible sample: median ${Math.round(median(times))} ms of ${rounded.join(", ")}`);
  assert.ok(median(times) < 3_000, `median ${median(times)} ms`);
});

test("volume 0 for one person silences that person alone", { timeout: 60_000 }, async () => {
  const { ada } = people;
  await ada.openMenu("bob");
  const slider = ada.page.getByRole("menuitem", { name: /^Volume for you/ });
  await slider.focus();
  for (let step = 0; step < 20; step++) await slider.press("ArrowLeft");
  await untilHears(ada, ALL, [TONES.cai, TONES.fox]);
  for (let step = 0; step < 20; step++) await slider.press("ArrowRight");
  await untilHears(ada, ALL, [TONES.bob, TONES.cai, TONES.fox]);
  await ada.page.keyboard.press("Escape");
});

test("a closed noise gate sends nothing, an open one sends again", { timeout: 60_000 }, async () => {
  const { ada, bob } = people;
  const { page } = bob;
  await page.getByRole("button", { name: "Voice settings" }).first().click();
  const gate = page.getByRole("switch", { name: "Noise gate" });
  await gate.click();
  const threshold = page.getByRole("slider", { name: /^Gate threshold/ });
  await threshold.focus();
  await threshold.press("End");
  await untilHears(ada, ALL, [TONES.cai, TONES.fox]);
  await gate.click();
  await untilHears(ada, ALL, [TONES.bob, TONES.cai, TONES.fox]);
  await page.getByRole("button", { name: "Close settings" }).click();
});

test("a microphone is replaced in mid-call", { timeout: 60_000 }, async () => {
  const { ada, bob } = people;
  const other = 2_190;
  // The second device: the next getUserMedia answers with another tone.
  await bob.page.evaluate((hz) => {
    navigator.mediaDevices.getUserMedia = async () => {
      const context = new AudioContext();
      const tone = new OscillatorNode(context, { frequency: hz });
      const out = new MediaStreamAudioDestinationNode(context);
      tone.connect(new GainNode(context, { gain: 0.5 })).connect(out);
      tone.start();
      return out.stream;
    };
  }, other);
  await bob.page.getByRole("button", { name: "Voice settings" }).first().click();
  await bob.page.getByRole("switch", { name: "Echo cancellation" }).click();
  await untilHears(ada, [...ALL, other], [TONES.cai, TONES.fox, other]);
  await bob.page.getByRole("button", { name: "Close settings" }).click();
});

test("the owner mutes a person, and unmutes", { timeout: 60_000 }, async () => {
  const { ada } = people;
  const tones = [TONES.ada, TONES.cai, TONES.fox];
  await ada.openMenu("cai");
  await ada.page.getByRole("menuitem", { name: "Mute on this server" }).click();
  await untilHears(ada, tones, [TONES.fox]);
  await ada.openMenu("cai");
  await ada.page.getByRole("menuitem", { name: "Unmute on this server" }).click();
  await untilHears(ada, tones, [TONES.cai, TONES.fox]);
});

test("leaving empties the room", { timeout: 60_000 }, async () => {
  const { ada, bob, cai, fox } = people;
  await fox.close();
  for (const person of [bob, cai]) await person.leaveVoice();
  await ada.leaveVoice();
  // A closed browser says nothing: its place goes when its session's grace is over.
  await ada.page.getByRole("list", { name: "In Lounge" }).waitFor({ state: "detached", timeout: 45_000 });
});

test("Ctrl-C ends it within 2 s with people online", async () => {
  const ms = await product.kill("SIGINT");
  console.log(`ended ${Math.round(ms)} ms after SIGINT`);
  assert.ok(ms < 2_000, `${ms} ms`);
});
