/**
 * What a run would do: the result of `--dry-run`.
 *
 * @module
 */

import type { ParsedRow } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";
import type { RunContext } from "./context.ts";
import type { Findings } from "./findings.ts";
import type { RunOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolve_options.ts";
import { estimateOf, startNotices } from "./start_notices.ts";
import { sumOf } from "../figures.ts";

/** The first request of one shape of rows. */
export interface PreviewedRequest {
  /** The shape of its row: `prompt`, `messages`, … */
  shape: string;
  /** As the teacher would send it. */
  request: unknown;
}

/** What a run would send and cost. */
export interface Preview {
  /** Answers to all rows of the inputs, duplicates merged. */
  total: number;
  /** Answers that would be requested. */
  toAsk: number;
  /** Estimated prompt tokens of all requests, accurate to about 25 %. */
  promptTokens: number;
  /**
   * Completion tokens of one answer, as a range; the mean if rows have their own limits. The lower
   * end is an assumption. The upper end is the token limit, or an assumption without one.
   */
  completionTokens: readonly [least: number, most: number];
  /**
   * The cost of the run in US dollars, as a range, without failed attempts; null if the price of a
   * teacher is not known.
   */
  costUsd: readonly [least: number, most: number] | null;
  /**
   * The notices at the start of a run: on the inputs, the prices, the estimate, and probable
   * mistakes.
   */
  notes: string[];
  /** The first request, as the teacher would send it; an example if nothing is to be sent, null
   * without rows. */
  request: unknown;
  /** For each shape of the rows to send, its first request; the first of them is `request`. */
  requests: PreviewedRequest[];
}

/** Describes what the run would do. Makes no call and changes nothing on disk. */
export function previewOf(
  context: Pick<RunContext, "generator" | "prepared">,
  inputs: readonly string[],
  findings: readonly Findings[],
  options: Pick<RunOptions, "retry" | "uids">,
): Preview {
  const { info, warnings } = startNotices(context, inputs, findings, options);
  const { promptTokens, completionTokens, costUsd } = estimateOf(context, findings);
  return {
    total: sumOf(findings, ({ total }) => total),
    toAsk: sumOf(findings, ({ plan }) => plan.toAsk),
    notes: [...info, ...warnings],
    promptTokens,
    completionTokens,
    costUsd,
    ...requestsOf(findings, context.generator),
  };
}

type UsedOptions = Pick<ResolvedOptions, "teachers" | "params" | "askedSchema">;

/** The first request of each shape, as it would be sent. If nothing is to be sent, those of the first
 * rows. */
function requestsOf(
  findings: readonly Findings[],
  options: UsedOptions,
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
  { uid, messages, params: own, files }: ParsedRow,
  { teachers: [{ teacher }], params, askedSchema: jsonSchema }: UsedOptions,
): unknown {
  const request = {
    uid,
    messages: files.length === 0
      ? messages
      : messages.map((message) => withPlaceholders(message, files)),
    params: own === undefined ? params : { ...params, ...own },
    jsonSchema,
  };
  return teacher.preview?.(request) ?? request;
}

/** The message with placeholders for its image files, which are read only when they are sent. */
function withPlaceholders(message: Message, files: readonly string[]): Message {
  if (!Array.isArray(message.content)) return message;
  const content = message.content.map((part) => {
    const url = part.image_url?.url;
    return files.includes(url)
      ? {
        ...part,
        image_url: { ...part.image_url, url: `data:image/…;base64,… (the file ${url})` },
      }
      : part;
  });
  return { ...message, content };
}
