/**
 * Cases in which a trainer would misread an export: found while the rows are read, and reported
 * once at the end. Each was seen in training with the loader that it names.
 *
 * @module
 */

import { formatCountOf } from "../figures.ts";
import { isRawJson } from "../source/mod.ts";
import type { ThinkStyle } from "../answer.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { type FormatDefinition, FORMATS } from "./formats.ts";
import { hasTextWithCalls, isAlternating } from "./llama_factory.ts";
import { argumentsOf, type ToolArguments, type TrainingRow } from "./training_row.ts";

/** Counts such cases row by row. */
export class TrainerNotes {
  readonly #turns: FormatDefinition["turns"];
  readonly #think: ThinkStyle | undefined;
  readonly #toolArguments: ToolArguments;
  #rowsWithCalls = 0;
  #rowsWithReasoning = 0;
  #callsWithTextArguments = 0;
  #rowsOutOfTurn = 0;
  #textsWithCalls = 0;
  /** The first type of each argument of tool calls. */
  readonly #argumentTypes = new Map<string, string>();
  /** The names of the first tool call's arguments, one a line. */
  #firstKeys: string | undefined;
  /** How an argument differs between tool calls, for a note; undefined if none does. */
  #difference: string | undefined;

  constructor({ format, think, toolArguments }: ResolvedExport) {
    this.#turns = FORMATS[format].turns;
    this.#think = think;
    this.#toolArguments = toolArguments;
  }

  add(example: Example, row: TrainingRow): void {
    if (example.reasoning !== "") this.#rowsWithReasoning++;
    if (this.#turns === "ShareGPT") {
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

  /** Returns notes for the user, of a sentence or two each. */
  notes(): string[] {
    switch (this.#turns) {
      case "messages":
        return [...this.#callNotes(), ...this.#reasoningNotes()];
      case "ShareGPT":
        return this.#shareGptNotes();
      case "other":
        return [];
    }
  }

  #callNotes(): string[] {
    const notes: string[] = [];
    const isText = this.#toolArguments === "string";
    if (!isText && this.#difference !== undefined) {
      notes.push(
        `Tool calls differ in their arguments (${this.#difference}): load the file with datasets 4.8 ` +
          "or newer; older versions give each call the keys of all others. " +
          "--tool-arguments string loads everywhere",
      );
    }
    if (!isText && this.#callsWithTextArguments > 0) {
      const calls = formatCountOf(this.#callsWithTextArguments, "tool call");
      notes.push(`${calls} with arguments that are not a JSON object: written as text`);
    }
    if (isText && this.#rowsWithCalls > 0) {
      notes.push(
        "Arguments of tool calls are JSON text: Axolotl parses it; in TRL most chat templates encode it a " +
          "second time, or reject it. Parse it before training, or use --tool-arguments object with JSONL",
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
    const rows = (count: number) => formatCountOf(count, "row");
    if (this.#rowsWithCalls > 0) {
      notes.push(
        `${rows(this.#rowsWithCalls)} with function_call turns: LLaMA-Factory trains on them, ` +
          "Axolotl does not. For Axolotl use --format messages",
      );
    }
    if (this.#think === "field" && this.#rowsWithReasoning > 0) {
      notes.push(
        `${rows(this.#rowsWithReasoning)} with reasoning in a field: LLaMA-Factory does not read ` +
          "it. Use --think wrap, or --format messages for TRL and Axolotl",
      );
    }
    if (this.#rowsOutOfTurn > 0) {
      notes.push(
        `${rows(this.#rowsOutOfTurn)} whose turns do not alternate between user and assistant: ` +
          "LLaMA-Factory drops them. For TRL and Axolotl use --format messages",
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
      this.#callsWithTextArguments++;
      return;
    }
    if (this.#difference !== undefined) return;
    const keys = Object.keys(object).sort();
    for (const key of keys) {
      const type = typeOf(object[key]);
      const first = this.#argumentTypes.get(key);
      if (first === undefined) this.#argumentTypes.set(key, type);
      else if (first !== type) this.#difference = `"${key}" is ${first} and ${type}`;
    }
    this.#firstKeys ??= keys.join("\n");
    if (this.#difference !== undefined || this.#firstKeys === keys.join("\n")) return;
    const firstKeys = new Set(this.#firstKeys.split("\n"));
    const missingKey = keys.find((key) => !firstKeys.has(key)) ??
      [...firstKeys].find((key) => !keys.includes(key));
    this.#difference = `not every call has "${missingKey}"`;
  }
}

/** Describes the type of a value, for a note. */
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
