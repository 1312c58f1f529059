/** `retort export` and `retort convert`. @module */

import { UsageError } from "../lib/errors.ts";
import {
  CONVERT_FORMATS,
  convertFiles,
  EXPORT_FORMATS,
  type ExportOptions,
  type ExportReport,
  exportResults,
  type WriteOptions,
} from "../lib/export/mod.ts";
import { formatCount, formatCountOf } from "../lib/figures.js";
import { printable, printableJson, printableLines } from "../lib/printable.ts";
import type { Command } from "./commands.ts";
import { EXIT_DONE, untilInterrupted } from "./exit.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { readRowOptions, readUids } from "./request.ts";
import { type Complete, requireInputs, Settings } from "./settings.ts";

export async function exportCommand(args: ParsedArgs, io: Io): Promise<number> {
  requireInputs(args, "export without results: name a results file, as in out/x.jsonl");
  return await writeAndReport(args, io, async (options, settings) => {
    const format = settings.choice("format", EXPORT_FORMATS);
    if (format === undefined) {
      throw new UsageError(
        `Cannot export without a format: add --format ${EXPORT_FORMATS.join("|")}`,
      );
    }
    const prefer = settings.text("prefer");
    return await exportResults({ ...options, results: args.inputs, format, prefer });
  });
}

export async function convertCommand(args: ParsedArgs, io: Io): Promise<number> {
  requireInputs(args, "convert without an input: name a file, as in rows.csv");
  return await writeAndReport(args, io, async (options, settings) => {
    const format = settings.choice("format", CONVERT_FORMATS);
    return await convertFiles({ ...options, input: args.inputs, format });
  });
}

async function writeAndReport(
  args: ParsedArgs,
  io: Io,
  write: (options: WriteOptions, settings: Settings) => Promise<ExportReport>,
): Promise<number> {
  const settings = new Settings(args);
  return await untilInterrupted(io, async (signal) => {
    const options = { ...await writeOptionsOf(settings, args.command), signal };
    printReport(await write(options, settings), settings, io);
    return EXIT_DONE;
  });
}

async function writeOptionsOf(
  settings: Settings,
  action: Command,
): Promise<Complete<WriteOptions & Pick<ExportOptions, "think">, "signal">> {
  return {
    ...await readRowOptions(settings),
    output: settings.required("output", "an output: add -o train.jsonl", action),
    think: settings.choice("think", ["wrap", "field", "drop"]),
    reasoningField: settings.text("reasoning-field"),
    toolArguments: settings.choice("tool-arguments", ["object", "string"]),
    ...await readUids(settings),
    where: settings.text("where"),
    columns: settings.parts("columns"),
    dedupe: settings.isOn("dedupe"),
    shuffle: settings.integer("shuffle", 0),
    maxRows: settings.integer("max-rows", 1),
    validation: validationOf(settings),
    replace: settings.isOn("replace"),
    allowEmpty: settings.isOn("allow-empty"),
  };
}

function printReport(
  { rows, validationRows, validationPath, notes, hints }: ExportReport,
  settings: Settings,
  io: Io,
): void {
  for (const note of notes) io.writeErr(`Note: ${printableLines(note)}\n`);
  if (settings.isOn("quiet")) return;
  for (const { place, text } of hints) io.writeErr(`For ${place}:\n${printableJson(text)}\n`);
  const output = settings.text("output")!;
  const validationText = validationPath !== undefined
    ? ` and ${formatCount(validationRows)} to ${validationPath}`
    : settings.text("validation") !== undefined
    ? `, ${formatCount(validationRows)} of them for validation`
    : "";
  const count = formatCountOf(validationPath === undefined ? rows : rows - validationRows, "row");
  io.writeErr(`${printable(`Wrote ${count} to ${output}${validationText}`)}\n`);
}

function validationOf(settings: Settings): number | undefined {
  return settings.parsed("validation", "a share of the rows, as in 1% or 0.01", (text) => {
    const match = /^(\d+(?:\.\d+)?|\.\d+)(%)?$/.exec(text.trim());
    const share = match === null ? NaN : Number(match[1]) / (match[2] === undefined ? 1 : 100);
    return share > 0 && share < 1 ? share : undefined;
  });
}
