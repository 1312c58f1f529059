/** How servers treat connections, and limits. @module */

import type { ServerGroup } from "./case.ts";

/** How servers treat connections, and limits. */
export const CONNECTIONS: ServerGroup = {
  title: "Connections",
  cases: [],
};
