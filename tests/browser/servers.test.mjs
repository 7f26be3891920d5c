// One page, two servers: chat on both, voice on one, the other restarted beneath it.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { openChromium } from "./lib/browsers.mjs";
import { Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { toneFile } from "./lib/tone.mjs";
import { untilHears } from "./lib/wait.mjs";

const people = [];

after(async () => {
  await Promise.all(people.map((person) => person.close()));
  await endProducts();
});

test("a call on one server is not disturbed by the other's restart", { timeout: 180_000 }, async () => {
  const home = await startProduct({ port: 18100, mediaPort: 18101 });
  const away = await startProduct({ port: 18110, mediaPort: 18111 });
  const una = new Person(await openChromium({ wav: toneFile(510) }), "una");
  const ivo = new Person(await openChromium({ wav: toneFile(930) }), "ivo");
  people.push(una, ivo);
  await una.arrive(home.url);
  await ivo.arrive(home.url);

  await una.page.getByRole("button", { name: "Add a server" }).click();
  await una.page.getByLabel("Address").fill(away.url);
  await una.page.getByRole("dialog").getByRole("button", { name: "Add", exact: false }).click();
  await una.signUp();
  await una.say("hello from elsewhere");
  await una.page.getByText("hello from elsewhere").waitFor();

  const rail = una.page.getByRole("navigation", { name: "Servers" });
  await rail.getByRole("button").first().click();
  await una.say("hello at home");
  await ivo.page.getByText("hello at home").waitFor();
  await ivo.joinVoice();
  await una.joinVoice();
  await untilHears(una, [510, 930], [930]);

  const gap = una.page.evaluate(() => window.ear.longestGap(8_000));
  await away.kill("SIGKILL");
  const again = await away.restart();
  const longest = await gap;
  console.log(`longest silence while the other server restarted: ${Math.round(longest)} ms`);
  assert.ok(longest < 400, `${longest} ms`);

  await rail.getByRole("button").nth(1).click();
  await una.say("back again");
  await una.page.getByText("back again").waitFor();
  assert.ok(again.url);
});
