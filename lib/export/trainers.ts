/**
 * Configuration for trainers, the upload command, and notes on what trainers would misread. Each
 * note describes what was observed in training with the loader that it names.
 *
 * @module
 */

import type { ThinkStyle } from "../answer.ts";
import { basename } from "../deps/std_path.ts";
import { withoutSeparator } from "../files.ts";
import { shellWord } from "../printable.ts";
import { isRawJson } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";
import { FILE_KINDS, type FileKind, fileTypeOf } from "../tables/mod.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import type { FormatDefinition } from "./formats.ts";
import { countNotes, leftOutNotes } from "./selection.ts";
import { argumentsOf, textOf, THOUGHT, type TrainingRow } from "./turns.ts";

/** The note for each style of reasoning. The number of rows with reasoning precedes it. */
const REASONING_NOTES: Partial<Record<ThinkStyle, string>> = {
  wrap:
    "with reasoning in <think> tags in the content, as Qwen3, Qwen3.5 and GLM-4 read it. Qwen3.8 " +
    "and Nemotron 3 need --think field, gpt-oss --think field --reasoning-field thinking",
  field:
    "with reasoning in a separate field: templates without reasoning (Qwen2.5, Llama 3, Gemma 3) " +
    "ignore it, and need --think wrap",
};

export class TrainerNotes {
  readonly #turns: FormatDefinition["turns"];
  readonly #options: ResolvedExport;
  #rowsWithCalls = 0;
  #rowsWithReasoning = 0;
  #callsWithTextArguments = 0;
  #rowsOutOfTurn = 0;
  #textsWithCalls = 0;
  /** The types of the arguments of the first tool call. */
  #firstTypes: ReadonlyMap<string, string> | undefined;
  /** How the arguments of calls differ, such as `not every call has "unit"`. */
  #difference: string | undefined;

  constructor(options: ResolvedExport, turns: FormatDefinition["turns"]) {
    this.#options = options;
    this.#turns = turns;
  }

  add(example: Example, row: TrainingRow): void {
    // Alpaca needs no notes, and the messages of raw rows may not be restorable.
    if (this.#turns === "other") return;
    const { messages, response, reasoning, toolCalls } = example;
    const isShareGpt = this.#turns === "ShareGPT", { reasoningField } = this.#options;
    const hasReasoning = isShareGpt ? isFieldOfTurns(reasoningField, row) : reasoning !== "";
    if (hasReasoning) this.#rowsWithReasoning++;
    if (isShareGpt && !isAlternating(row)) this.#rowsOutOfTurn++;
    const answer = example.answer ??
      { role: "assistant", content: response, tool_calls: toolCalls };
    let hasCalls = false;
    for (const message of messages) if (this.#addMessage(message)) hasCalls = true;
    if (this.#addMessage(answer)) hasCalls = true;
    if (hasCalls) this.#rowsWithCalls++;
  }

  notes(): string[] {
    if (this.#turns === "other") return [];
    if (this.#turns === "ShareGPT") return this.#shareGptNotes();
    const { think } = this.#options;
    const reasoningNote = think && REASONING_NOTES[think];
    return [
      ...this.#callNotes(),
      ...reasoningNote ? countNotes(this.#rowsWithReasoning, "row", reasoningNote) : [],
    ];
  }

  #callNotes(): string[] {
    if (this.#options.toolArguments === "string") {
      return this.#rowsWithCalls === 0 ? [] : [
        "Arguments of tool calls are JSON text: Axolotl parses it; in TRL most chat templates encode it a " +
        "second time, or reject it. Parse it before training, or use --tool-arguments object with JSONL",
      ];
    }
    const hasLists = DS_TYPES[this.#options.fileType.kind] !== null;
    const differenceNotes = this.#difference === undefined || !hasLists ? [] : [
      `Tool calls differ in their arguments (${this.#difference}): load the file with datasets 4.8 ` +
      "or newer; older versions give each call the keys of all others. " +
      "--tool-arguments string loads everywhere",
    ];
    const textNotes = countNotes(
      this.#callsWithTextArguments,
      "tool call",
      "with arguments that are not a JSON object: written as text",
    );
    return [...differenceNotes, ...textNotes];
  }

  #shareGptNotes(): string[] {
    const { think = "field" } = this.#options;
    const [turns, advice] = think === "field"
      ? ["", "--think wrap, or "]
      : ["of earlier turns ", ""];
    return [
      ...countNotes(
        this.#rowsWithCalls,
        "row",
        "with function_call turns: LLaMA-Factory trains on them, Axolotl does not. For Axolotl use " +
          "--format messages",
      ),
      ...countNotes(
        this.#rowsWithReasoning,
        "row",
        `with reasoning ${turns}in a field: LLaMA-Factory does not read it. Use ${advice}--format ` +
          "messages for TRL and Axolotl",
      ),
      ...countNotes(
        this.#rowsOutOfTurn,
        "row",
        "whose turns do not alternate between user and assistant: LLaMA-Factory drops them. For TRL " +
          "and Axolotl use --format messages",
      ),
      ...leftOutNotes(
        this.#textsWithCalls,
        "text",
        "that came with tool calls: sharegpt has no place for them. Use --format messages",
      ),
    ];
  }

  /** Records the tool calls of a message. Returns whether there are any. */
  #addMessage(message: Message): boolean {
    const { tool_calls: calls } = message;
    if (!Array.isArray(calls) || calls.length === 0) return false;
    if (hasTextBesideCalls(message)) this.#textsWithCalls++;
    for (const call of calls) this.#addCall(call);
    return true;
  }

  #addCall(call: unknown): void {
    const object = argumentsOf(call);
    if (object === undefined) {
      this.#callsWithTextArguments++;
      return;
    }
    if (this.#difference !== undefined) return;
    const keys = Object.keys(object).sort();
    const types = new Map(keys.map((key) => [key, typeOf(object[key])]));
    const first = this.#firstTypes ??= types;
    const changed = keys.findLast((key) => first.has(key) && first.get(key) !== types.get(key));
    const missing = [...keys, ...first.keys()].find((key) => !first.has(key) || !types.has(key));
    if (changed !== undefined) {
      this.#difference = `"${changed}" is ${first.get(changed)} and ${types.get(changed)}`;
    } else if (missing !== undefined) this.#difference = `not every call has "${missing}"`;
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
  const members = Object.entries(value).map(([key, member]) => `${key}: ${typeOf(member)}`).sort();
  return `an object {${members.join(", ")}}`;
}

/** Whether a message with tool calls also has text, for which ShareGPT has no place. */
function hasTextBesideCalls(message: Message): boolean {
  return (textOf(message) ?? "").replace(THOUGHT, "").trim() !== "";
}

/** Whether any turn of ShareGPT has a value in the field. */
function isFieldOfTurns(name: string, row: TrainingRow): boolean {
  const turns = [row.conversations, row.completion, row.chosen, row.rejected].flat();
  return turns.some((turn) => Boolean((turn as TrainingRow | undefined)?.[name]));
}

/** Whether the turns alternate. LLaMA-Factory drops other conversations. */
function isAlternating(row: TrainingRow): boolean {
  const turns = row.conversations as readonly { from: string }[];
  const dialogue = turns[0]?.from === "system" ? turns.slice(1) : turns;
  const isPair = row.chosen !== undefined || row.completion !== undefined;
  return dialogue.length % 2 === (isPair ? 1 : 0) &&
    dialogue.every(({ from }, index) =>
      (index % 2 === 0 ? ["human", "observation"] : ["gpt", "function_call"]).includes(from)
    );
}

/** What to paste for a loader, or why the loader cannot read the file. */
export interface LoaderHint {
  /** The loader or its file, in words. */
  readonly place: string;
  /** A command, a piece of configuration, or why the loader cannot read the file. */
  readonly text: string;
}

export interface WrittenSet {
  readonly path: string;
  readonly columns: readonly string[];
}

export function hubHint({ path }: WrittenSet): LoaderHint {
  return { place: "the Hugging Face Hub", text: uploadCommand(path) };
}

export function uploadCommand(folder: string): string {
  const path = withoutSeparator(folder);
  const name = basename(path).replaceAll(/[^\w.-]+/g, "-") || "dataset";
  return `hf upload USER/${name} ${shellWord(path)} . --repo-type dataset`;
}

/**
 * Axolotl's `ds_type` for each type of file. It is null for CSV, from which trainers read no lists,
 * because every cell is text.
 */
const DS_TYPES: Readonly<Record<FileKind, string | null>> = {
  jsonl: "json",
  json: "json",
  csv: null,
  parquet: "parquet",
};

const KINDS_WITH_LISTS = FILE_KINDS.filter((kind) => DS_TYPES[kind] !== null);

const LIST_COLUMNS: ReadonlySet<string> = new Set(["conversations", "history"]);

/**
 * Returns the entry for LLaMA-Factory's `dataset_info.json`, or why LLaMA-Factory cannot read the
 * file.
 *
 * @param names The names of the written columns, keyed by LLaMA-Factory's names for them.
 * @param settings Further fields of the entry.
 */
export function llamaFactoryHint(
  { path, columns }: WrittenSet,
  names: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, unknown>> = {},
): LoaderHint {
  const name = basename(path).replace(/\..*$/, "").replaceAll(/\W+/g, "_");
  const needsLists = columns.some((column) => LIST_COLUMNS.has(column));
  const kinds = needsLists ? KINDS_WITH_LISTS : FILE_KINDS;
  // LLaMA-Factory recognizes types by the last extension.
  if (!kinds.some((kind) => path.endsWith(`.${kind}`))) {
    return {
      place: "LLaMA-Factory",
      text: `It reads ${needsLists ? "lists" : "this format"} only from uncompressed ` +
        `${extensionsOf(kinds)}: use one of these extensions`,
    };
  }
  const present = Object.entries(names).filter(([, column]) => columns.includes(column));
  const entry = { file_name: basename(path), ...settings, columns: Object.fromEntries(present) };
  return {
    place: "data/dataset_info.json of LLaMA-Factory",
    text: JSON.stringify({ [name]: entry }, null, 2),
  };
}

/**
 * Returns the entry for the configuration of Axolotl, or why Axolotl cannot read the file.
 *
 * @param fields Further YAML lines of the entry.
 */
export function axolotlHint({ path }: WrittenSet, fields: readonly string[] = []): LoaderHint {
  const type = DS_TYPES[fileTypeOf(path).kind];
  if (type === null) {
    return {
      place: "Axolotl",
      text: `It reads lists only from ${
        extensionsOf(KINDS_WITH_LISTS)
      }: use one of these extensions`,
    };
  }
  const lines = [
    `ds_type: ${type}`,
    "type: chat_template",
    ...fields,
  ];
  const text = `datasets:\n  - path: ${JSON.stringify(path)}\n    ${lines.join("\n    ")}`;
  return { place: "the configuration of Axolotl", text };
}

function extensionsOf(kinds: readonly FileKind[]): string {
  const extensions = kinds.map((kind) => `.${kind}`);
  return `${extensions.slice(0, -1).join(", ")} and ${extensions.at(-1)}`;
}
