// A person in a page: signs in, joins, writes, listens. One set of steps for both drivers, built
// on what a person sees: roles and names.

export const PASSWORD = "correct horse battery";

/** Settings that let a tone through as it is: what people's devices need would remove it. */
const plainAudio = {
  noiseSuppression: false,
  echoCancellation: false,
  autoGain: false,
  gateEnabled: false,
};

/** Runs in the page, before the client. */
function writeSettings(audio) {
  const key = "gryt.settings.v1";
  if (!location.protocol.startsWith("http") || localStorage.getItem(key)) return;
  localStorage.setItem(key, JSON.stringify({ audio }));
}

/** A person in a Chromium page. */
export class Person {
  constructor(opened, name) {
    Object.assign(this, opened);
    this.name = name;
  }

  /** Opens the server and makes an account there. */
  async arrive(url) {
    await this.context.addInitScript(writeSettings, plainAudio);
    await this.page.goto(url);
    await this.signUp();
  }

  /** From the sign-in screen to the server. */
  async signUp() {
    const { page } = this;
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("link", { name: "Create account" }).click();
    await page.getByLabel("Name").fill(this.name);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("navigation", { name: "Channels" }).waitFor();
  }

  /** Opens an invite link and makes an account with it. */
  async accept(link) {
    const { page } = this;
    await this.context.addInitScript(writeSettings, plainAudio);
    await page.goto(link);
    await page.getByRole("button", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill(this.name);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("navigation", { name: "Channels" }).waitFor();
  }

  /** Makes an invite link for one more person. */
  async invite() {
    const { page } = this;
    await page.getByRole("button", { name: "Invite people" }).click();
    await page.getByRole("button", { name: "Create link" }).click();
    const link = await page.getByLabel("Invite link").inputValue();
    await page.getByRole("button", { name: "Close" }).last().click();
    return link;
  }

  channel(name) {
    return this.page.getByRole("navigation", { name: "Channels" }).getByRole("button", { name: new RegExp(`^${name}`) });
  }

  /** Clicks the voice channel and waits until media flows. */
  async joinVoice(name = "Lounge") {
    await this.channel(name).click();
    await this.inVoice();
  }

  async inVoice() {
    await this.page.locator('.voice-bar[data-state="connected"]').first().waitFor({ state: "attached" });
  }

  async leaveVoice() {
    await this.page.getByRole("button", { name: "Leave voice" }).first().click();
    await this.page.locator(".voice-bar").first().waitFor({ state: "detached" });
  }

  /** Opens the menu of a person in the voice channel's list. */
  async openMenu(name, channel = "Lounge") {
    const list = this.page.getByRole("list", { name: `In ${channel}` });
    await list.getByRole("button", { name: new RegExp(`^${name}`) }).click();
  }

  async say(text, channel = "general") {
    const box = this.page.getByRole("textbox", { name: `Message #${channel}` });
    await box.fill(text);
    await box.press("Enter");
  }

  levels(frequencies) {
    return this.page.evaluate((hz) => window.ear.levels(hz), frequencies);
  }

  async close() {
    await this.browser.close();
  }
}

/** The same in a Firefox page, as far as a call needs it. */
export class FirefoxPerson {
  constructor(opened, name) {
    Object.assign(this, opened);
    this.name = name;
  }

  async arrive(url) {
    const { page } = this;
    await page.evaluateOnNewDocument(writeSettings, plainAudio);
    await page.goto(url);
    await this.#click("button", "Sign in");
    await this.#click("a", "Create account");
    await page.waitForFunction(() => document.querySelector('input[value="create"]') !== null);
    await page.type('input[name="name"]', this.name);
    await page.type('input[name="password"]', PASSWORD);
    await this.#click("button", "Create account");
    await page.waitForSelector('nav[aria-label="Channels"]');
  }

  async joinVoice(name = "Lounge") {
    await this.#click("button.channel-button", name);
    await this.page.waitForSelector('.voice-bar[data-state="connected"]', { timeout: 20_000 });
  }

  levels(frequencies) {
    return this.page.evaluate((hz) => window.ear.levels(hz), frequencies);
  }

  async close() {
    await this.browser.close();
  }

  async #click(selector, text) {
    const found = await this.page.waitForFunction(
      (selector, text) =>
        [...document.querySelectorAll(selector)].find((e) => e.textContent.trim().startsWith(text) && !e.disabled),
      { timeout: 20_000 },
      selector,
      text,
    );
    await found.click();
  }
}
