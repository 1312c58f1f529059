/** How a teacher is reached: headers, endpoints, response formats. @module */

import type { ServerGroup } from "./case.ts";

/** How a teacher is reached: headers, endpoints, response formats. */
export const REACHING: ServerGroup = {
  title: "Addresses, headers and endpoints",
  cases: [],
};
