/** Tests of the data page in a real Chromium. @module */

import { assertNoProblems, startBrowser, stopBrowser } from "./browser.ts";
import "./data_view.ts";

Deno.test.beforeAll(startBrowser);
Deno.test.afterEach(assertNoProblems);
Deno.test.afterAll(stopBrowser);
