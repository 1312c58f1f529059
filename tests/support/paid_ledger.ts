/**
 * A server that keeps a ledger of the answers it delivered, and what became of them on disk.
 *
 * @module
 */

import { chatAnswer, type LedgerRequest, type LedgerServer, serveLedger } from "./ledger_server.ts";
import type { TempDir } from "./temp.ts";

/** What an answer of the ledger is like; a `Response` is sent as it is and counts as no answer. */
export interface PaidAnswer {
  /** What it begins with. @default "answer" */
  readonly text?: string;
  /** Why it ended. @default "stop" */
  readonly finishReason?: string;
}

/** A server whose answers are told apart. */
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

/** The same once lines that are out of date may be gone: of each prompt the last answer counts. */
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
