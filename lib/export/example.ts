/**
 * Training examples, their sources, and the reader that makes an example from a results line.
 *
 * @module
 */

import { originOf } from "../answer.ts";
import { UsageError } from "../errors.ts";
import { formatCount, formatCountOf } from "../figures.js";
import { filledList, isObject, parsedJson } from "../json.ts";
import { foreignLineProblem } from "../line_blocks.ts";
import { posixWord } from "../printable.ts";
import { type RowOptions, rowOptionsOf, type RunFile } from "../run/mod.ts";
import { restoreRow } from "../sink/mod.ts";
import { ParsedRow, RowParser, type RowRequest } from "../source/mod.ts";
import type { ExactType } from "../formats/mod.ts";
import type { Message, Params } from "../teacher/mod.ts";
import type { Origin } from "./row_order.ts";
import type { Unrepresentable } from "./turns.ts";

export interface Example extends Origin {
  /** The row, or the results line, as JSON text. */
  readonly text: string;
  /** `text`, parsed. */
  readonly result: Readonly<Record<string, unknown>>;
  /** The uid of the input row: the same for all answers to it. */
  readonly rowUid: string;
  readonly messages: readonly Message[];
  /** The tools that the teacher was offered; undefined for none. */
  readonly tools: readonly unknown[] | undefined;
  /** The path of the input file, as given to the run. */
  readonly input: string;
  /** The answer without the reasoning. */
  readonly response: string;
  readonly reasoning: string;
  readonly toolCalls: readonly unknown[] | undefined;
  /**
   * The answer as a message; null if the row has no answer. @default made from `response`,
   * `reasoning` and `toolCalls`
   */
  readonly answer?: Message | null;
  readonly rejected?: Message;
}

/** Whether an example is selected, or why it cannot be written. */
export type Verdict = boolean | Unrepresentable | NotRestored;

/**
 * A source of examples that is read twice. `scan` selects and checks examples, then `batches`
 * yields them to be written. Counts and types are known after the scan. `sources` may grow during
 * the scan.
 */
export interface ExampleSource {
  /** The number of selected examples. */
  readonly selectedCount: number;
  /** The number of rows, selected or not. */
  readonly rowCount: number;
  /** Files that must not be replaced, by path, each with a description for the error. */
  readonly sources: ReadonlyMap<string, string>;
  /** The types of the columns that have the same type in all files. @default none */
  readonly exactTypes?: ReadonlyMap<string, ExactType>;
  /** How the examples were made, in sentences of Markdown for the dataset card. */
  readonly origin: readonly string[];
  /**
   * Reads every row, and records which are selected.
   *
   * @throws {UsageError | SourceError} If rows cannot be written. The message names them.
   */
  scan(verdictOf: (example: Example) => Verdict): Promise<void>;
  /** Yields the selected examples, in input order or shuffled. */
  batches(): AsyncIterable<Iterable<Example>>;
}

interface ResultFields {
  uid: string;
  response: string;
  reasoning?: string;
  tool_calls?: unknown[] | string;
  final_messages?: Message[];
  distill: { source: string; params?: string };
}

export class ExampleReader {
  readonly #rows: RowOptions;
  readonly #paramSets: Readonly<Record<string, Params>>;
  /** One parser for each parameter set. A file usually has one or two sets. */
  readonly #parsers = new Map<string, RowParser>();

  /** @param run The run file, which has the options that the caller omits. */
  constructor(rows: RowOptions, run: RunFile | undefined) {
    this.#rows = rowOptionsOf(run, rows);
    this.#paramSets = run?.params ?? {};
  }

  /** Returns the example of a results line, or what is wrong with the line. Messages and tools are
   * restored when they are first read, so unselected rows cost nothing. Reading them throws a
   * `NotRestored` if the options do not make the prompt that was sent. */
  read(text: string): Example | string {
    const fields = parseFields(text);
    if (typeof fields === "string") return fields;
    const source = SOURCE.exec(fields.distill.source);
    if (source === null) return '"distill.source" must be file:line or file[element]';
    const [, input, file, line, element] = source;
    const paramsId = fields.distill.params ?? "";
    let request: RowRequest | undefined;
    const sentRequest = () => request ??= this.#sentRequest(text, fields, paramsId);
    const runTools = this.#paramSets[paramsId]?.tools;
    const { inputUid, sample } = originOf({ ...fields }, this.#rows.uidField);
    return {
      text,
      result: fields as unknown as Record<string, unknown>,
      rowUid: inputUid,
      get messages() {
        return sentRequest().messages;
      },
      get tools() {
        return filledList(sentRequest().params?.tools ?? runTools);
      },
      response: fields.response,
      reasoning: fields.reasoning ?? "",
      toolCalls: filledList(fields.tool_calls),
      // This is the name without the folder, because a run may be continued in another folder.
      file,
      line: line === undefined ? Number(element) + 1 : Number(line),
      input,
      sample,
    };
  }

  /** Restores what the run sent. If `prompt_hash` shows that the row no longer makes that prompt,
   * takes the messages from `final_messages`. */
  #sentRequest(lineText: string, fields: ResultFields, paramsId: string): RowRequest {
    const { promptHash, text } = restoreRow(lineText);
    const parser = this.#parserOf(paramsId);
    const request = parser.requestWithHash(withAndWithoutUid(text, fields.uid), promptHash);
    if (request !== undefined) return request;
    const row = parser.parse(text);
    if (fields.final_messages !== undefined) {
      const { params } = row instanceof ParsedRow ? row : {};
      return { messages: fields.final_messages.slice(0, -1), params };
    }
    throw new NotRestored(
      `the messages that uid "${fields.uid}" was sent with cannot be restored from its row: ` +
        (row instanceof ParsedRow
          ? "the prompt_hash differs. Use the system, template and prompt field of the run that sent it"
          : row.problem),
    );
  }

  #parserOf(paramsId: string): RowParser {
    let parser = this.#parsers.get(paramsId);
    if (parser === undefined) {
      parser = new RowParser({ ...this.#rows, runParams: this.#paramSets[paramsId] });
      this.#parsers.set(paramsId, parser);
    }
    return parser;
  }
}

/**
 * Returns the text of a row without its uid and with it, because a template may have used the uid.
 */
export function withAndWithoutUid(rowText: string, uid: unknown): readonly string[] {
  const start = JSON.stringify({ uid }).slice(0, -1);
  return [rowText, start + (rowText === "{}" ? "}" : `,${rowText.slice(1)}`)];
}

/** Captures the path of an input, its name, and the line or element. */
const SOURCE = /^((?:.*[/\\])?(.*?))(?::([1-9]\d{0,9})|\[(\d{1,10})\])$/s;

function parseFields(text: string): ResultFields | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  if (!isObject(value)) return "it must be an object";
  // Tools for tables, such as pandas, write null for a field that other lines have.
  for (const name of ["error", "tool_calls", "final_messages"]) {
    if (value[name] === null) delete value[name];
  }
  if (value.error !== undefined) return "it is a failure, not a result";
  const problem = foreignLineProblem(value, "results");
  if (problem !== undefined) return problem;
  if (typeof value.response !== "string") return '"response" must be a string';
  // Today's lines hold JSON text. Earlier versions wrote a list, or no field for an empty list.
  if (typeof value.tool_calls === "string") {
    value.tool_calls = parsedJson(value.tool_calls) ?? value.tool_calls;
  }
  for (const name of ["tool_calls", "final_messages"]) {
    if (value[name] !== undefined && !Array.isArray(value[name])) {
      return `"${name}" must be an array`;
    }
  }
  if (typeof (value.reasoning ?? "") !== "string") return '"reasoning" must be a string';
  const distill = value.distill as { source?: unknown; params?: unknown } | undefined;
  if (typeof distill?.source !== "string" || typeof (distill.params ?? "") !== "string") {
    return '"distill" must hold the "source" of the row';
  }
  return value as unknown as ResultFields;
}

/** An error for a row whose messages cannot be restored as they were sent. */
export class NotRestored extends UsageError {}

/**
 * The earliest and latest of the added times; "" if there are none. Times in ISO 8601 and UTC sort
 * as text.
 */
export class Times {
  count = 0;
  first = "";
  last = "";

  add(time: string): void {
    if (this.count === 0 || time < this.first) this.first = time;
    if (time > this.last) this.last = time;
    this.count++;
  }
}

/** Collects rows that cannot be restored. Its error says how to export the other rows. */
export class UnrestoredRows {
  readonly #where: string | undefined;
  readonly #restoredTimes = new Times();
  readonly #unrestoredTimes = new Times();
  #first = "";

  /** @param where The user's condition: suggested conditions extend it. */
  constructor(where: string | undefined) {
    this.#where = where;
  }

  addRestored(example: Example): void {
    this.#restoredTimes.add(createdOf(example));
  }

  add(example: Example, place: string, problem: string): void {
    if (this.#unrestoredTimes.count === 0) this.#first = `${place}: ${problem}`;
    this.#unrestoredTimes.add(createdOf(example));
  }

  throwIfAny(): void {
    const { count } = this.#unrestoredTimes;
    if (count === 0) return;
    if (this.#restoredTimes.count === 0) {
      const others = count === 1 ? "" : ` (and ${formatCountOf(count - 1, "other row")})`;
      throw new NotRestored(`Cannot export ${this.#first}${others}`);
    }
    const total = formatCount(count + this.#restoredTimes.count);
    throw new NotRestored(
      `Cannot export ${
        formatCount(count)
      } of ${total} rows, which were sent with a different system, ` +
        `template or prompt field from the others.\n  ${this.#first}\n${this.#adviceToSeparate()}`,
    );
  }

  /** Suggests conditions on the time of answers, because options usually change once during a run.
   * If older rows were retried after the change, time does not separate the rows. */
  #adviceToSeparate(): string {
    const where = this.#where, restored = this.#restoredTimes, unrestored = this.#unrestoredTimes;
    const areOlder = unrestored.last < restored.first;
    if (!areOlder && restored.last >= unrestored.first) {
      return "Export them separately: select the others with --uids or --where, then these with " +
        `the --system, --template or --prompt-field that they were sent with. ${RAW_ADVICE}`;
    }
    const change = areOlder ? restored.first : unrestored.first;
    const flagFor = (older: boolean) => {
      const condition = `distill.created ${older ? "<" : ">="} "${change}"`;
      return `--where ${
        posixWord(where === undefined ? condition : `(${where}) and ${condition}`)
      }`;
    };
    return [
      "Export them separately, by the time of their answers:",
      `  the ${formatCountOf(restored.count, "other row")}: add ${flagFor(!areOlder)}`,
      `  ${unrestored.count === 1 ? "this row" : "these rows"}: add ${flagFor(areOlder)} ` +
      "and the --system, --template or --prompt-field that they were sent with",
      RAW_ADVICE,
    ].join("\n");
  }
}

const RAW_ADVICE = "--format raw writes all rows as they are";

function createdOf({ result }: Example): string {
  const { created } = result.distill as { created?: unknown };
  return typeof created === "string" ? created : "";
}
