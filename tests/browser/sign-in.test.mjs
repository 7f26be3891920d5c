// A person whose account is at a Keycloak: signs in at its page by code and PKCE, reloads, has two tabs
// whose tokens are renewed, does not notice at once that Keycloak is away, and signs out here and there.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { openChromium } from "./lib/browsers.mjs";
import { startKeycloak } from "./lib/keycloak.mjs";
import { PASSWORD, Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { until } from "./lib/wait.mjs";

const port = 18130;
const productUrl = `http://localhost:${port}`;
/** Short, so that tokens are renewed within the test: after half of it. */
const tokenSeconds = 40;

let keycloak;
const people = [];

after(async () => {
  await Promise.all(people.map((person) => person.close()));
  await endProducts();
  await keycloak?.end();
});

const channels = (page) => page.getByRole("navigation", { name: "Channels" }).waitFor();
const atKeycloak = (page) => page.getByRole("button", { name: "Sign in with Keycloak" });
const ownAccount = (page) => page.getByRole("button", { name: "Sign in with an account here" });
const isAway = (page) => page.getByText("The sign-in service does not answer.", { exact: false }).first();

/** What the browser asks Keycloak for tokens with, and the answers' statuses, as they come. */
function watchTokens(context) {
  const asked = [];
  context.on("response", (response) => {
    if (!response.url().endsWith("/protocol/openid-connect/token")) return;
    const fields = new URLSearchParams(response.request().postData() ?? "");
    asked.push({ ...Object.fromEntries(fields), status: response.status() });
  });
  return {
    codes: () => asked.filter((entry) => entry.grant_type === "authorization_code"),
    renewals: () => asked.filter((entry) => entry.grant_type === "refresh_token"),
  };
}

test("an account at a Keycloak", { timeout: 1_500_000 }, async (t) => {
  keycloak = await startKeycloak({ port: 18132, productUrl, tokenSeconds });
  const flags = ["--issuers-file", keycloak.issuersFile()];
  await startProduct({ port, mediaPort: 18131, flags });
  const ada = new Person(await openChromium(), "ada");
  people.push(ada);
  const { page, context } = ada;
  // Keycloak makes a page only after it has compiled it: seconds, on a busy machine half a minute.
  context.setDefaultTimeout(60_000);
  page.setDefaultTimeout(60_000);
  const tokens = watchTokens(context);
  let second;

  await t.test("is one of the choices, and Keycloak's page leads back", async () => {
    await page.goto(productUrl);
    await ownAccount(page).waitFor();
    await atKeycloak(page).click();
    await page.locator("#username").fill("ada");
    const authorization = new URL(page.url()).searchParams;
    assert.equal(authorization.get("response_type"), "code");
    assert.equal(authorization.get("code_challenge_method"), "S256");
    await page.locator("#password").fill("ada for development");
    await page.locator("#kc-login").click();
    await channels(page);
    await page.locator(".self").getByText("ada", { exact: true }).waitFor();
    assert.equal(page.url(), `${productUrl}/`, "neither code nor state stays in the address");
    const [code, ...more] = tokens.codes();
    assert.equal(more.length, 0);
    assert.match(code.code_verifier, /^[\w.~-]{43,128}$/);
    assert.equal(code.client_secret, undefined);
  });

  await t.test("stays signed in over a reload", async () => {
    await page.reload();
    await channels(page);
    await ada.say("still here");
    await page.getByText("still here").waitFor();
    assert.equal(tokens.codes().length, 1);
  });

  await t.test("is renewed by one of two tabs at a time", async () => {
    second = new Person({ ...ada, page: await context.newPage() }, "ada");
    await second.page.goto(productUrl);
    await channels(second.page);
    const wanted = tokens.renewals().length + 4;
    await until("renewals", () => tokens.renewals().length, (count) => count >= wanted, {
      ms: 4 * tokenSeconds * 1_000,
    });
    // A refresh token that two tabs had used would have ended the sign-in of both.
    const renewals = tokens.renewals();
    assert.deepEqual(new Set(renewals.map(({ status }) => status)), new Set([200]));
    assert.equal(new Set(renewals.map((entry) => entry.refresh_token)).size, renewals.length);
    await second.say("from the other tab");
    await page.getByText("from the other tab").waitFor();
  });

  await t.test("goes on without Keycloak until its token ends, and again when it is back", async () => {
    await keycloak.kill();
    await ada.say("nobody checks who I am");
    await page.getByText("nobody checks who I am").waitFor();
    await isAway(page).waitFor({ timeout: 3 * tokenSeconds * 1_000 });
    await keycloak.startAgain();
    await isAway(page).waitFor({ state: "detached", timeout: 60_000 });
    await ada.say("back again");
    await page.getByText("back again").waitFor();
    assert.equal(tokens.codes().length, 1, "nobody had to sign in again");
  });

  await t.test("is signed out here and at Keycloak", async () => {
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    const cameBack = page.waitForEvent("load");
    await page.getByRole("button", { name: "Sign out" }).click();
    await cameBack;
    await atKeycloak(page).waitFor();
    assert.equal(new URL(page.url()).origin, productUrl);
    await atKeycloak(second.page).waitFor();
    await atKeycloak(page).click();
    // With its session alive Keycloak would have sent the browser back at once.
    await page.locator("#password").waitFor();
  });

  await t.test("is another person than the one with that name here", async () => {
    await page.goto(productUrl);
    await ownAccount(page).click();
    await page.getByRole("link", { name: "Create account" }).click();
    await page.getByLabel("Name").fill("ada");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await channels(page);
    await page.reload();
    await channels(page);
    const members = page.getByRole("region", { name: "Members" });
    await members.getByText("ada", { exact: true }).nth(1).waitFor();
  });
});
