/** Where servers put the reasoning. @module */

import type { ServerGroup } from "./case.ts";

/** Where servers put the reasoning. */
export const REASONING: ServerGroup = {
  title: "Reasoning",
  cases: [],
};
