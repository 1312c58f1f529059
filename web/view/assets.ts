/** Files of the data page, as text. @module */

import { COMMON_MODULES, COMMON_STYLES, joinModules, withHeadAndIcons } from "../assets.ts";
import actions from "./page/actions.js" with { type: "text" };
import ask from "./page/ask.js" with { type: "text" };
import columns from "./page/columns.js" with { type: "text" };
import detail from "./page/detail.js" with { type: "text" };
import facets from "./page/facets.js" with { type: "text" };
import viewState from "./page/view_state.js" with { type: "text" };
import grid from "./page/grid.js" with { type: "text" };
import histograms from "./page/histograms.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import openRow from "./page/open_row.js" with { type: "text" };
import rows from "./page/rows.js" with { type: "text" };
import samplePair from "./page/sample_pair.js" with { type: "text" };
import searchBar from "./page/search_bar.js" with { type: "text" };
import status from "./page/status.js" with { type: "text" };
import HTML from "./page/view.html" with { type: "text" };
import detailStyle from "./page/detail.css" with { type: "text" };
import gridStyle from "./page/grid.css" with { type: "text" };
import viewStyle from "./page/view.css" with { type: "text" };

/** Modules of the page, each after the modules that it imports. */
const MODULES = [
  ...COMMON_MODULES,
  ask,
  viewState,
  searchBar,
  status,
  columns,
  rows,
  grid,
  facets,
  histograms,
  samplePair,
  detail,
  openRow,
  actions,
  main,
];

export const VIEW_HTML: string = withHeadAndIcons(HTML);

export const VIEW_JS: string = joinModules(MODULES);

export const VIEW_CSS: string = [...COMMON_STYLES, viewStyle, gridStyle, detailStyle].join("\n");
