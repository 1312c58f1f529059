/**
 * What was run, for the page and the report: their readers have no terminal to look at.
 *
 * @module
 */

import type { Summary } from "../lib/progress/mod.ts";
import { VERSION } from "../lib/version.ts";
import type { RunAbout } from "../web/protocol.ts";
import { exportCommandOf, nextCommand, sameCommand } from "./continue.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import type { RunRequest } from "./request.ts";

/** The longest text, in UTF-16 units: a report is no place for a book. */
const MOST_CHARS = 20_000;

/** Describes the run; with its summary, names the commands that follow too. */
export function aboutRun(
  args: ParsedArgs,
  { run, generator }: Pick<RunRequest, "run" | "generator">,
  io: Pick<Io, "program" | "env">,
): (summary: Summary | null) => RunAbout {
  const { params = {}, system, template } = generator;
  const facts = [
    { name: "Command", text: sameCommand(args, io) },
    { name: "Version", text: `retort ${VERSION}` },
    { name: run.input.length === 1 ? "Input" : "Inputs", text: run.input.join("\n") },
    { name: "Output", text: run.output },
    { name: "Parameters", text: Object.keys(params).length > 0 ? JSON.stringify(params) : "" },
    { name: "System prompt", text: system ?? "" },
    { name: "Template", text: template ?? "" },
  ].filter(({ text }) => text !== "").map(({ name, text }) => ({ name, text: shortened(text) }));
  return (summary) => ({ facts, commands: summary === null ? [] : commandsOf(summary) });

  function commandsOf(summary: Summary): RunAbout["commands"] {
    const next = nextCommand(args, summary, io.program, io.env);
    const isDone = summary.state === "done" && summary.pending === 0;
    const results = summary.files.filter(({ succeeded }) => succeeded > 0)
      .map((file) => file.results);
    return [
      ...next === undefined ? [] : [{ name: isDone ? "Retry" : "Continue", command: next }],
      ...results.length === 0
        ? []
        : [{ name: "Export", command: exportCommandOf(results, io.program) }],
    ];
  }
}

function shortened(text: string): string {
  return text.length <= MOST_CHARS ? text : `${text.slice(0, MOST_CHARS - 1).toWellFormed()}…`;
}
