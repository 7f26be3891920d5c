// `cargo xtask bench click-to-sound`: from the click on a voice channel to the first audible
// sample of somebody who is already talking there. Figures, no verdict.

import { loadavg } from "node:os";

import { openChromium } from "./lib/browsers.mjs";
import { Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { toneFile } from "./lib/tone.mjs";
import { median, until } from "./lib/wait.mjs";

const ROUNDS = 15;

const product = await startProduct({ port: 18120, mediaPort: 18121 });
const talker = new Person(await openChromium({ wav: toneFile(480) }), "talker");
const comer = new Person(await openChromium({ wav: toneFile(810) }), "comer");
try {
  await talker.arrive(product.url);
  await comer.arrive(product.url);
  await talker.joinVoice();
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    times.push(await clickToSound(comer));
    process.stderr.write(`${round + 1}/${ROUNDS}: ${times.at(-1)} ms\n`);
  }
  const load = Number(loadavg()[0].toFixed(1));
  console.log(`click to first audible sample: median ${median(times)} ms, first ${times[0]} ms, load ${load}`);
  console.log(JSON.stringify({ name: "click-to-sound", unit: "ms", median: median(times), values: times, load }));
} finally {
  await Promise.all([talker.close(), comer.close()]);
  await endProducts();
}

async function clickToSound(person) {
  const button = await person.channel("Lounge").elementHandle();
  const heard = person.page.evaluate((element) => window.ear.timeToAudible(element), button);
  await button.click();
  const ms = Math.round(await heard);
  await person.inVoice();
  await person.leaveVoice();
  await until("silence", () => person.page.evaluate(() => window.ear.silentFor(300)), Boolean);
  return ms;
}
