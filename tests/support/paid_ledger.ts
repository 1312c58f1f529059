/**
 * A server that keeps a ledger of its answers, to compare with the results on disk.
 *
 * @module
 */

import { chatAnswer, type LedgerRequest, type LedgerServer, serveLedger } from "./ledger_server.ts";
import type { TempDir } from "./temp.ts";

/** An answer of the ledger; a `Response` is sent as it is and does not count as an answer. */
export interface PaidAnswer {
  /** Its first words. @default "answer" */
  readonly text?: string;
  /** Its finish reason. @default "stop" */
  readonly finishReason?: string;
}

/** A server with distinct answers. */
export interface PaidServer extends AsyncDisposable {
  /** The server. */
  readonly server: LedgerServer;
  /** The text of each answer that was sent, in order, and the prompt that it is for. */
  readonly answers: readonly { readonly prompt: string; readonly text: string }[];
}

/** Starts it. Each answer ends in the number of its POST. */
export function servePaid(
  answer: (
    request: LedgerRequest,
  ) => PaidAnswer | Response | Promise<PaidAnswer | Response>,
): PaidServer {
  const answers: { prompt: string; text: string }[] = [];
  const server = serveLedger(async (request) => {
    const given = await answer(request);
    if (given instanceof Response) return given;
    const { text = "answer", finishReason = "stop" } = given;
    const whole = `${text} ${request.n}`;
    answers.push({ prompt: request.prompt, text: whole });
    return Response.json(chatAnswer(whole, { finish_reason: finishReason }));
  });
  return { server, answers, [Symbol.asyncDispose]: () => server.close() };
}

/** Answers that are neither a result nor a `partial` of `out/in.jsonl` and its failures. */
export async function lostAnswers(dir: TempDir, { answers }: PaidServer): Promise<string[]> {
  const kept = await keptTexts(dir);
  return answers.map(({ text }) => text).filter((text) => !kept.has(text));
}

/**
 * The same where outdated lines may have been removed: only the last answer of each prompt counts.
 */
export async function lostLastAnswers(dir: TempDir, { answers }: PaidServer): Promise<string[]> {
  const kept = await keptTexts(dir);
  const last = new Map(answers.map(({ prompt, text }) => [prompt, text]));
  return [...last.values()].filter((text) => !kept.has(text));
}

/** Whole lines only: a crash may leave half of one. */
async function keptTexts(dir: TempDir): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  for (const name of ["out/in.jsonl", "out/in_error.jsonl"]) {
    if (!(await dir.exists(name))) continue;
    for (const line of (await dir.read(name)).split("\n").slice(0, -1)) {
      const row = JSON.parse(line);
      kept.add(row.response ?? row.partial?.response);
    }
  }
  return kept;
}
