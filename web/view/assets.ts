/**
 * The files of the page, as text.
 *
 * @module
 */

import { COMMON_MODULES, COMMON_STYLES, joinModules } from "../assets.ts";
import actions from "./page/actions.js" with { type: "text" };
import detail from "./page/detail.js" with { type: "text" };
import difference from "./page/difference.js" with { type: "text" };
import facets from "./page/facets.js" with { type: "text" };
import filter from "./page/filter.js" with { type: "text" };
import grid from "./page/grid.js" with { type: "text" };
import histograms from "./page/histograms.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import HTML from "./page/view.html" with { type: "text" };
import style from "./page/view.css" with { type: "text" };

/** Each after those that it imports. */
const MODULES = [
  ...COMMON_MODULES,
  filter,
  difference,
  grid,
  facets,
  histograms,
  detail,
  actions,
  main,
];

/** The page. */
export const VIEW_HTML: string = HTML;

/** Its script. */
export const VIEW_JS: string = joinModules(MODULES);

/** Its style. */
export const VIEW_CSS: string = [...COMMON_STYLES, style].join("\n");
