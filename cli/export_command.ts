/**
 * `distill export`.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { exportResults } from "../lib/export/mod.ts";
import { printable, printableJson, printableLines } from "../lib/printable.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { readRowOptions } from "./request.ts";
import { Settings } from "./settings.ts";

/** Writes a training set and says how many rows it holds. */
export async function exportCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  if (args.inputs.length === 0) {
    throw new UsageError("Cannot export without results: name a results file, as in out/x.jsonl");
  }
  const formats = ["messages", "prompt-completion", "sharegpt", "alpaca"] as const;
  const output = settings.required("output", "an output: add -o train.jsonl");
  const format = settings.choice("format", formats);
  if (format === undefined) {
    throw new UsageError(`Cannot export without a format: add --format ${formats.join("|")}`);
  }
  const { rows, notes, hints } = await exportResults({
    ...await readRowOptions(settings),
    results: args.inputs,
    output,
    format,
    think: settings.choice("think", ["wrap", "field", "drop"]),
    toolArguments: settings.choice("tool-arguments", ["object", "string"]),
    replace: settings.isOn("replace"),
    allowEmpty: settings.isOn("allow-empty"),
  });
  const count = `${rows.toLocaleString("en-US")} ${rows === 1 ? "row" : "rows"}`;
  for (const note of notes) io.writeErr(`Note: ${printableLines(note)}\n`);
  if (settings.isOn("quiet")) return 0;
  for (const { place, text } of hints) io.writeErr(`For ${place}:\n${printableJson(text)}\n`);
  io.writeErr(`Wrote ${count} to ${printable(output)}\n`);
  return 0;
}
