/**
 * Rows as files hold them, and what is sent for each: the table of `rows_test.ts` and of
 * `docs/inputs.md`. A file for each topic; a row goes into the file of its topic. After a change,
 * write the page again: `deno run --allow-all tests/behaviors/rows/inputs_page.ts`.
 *
 * @module
 */

import type { RowGroup } from "./case.ts";
import { CHATS } from "./chats.ts";
import { DATASETS } from "./datasets.ts";
import { IDS } from "./ids.ts";
import { IMAGES } from "./images.ts";
import { PARAMETERS } from "./parameters.ts";
import { PROMPTS } from "./prompts.ts";
import { QUIRKS } from "./quirks.ts";
import { TOOLS } from "./tools.ts";
import { UNSENT } from "./unsent.ts";

/** All of them, in the order of the page. */
export const ROWS: readonly RowGroup[] = [
  PROMPTS,
  CHATS,
  TOOLS,
  IMAGES,
  PARAMETERS,
  UNSENT,
  IDS,
  QUIRKS,
  DATASETS,
];
