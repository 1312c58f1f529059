/**
 * Answers the page's requests in the worker, and reads new rows between requests.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { fieldName, parsePath } from "../where/mod.ts";
import { compareRuns, type RunComparison } from "./comparison.ts";
import type { DataIndex } from "./data_index.ts";
import type {
  DataRequestName,
  DataRequests,
  DataState,
  Overview,
  Query,
  RowPage,
  ScanStatus,
} from "./data_service.ts";
import { facetsOf, histogramsOf } from "./facets.ts";
import { conditionNotes } from "./fields.ts";
import { NearSearch } from "./near_duplicates.ts";
import { planOf, rowsThatMeet, sortableFields, sortRows } from "./query.ts";
import { scanJobOf, Scanner } from "./scanner.ts";
import { readFacts, rowDetail, rowOfId, shownRow } from "./shown_row.ts";
import { hashOf, type Table } from "./table.ts";

/** The rows that meet a condition, cached because pages request them repeatedly. */
interface Selection {
  readonly where: string;
  readonly version: number;
  /** The table that the rows belong to: the index may start a new one. */
  readonly table: Table;
  /** Empty if there is a scanner, which then has the rows. */
  readonly rows: Uint32Array<ArrayBuffer>;
  /** The scan of lines; undefined if the columns suffice for the condition. */
  readonly scanner: Scanner | undefined;
  readonly createdMs: number;
  requestedMs: number;
  /** Whether a request waits for the ids of all rows of this selection. The scan must then
   * continue, even if the page is in a hidden tab and sends no other request in the meantime. */
  isAwaited?: boolean;
  /** The overview of the first `total` rows. A scan may have found more rows since. */
  overview?: Omit<Overview, "scan" | "version">;
  /** The first `count` rows, sorted; `key` is the field and the direction. */
  sorted?: {
    readonly key: string;
    readonly count: number;
    readonly rows: Uint32Array<ArrayBuffer>;
  };
}

/**
 * The type of an answer. Only `uids` needs a promise, because the ids of a search are known once it
 * has ended.
 */
type Answer<Name extends DataRequestName> = Name extends "uids"
  ? Promise<DataRequests["uids"]["out"]>
  : DataRequests[Name]["out"];

const NO_ROWS = new Uint32Array(0);
/** Maximum number of cached selections: several pages may be open, each with a condition. */
const MAX_SELECTIONS = 3;
/** How long a selection is used although the index has changed, as it always does during a run. */
const STALE_MS = 2_000;
/** A scan is canceled if no page requests it for this time. Open pages request more often. */
const UNWATCHED_MS = 1_500;
/** Maximum time for which requests wait while rows are read. */
const WORK_MS = 25;

export class DataServer {
  readonly #index: DataIndex;
  #selections: Selection[] = [];
  readonly #nearSearch: NearSearch;
  readonly #paths: readonly string[];
  #comparison: RunComparison | null = null;
  #comparedVersion = -1;

  constructor(index: DataIndex, paths: readonly string[]) {
    this.#index = index;
    this.#nearSearch = new NearSearch(index);
    this.#paths = paths;
  }

  /** @throws {UsageError} If a condition is invalid. */
  answer<Name extends DataRequestName>(
    name: Name,
    request: DataRequests[Name]["in"],
  ): Answer<Name> {
    const answers: {
      [Each in DataRequestName]: (request: DataRequests[Each]["in"]) => Answer<Each>;
    } = {
      state: () => this.#state(),
      rows: (query) => this.#rows(query),
      overview: (query) => this.#overview(query),
      row: ({ id, samplesFrom }) => {
        const row = rowOfId(this.#index, id);
        return row === undefined ? undefined : rowDetail(this.#index, row, samplesFrom);
      },
      locate: (query) => this.#locate(query),
      uids: (query) => this.#uids(query),
      near: ({ of }) => of === "cancel" ? this.#nearSearch.cancel() : this.#nearSearch.start(of),
      files: ({ files }) => void this.#index.addFiles(files) as undefined,
    };
    return answers[name](request);
  }

  /** Reads rows for at most `WORK_MS`; if all are read, searches for near duplicates. Returns false
   * if nothing is left to do. */
  async work(): Promise<boolean> {
    const endMs = performance.now() + WORK_MS;
    let isReading = false;
    while (performance.now() < endMs) {
      isReading = await this.#index.step();
      if (!isReading) break;
    }
    return isReading || this.#nearSearch.work(endMs);
  }

  #state(): DataState {
    const { table, files } = this.#index;
    const limits = files.flatMap(({ hints }) => Object.values(hints.params ?? {}))
      .map((params) => params.max_completion_tokens ?? params.max_tokens)
      .filter((limit) => typeof limit === "number");
    this.#compare();
    const results = files.filter(({ mark }) => !FAILURES_NAME.test(mark.path));
    return {
      index: this.#index.status(),
      sortable: sortableFields(table),
      own: ownNames(this.#index),
      max_tokens: [...new Set(limits)],
      near: this.#nearSearch.status,
      comparison: this.#comparison,
      runs: results.flatMap(({ mark: { path }, hints: { input, model } }) =>
        input === undefined || model === undefined ? [] : [{ input, output: path, model }]
      ),
      results: results.filter(({ problem }) => problem === undefined).map(({ mark }) => mark.path),
      paths: this.#paths,
    };
  }

  /** Compares two runs if the user named two, once all files are read, and again after changes. */
  #compare(): void {
    const { table, runs, version } = this.#index;
    if (this.#paths.length !== 2 || version === this.#comparedVersion) return;
    const [firstPath, secondPath] = this.#paths;
    if (!this.#index.status().isCurrent) return;
    this.#comparison = compareRuns(table, runs, [firstPath, secondPath]);
    this.#comparedVersion = ++this.#index.version;
  }

  #rows({ from, count, columns, ...query }: DataRequests["rows"]["in"]): RowPage {
    const selection = this.#selection(query.where);
    const rows = this.#sortedRows(selection, query);
    const first = Math.max(0, Math.min(from, rows.length));
    return {
      total: rows.length,
      scan: scanStatus(selection),
      from: first,
      rows: Array.from(
        rows.subarray(first, first + count),
        (row) => shownRow(this.#index, row, columns),
      ),
      version: selection.version,
    };
  }

  #overview({ where }: Query): Overview {
    const selection = this.#selection(where);
    const rows = foundRows(selection);
    const { table } = this.#index;
    // The overview is cached, because every page requests it every two seconds.
    if (selection.overview?.total !== rows.length) {
      selection.overview = {
        total: rows.length,
        facets: facetsOf(table, rows),
        histograms: histogramsOf(table, rows),
        notes: conditionNotes(table, where),
      };
    }
    return {
      ...selection.overview,
      scan: scanStatus(selection),
      version: selection.version,
    };
  }

  #locate({ uid, id, ...query }: DataRequests["locate"]["in"]): number {
    const { columns } = this.#index.table;
    const [low, high] = hashOf(uid);
    const hasUid = (row: number) => columns.uidLow[row] === low && columns.uidHigh[row] === high;
    const rows = this.#sortedRows(this.#selection(query.where), query);
    const row = rowOfId(this.#index, id);
    return row !== undefined && hasUid(row) ? rows.indexOf(row) : rows.findIndex(hasUid);
  }

  async #uids(query: DataRequests["uids"]["in"]): Promise<string[]> {
    const rows = "ids" in query
      ? query.ids.flatMap((id) => rowOfId(this.#index, id) ?? [])
      : await this.#allRows(this.#selection(query.where));
    return [...rows].map((row) => readFacts(this.#index, row)?.uid ?? "").filter(Boolean);
  }

  async #allRows(selection: Selection): Promise<Uint32Array> {
    const { scanner, table } = selection;
    selection.isAwaited = true;
    await scanner?.ended;
    const isOutdated = table !== this.#index.table;
    const problem = isOutdated ? "The files have changed: save again" : scanner?.problem;
    if (problem !== undefined) throw new UsageError(`Cannot save the selection. ${problem}`);
    return foundRows(selection).filter((row) => !table.isGone(row));
  }

  #sortedRows(
    selection: Selection,
    { sort = "", descending = false }: Query,
  ): Uint32Array<ArrayBuffer> {
    const rows = foundRows(selection);
    if (sort === "") return rows;
    const key = `${sort}\0${descending}`;
    const { sorted } = selection;
    if (sorted?.key === key && sorted.count === rows.length) return sorted.rows;
    const sortedRows = sortRows(this.#index.table, rows, parsePath(sort), descending) ?? rows;
    selection.sorted = { key, count: rows.length, rows: sortedRows };
    return sortedRows;
  }

  /** Returns a cached selection if it is current, at most `STALE_MS` old, or still being scanned.
   * Otherwise creates one, and starts a scan if the columns do not suffice for the condition. */
  #selection(where: string): Selection {
    const nowMs = performance.now();
    const cached = this.#selections.find((selection) => selection.where === where);
    if (cached !== undefined) cached.requestedMs = nowMs;
    this.#keep(
      this.#selections.filter((selection) =>
        !isScanning(selection) || selection.isAwaited ||
        nowMs - selection.requestedMs < UNWATCHED_MS
      ),
    );
    const { version, table } = this.#index;
    const isUsable = cached !== undefined &&
      cached.table === table &&
      (cached.version === version || isScanning(cached) || nowMs - cached.createdMs < STALE_MS);
    if (isUsable) return cached;
    const { indexedParts, scannedParts } = planOf(table, where);
    const rows = rowsThatMeet(table, indexedParts);
    const needsScan = scannedParts.length > 0;
    const newSelection: Selection = {
      where,
      version,
      table,
      rows: needsScan ? NO_ROWS : rows,
      scanner: needsScan ? new Scanner(scanJobOf(this.#index, rows, scannedParts)) : undefined,
      createdMs: nowMs,
      requestedMs: nowMs,
    };
    const others = this.#selections.filter((selection) => selection !== cached);
    this.#keep([newSelection, ...others].slice(0, MAX_SELECTIONS));
    return newSelection;
  }

  /** Replaces the cached selections, and cancels the scans of dropped ones. */
  #keep(selections: Selection[]): void {
    for (const selection of this.#selections) {
      if (!selections.includes(selection)) selection.scanner?.cancel();
    }
    this.#selections = selections;
  }
}

function isScanning({ scanner }: Selection): boolean {
  return scanner?.isDone === false;
}

const FAILURES_NAME = /_error\.\w+(?:\.\w+)?$/;

function foundRows({ rows, scanner }: Selection): Uint32Array<ArrayBuffer> {
  return scanner?.hitsSoFar() ?? rows;
}

function scanStatus({ scanner }: Selection): ScanStatus | null {
  if (scanner === undefined) return null;
  const { done, total, isDone, problem } = scanner;
  return { done, total, isDone, problem: problem ?? null };
}

function ownNames({ table }: DataIndex): string[] {
  const names = new Set([...table.fields.values()].map(({ name }) => name));
  for (const name of table.fieldNames) names.add(fieldName([name]));
  return [...names];
}
