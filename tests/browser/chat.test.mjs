// A thousand messages by two pages while the process is killed three times.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { openChromium } from "./lib/browsers.mjs";
import { Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { until } from "./lib/wait.mjs";

const EACH = 500;
const people = [];

after(async () => {
  await Promise.all(people.map((person) => person.close()));
  await endProducts();
});

test("no message is lost, doubled or out of order over three kill -9", { timeout: 400_000 }, async () => {
  let product = await startProduct({ port: 18090, mediaPort: 18091 });
  for (const name of ["ann", "ben"]) {
    const person = new Person(await openChromium(), name);
    await person.arrive(product.url);
    await person.page.evaluate(() => {
      window.sameLife = true;
    });
    people.push(person);
  }
  const [ann, ben] = people;

  let sent = 0;
  const write = async (person) => {
    for (let i = 0; i < EACH; i++) {
      await person.say(`${person.name} ${i}`);
      sent += 1;
    }
  };
  const killer = async () => {
    for (const share of [0.25, 0.5, 0.75]) {
      await until("messages written", () => sent, (count) => count >= share * 2 * EACH, { ms: 200_000 });
      await product.kill("SIGKILL");
      product = await product.restart();
    }
  };
  await Promise.all([write(ann), write(ben), killer()]);

  for (const person of people) {
    await until(`${person.name} has nothing unsent`, () => person.page.locator("[data-pending]").count(), (count) => count === 0, { ms: 120_000, every: 500 });
  }
  const history = await until("the history", () => fetchHistory(ann.page), (all) => all.length >= 2 * EACH, { ms: 60_000, every: 1_000 });
  const texts = history.map((message) => message.text);
  assert.equal(new Set(texts).size, 2 * EACH, "every message exactly once");
  assert.equal(texts.length, 2 * EACH);
  for (const name of ["ann", "ben"]) {
    const own = texts.filter((text) => text.startsWith(name));
    assert.deepEqual(own, Array.from({ length: EACH }, (_, i) => `${name} ${i}`), `${name}'s order`);
  }
  for (const person of people) {
    assert.equal(await person.page.evaluate(() => window.sameLife), true, "no reload");
    const shown = await shownTexts(person.page);
    assert.ok(shown.length >= 20, `${person.name} shows ${shown.length}`);
    const at = texts.indexOf(shown[0]);
    assert.deepEqual(shown, texts.slice(at, at + shown.length), `${person.name} shows the history's order`);
    assert.equal(shown.at(-1), texts.at(-1), `${person.name} shows the newest`);
  }
});

/** All messages of the channel by REST, with the page's own token, oldest first. */
function fetchHistory(page) {
  return page.evaluate(async () => {
    const key = Object.keys({ ...localStorage }).find((name) => localStorage.getItem(name)?.includes("access_token"));
    const token = JSON.parse(localStorage.getItem(key)).access_token;
    const headers = { authorization: `Bearer ${token}` };
    const get = async (path) => {
      const response = await fetch(`/api/v1/${path}`, { headers });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return response.json();
    };
    const channels = await get("channels");
    const list = channels.channels ?? channels;
    const id = list.find((channel) => channel.name === "general").channel_id;
    let all = [];
    for (let before = ""; ; ) {
      const found = await get(`channels/${id}/messages?limit=100${before && `&before=${before}`}`);
      all = [...found.messages, ...all];
      if (!found.has_more) return all;
      before = found.messages[0].message_id;
    }
  });
}

/** The texts on the screen, from the top, once the list stands at its end. */
function shownTexts(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("[data-message-id]")].map((row) => row.querySelector(".message-text")?.textContent.trim()),
  );
}
