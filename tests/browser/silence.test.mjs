// What a person sees who is not heard: muted by a moderator, or by the own hand in another tab.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Crowd, speak } from "./lib/crowd.mjs";
import { Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";

let crowd;
let product;
let ada;
let ben;

before(async () => {
  product = await startProduct({ port: 18250, mediaPort: 18251 });
  crowd = await Crowd.open();
  ada = await crowd.person("ada", product.url);
  ben = await crowd.person("ben", product.url);
}, { timeout: 120_000 });

after(async () => {
  await crowd?.close();
  await endProducts();
});

/** How strong the ring around the own picture is; undefined without one. */
function ownRing(page) {
  return page.evaluate(() => {
    const ring = document.querySelector('.tile[data-me="true"]')?.style.getPropertyValue("--ring");
    return ring ? Number(ring) : undefined;
  });
}

test("who is muted by a moderator is told so, and has no ring", { timeout: 120_000 }, async () => {
  await ada.joinVoice();
  await ben.joinVoice();
  await speak(ben);
  await ben.page.bringToFront();
  await ben.page.waitForFunction(() => {
    const tile = document.querySelector('.tile[data-me="true"]');
    return Number(tile?.style.getPropertyValue("--ring")) > 0.1;
  });

  await ada.page.bringToFront();
  await ada.openMenu("ben");
  await ada.page.getByRole("menuitem", { name: "Mute on this server" }).click();

  await ben.page.bringToFront();
  const told = ben.page.getByText("A moderator muted you: nobody hears you.").first();
  await told.waitFor();
  assert.equal(await ownRing(ben.page), undefined);

  await ada.page.bringToFront();
  await ada.openMenu("ben");
  await ada.page.getByRole("menuitem", { name: "Unmute on this server" }).click();
  await ben.page.bringToFront();
  await told.waitFor({ state: "detached" });
});

test("a call goes from tab to tab as silent as it was", { timeout: 120_000 }, async () => {
  await ben.page.getByRole("button", { name: "Mute microphone" }).first().click();
  const page = await ben.context.newPage();
  const second = new Person({ ...ben, page }, "ben");
  await page.goto(product.url);
  await second.joinVoice();
  await page.getByRole("button", { name: "Unmute microphone" }).first().waitFor();

  await ben.page.bringToFront();
  await ben.page.getByRole("button", { name: "Join here instead" }).first().click();
  await ben.inVoice();
  await ben.page.getByRole("button", { name: "Unmute microphone" }).first().waitFor();
  await page.getByRole("button", { name: "Join here instead" }).first().waitFor();
});
