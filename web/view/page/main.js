// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Starts the data page, and connects its parts. @module */

import { formatCount } from "../../../lib/figures.js";
import { lostText, onClick, setAttribute, setShown, setText, startTheme } from "../../page/dom.js";
import { Actions, contextOf, isOfChosenRun, isOfFiles } from "./actions.js";
import { ask, AskError, Poll, save, UnknownPageError } from "./ask.js";
import {
  CHOOSE_COLUMN,
  ColumnChoices,
  columnOf,
  DEFAULT_COLUMNS,
  FLAG_LABELS,
  isBuiltIn,
} from "./columns.js";
import {
  Comparison,
  countText,
  FilesBar,
  NearPanel,
  NoteList,
  nothingText,
  scanText,
} from "./status.js";
import { FacetList } from "./facets.js";
import { SearchBar, ViewState } from "./view_state.js";
import { Grid } from "./grid.js";
import { HistogramList } from "./histograms.js";
import { OpenRow } from "./open_row.js";

/** @import { Overview, RowPage } from "../../../lib/data/mod.ts" */
/** @import { PageState } from "../server.ts" */

class ViewPage {
  #view = ViewState.fromHash(location.hash);
  /** @type {PageState | undefined} */
  #state;
  /** Overview of all rows, regardless of the filter. @type {Overview | undefined} */
  #overviewOfAll;
  /** Version of the rows in the grid; -1 after the filter changed, until its overview arrives. */
  #gridVersion = -1;
  #condition = "";
  #poll = new Poll(() => this.#refresh(), {
    done: (isBusy) => {
      setShown("lost", false);
      setAttribute(document.documentElement, "data-ready", !isBusy);
    },
    failed: (error) => this.#showProblem(error),
  });
  #grid = new Grid((from, count) => this.#loadRows(from, count), {
    open: (row, place) => this.#openRow.open(row, place),
    select: () => this.#updateSelection(),
    sort: (field) => this.#sort(field),
  });
  #facets = new FacetList((field, value, mode) => {
    this.#view.setChoice(field, value, mode);
    this.#applyFilter();
  });
  #histograms = new HistogramList((field, min, max) => {
    this.#view.setRange(field, min, max);
    this.#applyFilter();
  });
  #openRow = new OpenRow(this.#grid, {
    view: () => this.#view,
    writeHash: () => this.#writeHash(),
    query: () => this.#query,
    showProblem: (error) => this.#showProblem(error),
  });
  #actions = new Actions();
  #files = new FilesBar();
  #conditionNotes = new NoteList("condition-notes");
  #comparison = new Comparison();
  #nearDuplicates = new NearPanel((action) => this.#searchNearDuplicates(action));
  #columnChoices = new ColumnChoices((names) => {
    this.#view.columns = names;
    this.#applyFilter();
  });
  #searchBar = new SearchBar(() => {
    this.#searchBar.read(this.#view);
    this.#applyFilter();
  }, () => this.#grid.focus());

  start() {
    startTheme();
    onClick("clear", () => {
      this.#view.clearFilter();
      this.#applyFilter();
    });
    onClick("use", () => this.#useFilter());
    onClick("use-selected", () => this.#useSelection());
    onClick("unselect", () => {
      this.#grid.selected.clear();
      this.#updateSelection();
      this.#grid.draw();
    });
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.#view.toHash()) return;
      const newView = ViewState.fromHash(location.hash);
      const { openUid, openId } = newView;
      if (this.#openRow.enterEntry()) {
        // Keeps the filter: the URL of an entry of the same series may have an older filter.
        Object.assign(this.#view, { openUid, openId });
        this.#writeHash();
      } else {
        this.#view = newView;
        this.#applyFilter();
      }
      if (openUid === "") this.#openRow.close();
      else this.#openRow.openUid(openUid, openId);
    });
    this.#applyFilter();
  }

  #applyFilter() {
    this.#writeHash();
    this.#searchBar.show(this.#view);
    const condition = this.#view.condition();
    const isNewCondition = condition !== this.#condition;
    this.#condition = condition;
    setText("condition", condition);
    setAttribute("condition", "title", condition);
    setShown("condition-line", condition !== "");
    this.#setColumns();
    this.#gridVersion = -1;
    this.#grid.clear();
    if (isNewCondition) {
      setText("problem", "");
      this.#conditionNotes.update([]);
    }
    this.#poll.pollNow();
  }

  #writeHash() {
    const hash = this.#view.toHash();
    if (location.hash.slice(1) === hash) return;
    history.replaceState(history.state, "", hash === "" ? location.pathname : `#${hash}`);
  }

  get #shownColumns() {
    const { columns } = this.#view;
    return columns.length > 0 ? columns : DEFAULT_COLUMNS;
  }

  #setColumns() {
    const { sort, isDescending } = this.#view;
    const sortable = new Set(this.#state?.sortable);
    const shown = this.#shownColumns.map((name) => columnOf(name, sortable));
    this.#grid.setColumns([CHOOSE_COLUMN, ...shown], sort, isDescending);
  }

  #sort(/** @type {string} */ field) {
    const view = this.#view;
    if (view.sort !== field) {
      [view.sort, view.isDescending] = [field, true];
    } else if (view.isDescending) view.isDescending = false;
    else view.sort = "";
    this.#applyFilter();
  }

  get #query() {
    const { sort, isDescending } = this.#view;
    return { where: this.#condition, sort, desc: isDescending ? "1" : "" };
  }

  /** @param {number} from @param {number} count @returns {Promise<RowPage>} */
  async #loadRows(from, count) {
    const ownFields = this.#view.columns.filter((name) => !isBuiltIn(name));
    return await ask("rows", {
      ...this.#query,
      from: String(from),
      count: String(count),
      column: ownFields,
    });
  }

  /** Shows the current state and rows. Returns whether the server has work left. */
  async #refresh() {
    // Keeps copies, because the user may change the filter while a request is pending.
    const condition = this.#condition, query = this.#query;
    /** @type {PageState} */
    const state = await ask("state");
    this.#showState(state);
    const { index: { version, isCurrent }, near } = state;
    /** @type {Overview} */
    const shown = await ask("overview", query);
    // While the server reads files, the version keeps changing. During that time, the overview of
    // all rows is updated only if there is no condition: `shown` is then that overview.
    const isOutdated = this.#overviewOfAll?.version !== version &&
      (isCurrent || condition === "");
    if (this.#overviewOfAll === undefined || isOutdated) {
      this.#overviewOfAll = condition === "" ? shown : await ask("overview");
    }
    setText("problem", shown.scan?.problem ?? "");
    if (condition === this.#condition) this.#showRows(shown, state);
    return !isCurrent || shown.scan?.isDone === false || near?.state === "running";
  }

  /** @param {unknown} error */
  #showProblem(error) {
    const isRejected = error instanceof AskError;
    setText("lost-text", lostText({ isTokenUnknown: error instanceof UnknownPageError }));
    setShown("lost", !isRejected);
    if (!isRejected) return;
    setText("problem", error.message);
    setText("count", "No rows");
    this.#grid.setTotal(0);
  }

  /** @param {Overview} shown @param {PageState} state */
  #showRows(shown, state) {
    // While a search finds more rows, the server's version stays the same. The progress of the
    // search, a fraction below 1, is therefore added to it.
    const version = shown.version +
      (shown.scan === null ? 0 : shown.scan.done / (shown.scan.total + 1));
    if (version !== this.#gridVersion) {
      if (this.#gridVersion !== -1) this.#grid.reload();
      this.#gridVersion = version;
    }
    this.#grid.setTotal(shown.total);
    setText("count", countText(shown.total, Math.max(shown.total, state.index.rows)));
    setText("scan", scanText(shown.scan));
    setShown("nothing", shown.total === 0);
    setText("nothing", nothingText(shown, state));
    this.#conditionNotes.update(shown.notes);
    const all = this.#overviewOfAll ?? shown;
    this.#facets.update(all.facets, shown.facets, this.#view);
    this.#histograms.update(all.histograms, shown.histograms, this.#view, state.max_tokens);
    const { openUid, openId } = this.#view;
    if (openUid !== "" && !this.#openRow.isBusy && shown.scan?.isDone !== false) {
      this.#openRow.openUid(openUid, openId);
    }
  }

  /** @param {PageState} state */
  #showState(state) {
    const isFirst = this.#state === undefined;
    this.#state = state;
    for (const { name, title, help } of state.flags) FLAG_LABELS[name] = { title, help };
    this.#files.update(state);
    this.#nearDuplicates.update(state);
    this.#comparison.update(state.comparison);
    setShown("run-link", state.hasRun);
    this.#columnChoices.update(state.own, this.#shownColumns);
    if (isFirst) this.#setColumns();
  }

  #updateSelection() {
    const { size } = this.#grid.selected;
    setShown("selection", size > 0);
    setText("selected", `${formatCount(size)} selected`);
  }

  /** @returns {import("./actions.js").CommandContext} */
  get #context() {
    const { program = "retort", paths = [], results = [], runs = [] } = this.#state ?? {};
    return { program, paths, results, runs };
  }

  #useFilter() {
    const condition = this.#condition;
    const runs = this.#view.choiceOf("compared_run");
    const hasPageFields = /\b(?:near_duplicate|run_agreement|compared_run)\b/.test(condition);
    this.#actions.showFilter(
      contextOf(this.#context, (path) => isOfChosenRun(path, runs)),
      condition,
      this.#grid.total,
      !hasPageFields,
      () => save({ where: condition }),
    );
  }

  #useSelection() {
    const ids = [...this.#grid.selected.keys()];
    // Row ids begin with the number of the file.
    const numbers = new Set(ids.map((id) => parseInt(id, 10)));
    const files = this.#state?.index.files.filter((_, number) => numbers.has(number)) ?? [];
    const paths = files.map(({ path }) => path);
    const context = contextOf(this.#context, (path) => isOfFiles(path, paths));
    this.#actions.showSelection(context, ids.length, () => save({ ids }));
  }

  /** @param {"prompt" | "response" | "cancel"} action */
  async #searchNearDuplicates(action) {
    try {
      await ask("near", { of: action });
    } catch (error) {
      this.#showProblem(error);
    }
    this.#poll.pollNow();
  }
}

new ViewPage().start();
