/** Whole answers in unusual forms: encodings, labels, numbers that are not JSON. @module */

import type { ServerGroup } from "./case.ts";

/** Whole answers in unusual forms: encodings, labels, numbers that are not JSON. */
export const ANSWER_FORMS: ServerGroup = {
  title: "Unusual forms of a whole answer",
  cases: [],
};
