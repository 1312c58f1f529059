/**
 * The page of the monitor in a real Chromium, which all of these tests share.
 *
 * @module
 */

import { assertNoProblems, startBrowser, stopBrowser } from "./browser/browser.ts";
import "./browser/controls.ts";
import "./browser/cost.ts";
import "./browser/hostile.ts";
import "./browser/live.ts";
import "./browser/looks.ts";
import "./browser/report.ts";

Deno.test.beforeAll(startBrowser);
Deno.test.afterEach(assertNoProblems);
Deno.test.afterAll(stopBrowser);
