/** Headless Chromium within an npm package, for tests of the page. @module */

export { default as chromiumPackage } from "npm:@sparticuz/chromium@153.0.0";
