/**
 * Tests of the monitor's page in a real Chromium, which all tests of a file share. The files run in
 * parallel.
 *
 * @module
 */

import { assertNoProblems, startBrowser, stopBrowser } from "./browser.ts";
import "./calm.ts";
import "./controls.ts";
import "./cost.ts";
import "./ends.ts";
import "./fleet.ts";
import "./language.ts";
import "./live.ts";
import "./report.ts";
import "./texts.ts";

Deno.test.beforeAll(startBrowser);
Deno.test.afterEach(assertNoProblems);
Deno.test.afterAll(stopBrowser);
