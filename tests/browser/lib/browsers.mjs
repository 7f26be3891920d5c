// Real browsers, one process per person, since the fake microphone is a flag of the process.

import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

import { installEar } from "./ear.mjs";

export const CHROMIUM_FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows",
  "--mute-audio",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

/** A Chromium whose microphone plays the WAV file. With `home` it trusts what that folder's certificate store trusts. */
export async function openChromium({ wav, viewport = { width: 1440, height: 900 }, colorScheme = "dark", flags = [], home } = {}) {
  const microphone = wav ? [`--use-file-for-fake-audio-capture=${wav}`] : [];
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    ignoreDefaultArgs: ["--headless"],
    args: [...CHROMIUM_FLAGS, ...microphone, ...flags],
    env: home ? { ...process.env, HOME: home } : process.env,
  });
  const context = await browser.newContext({ viewport, colorScheme, permissions: ["microphone"] });
  await context.addInitScript(installEar);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  return { browser, context, page };
}

/** A Firefox whose microphone is a sine tone. Its audio needs the null sink of `startSound`. */
export async function openFirefox({ hz }) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    headless: true,
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.navigator.audio.fake_frequency": hz,
      "media.peerconnection.ice.loopback": true,
      "media.peerconnection.ice.obfuscate_host_addresses": false,
      "media.autoplay.default": 0,
      "media.autoplay.blocking_policy": 0,
      "media.autoplay.block-webaudio": false,
    },
  });
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(installEar);
  return { browser, page };
}
