// Ten lines of YAML become a conversation: two people in Chromium who know nothing but
// https://<hostname>, through a real gateway and ingress controller, with the media at the address
// that the SFU announces. Run by `cargo xtask test cluster`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openChromium } from "./lib/browsers.mjs";
import { apply, kubectl, makeNamespace, NAMES, secret, trustingHome, waitFor } from "./lib/cluster.mjs";
import { Person } from "./lib/person.mjs";
import { toneFile } from "./lib/tone.mjs";
import { until, untilHears } from "./lib/wait.mjs";

const TONES = { ada: 480, bob: 810 };
const ALL = Object.values(TONES);

let trust;
const open = [];

const server = (hostname, spec = "") => `apiVersion: gryt.chat/v1alpha1
kind: GrytServer
metadata:
  name: chat
spec:
  hostname: ${hostname}
${spec}`;

before(async () => {
  trust = await trustingHome();
});

after(async () => {
  await Promise.all(open.map((end) => end()));
  trust?.remove();
});

async function person(name) {
  const opened = await openChromium({ wav: toneFile(TONES[name]), flags: NAMES, home: trust.home });
  const somebody = new Person(opened, name);
  open.push(() => somebody.close());
  return somebody;
}

async function namespace(name) {
  const made = await makeNamespace(`${name}-${process.pid}`);
  open.push(made.remove);
  return made.name;
}

/** A controller hears of ready pods later than the API server, and answers 503: a person reloads. */
async function untilServed(somebody, link) {
  const url = new URL("/.well-known/gryt", link).href;
  const status = async () => (await somebody.page.goto(url)).status();
  await until(`${url} is served`, status, (code) => code === 200);
}

/** From `apply` to the first tone; gives the people and the seconds it took. */
async function converse(space, yaml) {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const begun = performance.now();
  await apply(space, yaml);
  await waitFor(space, "gs/chat", "condition=Ready");
  const ready = performance.now();
  const link = await secret(space, "chat-owner", "link");
  await untilServed(ada, link);
  const served = performance.now();
  await ada.accept(link);
  await bob.accept(await ada.invite());
  await ada.joinVoice();
  await bob.joinVoice();
  await untilHears(ada, ALL, [TONES.bob]);
  await untilHears(bob, ALL, [TONES.ada]);
  const heard = performance.now();
  const seconds = (from, to) => ((to - from) / 1000).toFixed(1);
  const took = `Ready after ${seconds(begun, ready)} s, served after ${seconds(begun, served)} s, first audio after ${seconds(begun, heard)} s`;
  return { ada, bob, took };
}

/** The address that the SFU's candidate names, as Chromium sees it. */
function remoteCandidate(somebody) {
  return somebody.page.evaluate(async () => {
    const connection = window.ear.connections.find((c) => c.connectionState === "connected");
    const stats = [...(await connection.getStats()).values()];
    const transport = stats.find((entry) => entry.type === "transport");
    const pair = stats.find((entry) => entry.id === transport.selectedCandidatePairId);
    const remote = stats.find((entry) => entry.id === pair.remoteCandidateId);
    return `${remote.address}:${remote.port}`;
  });
}

test("through a Gateway two people talk, and write what outlives its pod", { timeout: 300_000 }, async () => {
  const space = await namespace("gateway-call");
  const { ada, bob, took } = await converse(space, server("gateway-call.gryt.test"));
  console.log(`by Gateway: ${took}`);

  const announced = JSON.parse(await kubectl(["--namespace", space, "get", "gs/chat", "--output=jsonpath={.status.media[0]}"]));
  assert.equal(await remoteCandidate(ada), `${announced.address}:${announced.port}`);

  for (const somebody of [ada, bob]) await somebody.channel("general").click();
  await ada.say("written before the pod went");
  await bob.page.getByText("written before the pod went", { exact: true }).waitFor();
  const gap = bob.page.evaluate(() => window.ear.longestGap(15_000));
  await kubectl(["--namespace", space, "delete", "pod", "--selector=app.kubernetes.io/component=signaling", "--wait=true"]);
  await waitFor(space, "gs/chat", "condition=Ready");
  const longest = Math.round(await gap);
  console.log(`longest silence while the signaling pod was replaced: ${longest} ms`);
  // Media does not need signaling, and the new process goes on with the call that it finds.
  assert.ok(longest < 1_000, `${longest} ms`);

  await ada.say("written after");
  await bob.page.getByText("written after", { exact: true }).waitFor({ timeout: 60_000 });
  await bob.page.reload();
  await bob.page.getByText("written before the pod went", { exact: true }).waitFor({ timeout: 60_000 });
});

test("through an Ingress with a named certificate two people talk", { timeout: 300_000 }, async () => {
  const space = await namespace("ingress-call");
  const of = await kubectl(["--namespace", "gateway", "get", "secret", "gateway", "--output=json"]);
  const { type, data } = JSON.parse(of);
  const copy = { apiVersion: "v1", kind: "Secret", metadata: { name: "certificate" }, type, data };
  await apply(space, JSON.stringify(copy));
  await apply(space, `apiVersion: gryt.chat/v1alpha1
kind: GrytServerClass
metadata: {name: ${space}}
spec:
  images: {registry: localhost, tag: test}
  exposure: {web: {type: Ingress, ingressClassName: traefik}}
`);
  open.push(() => kubectl(["delete", "grytserverclass", space, "--wait=false"]));
  const spec = `  className: ${space}\n  tls: {secretName: certificate}\n`;
  const { took } = await converse(space, server("ingress-call.gryt.test", spec));
  console.log(`by Ingress: ${took}`);
});
