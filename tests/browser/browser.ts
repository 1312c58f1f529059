/**
 * One Chromium for all tests of the page, and visits to the page in it.
 *
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { chromiumPackage } from "./deps/chromium.ts";
import { type Browser, type BrowserContext, chromium, type Page } from "./deps/playwright.ts";

/** Not those of the package: they switch off what keeps sites apart. Root cannot have a sandbox; frames
 * that no one sees wait for no screen. */
const ARGS = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-frame-rate-limit",
  "--disable-gpu-vsync",
];

/** Longer than anything takes on a busy machine. */
const PATIENCE_MS = 60_000;

let browser: Browser | undefined;
const allProblems: string[] = [];

/** Starts Chromium. */
export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: await chromiumPackage.executablePath(),
    args: ARGS,
  });
}

/** Starts the Chromium of all tests; a test's own resources are counted from there. */
export async function startBrowser(): Promise<void> {
  browser = await launchChromium();
}

/** Ends it. */
export async function stopBrowser(): Promise<void> {
  await browser?.close();
}

/** Fails where anything has gone wrong in a page since the last call. Not when a page is left: a test that
 * has failed already would fail with that only. */
export function assertNoProblems(): void {
  assertEquals(allProblems.splice(0), []);
}

/** How a user looks at the page. */
export interface VisitOptions {
  /** What the system prefers. @default "light" */
  theme?: "light" | "dark";
  /** Width of the window in pixels of the page. @default 1440 */
  width?: number;
  /** Errors and messages of the console that belong to what is tested. @default none */
  expected?: RegExp;
  /** Runs in every page before its own scripts. */
  initScript?: string | (() => void);
  /** Opens the page next to those of this visit, with the same cookies. */
  sibling?: Visit;
}

/** A page that a user has opened. Nothing may go wrong in it: `assertNoProblems()` is to follow. */
export interface Visit extends AsyncDisposable {
  /** The page. */
  readonly page: Page;
  /** What it has asked for, in order: addresses. */
  readonly requests: string[];
}

/** Opens an address in a browser that was never there before. */
export async function visit(url: string, options: VisitOptions = {}): Promise<Visit> {
  const context = options.sibling?.page.context() ?? await newContext(options);
  if (options.initScript !== undefined) await context.addInitScript(options.initScript);
  const page = await context.newPage();
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  watch(page, options.expected);
  await page.goto(url);
  return {
    page,
    requests,
    async [Symbol.asyncDispose]() {
      if (options.sibling === undefined) await context.close();
      else await page.close();
    },
  };
}

/** Errors of scripts, errors in the console, breaches of the policy and dialogs are problems. */
function watch(page: Page, expected?: RegExp): void {
  page.on("pageerror", ({ message }) => {
    if (!expected?.test(message)) allProblems.push(`error: ${message}`);
  });
  page.on("dialog", (dialog) => {
    allProblems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on("console", (message) => {
    const isBad = message.type() === "error" || message.type() === "warning";
    if (isBad && !expected?.test(message.text())) allProblems.push(`console: ${message.text()}`);
  });
}

async function newContext(
  { theme = "light", width = 1440 }: VisitOptions,
): Promise<BrowserContext> {
  if (browser === undefined) throw new Error("Cannot open a page: the browser was not started");
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: theme,
    reducedMotion: "reduce",
    locale: "en-GB",
  });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}
