/** Steers a browser, for tests of the page. Brings no browser of its own. @module */

export {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "npm:playwright-core@1.65.1";
