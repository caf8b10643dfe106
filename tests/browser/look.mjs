// Opens a report in Chromium and says what it saw, as JSON on stdout.
// Usage: node look.mjs CHROMIUM PAGE FOLDER-FOR-PICTURES (with axe-core and puppeteer-core under NODE_MODULES)
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [chromium, page_file, pictures] = process.argv.slice(2);
const require = createRequire(join(process.env.NODE_MODULES, "x.js"));
const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")).href)
  .then((m) => (m.default ? m : { default: m }));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const name = page_file.replace(/.*\//, "").replace(/\.html$/, "");

const browser = await puppeteer.launch({
  executablePath: chromium,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
});
const out = { console: [], requests: [], dialogs: 0, violations: {}, wide: [] };
const open = async (options) => {
  const page = await browser.newPage();
  page.setDefaultTimeout(120000);
  page.on("console", (m) => out.console.push(m.text()));
  page.on("pageerror", (e) => out.console.push(String(e)));
  page.on("request", (r) => { if (r.resourceType() !== "document") out.requests.push(r.url()); });
  page.on("dialog", (d) => { out.dialogs += 1; d.dismiss(); });
  await page.setViewport({ width: options.width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: options.scheme }]);
  const begun = Date.now();
  await page.goto(pathToFileURL(page_file).href, { waitUntil: "load" });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  out.load_ms ??= Date.now() - begun;
  return page;
};
for (const [label, options] of Object.entries({
  light: { width: 1280, scheme: "light" },
  dark: { width: 1280, scheme: "dark" },
  mobile: { width: 390, scheme: "light" },
})) {
  const page = await open(options);
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  if (wide > 0) out.wide.push(`${label}: ${wide}px`);
  if (pictures) {
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.screenshot({ path: join(pictures, `${name}-${label}.png`), fullPage: height < 12000 });
  }
  if (!process.env.QUICK) {
    // Folded parts are read too, and axe comes in beside the page's own policy.
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
    const session = await page.createCDPSession();
    const { frameTree } = await session.send("Page.getFrameTree");
    const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
    const run = async (expression) => {
      const { result, exceptionDetails } = await session.send("Runtime.evaluate",
        { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return result.value;
    };
    await run(axe + "; true");
    out.violations[label] = await run(`axe.run().then((r) => r.violations.map((v) => ({ id: v.id, impact: v.impact,
      help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)) })))`);
  }
  await page.close();
}
const page = await open({ width: 1280, scheme: "light" });
out.scripts = await page.evaluate(() => document.querySelectorAll("script").length);
out.events = await page.evaluate(() => [...document.querySelectorAll("*")]
  .filter((e) => [...e.attributes].some((a) => a.name.startsWith("on") || /^\s*javascript:/i.test(a.value))).length);
const shown = () => page.evaluate(() => [
  document.getElementById("shown")?.textContent ?? "",
  [...document.querySelectorAll("tr[data-level]")].filter((r) => r.checkVisibility({ contentVisibilityAuto: false })).length,
]);
out.tools = await page.evaluate(() => document.getElementById("tools")?.hidden === false);
if (out.tools) {
  out.all = await shown();
  await page.keyboard.press("/");
  out.focused = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.type("order_lines");
  const begun = Date.now();
  await page.waitForFunction((before) => document.getElementById("shown").textContent !== before, {}, out.all[0])
    .catch(() => {});
  out.filter_ms = Date.now() - begun;
  out.searched = await shown();
  await page.keyboard.press("Escape");
  out.cleared = await shown();
  await page.click("input[value=blocker]");
  out.without_blockers = await shown();
  await page.click("input[value=blocker]");
  // Everything that acts can be reached by keyboard.
  out.tabbed = await page.evaluate(() => [...document.querySelectorAll("button:not([hidden]), summary, input, select, a[href]")]
    .every((e) => e.tabIndex >= 0));
  await page.click(".fix button").catch(() => {});
  await page.waitForFunction(() => document.getElementById("say").textContent !== "").catch(() => {});
  out.said = await page.evaluate(() => document.getElementById("say").textContent);
}
const scrolled = Date.now();
await page.evaluate(async () => {
  for (let y = 0; y < document.documentElement.scrollHeight && y < 60000; y += 2000) {
    scrollTo(0, y);
    await new Promise((done) => requestAnimationFrame(done));
  }
});
out.scroll_ms = Date.now() - scrolled;
if (pictures && !process.env.QUICK) {
  await page.pdf({ path: join(pictures, `${name}-print.pdf`), format: "A4", printBackground: false, timeout: 120000 });
}
await browser.close();
console.log(JSON.stringify(out));
