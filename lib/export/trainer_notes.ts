/**
 * Cases in which a trainer would misread an export: found while the rows are read, and reported
 * once at the end. Each case was seen in training with the loader that it names.
 *
 * datasets 4.8 reads messages as structs if all messages of the first 10 MB have the same keys, and
 * fails with a TypeError at the first later tool call. If one of them differs, it reads all
 * messages as they are.
 *
 * @module
 */

import { formatCountOf } from "../figures.ts";
import { isObject } from "../json.ts";
import { isRawJson } from "../source/mod.ts";
import type { ThinkStyle } from "../think.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import type { ExportFormat } from "./format_names.ts";
import { hasTextWithCalls, isAlternating } from "./llama_factory.ts";
import { argumentsOf, type ToolArguments, type TrainingRow } from "./training_row.ts";
import { jsonOf } from "../sink/mod.ts";
import type { MadeRow } from "./row_maker.ts";

/** The formats whose messages go through a chat template. */
const CHAT_FORMATS: ReadonlySet<string> = new Set([
  "messages",
  "prompt-completion",
  "preference",
  "dataset",
]);

/** Looks at each row that is exported. */
export class TrainerNotes {
  readonly #format: ExportFormat;
  readonly #think: ThinkStyle | undefined;
  readonly #toolArguments: ToolArguments;
  #rowsWithCalls = 0;
  #rowsWithReasoning = 0;
  #callsOfText = 0;
  #rowsOutOfTurn = 0;
  #textsWithCalls = 0;
  /** Each argument, and its first type. */
  readonly #types = new Map<string, string>();
  #firstKeys: string | undefined;
  /** An argument that differs between calls. */
  #different: string | undefined;

  readonly #isShareGpt: boolean;

  /** For one export. */
  constructor({ format, think, toolArguments }: ResolvedExport) {
    this.#format = format;
    this.#isShareGpt = format === "sharegpt" || format === "preference-sharegpt";
    this.#think = think;
    this.#toolArguments = toolArguments;
  }

  /** Looks at one row. */
  add(example: Example, row: TrainingRow): void {
    if (example.reasoning !== "") this.#rowsWithReasoning++;
    if (this.#isShareGpt) {
      if (!isAlternating(row)) this.#rowsOutOfTurn++;
      const { response, toolCalls } = example;
      const answer = example.answer ??
        { role: "assistant", content: response, tool_calls: toolCalls };
      for (const message of [...example.messages, answer]) {
        if (hasTextWithCalls(message)) this.#textsWithCalls++;
      }
    }
    let hasCalls = false;
    for (const message of example.messages) {
      if (this.#addCalls(message.tool_calls)) hasCalls = true;
    }
    if (this.#addCalls(example.toolCalls)) hasCalls = true;
    if (hasCalls) this.#rowsWithCalls++;
  }

  /** Notes for the user, a sentence or two each. */
  notes(): string[] {
    return [
      ...CHAT_FORMATS.has(this.#format) ? [...this.#callNotes(), ...this.#reasoningNotes()] : [],
      ...this.#shareGptNotes(),
    ];
  }

  #callNotes(): string[] {
    const notes: string[] = [];
    const isText = this.#toolArguments === "string";
    if (!isText && this.#different !== undefined) {
      notes.push(
        `Tool calls differ in their arguments (${this.#different}): load the file with datasets 4.8 ` +
          "or newer; older versions give each call the keys of all others. " +
          "--tool-arguments string loads everywhere",
      );
    }
    if (!isText && this.#callsOfText > 0) {
      notes.push(
        `${
          formatCountOf(this.#callsOfText, "tool call")
        } with arguments that are not a JSON object: ` + "written as text",
      );
    }
    if (isText && this.#rowsWithCalls > 0) {
      notes.push(
        "Arguments of tool calls are JSON text: Axolotl parses it; in TRL most chat templates encode it a " +
          "second time, or refuse it. Parse it before training, or use --tool-arguments object with JSONL",
      );
    }
    return notes;
  }

  #reasoningNotes(): string[] {
    if (this.#rowsWithReasoning === 0) return [];
    const rows = formatCountOf(this.#rowsWithReasoning, "row");
    if (this.#think === "wrap") {
      return [
        `${rows} with reasoning in <think> tags in the content, as Qwen3, Qwen3.5 and GLM-4 read it. ` +
        "Qwen3.8 and Nemotron 3 need --think field, gpt-oss --think field --reasoning-field thinking",
      ];
    }
    if (this.#think !== "field") return [];
    return [
      `${rows} with reasoning in a separate field: templates without reasoning (Qwen2.5, ` +
      "Llama 3, Gemma 3) ignore it, and need --think wrap",
    ];
  }

  #shareGptNotes(): string[] {
    const notes: string[] = [];
    if (this.#isShareGpt && this.#rowsWithCalls > 0) {
      notes.push(
        `${
          formatCountOf(this.#rowsWithCalls, "row")
        } with function_call turns: LLaMA-Factory trains on ` +
          "them, Axolotl does not. For Axolotl use --format messages",
      );
    }
    if (this.#isShareGpt && this.#think === "field" && this.#rowsWithReasoning > 0) {
      notes.push(
        `${
          formatCountOf(this.#rowsWithReasoning, "row")
        } with reasoning in a field: LLaMA-Factory does ` +
          "not read it. Use --think wrap, or --format messages for TRL and Axolotl",
      );
    }
    if (this.#rowsOutOfTurn > 0) {
      notes.push(
        `${
          formatCountOf(this.#rowsOutOfTurn, "row")
        } whose turns do not alternate between user and ` +
          "assistant: LLaMA-Factory drops them. For TRL and Axolotl use --format messages",
      );
    }
    if (this.#textsWithCalls > 0) {
      notes.push(
        `Left out ${formatCountOf(this.#textsWithCalls, "text")} that came with tool calls: ` +
          "sharegpt has no place for them. Use --format messages",
      );
    }
    return notes;
  }

  #addCalls(calls: unknown): boolean {
    if (!Array.isArray(calls) || calls.length === 0) return false;
    for (const call of calls) this.#addCall(call);
    return true;
  }

  #addCall(call: unknown): void {
    const object = argumentsOf(call);
    if (object === undefined) {
      this.#callsOfText++;
      return;
    }
    if (this.#different !== undefined) return;
    const keys = Object.keys(object).sort();
    for (const key of keys) {
      const type = typeOf(object[key]);
      const first = this.#types.get(key);
      if (first === undefined) this.#types.set(key, type);
      else if (first !== type) this.#different = `"${key}" is ${first} and ${type}`;
    }
    this.#firstKeys ??= keys.join("\n");
    if (this.#different !== undefined || this.#firstKeys === keys.join("\n")) return;
    const first = new Set(this.#firstKeys.split("\n"));
    const odd = keys.find((key) => !first.has(key)) ??
      [...first].find((key) => !keys.includes(key));
    this.#different = `not every call has "${odd}"`;
  }
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) {
    const types = [...new Set(value.map(typeOf))].sort();
    return `a list of ${types.join(" and ") || "nothing"}`;
  }
  if (isRawJson(value)) return "a number";
  if (typeof value !== "object") return `a ${typeof value}`;
  const members = Object.entries(value).map(([key, one]) => `${key}: ${typeOf(one)}`).sort();
  return `an object {${members.join(", ")}}`;
}

/** The columns that hold messages. */
export const MESSAGE_COLUMNS = ["messages", "prompt", "completion", "chosen", "rejected"];

/** Characters that datasets certainly reads before it decides: it reads 10 MB. */
const START_CHARS = 4 << 20;
const COMMON_KEYS: ReadonlySet<string> = new Set(["role", "content"]);

/** Whether a message has other keys than role and content. */
export function isUneven(messages: unknown): boolean {
  return Array.isArray(messages) &&
    messages.some((message) =>
      isObject(message) && Object.keys(message).some((key) => !COMMON_KEYS.has(key))
    );
}

/**
 * Holds the first rows back until each uneven column had an uneven message. In columns that had
 * none after 4 MB, the first row is marked.
 */
export class UnevenStart {
  /** Whether the first row was marked. */
  isMarked = false;
  /** Columns that become uneven somewhere, and have not yet. */
  readonly #even: Set<string>;
  #held: MadeRow[] | undefined = [];
  #chars = 0;

  /** `columns` are those that are uneven somewhere. */
  constructor(columns: Iterable<string>) {
    this.#even = new Set(columns);
  }

  /** Takes the next row. Returns those that can be written. */
  push(made: MadeRow): readonly MadeRow[] {
    const held = this.#held;
    if (held === undefined) return [made];
    held.push(made);
    const row = made.row as TrainingRow;
    for (const name of this.#even) if (isUneven(row[name])) this.#even.delete(name);
    if (this.#even.size > 0) {
      this.#chars += jsonOf(row).length;
      if (this.#chars < START_CHARS) return [];
      this.isMarked = true;
      held[0] = { ...held[0], row: withMark(held[0].row as TrainingRow, this.#even) };
    }
    this.#held = undefined;
    return held;
  }

  /** The rows that are left at the end. */
  end(): readonly MadeRow[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }
}

/**
 * `weight` is OpenAI's, 1 is its default, and no template reads it. Llama 3.1's would fail at an
 * empty `tool_calls`.
 */
function withMark(row: TrainingRow, columns: Iterable<string>): TrainingRow {
  const marked = { ...row };
  for (const name of columns) {
    const messages = row[name];
    if (!Array.isArray(messages) || messages.length === 0) continue;
    marked[name] = [...messages.slice(0, -1), { ...messages.at(-1), weight: 1 }];
  }
  return marked;
}
