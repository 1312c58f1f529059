/**
 * What servers send, and what a run makes of it: the table of `servers_test.ts` and of
 * `docs/teachers.md`. A file for each topic; a case goes into the file of its topic. After a
 * change, write the page again: `deno run --allow-all tests/behaviors/teachers_page.ts`.
 *
 * @module
 */

import { ANSWER_FORMS } from "./answer_forms.ts";
import { BROKEN_ANSWERS } from "./broken_answers.ts";
import type { ServerGroup } from "./case.ts";
import { CONNECTIONS } from "./connections.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { ENDINGS } from "./endings.ts";
import { MORE_QUIRKS } from "./more_quirks.ts";
import { QUIRKS } from "./quirks.ts";
import { REACHING } from "./reaching.ts";
import { REASONING } from "./reasoning.ts";
import { TOOL_CALLS } from "./tool_calls.ts";
import { WIRE_FORMS } from "./wire_forms.ts";

/** All of them, in the order of the page. */
export const SERVERS: readonly ServerGroup[] = [
  ENDINGS,
  BROKEN_ANSWERS,
  ANSWER_FORMS,
  WIRE_FORMS,
  REASONING,
  TOOL_CALLS,
  CONNECTIONS,
  REACHING,
  ENDPOINTS,
  QUIRKS,
  MORE_QUIRKS,
];
