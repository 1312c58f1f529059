/** How servers send tool calls. @module */

import type { ServerGroup } from "./case.ts";

/** How servers send tool calls. */
export const TOOL_CALLS: ServerGroup = {
  title: "Tool calls",
  cases: [],
};
