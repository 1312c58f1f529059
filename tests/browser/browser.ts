/**
 * One Chromium for all tests of the page, and visits to pages in it.
 *
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { chromiumPackage } from "./deps/chromium.ts";
import { type Browser, type BrowserContext, chromium, type Page } from "./deps/playwright.ts";

/**
 * Arguments of Chromium instead of the package's, which switch off the isolation of sites. Root
 * cannot have a sandbox. Frames must not wait for a screen, because there is none.
 */
const ARGS = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-frame-rate-limit",
  "--disable-gpu-vsync",
];

/** Longer than anything takes, even on a busy machine. */
const PATIENCE_MS = 60_000;

let browser: Browser | undefined;
const allProblems: string[] = [];

export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({
    executablePath: await chromiumPackage.executablePath(),
    args: ARGS,
  });
}

/** Starts the Chromium of all tests. It does not count as a resource of the tests that use it. */
export async function startBrowser(): Promise<void> {
  browser = await launchChromium();
}

export async function stopBrowser(): Promise<void> {
  await browser?.close();
}

/**
 * Fails if anything has gone wrong in a page since the last call. This is not checked when a page
 * is closed: a failed test would then report only that.
 */
export function assertNoProblems(): void {
  assertEquals(allProblems.splice(0), []);
}

/** How a user looks at the page. */
export interface VisitOptions {
  /** Theme that the system prefers. @default "light" */
  theme?: "light" | "dark";
  /** Width of the window in CSS pixels. @default 1440 */
  width?: number;
  /** Errors and console messages that belong to the tested behavior. @default none */
  expected?: RegExp;
  /** Runs in every page before its own scripts. @default none */
  initScript?: string | (() => void);
  /** Whether the clock of the page stands still. @default false */
  isStill?: boolean;
  /** What the user has allowed, such as `notifications`. @default nothing */
  permissions?: string[];
  /** A visit whose cookies this one shares. @default new cookies */
  sibling?: Visit;
}

/**
 * An opened page. Tests call `assertNoProblems()` after it, because nothing may go wrong in the
 * page.
 */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** Addresses that the page requested, in order. */
  readonly requests: string[];
}

/** Opens an address in a browser context without cookies and storage. */
export async function visit(url: string, options: VisitOptions = {}): Promise<Visit> {
  const context = options.sibling?.page.context() ?? await newContext(options);
  if (options.initScript !== undefined) await context.addInitScript(options.initScript);
  if (options.isStill) await context.addInitScript(stopClock);
  if (options.permissions !== undefined) await context.grantPermissions(options.permissions);
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

/**
 * Opens the page of a staged run, whose clock stands still: a page on a busy machine would lose a
 * run that makes no step for 5 s, and show a wait that it took too long to draw.
 */
export function visitStill(url: string, options: VisitOptions = {}): Promise<Visit> {
  return visit(url, { ...options, isStill: true });
}

function stopClock(): void {
  const nowMs = Date.now();
  Date.now = () => nowMs;
}

/**
 * Collects problems: script errors, console errors, breaches of the security policy, and dialogs.
 */
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
