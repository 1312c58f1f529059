// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Starts the page over results and failures, and brings its parts together.
 *
 * @module
 */

import { formatBytes, formatCount, formatShare } from "../../page/figures.js";
import { byId, make, setAttribute, setShown, setText } from "../../page/dom.js";
import { startTheme } from "../../page/theme.js";
import { Actions } from "./actions.js";
import { Detail } from "./detail.js";
import { FacetList } from "./facets.js";
import { Filter } from "./filter.js";
import { builtInColumns, Grid, ownColumn, setCount } from "./grid.js";
import { HistogramList } from "./histograms.js";

/** @import { DataState, Overview, RowPage, ScanStatus } from "../../../lib/data/protocol.ts" */
/** @typedef {DataState & { program: string, hasRun: boolean, flags: { name: string, title: string, help: string }[] }} PageState */

const USUAL_COLUMNS = [
  "uid",
  "prompt",
  "answer",
  "finish_reason",
  "completion_tokens",
  "latency_ms",
  "flags",
];
/** While something is under way, it is asked how far it is. */
const BUSY_MS = 250;
const CALM_MS = 2_000;
/** Typing is over when no key has come for a while. */
const TYPING_MS = 300;

/** Asks the server. @param {string} path @param {Record<string, string | readonly string[]>} params @returns {Promise<any>} */
async function ask(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of typeof value === "string" ? [value] : value) {
      query.append(name, one);
    }
  }
  return await answerOf(await fetch(`${path}?${query}`));
}

/** @param {Response} response */
async function answerOf(response) {
  const answer = await response.json().catch(() => ({
    error: `The server answered with ${response.status}`,
  }));
  const isRefused = typeof answer?.error === "string";
  if (!response.ok || isRefused) {
    const words = isRefused ? answer.error : `The server answered with ${response.status}`;
    throw new AskError(words, response.status);
  }
  return answer;
}

/** What the server does not do, and why. */
class AskError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The page. */
class ViewPage {
  #filter = Filter.fromHash(location.hash);
  /** Flags with their explanations, once they are known. @type {Record<string, { title: string, help: string }>} */
  #words = {};
  #columns = builtInColumns(this.#words);
  /** @type {PageState | undefined} */
  #state;
  /** Of all rows. @type {Overview | undefined} */
  #all;
  #shownVersion = -1;
  #allVersion = -1;
  #condition = "";
  #isAsking = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  #grid = new Grid((from, count) => this.#loadRows(from, count), {
    open: (row, place) => this.#openRow(row.id, row.uid, place),
    close: () => this.#closeRow(),
    select: () => this.#updateSelection(),
    sort: (field) => this.#sort(field),
  });
  #facets = new FacetList(this.#words, (field, value, how) => {
    this.#filter.choose(field, value, how);
    this.#changed();
  });
  #histograms = new HistogramList((field, min, max) => {
    this.#filter.setRange(field, min, max);
    this.#changed();
  });
  #detail = new Detail(this.#words, (uid) => this.#openUid(uid));
  #actions = new Actions();

  /** Starts it. */
  start() {
    startTheme(() => {}, () => {});
    const typed = (
      /** @type {string} */ id,
      /** @type {(value: string) => void} */ take,
    ) => {
      byId(id, HTMLInputElement).addEventListener("input", ({ target }) => {
        clearTimeout(this.#typing);
        const { value } = /** @type {HTMLInputElement} */ (target);
        this.#typing = setTimeout(() => {
          take(value);
          this.#changed();
        }, TYPING_MS);
      });
    };
    typed("search", (value) => this.#filter.search = value);
    typed("where", (value) => this.#filter.where = value);
    byId("search-in", HTMLSelectElement).addEventListener(
      "change",
      ({ target }) => {
        this.#filter.searchIn = /** @type {HTMLSelectElement} */ (target).value;
        if (this.#filter.search !== "") this.#changed();
      },
    );
    byId("search-pattern", HTMLInputElement).addEventListener(
      "change",
      ({ target }) => {
        this.#filter.isPattern = /** @type {HTMLInputElement} */ (target).checked;
        if (this.#filter.search !== "") this.#changed();
      },
    );
    for (const id of ["search-form", "where-form"]) {
      byId(id, HTMLFormElement).addEventListener("submit", (event) => {
        event.preventDefault();
        clearTimeout(this.#typing);
        this.#filter.search = byId("search", HTMLInputElement).value;
        this.#filter.where = byId("where", HTMLInputElement).value;
        this.#changed();
        this.#grid.focus();
      });
    }
    const click = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      byId(id, HTMLButtonElement).addEventListener("click", act);
    click("clear", () => {
      this.#filter.clear();
      this.#changed();
    });
    click("use", () => this.#useFilter());
    click("use-selected", () => this.#useSelection());
    click("unselect", () => {
      this.#grid.selected.clear();
      this.#updateSelection();
      this.#grid.draw();
    });
    click("detail-close", () => this.#closeRow());
    click("detail-next", () => this.#step(1));
    click("detail-previous", () => this.#step(-1));
    click("near-prompt", () => this.#near("prompt"));
    click("near-response", () => this.#near("response"));
    click("near-cancel", () => this.#near("cancel"));
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.#filter.toHash()) return;
      this.#filter = Filter.fromHash(location.hash);
      this.#changed();
      if (this.#filter.row === "") this.#closeRow();
      else this.#openUid(this.#filter.row);
    });
    byId("detail", HTMLElement).addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#closeRow();
    });
    this.#changed();
    this.#poll();
  }

  /** Another condition, order or column. */
  #changed() {
    const hash = this.#filter.toHash();
    if (location.hash.slice(1) !== hash) {
      history.replaceState(
        null,
        "",
        hash === "" ? location.pathname : `#${hash}`,
      );
    }
    const { search, searchIn, isPattern, where } = this.#filter;
    setValue("search", search);
    setValue("where", where);
    byId("search-in", HTMLSelectElement).value = searchIn;
    byId("search-pattern", HTMLInputElement).checked = isPattern;
    const condition = this.#filter.condition();
    const isOther = condition !== this.#condition;
    this.#condition = condition;
    setText(byId("condition", HTMLElement), condition);
    setShown(byId("condition-line", HTMLElement), condition !== "");
    this.#setColumns();
    this.#shownVersion = -1;
    this.#grid.reset(true);
    if (isOther) setText(byId("problem", HTMLElement), "");
    this.#hurry();
  }

  #setColumns() {
    const { columns, sort, isDescending } = this.#filter;
    const names = columns.length > 0 ? columns : USUAL_COLUMNS;
    const sortable = new Set(this.#state?.sortable);
    const shown = names.map((name) => this.#columns[name] ?? ownColumn(name, sortable.has(name)));
    this.#grid.setColumns([this.#columns.choose, ...shown], sort, isDescending);
  }

  #sort(/** @type {string} */ field) {
    const filter = this.#filter;
    // Down, up, and as the files have it.
    if (filter.sort !== field) {
      [filter.sort, filter.isDescending] = [field, true];
    } else if (filter.isDescending) filter.isDescending = false;
    else filter.sort = "";
    this.#changed();
  }

  get #query() {
    const { sort, isDescending } = this.#filter;
    return { where: this.#condition, sort, desc: isDescending ? "1" : "" };
  }

  /** @param {number} from @param {number} count @returns {Promise<RowPage>} */
  async #loadRows(from, count) {
    const own = this.#filter.columns.filter((name) => this.#columns[name] === undefined);
    return await ask("rows", {
      ...this.#query,
      from: String(from),
      count: String(count),
      column: own,
    });
  }

  /** Asks soon. */
  #hurry() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), 0);
  }

  async #poll() {
    if (this.#isAsking) {
      this.#timer = setTimeout(() => this.#poll(), 30);
      return;
    }
    this.#isAsking = true;
    let isBusy = true;
    const condition = this.#condition;
    try {
      /** @type {PageState} */
      const state = await ask("state");
      this.#showState(state);
      const { version } = state.index;
      /** @type {Overview} */
      const shown = await ask("overview", this.#query);
      // While files are read, what is counted over all rows is out of date at once.
      if (
        this.#all === undefined ||
        (this.#allVersion !== version &&
          (state.index.isCurrent || condition === ""))
      ) {
        this.#all = condition === "" ? shown : await ask("overview");
        this.#allVersion = version;
      }
      setText(byId("problem", HTMLElement), shown.scan?.problem ?? "");
      if (condition === this.#condition) this.#showRows(shown, state);
      isBusy = !state.index.isCurrent || shown.scan?.isDone === false ||
        state.near?.state === "running";
      setShown(byId("lost", HTMLElement), false);
      setAttribute(document.documentElement, "data-ready", !isBusy);
    } catch (error) {
      this.#showProblem(error);
      isBusy = false;
    } finally {
      this.#isAsking = false;
      clearTimeout(this.#timer);
      const isSame = condition === this.#condition;
      this.#timer = setTimeout(
        () => this.#poll(),
        !isSame ? 0 : isBusy ? BUSY_MS : CALM_MS,
      );
    }
  }

  /** @param {unknown} error */
  #showProblem(error) {
    const isOurs = error instanceof AskError;
    setShown(byId("lost", HTMLElement), !isOurs);
    if (!isOurs) return;
    setText(byId("problem", HTMLElement), error.message);
    setText(byId("count", HTMLElement), "No rows");
    this.#grid.setTotal(0);
  }

  /** @param {Overview} shown @param {PageState} state */
  #showRows(shown, state) {
    const key = shown.version +
      (shown.scan === null ? 0 : shown.scan.done / (shown.scan.total + 1));
    if (key !== this.#shownVersion) {
      if (this.#shownVersion !== -1) this.#grid.reset(false);
      this.#shownVersion = key;
    }
    this.#grid.setTotal(shown.total);
    setCount(byId("count", HTMLElement), shown.total, state.index.rows);
    setText(byId("scan", HTMLElement), scanWords(shown.scan));
    setShown(byId("nothing", HTMLElement), shown.total === 0);
    setText(byId("nothing", HTMLElement), nothingWords(shown, state));
    const all = this.#all ?? shown;
    this.#facets.update(all.facets, shown.facets, this.#filter);
    this.#histograms.update(
      all.histograms,
      shown.histograms,
      this.#filter,
      state.max_tokens,
    );
    if (
      this.#filter.row !== "" && !this.#detail.isOpen &&
      shown.scan?.isDone !== false
    ) {
      this.#openUid(this.#filter.row);
    }
  }

  /** @param {PageState} state */
  #showState(state) {
    const isFirst = this.#state === undefined;
    this.#state = state;
    for (const { name, title, help } of state.flags) {
      this.#words[name] = { title, help };
    }
    const { index, near, own, hasRun } = state;
    setText(byId("files", HTMLElement), filesWords(state));
    const size = index.files.reduce((sum, one) => sum + one.size, 0);
    const read = index.files.reduce(
      (sum, one) => sum + Math.min(one.read, one.size),
      0,
    );
    setText(
      byId("reading", HTMLElement),
      index.isCurrent ? "" : `Reading: ${formatShare(read, size)} of ${formatBytes(size)}`,
    );
    this.#showNotes(state);
    setShown(byId("run-link", HTMLElement), hasRun);
    for (const id of ["near-prompt", "near-response"]) {
      byId(id, HTMLButtonElement).disabled = !index.isCurrent ||
        near?.state === "running";
    }
    setShown(byId("near-cancel", HTMLElement), near?.state === "running");
    setText(byId("near-words", HTMLElement), nearWords(near));
    setShown(
      byId("near-choices", HTMLElement),
      near?.state === "done" && near.copies > 0,
    );
    this.#showColumnChoices(own);
    if (isFirst) this.#setColumns();
  }

  /** @param {PageState} state */
  #showNotes({ index }) {
    const notes = index.files.flatMap(
      ({ path, problem, damageCount, damage, state }) => {
        if (problem !== null) return [`${path}: ${problem}`];
        if (damageCount === 0 || state === "foreign") return [];
        const [first] = damage;
        const lines = damageCount === 1 ? "line" : "lines";
        return [
          `${path}: ${
            formatCount(damageCount)
          } damaged ${lines} left out (line ${first.line}: ${first.problem})`,
        ];
      },
    );
    const list = byId("notes", HTMLElement);
    if (list.dataset.text === notes.join("\n")) return;
    list.dataset.text = notes.join("\n");
    list.replaceChildren(
      ...notes.slice(0, 20).map((note) => make("li", {}, note)),
    );
    setShown(list, notes.length > 0);
  }

  /** @param {readonly string[]} own */
  #showColumnChoices(own) {
    const list = byId("columns-list", HTMLElement);
    const names = [
      ...Object.keys(this.#columns).filter((name) => name !== "choose"),
      ...own.filter((name) => this.#columns[name] === undefined),
    ];
    const { columns } = this.#filter;
    const shown = columns.length > 0 ? columns : USUAL_COLUMNS;
    const key = JSON.stringify([names, shown]);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...names.map((name) => {
      const box = make("input", { type: "checkbox" });
      box.checked = shown.includes(name);
      box.addEventListener("change", () => {
        const now = this.#filter.columns.length > 0 ? this.#filter.columns : USUAL_COLUMNS;
        this.#filter.columns = box.checked ? [...now, name] : now.filter((one) => one !== name);
        this.#changed();
      });
      return make(
        "label",
        { class: "check" },
        box,
        this.#columns[name]?.title ?? name,
      );
    }));
  }

  /** @param {string} id @param {string} uid @param {number} place */
  async #openRow(id, uid, place) {
    this.#filter.row = uid;
    this.#grid.opened = id;
    history.replaceState(null, "", `#${this.#filter.toHash()}`);
    setText(
      byId("detail-place", HTMLElement),
      place >= 0
        ? `Row ${formatCount(place + 1)} of ${formatCount(this.#grid.total)}`
        : "Not among the rows that are shown",
    );
    try {
      const row = await ask("row", { id });
      if (this.#grid.opened === id) this.#detail.show(row);
    } catch (error) {
      this.#showProblem(error);
    }
  }

  /** Opens the row of an id, wherever it is. @param {string} uid */
  async #openUid(uid) {
    try {
      const place = await ask("locate", { ...this.#query, uid });
      if (place >= 0) {
        this.#grid.goTo(place, true);
        const row = await this.#grid.fetchRow(place);
        if (row !== undefined) await this.#openRow(row.id, uid, place);
        return;
      }
      const { rows } = await ask("rows", {
        where: `uid == ${JSON.stringify(uid)}`,
        from: "0",
        count: "1",
      });
      if (rows.length > 0) await this.#openRow(rows[0].id, uid, -1);
    } catch (error) {
      this.#showProblem(error);
    }
  }

  #closeRow() {
    if (!this.#detail.isOpen) return;
    this.#detail.hide();
    this.#filter.row = "";
    this.#grid.opened = "";
    history.replaceState(null, "", `#${this.#filter.toHash()}`);
    this.#grid.draw();
    this.#grid.focus();
  }

  /** @param {number} by */
  async #step(by) {
    const place = this.#grid.active + by;
    if (place < 0 || place >= this.#grid.total) return;
    this.#grid.goTo(place);
    const row = await this.#grid.fetchRow(place);
    if (row !== undefined) await this.#openRow(row.id, row.uid, place);
    this.#grid.draw();
  }

  #updateSelection() {
    const { size } = this.#grid.selected;
    setShown(byId("selection", HTMLElement), size > 0);
    setText(byId("selected", HTMLElement), `${formatCount(size)} selected`);
  }

  /** @returns {import("./actions.js").CommandContext} */
  get #context() {
    const { program = "retort", paths = [], runs = [] } = this.#state ?? {};
    return { program, paths, runs };
  }

  #useFilter() {
    const condition = this.#condition;
    this.#actions.showFilter(
      this.#context,
      condition,
      this.#grid.total,
      !/\bnear_duplicate\b/.test(condition),
      () => save({ where: condition }),
    );
  }

  #useSelection() {
    const ids = [...this.#grid.selected.keys()];
    this.#actions.showSelection(this.#context, ids.length, () => save({ ids }));
  }

  /** @param {"prompt" | "response" | "cancel"} of */
  async #near(of) {
    try {
      await ask("near", { of });
    } catch (error) {
      this.#showProblem(error);
    }
    this.#hurry();
  }
}

/** The page's only write. @param {object} body */
async function save(body) {
  return await answerOf(
    await fetch("selection", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

/** What is being typed is left alone. @param {string} id @param {string} value */
function setValue(id, value) {
  const input = byId(id, HTMLInputElement);
  if (input.value !== value && document.activeElement !== input) {
    input.value = value;
  }
}

/** @param {ScanStatus | null} scan */
function scanWords(scan) {
  if (scan === null || scan.isDone) return "";
  return `Searching: ${formatShare(scan.done, scan.total)}`;
}

/** @param {Overview} shown @param {PageState} state */
function nothingWords({ scan }, { index }) {
  if (scan?.isDone === false) return "Nothing found yet";
  if (index.rows > 0) return "No row meets this condition";
  return index.isCurrent
    ? "There are no rows yet. They appear here as they are written"
    : "Reading the first rows …";
}

/** @param {PageState} state */
function filesWords({ index, paths }) {
  const files = index.files.length === 1 ? "1 file" : `${formatCount(index.files.length)} files`;
  return `${paths.join(", ")} · ${files}`;
}

/** @param {DataState["near"]} near */
function nearWords(near) {
  if (near === null) return "";
  const of = near.of === "prompt" ? "prompts" : "answers";
  if (near.state === "running") {
    return `Comparing ${of}: ${formatShare(near.done, near.total)}`;
  }
  if (near.state === "cancelled") return "Cancelled";
  if (near.state === "failed") return near.problem ?? "Failed";
  if (near.copies === 0) return `No ${of} are nearly the same`;
  return `${formatCount(near.copies)} ${of} are nearly those of earlier rows, in ${
    formatCount(near.groups)
  } groups`;
}

new ViewPage().start();
