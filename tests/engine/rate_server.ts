/**
 * A run against a teacher with a rate limit, event by event, in simulated time.
 *
 * @module
 */

import { BinaryHeap } from "../../lib/deps/std_data_structures.ts";
import { RateLimiter } from "../../lib/engine/flow/rate.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";

/** What is simulated. */
export interface SimulationOptions {
  /** Rows to answer. */
  rows: number;
  /** Attempts in flight at most. */
  concurrency: number;
  /** Whether a run starts with one in flight, and each answer allows one more. @default true */
  isCareful?: boolean;
  /** Requests a second that the teacher takes, by the time in milliseconds. */
  perSecond: (now: number) => number;
  /** How many it takes at once after a pause. */
  burst: number;
  /** Milliseconds until an answer. */
  latencyMs: number;
  /** Milliseconds until a refusal. @default 1 */
  refusalMs?: number;
}

/** What came of it. */
export interface SimulationResult {
  /** POSTs. */
  posts: number;
  /** Those that were refused. */
  refusals: number;
  /** When the last row was answered, in milliseconds. */
  wallMs: number;
  /** When each row was answered, in milliseconds. */
  answeredAt: number[];
}

interface Event {
  at: number;
  run: () => void;
}

/** Random numbers in [0, 1) that are the same each time. */
export function seededRandom(seed = 1): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Runs it. Rows that are refused wait with full jitter; timers fire up to 2 ms late, as real ones do. */
export function simulate(options: SimulationOptions): SimulationResult {
  const { rows, concurrency, perSecond, burst, latencyMs, refusalMs = 1, isCareful = true } =
    options;
  const events = new BinaryHeap<Event>((a, b) => a.at - b.at);
  const random = seededRandom();
  const completion: Completion = {
    response: "",
    finishReason: "stop",
    usage: { promptTokens: 10, completionTokens: 90 },
    model: "m",
  };
  let now = 0, posts = 0, refusals = 0, inFlight = 0, fresh = rows, level = burst, seenAt = 0;
  let limit = isCareful ? 1 : concurrency, wakeAt = Infinity;
  const due: number[] = []; // how often each of those rows was refused
  const answeredAt: number[] = [];
  const pace = new RateLimiter({ now: () => now });
  const at = (time: number, run: () => void) => events.push({ at: time, run });

  function accepts(): boolean {
    level = Math.min(burst, level + (now - seenAt) * perSecond(now) / 1_000);
    seenAt = now;
    if (level < 1) return false;
    level--;
    return true;
  }

  function send(refused: number): void {
    const startedAt = now;
    posts++;
    inFlight++;
    pace.take();
    // It is half way when the teacher sees it.
    at(now + refusalMs / 2, () => {
      const isAccepted = accepts();
      at(startedAt + (isAccepted ? latencyMs : refusalMs), () => {
        inFlight--;
        if (isAccepted) {
          pace.answered(completion);
          limit = Math.min(concurrency, limit + 1);
          answeredAt.push(now);
        } else {
          refusals++;
          pace.failed();
          pace.refused(startedAt, true);
          at(now + random() * Math.min(60_000, 1_000 * 2 ** refused), () => {
            due.push(refused + 1);
            dispatch();
          });
        }
        dispatch();
      });
    });
  }

  function wake(time: number): void {
    at(time, () => {
      if (wakeAt !== time) return; // an earlier one took its place
      wakeAt = Infinity;
      dispatch();
    });
  }

  function dispatch(): void {
    while (inFlight < limit && (due.length > 0 || fresh > 0)) {
      const delayMs = pace.delayMs();
      if (delayMs > 0) {
        if (now + delayMs < wakeAt) wake(wakeAt = now + Math.ceil(delayMs) + random() * 2);
        return;
      }
      send(due.shift() ?? (fresh--, 0));
    }
  }

  dispatch();
  for (let event = events.pop(); event !== undefined; event = events.pop()) {
    now = event.at;
    event.run();
  }
  return { posts, refusals, wallMs: answeredAt.at(-1) ?? 0, answeredAt };
}
