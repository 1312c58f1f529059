// @ts-check
/// <reference lib="dom" />
/**
 * The state of the view: filter, sort order, columns and open row. The URL fragment stores it, and
 * `condition()` writes the filter as a `--where` expression.
 *
 * @module
 */

/** @typedef {string | number | boolean | null} FilterValue */
/** @typedef {{ field: string, only: FilterValue[], not: FilterValue[] }} FacetChoice */
/** @typedef {{ field: string, min: number | null, max: number | null }} RangeChoice */

export class Filter {
  /** @type {FacetChoice[]} */
  facets = [];
  /** @type {RangeChoice[]} */
  ranges = [];
  search = "";
  /** The field that is searched: `response`, `prompt` or `reasoning`. */
  searchIn = "response";
  isPattern = false;
  /** The condition that the user typed. */
  where = "";
  sort = "";
  isDescending = false;
  /** Names of the shown columns; empty for the default ones. @type {string[]} */
  columns = [];
  /** Uid of the open row; "" if none is open. */
  row = "";
  /** Id of the open row. It tells rows with equal uids apart, as in two runs of one input. */
  at = "";

  /** The whole filter in the form that `--where` takes. @returns {string} */
  condition() {
    const parts = this.facets.flatMap(facetParts);
    for (const { field, min, max } of this.ranges) {
      if (min !== null) parts.push(`${field} >= ${min}`);
      if (max !== null) parts.push(`${field} <= ${max}`);
    }
    if (this.search !== "") {
      const text = JSON.stringify(this.isPattern ? `(?i)${this.search}` : this.search);
      // A row may have its own field "prompt", which can differ from the prompt that was sent.
      const field = this.searchIn === "prompt" ? "distill.prompt" : this.searchIn;
      parts.push(`${field} ${this.isPattern ? "matches" : "icontains"} ${text}`);
    }
    const typed = this.where.trim();
    if (typed !== "") {
      parts.push(parts.length > 0 && /\bor\b|\|\|/i.test(typed) ? `(${typed})` : typed);
    }
    return parts.join(" and ");
  }

  /** @param {string} field @returns {FacetChoice} */
  choiceOf(field) {
    return this.facets.find((choice) => choice.field === field) ??
      { field, only: [], not: [] };
  }

  /**
   * Adds a value to the shown (`only`) or hidden (`not`) ones; `undefined` removes it from both.
   *
   * @param {string} field @param {FilterValue} value @param {"only" | "not" | undefined} how
   */
  choose(field, value, how) {
    const { only, not } = this.choiceOf(field);
    const without = (/** @type {FilterValue[]} */ values) =>
      values.filter((other) => other !== value);
    const choice = { field, only: without(only), not: without(not) };
    if (how !== undefined) choice[how].push(value);
    this.facets = this.facets.filter((other) => other.field !== field);
    if (choice.only.length + choice.not.length > 0) this.facets.push(choice);
  }

  /** @param {string} field @param {number | null} min @param {number | null} max */
  setRange(field, min, max) {
    this.ranges = this.ranges.filter((range) => range.field !== field);
    if (min !== null || max !== null) this.ranges.push({ field, min, max });
  }

  /** Removes the condition; keeps order, columns and open row. */
  clear() {
    this.facets = [];
    this.ranges = [];
    this.search = "";
    this.where = "";
  }

  /** The URL fragment, without `#`. */
  toHash() {
    const params = new URLSearchParams();
    const set = (/** @type {string} */ name, /** @type {string} */ value) => {
      if (value !== "") params.set(name, value);
    };
    if (this.facets.length > 0) set("facets", JSON.stringify(this.facets));
    if (this.ranges.length > 0) set("ranges", JSON.stringify(this.ranges));
    set("search", this.search);
    if (this.search !== "") set("in", this.searchIn);
    if (this.search !== "" && this.isPattern) set("re", "1");
    set("where", this.where);
    set("sort", this.sort);
    if (this.isDescending) set("desc", "1");
    if (this.columns.length > 0) set("columns", JSON.stringify(this.columns));
    set("row", this.row);
    set("at", this.at);
    return params.toString();
  }

  /** Ignores invalid parts, because users may edit the URL. @param {string} hash */
  static fromHash(hash) {
    const params = new URLSearchParams(hash.replace(/^#/, ""));
    const filter = new Filter();
    const text = (/** @type {string} */ name) => params.get(name) ?? "";
    filter.facets = listIn(text("facets")).flatMap(({ field, only, not }) => {
      return typeof field === "string" && Array.isArray(only) &&
          Array.isArray(not)
        ? [{ field, only: only.filter(isFilterValue), not: not.filter(isFilterValue) }]
        : [];
    });
    filter.ranges = listIn(text("ranges")).flatMap(({ field, min, max }) =>
      typeof field === "string" ? [{ field, min: numberIn(min), max: numberIn(max) }] : []
    );
    filter.columns = listIn(text("columns")).filter((name) => typeof name === "string");
    filter.search = text("search");
    if (["response", "prompt", "reasoning"].includes(text("in"))) {
      filter.searchIn = text("in");
    }
    filter.isPattern = text("re") === "1";
    filter.where = text("where");
    filter.sort = text("sort");
    filter.isDescending = text("desc") === "1";
    filter.row = text("row");
    filter.at = text("at");
    return filter;
  }
}

/**
 * Whether a field may hold Retort's flags: `flags`, or `distill.flags` where rows have a field
 * `flags` of their own.
 * @param {string} field
 */
export function isFlagField(field) {
  return field === "flags" || field === "distill.flags";
}

/** @param {FacetChoice} choice @returns {string[]} */
function facetParts({ field, only, not }) {
  if (isFlagField(field)) {
    const has = (/** @type {FilterValue} */ value) => `${field} contains ${JSON.stringify(value)}`;
    const chosen = only.map(has).join(" or ");
    return [
      ...(only.length > 1 ? [`(${chosen})`] : only.length > 0 ? [chosen] : []),
      ...not.map((value) => `not ${has(value)}`),
    ];
  }
  return [...listPart(field, only, false), ...listPart(field, not, true)];
}

/**
 * @param {string} field
 * @param {FilterValue[]} values
 * @param {boolean} isNot
 * @returns {string[]}
 */
function listPart(field, values, isNot) {
  if (values.length === 0) return [];
  const texts = values.map((value) => JSON.stringify(value));
  if (texts.length === 1) {
    return [`${field} ${isNot ? "!=" : "=="} ${texts[0]}`];
  }
  return [`${field} ${isNot ? "not in" : "in"} (${texts.join(", ")})`];
}

/**
 * Returns the items except nulls; none for a text that is not a JSON array.
 * @param {string} text
 * @returns {any[]}
 */
function listIn(text) {
  try {
    const value = JSON.parse(text);
    return Array.isArray(value) ? value.filter((item) => item !== null) : [];
  } catch {
    return [];
  }
}

/** @param {unknown} value */
function numberIn(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** @param {unknown} value */
function isFilterValue(value) {
  return value === null ||
    ["string", "number", "boolean"].includes(typeof value);
}
