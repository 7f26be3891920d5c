// The pictures of docs/images, taken from the running product.
//
//   node screenshots.mjs OUTPUT_DIR

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { Crowd, show, speak } from "./lib/crowd.mjs";
import { endProducts, startProduct } from "./lib/product.mjs";
import { until } from "./lib/wait.mjs";

const LOOKS = [
  { theme: "dark", width: 1440 },
  { theme: "light", width: 1440 },
  { theme: "dark", width: 390 },
  { theme: "light", width: 390 },
];

/** What is said, in order; `edit` replaces the line after it was sent. */
const TALK = [
  ["Maren", "Morning! The new rack is in. Two nodes are up, the third waits for its disks."],
  ["Tobias", "Nice. Did the second switch come up by itself this time?"],
  ["Maren", "Almost. It needed its old config:\n\n```sh\nip link set eno2 master bond0\nip -br link show bond0\n```"],
  ["Maren", "After that both links carried traffic, **no packet lost** over the weekend."],
  ["Aiko", "I wrote down what is left before we move people over:\n\n1. Restore last night's backup on a spare machine\n2. Compare the message counts\n3. Switch the address, keep the old server for a week"],
  ["Ravi", "I can take the first two. The backup is a single folder, so `gryt backup` and a copy are enough.", "I can take the first two. The backup is a single folder, so `gryt backup /srv/copy` is enough."],
  ["Tobias", "> keep the old server for a week\n\nLet's make it two, the school holidays are in between."],
  ["Lena", "Voice was fine from the train yesterday. About 40 ms, and nobody noticed the tunnels."],
  ["Yusuf", "Good to hear. Lounge at nine, as always?"],
  ["Maren", "Yes. Bring coffee."],
];

const VOICE = ["Maren", "Tobias", "Aiko", "Ravi", "Lena", "Yusuf", "Chloé", "Samuel"];

const output = process.argv[2];
if (!output) throw new Error("name the folder for the pictures");
mkdirSync(output, { recursive: true });

async function take(page, name) {
  // A page behind others draws no frames.
  await page.bringToFront();
  // Nobody points or types in a picture; then fonts and the last frame.
  await page.evaluate(() => document.querySelector("[role=dialog]") ?? document.activeElement?.blur());
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(350);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(output, `${name}.png`), animations: "disabled", caret: "hide" });
  console.log(`${name}.png`);
}

async function takeAll(page, name, looks = LOOKS, settle = async () => {}) {
  for (const look of looks) {
    await show(page, look);
    await settle();
    await take(page, `${name}-${look.theme}-${look.width}`);
  }
}

/** Runs in the page. The tests' own settings, which let a tone through, are not what a newcomer finds. */
function keepDefaults() {
  const key = "gryt.settings.v1";
  if (location.protocol.startsWith("http") && !localStorage.getItem(key)) localStorage.setItem(key, "{}");
}

/** The owner gives the server its channels. */
async function makeChannels(owner) {
  const channels = [["text", "deployments"], ["text", "off-topic"], ["voice", "Workshop"]];
  for (const [kind, name] of channels) {
    await owner.page.getByRole("button", { name: `New ${kind} channel` }).click();
    await owner.page.getByLabel("Name").fill(name);
    await owner.page.getByRole("button", { name: "Create" }).click();
    await owner.channel(name).waitFor();
  }
}

async function talk(people) {
  for (const [name, text, edited] of TALK) {
    const { page } = people[name];
    await people[name].say(text);
    await people.Maren.page.locator("[data-pending]").waitFor({ state: "detached" });
    await page.locator("[data-pending]").waitFor({ state: "detached" });
    if (edited) {
      const box = page.getByRole("textbox", { name: "Message #general" });
      await box.press("ArrowUp");
      const edit = page.locator(".edit textarea");
      await edit.fill(edited);
      await edit.press("Enter");
      await page.getByText("edited", { exact: true }).waitFor();
    }
  }
}

const crowd = await Crowd.open();
try {
  const port = { port: 18200, mediaPort: 18201 };
  const product = await startProduct({ ...port, flags: ["--name", "Fjord Works"] });

  const visitor = await crowd.visitor("visitor");
  await visitor.page.goto(product.url);
  await visitor.page.getByRole("button", { name: "Sign in" }).click();
  await visitor.page.getByLabel("Password").waitFor();
  await visitor.page.getByLabel("Name").fill("Maren");
  await takeAll(visitor.page, "sign-in");
  await visitor.context.close();

  const fresh = await startProduct({ port: 18210, mediaPort: 18211, flags: ["--name", "Harbour Lane"] });
  const first = await crowd.person("Ines", fresh.url);
  await first.page.getByRole("textbox", { name: "Message #general" }).waitFor();
  await takeAll(first.page, "empty", [LOOKS[0]]);
  await first.context.close();
  await fresh.kill("SIGTERM");

  const people = {};
  for (const name of VOICE) {
    const person = await crowd.visitor(name);
    if (name === "Maren") await person.context.addInitScript(keepDefaults);
    await person.arrive(product.url);
    people[name] = person;
  }
  const { Maren, Tobias, Aiko, Ravi, Lena, Chloé } = people;
  await makeChannels(Maren);
  await talk(people);
  await Chloé.channel("off-topic").click();
  await Chloé.say("Who left the window open?", "off-topic");
  await Maren.page.mouse.move(0, 0);
  await takeAll(Maren.page, "chat", LOOKS, () => Maren.page.getByText("Bring coffee").waitFor());
  await show(Maren.page, LOOKS[0]);
  await Maren.page.getByRole("button", { name: "Settings", exact: true }).click();
  await speak(Maren);
  await Maren.page.getByRole("tab", { name: "Voice and audio" }).click();
  await takeAll(Maren.page, "settings", [LOOKS[0]]);
  await Maren.page.getByRole("button", { name: "Close settings" }).click();
  await speak(Maren, false);

  await show(Maren.page, LOOKS[1]);
  await product.kill("SIGTERM");
  await Maren.page.getByText("Resuming").waitFor();
  await Maren.say("One minute, I plug the switch in again.");
  await takeAll(Maren.page, "error", [LOOKS[1]]);
  await product.restart();
  await Maren.page.getByText("Resuming").waitFor({ state: "detached" });

  for (const person of Object.values(people)) await person.joinVoice();
  await Ravi.page.getByRole("button", { name: "Mute microphone" }).first().click();
  await Lena.page.getByRole("button", { name: "Deafen" }).first().click();
  await people.Samuel.page.getByRole("button", { name: "Mute microphone" }).first().click();
  for (const person of [Tobias, Aiko]) await speak(person);
  const speaking = Maren.page.locator('.tile[data-speaking="true"]');
  await takeAll(Maren.page, "voice", LOOKS, async () => {
    await until("everyone is here", () => Maren.page.locator(".tile").count(), (count) => count === VOICE.length, { ms: 60_000 });
    // On a machine at work the round trip is none that anyone should see in a picture.
    const roundTrip = async () => Number.parseInt(await Maren.page.locator(".sidebar .voice-ping").textContent(), 10);
    await until("a calm connection", roundTrip, (ms) => ms < 60, { ms: 60_000, every: 500 });
    await until("two people speak", () => speaking.count(), (count) => count === 2);
  });
} finally {
  await crowd.close();
  await endProducts();
}
