// Drives services/media/examples/echo.rs with real browsers: each must connect with AES-GCM and
// hear its own 1 kHz tone come back in slot a0.
//
//   node spike.mjs http://127.0.0.1:18110 chromium firefox
//
// Firefox never pairs with 127.0.0.1: let the echo use an address of a real or veth interface.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import { toneFile } from './lib/tone.mjs';

const [page, ...names] = process.argv.slice(2);
const TONE_HZ = 1000;

const launchers = {
  async chromium() {
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      ignoreDefaultArgs: ['--headless'],
      args: [
        '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync',
        '--mute-audio', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
        `--use-file-for-fake-audio-capture=${toneFile(TONE_HZ)}`,
        '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection',
      ],
    });
    const context = await browser.newContext({ permissions: ['microphone'] });
    return { browser, tab: await context.newPage() };
  },
  async firefox() {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: '/usr/bin/firefox-esr',
      headless: true,
      extraPrefsFirefox: {
        'media.navigator.streams.fake': true,
        'media.navigator.permission.disabled': true,
        'media.peerconnection.ice.loopback': true,
        'media.peerconnection.ice.obfuscate_host_addresses': false,
        'media.autoplay.default': 0,
        'media.autoplay.block-webaudio': false,
      },
    });
    return { browser, tab: await browser.newPage() };
  },
};

let failures = 0;
for (const name of names) {
  const { browser, tab } = await launchers[name]();
  try {
    await tab.goto(page);
    await tab.evaluate('join()');
    const result = await until(() => tab.evaluate(observe), (seen) => seen.heard && seen.srtp);
    const good = result.heard && /GCM/.test(result.srtp ?? '') && result.lost === 0;
    failures += good ? 0 : 1;
    console.log(`${good ? 'ok' : 'FAILED'} ${name} ${JSON.stringify(result)}`);
    if (process.env.ANSWER_DIR) {
      writeFileSync(join(process.env.ANSWER_DIR, `${name}-answer.sdp`), await tab.evaluate('answer'));
    }
  } finally {
    await browser.close();
  }
}
process.exit(failures === 0 ? 0 : 1);

// Runs in the page. Without a sound device Firefox's AudioContext stays suspended; the receiver's
// own energy then says that the tone is there, if not at which frequency.
async function observe() {
  const seen = { state: window.pc?.connectionState, heard: false };
  const stats = await window.pc.getStats();
  for (const entry of stats.values()) {
    if (entry.type === 'transport') {
      Object.assign(seen, { dtls: entry.dtlsState, tls: entry.tlsVersion, srtp: entry.srtpCipher });
    }
    if (entry.type === 'inbound-rtp' && entry.packetsReceived > 0) {
      Object.assign(seen, {
        received: entry.packetsReceived,
        lost: entry.packetsLost,
        energy: entry.totalAudioEnergy,
      });
    }
  }
  seen.context = window.context?.state;
  const running = seen.context === 'running';
  if (window.peak && running) seen.peak = window.peak();
  seen.heard = running
    ? Math.abs((seen.peak?.hz ?? 0) - 1000) < 15 && seen.peak.db > -60
    : (seen.energy ?? 0) > 0.001 && seen.received > 100;
  return seen;
}

async function until(look, done) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (done(seen) || Date.now() > deadline) return seen;
    await new Promise((wake) => setTimeout(wake, 250));
  }
}
