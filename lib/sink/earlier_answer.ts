/**
 * Reads back what an earlier run left of a row: the failures line of an answer that was not accepted,
 * after which the row was to be asked again.
 *
 * @module
 */

import type { EarlierAnswer, Failure, NextAttempt, RejectedAnswer, Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { cannotRead } from "../files.ts";

/** Where a line stands in its file, in bytes. */
export interface LinePlace {
  /** Where it begins. */
  readonly offset: number;
  /** Its length without the line feed. */
  readonly byteLength: number;
}

/** Whether a failures line says that its row has not failed: it was to be asked again. A line of a version
 * that did not write `final` is final. */
export function isPendingLine({ error }: { readonly error?: unknown }): boolean {
  return (error as { final?: unknown } | null | undefined)?.final === false;
}

/** One of them stands in every such line; in others it may, too, in what is the row's own. */
export const PENDING_MARKS: readonly string[] = ['"final":false', '"final": false'];

/**
 * What the line says, or undefined where it is about an older prompt of the row. Where it was made with
 * other parameters the row starts over, but the answer is not lost.
 *
 * @param path The failures file.
 * @param place Where the line stands in it.
 * @param row The row as it is now.
 * @param paramsId Names the parameters of this run.
 * @throws {SourceError} when the file cannot be read
 */
export function readEarlierAnswer(
  path: string,
  place: LinePlace,
  row: Row,
  paramsId: string,
): EarlierAnswer | undefined {
  const line = parsed(textAt(path, place), path);
  if (line.uid !== row.uid || line.prompt_hash !== row.promptHash) return undefined;
  const isSame = line.distill?.params === paramsId;
  return { isSame, next: isSame ? nextOf(line) : undefined, rejected: rejectedOf(line) };
}

interface PendingLine {
  readonly uid?: unknown;
  readonly prompt_hash?: unknown;
  readonly error?: Failure & { readonly next?: { resample?: unknown; max_tokens?: unknown } };
  readonly partial?: Partial<Record<string, unknown>>;
  readonly distill?: { readonly params?: unknown };
}

/** Another line stands there where the file was replaced since its index was read. */
function parsed(text: string, path: string): PendingLine {
  try {
    return JSON.parse(text) as PendingLine;
  } catch {
    throw cannotRead(path, new Error("it was changed while the run read it"));
  }
}

/** At once: lines are small and in the page cache, and a promise for each would cost more than the read. */
function textAt(path: string, { offset, byteLength }: LinePlace): string {
  try {
    using file = Deno.openSync(path, { read: true });
    file.seekSync(offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(byteLength);
    for (let filled = 0; filled < byteLength;) {
      const count = file.readSync(bytes.subarray(filled));
      if (count === null) throw new Error("it was cut while the run read it");
      filled += count;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

function nextOf({ error }: PendingLine): NextAttempt | undefined {
  const next = error?.next;
  if (next === undefined) return undefined;
  const { resample, max_tokens } = next;
  return {
    resample: isCount(resample) ? resample : 0,
    maxTokens: isCount(max_tokens) && max_tokens > 0 ? max_tokens : undefined,
  };
}

function rejectedOf({ error, partial }: PendingLine): RejectedAnswer | undefined {
  if (error === undefined || partial === undefined) return undefined;
  const { type, message, status = null } = error;
  const completion: Completion = {
    response: textOf(partial.response),
    reasoning: textOf(partial.reasoning),
    finishReason: textOf(partial.finish_reason),
    usage: {
      promptTokens: countOf(partial.prompt_tokens),
      completionTokens: countOf(partial.completion_tokens),
      reasoningTokens: countOf(partial.reasoning_tokens),
    },
    model: textOf(partial.model_returned),
    toolCalls: Array.isArray(partial.tool_calls) ? partial.tool_calls : undefined,
  };
  return { completion, failure: { type, message, status } };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function countOf(value: unknown): number {
  return isCount(value) ? value : 0;
}
