/**
 * The teacher of the fault trials, in a process of its own: a server that keeps a ledger of what it
 * was asked and what it delivered whole, and that follows the script of each trial.
 *
 * One process serves any number of trials; the first part of the path identifies them. Its address
 * is the only line that it prints, and it ends when its standard input does.
 *
 * @module
 */

import { answer, json } from "../behaviors/replies.ts";
import { seededRandom } from "../e2e/fixture.ts";
import { type Post, type Reply, serveScript } from "../support/scripted_server.ts";

/** The teacher's script in a trial. */
export interface TeacherScript {
  /** The shortest and the longest time before an answer, in milliseconds. @default [0, 0] */
  readonly delayMs?: readonly [shortest: number, longest: number];
  /** How many answers to two of three rows begin with "I cannot". @default 0 */
  readonly rejected?: number;
  /** The token limit below which answers are truncated. @default 0 */
  readonly wholeFrom?: number;
  /** The share of attempts that break in one way or another: 0 to 1. @default 0 */
  readonly faults?: number;
  /** The share of rows that are refused (400) whatever is sent: 0 to 1. @default 0 */
  readonly refused?: number;
  /** How many bytes are added to each answer. @default 0 */
  readonly bytes?: number;
  /** Whether every POST is kept. Without it memory stays flat. @default true */
  readonly keepsLedger?: boolean;
  /** Where its random numbers start. @default 1 */
  readonly seed?: number;
}

/** One POST in the ledger. */
export interface LedgerEntry {
  /** The number of the POST in the trial, from 1. */
  readonly n: number;
  /** The last user message. */
  readonly prompt: string;
  /** The sample of the row that was asked for, by the seed. */
  readonly sample: number;
  /** What was asked for: two POSTs for one row, sample and attempt are one bill paid twice. */
  readonly request: string;
  /** The text of the answer; undefined where there was none. */
  readonly text?: string;
  /** Whether every byte of an answer was handed to the connection. */
  isWhole: boolean;
}

/** A path that controls the teacher. */
export type Control = "script" | "ledger" | "until" | "quiet";

class Trial {
  readonly entries: LedgerEntry[] = [];
  script: TeacherScript = {};
  readonly #byReply = new WeakMap<Reply, LedgerEntry>();
  #random = seededRandom(1);
  #open = 0;
  #waiting: { count: number; resolve: () => void }[] = [];

  follow(script: TeacherScript): void {
    this.script = script;
    this.#random = seededRandom(script.seed ?? 1);
  }

  /** Resolves once `count` POSTs have come. */
  until(count: number): Promise<void> {
    if (this.entries.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Resolves once no POST has been open for a moment: those of a killed client are read. */
  async quiet(): Promise<void> {
    for (let moments = 0; moments < 2; moments++) {
      await later(10);
      if (this.#open > 0) moments = -1;
    }
  }

  async reply(post: Post): Promise<Reply> {
    this.#open++;
    const { delayMs: [shortest, longest] = [0, 0], faults = 0 } = this.script;
    const delayMs = shortest + this.#random() * (longest - shortest);
    const reply = this.#random() < faults ? this.#fault(post) : this.#answer(post);
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.entries.length < count) return true;
      resolve();
      return false;
    });
    if (delayMs > 0) await later(delayMs);
    this.#open--;
    return reply;
  }

  /** The entry whose answer this is has been delivered. */
  delivered(reply: Reply): void {
    const entry = this.#byReply.get(reply);
    if (entry !== undefined) entry.isWhole = entry.text !== undefined;
  }

  #answer(post: Post): Reply {
    const { rejected = 0, wholeFrom = 0, refused = 0, bytes = 0 } = this.script;
    const row = rowOf(post.prompt), { seed = 0, max_tokens = Infinity } = post.body;
    // Spread, because a teacher that rejects 20 consecutive rows is halted.
    if (row * 7_919 % 1_000 < refused * 1_000) {
      return this.#enter(post, json({ error: {} }, { status: 400 }));
    }
    const isRejected = row % 3 !== 0 && Math.floor(seed / 1_000) < rejected;
    const kind = isRejected ? "I cannot" : "answer";
    const text = `${kind} ${this.entries.length + 1} ${"x".repeat(bytes)}`;
    const isCut = max_tokens < wholeFrom;
    const choice = { finish_reason: isCut ? "length" : "stop" };
    const usage = { prompt_tokens: 7, completion_tokens: isCut ? max_tokens : 11 };
    return this.#enter(post, answer(text, { choice, usage }), text);
  }

  #fault(post: Post): Reply {
    const broken: readonly Reply[] = [
      { ...json({ error: { message: "Internal error" } }), status: 500 },
      { ...json({ error: { message: "Slow down" } }), status: 429 },
      { body: "", hangsUp: true },
      { ...json(String(answer("half").body).slice(0, -40)), breaks: true },
      { ...json("no JSON") },
    ];
    return this.#enter(post, broken[Math.floor(this.#random() * broken.length)]);
  }

  #enter({ prompt, body }: Post, reply: Reply, text?: string): Reply {
    const seed = body.seed ?? 0, sample = seed % 1_000;
    const request = JSON.stringify([prompt, seed, body.max_tokens ?? null]);
    const entry = { n: this.entries.length + 1, prompt, sample, request, text, isWhole: false };
    if (this.script.keepsLedger === false) return reply;
    this.entries.push(entry);
    this.#byReply.set(reply, entry);
    return reply;
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The number at the end of a prompt. */
function rowOf(prompt: string): number {
  return Number(/\d+$/.exec(prompt)?.[0] ?? 0);
}

if (import.meta.main) {
  const trials = new Map<string, Trial>();
  const trialOf = ({ head }: Post) => {
    const [, name, path] = /^POST \/([^/]+)\/(\S+)/.exec(head)!;
    if (!trials.has(name)) trials.set(name, new Trial());
    return { trial: trials.get(name)!, path };
  };
  await using server = serveScript(async (post) => {
    const { trial, path } = trialOf(post);
    if (path === "script") trial.follow(post.body);
    else if (path === "ledger") return json(trial.entries.slice(post.body));
    else if (path === "quiet") await trial.quiet();
    else if (path === "until") await trial.until(post.body);
    else return await trial.reply(post);
    return json("{}");
  }, { keep: false, sent: (post, reply) => trialOf(post).trial.delivered(reply) });
  console.log(server.url.replace(/\/v1$/, ""));
  for await (const _ of Deno.stdin.readable) { /* It ends with its parent. */ }
}
