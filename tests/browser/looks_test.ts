/**
 * Tests of how the page of the monitor looks, and how it shows texts, in a real Chromium. @module
 */

import { assertNoProblems, startBrowser, stopBrowser } from "./browser.ts";
import "./hostile.ts";
import "./looks.ts";

Deno.test.beforeAll(startBrowser);
Deno.test.afterEach(assertNoProblems);
Deno.test.afterAll(stopBrowser);
