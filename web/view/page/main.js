// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Starts the data page, and connects its parts. @module */

import { formatCount } from "../../page/figures.js";
import { byId, setAttribute, setShown, setText } from "../../page/dom.js";
import { startTheme } from "../../page/theme.js";
import { Actions, contextOf, isOfChosenRun, isOfFiles } from "./actions.js";
import { ask, AskError, Poll, save } from "./ask.js";
import { builtInColumns, ColumnChoices, columnOf, DEFAULT_COLUMNS } from "./columns.js";
import {
  Comparison,
  countWords,
  FilesBar,
  NearPanel,
  NoteList,
  nothingWords,
  scanWords,
} from "./status.js";
import { FacetList } from "./facets.js";
import { Filter } from "./filter.js";
import { Grid } from "./grid.js";
import { HistogramList } from "./histograms.js";
import { OpenRow, TABLE_ENTRY } from "./detail.js";
import { SearchBar } from "./search_bar.js";

/** @import { DataState, Overview, RowPage } from "../../../lib/data/mod.ts" */
/**
 * @typedef {DataState & { program: string, hasRun: boolean, notes: string[], flags: { name: string,
 * title: string, help: string }[] }} PageState
 */

class ViewPage {
  #filter = Filter.fromHash(location.hash);
  /**
   * Titles and help texts of flags, filled from the server's state.
   * @type {Record<string, { title: string, help: string }>}
   */
  #flagWords = {};
  #columns = builtInColumns(this.#flagWords);
  /** @type {PageState | undefined} */
  #state;
  /** Overview of all rows, regardless of the filter. @type {Overview | undefined} */
  #all;
  /** Version of the shown rows; -1 after a reset of the grid, until rows arrive. */
  #shownVersion = -1;
  #allVersion = -1;
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
    close: () => this.#openRow.close(),
    select: () => this.#updateSelection(),
    sort: (field) => this.#sort(field),
  });
  #facets = new FacetList(this.#flagWords, (field, value, how) => {
    this.#filter.choose(field, value, how);
    this.#applyFilter();
  });
  #histograms = new HistogramList((field, min, max) => {
    this.#filter.setRange(field, min, max);
    this.#applyFilter();
  });
  #openRow = new OpenRow(this.#grid, this.#flagWords, {
    filter: () => this.#filter,
    query: () => this.#query,
    fail: (error) => this.#showProblem(error),
  });
  #actions = new Actions();
  #files = new FilesBar();
  #conditionNotes = new NoteList("condition-notes");
  #comparison = new Comparison();
  #near = new NearPanel((of) => this.#searchNear(of));
  #columnChoices = new ColumnChoices(this.#columns, (names) => {
    this.#filter.columns = names;
    this.#applyFilter();
  });
  #searchBar = new SearchBar(() => {
    this.#searchBar.read(this.#filter);
    this.#applyFilter();
  }, () => this.#grid.focus());

  start() {
    startTheme(() => {}, () => {});
    const onClick = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      byId(id, HTMLButtonElement).addEventListener("click", act);
    onClick("clear", () => {
      this.#filter.clear();
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
      if (location.hash.slice(1) === this.#filter.toHash()) return;
      // Back closes only the open row: the filter may have changed meanwhile.
      if (history.state === TABLE_ENTRY) {
        this.#filter.row = this.#filter.at = "";
        this.#openRow.close();
        return this.#writeAddress();
      }
      this.#filter = Filter.fromHash(location.hash);
      this.#applyFilter();
      const { row, at } = this.#filter;
      if (row === "") this.#openRow.close();
      else this.#openRow.openUid(row, at);
    });
    this.#applyFilter();
  }

  #applyFilter() {
    this.#writeAddress();
    this.#searchBar.show(this.#filter);
    const condition = this.#filter.condition();
    const isOther = condition !== this.#condition;
    this.#condition = condition;
    setText("condition", condition);
    setAttribute(byId("condition"), "title", condition);
    setShown("condition-line", condition !== "");
    this.#setColumns();
    this.#shownVersion = -1;
    this.#grid.reset(true);
    if (isOther) {
      setText("problem", "");
      this.#conditionNotes.update([]);
    }
    this.#poll.pollNow();
  }

  #writeAddress() {
    const hash = this.#filter.toHash();
    if (location.hash.slice(1) === hash) return;
    history.replaceState(history.state, "", hash === "" ? location.pathname : `#${hash}`);
  }

  get #shownColumns() {
    const { columns } = this.#filter;
    return columns.length > 0 ? columns : DEFAULT_COLUMNS;
  }

  #setColumns() {
    const { sort, isDescending } = this.#filter;
    const sortable = new Set(this.#state?.sortable);
    const shown = this.#shownColumns.map((name) => columnOf(this.#columns, name, sortable));
    this.#grid.setColumns([this.#columns.choose, ...shown], sort, isDescending);
  }

  #sort(/** @type {string} */ field) {
    const filter = this.#filter;
    if (filter.sort !== field) {
      [filter.sort, filter.isDescending] = [field, true];
    } else if (filter.isDescending) filter.isDescending = false;
    else filter.sort = "";
    this.#applyFilter();
  }

  get #query() {
    const { sort, isDescending } = this.#filter;
    return { where: this.#condition, sort, desc: isDescending ? "1" : "" };
  }

  /** @param {number} from @param {number} count @returns {Promise<RowPage>} */
  async #loadRows(from, count) {
    const own = this.#filter.columns.filter((name) => !Object.hasOwn(this.#columns, name));
    return await ask("rows", {
      ...this.#query,
      from: String(from),
      count: String(count),
      column: own,
    });
  }

  /** Returns whether the server has work left. */
  async #refresh() {
    // The user may change the filter during each of the requests.
    const condition = this.#condition, query = this.#query;
    /** @type {PageState} */
    const state = await ask("state");
    this.#showState(state);
    const { index: { version, isCurrent }, near } = state;
    /** @type {Overview} */
    const shown = await ask("overview", query);
    // While the server reads files, the version changes with each request.
    const isOld = this.#allVersion !== version && (isCurrent || condition === "");
    if (this.#all === undefined || isOld) {
      this.#all = condition === "" ? shown : await ask("overview");
      // Not `version`: the server may return cached counts of an older version.
      this.#allVersion = this.#all?.version ?? -1;
    }
    setText("problem", shown.scan?.problem ?? "");
    if (condition === this.#condition) this.#showRows(shown, state);
    return !isCurrent || shown.scan?.isDone === false || near?.state === "running";
  }

  /** @param {unknown} error */
  #showProblem(error) {
    const isRejected = error instanceof AskError;
    setShown("lost", !isRejected);
    if (!isRejected) return;
    setText("problem", error.message);
    setText("count", "No rows");
    this.#grid.setTotal(0);
  }

  /** @param {Overview} shown @param {PageState} state */
  #showRows(shown, state) {
    // Rows also change with the progress of a search: it is added as a fraction below 1.
    const version = shown.version +
      (shown.scan === null ? 0 : shown.scan.done / (shown.scan.total + 1));
    if (version !== this.#shownVersion) {
      if (this.#shownVersion !== -1) this.#grid.reset(false);
      this.#shownVersion = version;
    }
    this.#grid.setTotal(shown.total);
    setText("count", countWords(shown.total, state.index.rows));
    setText("scan", scanWords(shown.scan));
    setShown("nothing", shown.total === 0);
    setText("nothing", nothingWords(shown, state));
    this.#conditionNotes.update(shown.notes);
    const all = this.#all ?? shown;
    this.#facets.update(all.facets, shown.facets, this.#filter);
    this.#histograms.update(all.histograms, shown.histograms, this.#filter, state.max_tokens);
    const { row, at } = this.#filter;
    if (row !== "" && !this.#openRow.isOpen && shown.scan?.isDone !== false) {
      this.#openRow.openUid(row, at);
    }
  }

  /** @param {PageState} state */
  #showState(state) {
    const isFirst = this.#state === undefined;
    this.#state = state;
    for (const { name, title, help } of state.flags) this.#flagWords[name] = { title, help };
    this.#files.update(state);
    this.#near.update(state);
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
    const runs = this.#filter.choiceOf("compared_run");
    this.#actions.showFilter(
      contextOf(this.#context, (path) => isOfChosenRun(path, runs)),
      condition,
      this.#grid.total,
      !/\b(?:near_duplicate|run_agreement|compared_run)\b/.test(condition),
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

  /** @param {"prompt" | "response" | "cancel"} of */
  async #searchNear(of) {
    try {
      await ask("near", { of });
    } catch (error) {
      this.#showProblem(error);
    }
    this.#poll.pollNow();
  }
}

new ViewPage().start();
