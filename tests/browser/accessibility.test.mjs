// axe finds nothing on any screen, in both themes and at both widths; and the main road needs no
// pointer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AxeBuilder } from "@axe-core/playwright";

import { Crowd, show, speak } from "./lib/crowd.mjs";
import { PASSWORD } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";

const LOOKS = [
  { theme: "dark", width: 1440 },
  { theme: "light", width: 1440 },
  { theme: "dark", width: 390 },
  { theme: "light", width: 390 },
];
const WIDE = LOOKS[0];

let crowd;
let product;
let ada;
let ben;

before(async () => {
  product = await startProduct({ port: 18230, mediaPort: 18231 });
  crowd = await Crowd.open();
  ada = await crowd.person("ada", product.url);
  ben = await crowd.person("ben", product.url);
}, { timeout: 120_000 });

after(async () => {
  await crowd?.close();
  await endProducts();
});

/** Every violation in every look, as one line each. */
async function assertClean(page) {
  await page.bringToFront();
  const found = [];
  for (const look of LOOKS) {
    await show(page, look);
    await page.waitForTimeout(150);
    // Legacy mode: the other one opens a page of its own, which takes the focus from this one.
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
    for (const { id, nodes } of violations) {
      for (const { target, failureSummary } of nodes) {
        found.push(`${look.theme} ${look.width} ${id} ${target.join(" ")}: ${failureSummary}`);
      }
    }
  }
  await show(page, WIDE);
  assert.deepEqual(found, []);
}

test("the way in: sign-in screen and both faces of the issuer's page", { timeout: 120_000 }, async () => {
  const { page, context } = await crowd.visitor("visitor");
  await page.goto(product.url);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await assertClean(page);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Password").waitFor();
  await assertClean(page);
  await page.getByRole("link", { name: "Create account" }).click();
  await page.getByLabel("Name").fill("zoe");
  await page.getByLabel("Password").fill("short");
  await assertClean(page);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator("[aria-invalid]").first().waitFor();
  await assertClean(page);
  await context.close();
});

test("a channel, empty and with messages", { timeout: 120_000 }, async () => {
  await assertClean(ada.page);
  await ada.say("Look:\n\n- a **list**\n- `code`\n\n```\na block\n```\n\n> and a [link](https://example.org)");
  await ben.say("Thanks");
  await ada.page.getByText("Thanks", { exact: true }).waitFor();
  await assertClean(ada.page);
  await ada.page.getByText("Thanks", { exact: true }).hover();
  await assertClean(ada.page);
});

test("voice with people, and the menu of one", { timeout: 120_000 }, async () => {
  const { page } = ada;
  await ada.channel("Lounge").click();
  await assertClean(page);
  await ada.inVoice();
  await ben.joinVoice();
  await speak(ben);
  await page.locator('.tile[data-speaking="true"]').waitFor();
  await assertClean(page);
  await page.getByRole("button", { name: "Mute microphone" }).first().click();
  await page.getByRole("button", { name: "Deafen" }).first().click();
  await assertClean(page);
  await page.getByRole("list", { name: "People in voice" }).getByRole("button", { name: /^ben/ }).click();
  await page.getByRole("menu").waitFor();
  await assertClean(page);
  await page.keyboard.press("Escape");
});

test("every page of the settings", { timeout: 180_000 }, async () => {
  const { page } = ada;
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  for (const name of ["Accounts", "Voice and audio", "Appearance", "Keyboard"]) {
    await page.getByRole("tab", { name }).click();
    await assertClean(page);
  }
  await page.getByRole("button", { name: "Close settings" }).click();
});

test("dialogs that add a server and make a channel", { timeout: 120_000 }, async () => {
  const { page } = ada;
  await page.getByRole("button", { name: "Add a server" }).click();
  await page.getByLabel("Address").fill("no address");
  await assertClean(page);
  await page.getByRole("dialog").getByRole("button", { name: "Add server" }).click();
  await page.getByText("This is not an address.").waitFor();
  await assertClean(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "New voice channel" }).click();
  await page.getByRole("dialog").waitFor();
  await assertClean(page);
  await page.keyboard.press("Escape");
});

test("the phone's other panes", { timeout: 120_000 }, async () => {
  const { page } = ada;
  const phone = LOOKS[2];
  await show(page, phone);
  await page.getByRole("button", { name: "Back to the channels" }).click();
  await assertClean(page);
  await show(page, phone);
  await ada.channel("general").click();
  await page.getByRole("button", { name: "Members" }).click();
  await page.getByRole("button", { name: "Back to the channel" }).waitFor();
  await assertClean(page);
  await show(page, phone);
  await page.getByRole("button", { name: "Back to the channel" }).click();
  await show(page, WIDE);
});

test("sign in, write, join voice, mute and leave by keyboard alone", { timeout: 120_000 }, async () => {
  const { page, context } = await crowd.visitor("kim");
  const { keyboard } = page;
  await page.goto(product.url);
  await page.bringToFront();
  await tabTo(page, page.getByRole("button", { name: "Sign in" }));
  await keyboard.press("Enter");
  await page.getByLabel("Password").waitFor();
  await tabTo(page, page.getByRole("link", { name: "Create account" }));
  await keyboard.press("Enter");
  await page.locator('input[value="create"]').waitFor({ state: "attached" });
  await tabTo(page, page.getByLabel("Name"));
  await keyboard.type("kim");
  await keyboard.press("Tab");
  await keyboard.type(PASSWORD);
  await keyboard.press("Enter");

  const message = page.getByRole("textbox", { name: "Message #general" });
  await message.waitFor();
  await tabTo(page, message);
  await keyboard.type("no mouse here");
  await keyboard.press("Enter");
  await ada.page.getByText("no mouse here", { exact: true }).waitFor();

  const channels = page.getByRole("navigation", { name: "Channels" });
  await tabTo(page, channels.getByRole("button", { name: /^Lounge/ }));
  await keyboard.press("Enter");
  await page.locator('.voice-bar[data-state="connected"]').first().waitFor({ state: "attached" });
  const people = page.getByRole("list", { name: "In Lounge" });
  await tabTo(page, page.getByRole("button", { name: "Mute microphone" }));
  await keyboard.press("Space");
  await people.getByRole("button", { name: /^kim muted/ }).waitFor();
  await keyboard.press("Control+Shift+M");
  await people.getByRole("button", { name: /^kim$/ }).waitFor();
  await tabTo(page, page.getByRole("button", { name: "Leave voice" }));
  await keyboard.press("Enter");
  await page.locator(".voice-bar").first().waitFor({ state: "detached" });
  await people.getByRole("button", { name: /^kim/ }).waitFor({ state: "detached" });
  await context.close();
});

/** Presses Tab until one of the elements has the focus, and sees that the focus is visible. */
async function tabTo(page, locator) {
  const isThere = () => locator.evaluateAll((elements) => elements.includes(document.activeElement));
  for (let presses = 0; presses < 60; presses++) {
    if (await isThere()) {
      const isVisible = await page.evaluate(() => {
        const ringed = (element) => element && getComputedStyle(element).outlineStyle !== "none";
        const { activeElement } = document;
        return ringed(activeElement) || ringed(activeElement.closest(".composer"));
      });
      assert.ok(isVisible, `${locator} shows that it has the focus`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`60 times Tab do not lead to ${locator}`);
}

test("a server that is gone: before it was seen, and after", { timeout: 180_000 }, async () => {
  const { page } = ada;
  const away = await startProduct({ port: 18240, mediaPort: 18241, flags: ["--allow-origin", new URL(product.url).origin] });
  await page.getByRole("button", { name: "Add a server" }).click();
  await page.getByLabel("Address").fill(away.url);
  await page.getByRole("dialog").getByRole("button", { name: "Add server" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await away.kill("SIGTERM");
  await page.reload();
  await page.getByText("is not reachable").waitFor();
  await assertClean(page);

  await page.getByRole("navigation", { name: "Servers" }).getByRole("button").first().click();
  await page.getByText("Thanks", { exact: true }).waitFor();
  await product.kill("SIGTERM");
  await page.getByText("Resuming").waitFor();
  await ada.say("are you there?");
  await assertClean(page);
});
