// Files in a channel: sent with a preview, there after a reload, seen and downloaded by the other member.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openChromium } from "./lib/browsers.mjs";
import { Person } from "./lib/person.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { until } from "./lib/wait.mjs";

/** More than two parts of 8 MiB. */
const FILM_BYTES = 17 * 1024 * 1024;
const people = [];
const folder = mkdtempSync(join(tmpdir(), "gryt-files-"));
let product;
let ann;
let ben;

before(async () => {
  product = await startProduct({ port: 18260, mediaPort: 18261 });
  for (const name of ["ann", "ben"]) {
    const person = new Person(await openChromium(), name);
    people.push(person);
    await person.arrive(product.url);
  }
  [ann, ben] = people;
});

after(async () => {
  await Promise.all(people.map((person) => person.close()));
  await endProducts();
  rmSync(folder, { recursive: true, force: true });
});

test("a picture is sent, seen small, and there after a reload", { timeout: 180_000 }, async () => {
  const picture = await paint(ann.page);
  await attach(ann, { name: "Wiese im Mai.png", mimeType: "image/png", buffer: picture });
  await inTray(ann, "Wiese im Mai.png");
  const preview = ann.page.getByRole("list", { name: "Files to send" }).locator("img");
  await until("the preview before sending", () => widthOf(preview), (width) => width === 1_600);
  await take(ann.page, "tray");
  await ann.say("look at this");

  for (const person of [ann, ben]) await seen(person, "Wiese im Mai.png");
  await take(ben.page, "picture");
  await ben.page.reload();
  await seen(ben, "Wiese im Mai.png");
  await ann.page.reload();
  await seen(ann, "Wiese im Mai.png");

  const [shown] = await Promise.all([
    ben.context.waitForEvent("page"),
    ben.page.getByRole("button", { name: /^Open Wiese im Mai\.png/ }).click(),
  ]);
  await shown.waitForLoadState();
  const size = await shown.evaluate(() => {
    const { naturalWidth, naturalHeight } = document.querySelector("img");
    return [naturalWidth, naturalHeight];
  });
  assert.deepEqual(size, [1_600, 1_200], "the whole picture, in a page of its own");
  await shown.close();
});

test("a large file survives a lost connection, tells how far it is, and arrives byte for byte", { timeout: 180_000 }, async () => {
  const film = randomBytes(FILM_BYTES);
  // From the disk: so large a file does not fit through the driver.
  const path = join(folder, "film.bin");
  writeFileSync(path, film);
  // The second part breaks off once on its way.
  let broken = 0;
  let parts = 0;
  await ann.page.route("**/blobs/*", async (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    parts += 1;
    if (parts !== 2) return route.continue();
    broken += 1;
    return route.abort("connectionreset");
  });
  await attach(ann, path);
  await ann.page.getByRole("progressbar", { name: "Uploading film.bin" }).waitFor();
  await inTray(ann, "film.bin");
  await ann.page.unroute("**/blobs/*");
  assert.equal(broken, 1);
  assert.equal(parts, 4, "three parts, and one of them again");

  // Without a text.
  await ann.page.getByRole("button", { name: "Send" }).click();
  const saved = await download(ben, "film.bin");
  assert.equal(saved.suggestedFilename(), "film.bin");
  assert.equal(digest(readFileSync(await saved.path())), digest(film));
});

test("a page with script is saved and never shown", { timeout: 120_000 }, async () => {
  const html = Buffer.from("<script>document.title = 'it ran'</script>");
  await attach(ann, { name: "../harmless.svg", mimeType: "image/svg+xml", buffer: html });
  await inTray(ann, "harmless.svg");
  await ann.say("open it");

  const saved = await download(ben, "harmless.svg");

  assert.equal(saved.suggestedFilename(), "harmless.svg");
  assert.deepEqual(readFileSync(await saved.path()), html);
});

test("what is not what it says is refused, and taken out of the message again", { timeout: 120_000 }, async () => {
  await attach(ann, { name: "fake.png", mimeType: "image/png", buffer: Buffer.from("<svg onload=alert(1)>") });
  const tray = ann.page.getByRole("list", { name: "Files to send" });
  await tray.getByText("The file is not what its type says.").waitFor();
  await take(ann.page, "refused");
  await tray.getByRole("button", { name: "Remove fake.png" }).click();
  await tray.waitFor({ state: "detached" });
});

/** Runs in the page: a PNG of 1,600 x 1,200 pixels. */
async function paint(page) {
  const url = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = 1_600;
    canvas.height = 1_200;
    const pen = canvas.getContext("2d");
    const sky = pen.createLinearGradient(0, 0, 0, 1_200);
    sky.addColorStop(0, "#3a7bd5");
    sky.addColorStop(0.6, "#d4ecf7");
    sky.addColorStop(0.61, "#4f8a3c");
    sky.addColorStop(1, "#27521c");
    pen.fillStyle = sky;
    pen.fillRect(0, 0, 1_600, 1_200);
    pen.fillStyle = "#ffd23f";
    pen.beginPath();
    pen.arc(1_250, 260, 120, 0, 7);
    pen.fill();
    return canvas.toDataURL("image/png");
  });
  return Buffer.from(url.split(",")[1], "base64");
}

async function attach(person, file) {
  await person.page.getByTestId("attach").setInputFiles(file);
}

/** Uploaded, and waiting for its message. */
async function inTray(person, name) {
  const tray = person.page.getByRole("list", { name: "Files to send" });
  const chip = tray.locator('[data-state="there"]', { hasText: name });
  await chip.waitFor({ timeout: 60_000 });
}

/** Its small picture is on the screen. */
async function seen(person, name) {
  const picture = person.page.getByRole("img", { name });
  await until(`${person.name} sees ${name}`, () => widthOf(picture), (width) => width > 0, { ms: 40_000 });
}

async function widthOf(picture) {
  const pictures = await picture.all();
  const last = pictures.at(-1);
  return last ? last.evaluate((image) => image.naturalWidth) : 0;
}

async function download(person, name) {
  const row = person.page.getByRole("button", { name: new RegExp(`^Open ${name.replace(".", "\\.")}`) });
  await row.waitFor();
  // A page of its own opens, and becomes the download.
  const begins = new Promise((resolve) => {
    const listen = (page) => page.on("download", resolve);
    listen(person.page);
    person.context.once("page", listen);
  });
  await row.click();
  return begins;
}

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Takes a picture for people, where somebody asks for them. */
async function take(page, name) {
  const pictures = process.env.GRYT_SCREENSHOTS;
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `files-${name}.png`) });
}
