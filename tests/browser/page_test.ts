/**
 * The page of the monitor in a real Chromium, which all of these tests share.
 *
 * @module
 */

import { assertNoProblems, startBrowser, stopBrowser } from "./browser.ts";
import "./calm.ts";
import "./controls.ts";
import "./cost.ts";
import "./data_view.ts";
import "./ends.ts";
import "./fleet.ts";
import "./hostile.ts";
import "./language.ts";
import "./live.ts";
import "./looks.ts";
import "./report.ts";
import "./texts.ts";

Deno.test.beforeAll(startBrowser);
Deno.test.afterEach(assertNoProblems);
Deno.test.afterAll(stopBrowser);
