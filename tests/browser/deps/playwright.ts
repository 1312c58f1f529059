/** Browser automation, for tests of the page. It does not include a browser. @module */

export {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "npm:playwright-core@1.65.1";
