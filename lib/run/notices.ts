/**
 * Collects what a run tells the user before its first call: notices, estimates, and the preview of
 * `--dry-run`.
 *
 * @module
 */

import { tokenLimitOf } from "../params.ts";
import { formatCountOf, formatRoughUsd, sumOf } from "../figures.js";
import { describeEstimate, type Estimate, estimate } from "../prices/mod.ts";
import type { Progress } from "../progress/mod.ts";
import type { ParsedRow } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";
import type { RunContext } from "./active_run.ts";
import type { Findings } from "./findings.ts";
import { describeInput } from "./input_report.ts";
import type { RunSetup } from "./jobs.ts";
import type { RunOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import { missingUidsNotices } from "./retry.ts";

function estimateOf(
  { generator: { teachers, params }, ratesOf }: RunContext,
  findings: readonly Findings[],
): Estimate {
  return estimate({
    answers: sumOf(findings, ({ plan }) => plan.toAsk),
    promptTokens: sumOf(findings, ({ promptTokens }) => promptTokens),
    maxTokens: tokenLimitOf(params)?.tokens,
    rowTokenLimits: {
      answers: sumOf(findings, ({ rowTokenLimits }) => rowTokenLimits.answers),
      minTokens: sumOf(findings, ({ rowTokenLimits }) => rowTokenLimits.minTokens),
      maxTokens: sumOf(findings, ({ rowTokenLimits }) => rowTokenLimits.maxTokens),
    },
    rates: teachers.map(({ teacher }) => ratesOf(teacher)),
  });
}

/** Adds the notices at the start of a run. Notices about probable mistakes are warnings. */
export function addStartNotices(
  { context, options, selection, notices }: RunSetup,
  findings: readonly Findings[],
): void {
  const { generator, budget, notes } = context;
  const cost = describeEstimate(estimateOf(context, findings), budget.maxCostUsd);
  const info = [
    ...describeInput(findings),
    ...generator.notices,
    ...notes,
    ...retryNotes(findings, options),
    ...reaskedNotes(context, findings, options),
    ...cost.info,
  ];
  const warnings = [
    ...lostNotices(findings),
    ...orphanNotices(findings),
    ...missingUidsNotices(selection.missing, options.shard && " of this shard"),
    ...teacherNotices(generator, findings),
    ...cost.warnings,
  ];
  for (const notice of info) notices.add("info", notice);
  for (const notice of warnings) notices.add("warning", notice);
}

/** One notice counts the results of all files, because a run may have thousands of files. */
function lostNotices(findings: readonly Findings[]): string[] {
  const lost = sumOf(findings, (file) => file.lost);
  if (lost === 0) return [];
  const results = formatCountOf(lost, "result");
  return [
    `The output lacks ${results} of the last run, and rows without a result are sent again. If an ` +
    "older copy was restored, stop now and restore the newest one",
  ];
}

function orphanNotices(findings: readonly Findings[]): string[] {
  const count = sumOf(findings, ({ orphans }) => orphans);
  if (count === 0) return [];
  const results = formatCountOf(count, "result");
  return [
    `The output has ${results} without a row or sample in this run (edited or removed rows, or ` +
    'fewer --samples): "export" writes such results, and "verify" counts them',
  ];
}

function retryNotes(
  findings: readonly Findings[],
  { retry, uids, excludeUids, limit }: RunOptions,
): string[] {
  const hasNothingToSend = Boolean(retry) && findings.every(({ plan }) => plan.toAsk === 0);
  const areChosen = Array.isArray(retry) || (uids ?? excludeUids ?? limit) !== undefined;
  const among = areChosen ? " among those chosen" : "";
  const failedAgain = sumOf(findings, (found) => found.failedAgain);
  const notes: string[] = [];
  if (failedAgain > 0) {
    const rows = formatCountOf(failedAgain, "row");
    notes.push(
      `This retry leaves out ${rows} that failed again after it began: once it is done, the same ` +
        "command retries such rows",
    );
  } else if (hasNothingToSend) notes.push(`There is no failed row to retry${among}`);
  const count = sumOf(findings, ({ total, finished, plan }) => total - finished - plan.toAsk);
  if (count > 0) {
    const retriedRows = uids === undefined ? "failed rows only" : "the rows of --uids only";
    const rows = formatCountOf(count, "pending row");
    notes.push(
      `This retry leaves out ${rows}: it sends ${retriedRows}. A run without a retry sends the others`,
    );
  }
  return notes;
}

function reaskedNotes(
  context: RunContext,
  findings: readonly Findings[],
  { reaskAnswered }: RunOptions,
): string[] {
  const count = sumOf(findings, ({ reasked }) => reasked);
  const leftCount = sumOf(findings, ({ leftAnswered }) => leftAnswered);
  const leftNotes = leftCount === 0 || reaskAnswered ? [] : [
    `This retry leaves out ${formatCountOf(leftCount, "answered row")} among those chosen: ` +
    "--reask-answered with --uids sends such rows again",
  ];
  if (count === 0) return leftNotes;
  const { costUsd } = estimateOf(context, findings);
  const cost = costUsd === null
    ? "their price is not known (--price-in and --price-out set it)"
    : `this run costs about ${formatRoughUsd(costUsd[0])} to ${formatRoughUsd(costUsd[1])}`;
  const rows = formatCountOf(count, "answered row");
  const moved = "old answers are moved to .outdated.jsonl";
  return [`This retry sends, and pays for, ${rows} again; ${moved}; ${cost}`];
}

/** Returns the teachers' notices about parameters: those of the run, the names that rows set, and
 * the values in the first row that sets any. */
export function teacherNotices(
  { teachers, params }: Pick<ResolvedOptions, "teachers" | "params">,
  findings: readonly Pick<Findings, "firstRows" | "paramNames">[] = [],
): string[] {
  const rows = findings.flatMap(({ firstRows }) => [...firstRows.values()]);
  const names = findings.flatMap(({ paramNames }) =>
    [...paramNames].map((name) => [name, undefined])
  );
  const sentParams = {
    ...Object.fromEntries(names),
    ...params,
    ...rows.find((row) => row.params !== undefined)?.params,
  };
  return [...new Set(teachers.flatMap(({ teacher }) => teacher.notices?.(sentParams) ?? []))];
}

/** The first request for rows of one shape. */
export interface PreviewedRequest {
  /** The shape of the row: `prompt`, `messages`, … */
  shape: string;
  /** The request as the teacher would send it. */
  request: unknown;
}

/** What a run would send and cost. */
export interface Preview {
  /** Answers to all rows of the inputs. Duplicates count once, unless they are kept. */
  total: number;
  /** Answers that would be requested. */
  toAsk: number;
  /** Estimated prompt tokens of all requests, accurate to about 25 %. */
  promptTokens: number;
  /** The range of the completion tokens of one answer, or of the mean answer if rows have their own
   * token limits. The lower end is an assumption. The upper end is the token limit, or an
   * assumption if there is none. */
  completionTokens: readonly [least: number, most: number];
  /** The cost of the run in US dollars, as a range, without failed attempts; null if the price of a
   * teacher is not known. */
  costUsd: readonly [least: number, most: number] | null;
  /** The notices at the start of a run, about inputs, prices and the estimate, followed by
   * `warnings`. */
  notes: string[];
  /** The notices about probable mistakes. */
  warnings: string[];
  /** The first request, as the teacher would send it; an example if nothing is to be sent, null
   * without rows. */
  request: unknown;
  /** The first request of each shape among the rows to send or, if there are none, among all rows.
   * `request` is the first of these requests. */
  requests: PreviewedRequest[];
}

export function previewOf(
  { context, notices }: RunSetup,
  findings: readonly Findings[],
): Preview {
  const warnings = notices.held("warning");
  const { promptTokens, completionTokens, costUsd } = estimateOf(context, findings);
  return {
    total: sumOf(findings, ({ total }) => total),
    toAsk: sumOf(findings, ({ plan }) => plan.toAsk),
    notes: [...notices.held("info"), ...warnings],
    warnings,
    promptTokens,
    completionTokens,
    costUsd,
    ...requestsOf(findings, context.generator),
  };
}

type RequestOptions = Pick<ResolvedOptions, "teachers" | "params" | "askedSchema">;

function requestsOf(
  findings: readonly Findings[],
  options: RequestOptions,
): Pick<Preview, "request" | "requests"> {
  const isDone = findings.every(({ firstToAsk }) => firstToAsk.size === 0);
  const rows = new Map<string, ParsedRow>();
  for (const { firstRows, firstToAsk } of findings) {
    for (const [shape, row] of isDone ? firstRows : firstToAsk) {
      if (!rows.has(shape)) rows.set(shape, row);
    }
  }
  const requests = [...rows].map(([shape, row]) => ({ shape, request: requestOf(row, options) }));
  return { request: requests[0]?.request ?? null, requests };
}

function requestOf(
  { uid, messages, params: rowParams, files }: ParsedRow,
  { teachers: [{ teacher }], params, askedSchema: jsonSchema }: RequestOptions,
): unknown {
  const request = {
    uid,
    messages: messages.map((message) => withPlaceholders(message, files)),
    params: { ...params, ...rowParams },
    jsonSchema,
  };
  return teacher.preview?.(request) ?? request;
}

/** Replaces images by the names of their files, which are read only when they are sent. */
function withPlaceholders(message: Message, files: readonly string[]): Message {
  if (!Array.isArray(message.content)) return message;
  const content = message.content.map((part) => {
    const url = part.image_url?.url;
    if (!files.includes(url)) return part;
    const placeholder = `data:image/…;base64,… (the file ${url})`;
    return { ...part, image_url: { ...part.image_url, url: placeholder } };
  });
  return { ...message, content };
}

/** Holds back the notices of a run until `start`: "run-start" must be its first event. */
export class RunNotices {
  readonly #progress: Progress;
  /** The notices until `start`; undefined afterwards. */
  #heldNotices: [level: "info" | "warning", message: string][] | undefined = [];
  #hasWarnedUnlocked = false;

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  add(level: "info" | "warning", message: string): void {
    if (this.#heldNotices === undefined) this.#progress.notice(level, message);
    else this.#heldNotices.push([level, message]);
  }

  held(level: "info" | "warning"): string[] {
    return (this.#heldNotices ?? []).flatMap(([of, message]) => of === level ? message : []);
  }

  warnUnlocked(path: string, reason: string, lock: string): void {
    if (this.#hasWarnedUnlocked) return;
    this.#hasWarnedUnlocked = true;
    this.add(
      "warning",
      `Cannot lock "${path}": ${reason}. Do not remove "${lock}", which keeps other runs away`,
    );
  }

  start(): void {
    const notices = this.#heldNotices ?? [];
    this.#heldNotices = undefined;
    for (const [level, message] of notices) this.add(level, message);
  }
}
