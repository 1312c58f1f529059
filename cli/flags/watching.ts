/**
 * Flags about progress, the page and the help.
 *
 * @module
 */

import { COMMANDS } from "../commands.ts";
import type { FlagEntry } from "../flags.ts";
import { ROW_COMMANDS } from "./files.ts";

/** What is printed, and how. */
export const PROGRESS: readonly FlagEntry[] = [
  {
    name: "progress",
    value: "HOW",
    help: "auto (default), bar, plain, json or none",
    isCommon: true,
  },
  { name: "verbose", short: "v", help: "also show lag, CPU and memory of the process" },
  { name: "update-interval", value: "N", help: "rows between two snapshots" },
  {
    name: "json",
    help: "print JSON",
    commands: ["stats"],
    isCommon: true,
  },
  {
    name: "compare",
    help: "compare two runs by the ids of their rows",
    commands: ["stats"],
    isCommon: true,
  },
  {
    name: "quiet",
    short: "q",
    help: "print problems only: no progress, no summary",
    commands: [...ROW_COMMANDS, "merge"],
  },
];

/** The page in the browser. */
export const MONITOR: readonly FlagEntry[] = [
  {
    name: "monitor",
    value: "PORT",
    isValueOptional: true,
    help: "watch and control the run in a browser (any port)",
    isCommon: true,
  },
  {
    name: "monitor-host",
    value: "HOST",
    help: "address the page listens on (default 127.0.0.1)",
    commands: ["run", "retry", "view", "monitor"],
  },
  {
    name: "monitor-keep",
    value: "TIME",
    help: "keep the page: TIME, forever, 0 (default: while open)",
  },
  {
    name: "open",
    help: "open the page of --monitor in the default browser",
    helpFor: {
      view: "open the page in the default browser",
      monitor: "open the page in the default browser",
    },
    commands: ["run", "retry", "view", "monitor"],
  },
  {
    name: "report",
    value: "FILE.html",
    help: "report file (default: in .retort/ next to results)",
  },
  { name: "no-report", help: "write no report" },
];

/** About the program itself. */
export const HELP: readonly FlagEntry[] = [
  {
    name: "help",
    short: "h",
    help: "this help; --help-all shows every flag",
    commands: COMMANDS,
    isCommon: true,
  },
  { name: "help-all", help: "every flag", commands: COMMANDS },
  { name: "version", short: "V", help: "the version", commands: COMMANDS, isCommon: true },
];
