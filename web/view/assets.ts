/** The files of the data page, as text. @module */

import { type PageFiles, pageOf } from "../assets.ts";
import actions from "./page/actions.js" with { type: "text" };
import ask from "./page/ask.js" with { type: "text" };
import columns from "./page/columns.js" with { type: "text" };
import facets from "./page/facets.js" with { type: "text" };
import viewState from "./page/view_state.js" with { type: "text" };
import grid from "./page/grid.js" with { type: "text" };
import histograms from "./page/histograms.js" with { type: "text" };
import viewMain from "./page/main.js" with { type: "text" };
import openRow from "./page/open_row.js" with { type: "text" };
import rows from "./page/rows.js" with { type: "text" };
import samplePair from "./page/sample_pair.js" with { type: "text" };
import status from "./page/status.js" with { type: "text" };
import VIEW_HTML from "./page/view.html" with { type: "text" };
import detailCss from "./page/detail.css" with { type: "text" };
import gridCss from "./page/grid.css" with { type: "text" };
import viewCss from "./page/view.css" with { type: "text" };

export const DATA_PAGE: PageFiles = pageOf(
  VIEW_HTML,
  [
    ask,
    viewState,
    status,
    columns,
    rows,
    grid,
    facets,
    histograms,
    samplePair,
    openRow,
    actions,
    viewMain,
  ],
  [viewCss, gridCss, detailCss],
);
