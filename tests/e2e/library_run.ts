/**
 * Runs of the library against local servers, with their events.
 *
 * @module
 */

import {
  openaiCompatible,
  type OpenAICompatibleOptions,
  ResponseGenerator,
  type ResponseGeneratorOptions,
  type RunOptions,
  type Snapshot,
  type Summary,
  type Teacher,
} from "../../mod.ts";
import type { TempDir } from "../support/temp.ts";
import { numberedRows } from "./fixture.ts";

/** The options of a run. */
export interface LibraryRunOptions extends Omit<ResponseGeneratorOptions, "teacher" | "teachers"> {
  /** The rows, or how many numbered ones. */
  rows: number | readonly unknown[];
  /** The weight of each server. @default 1 each */
  weights?: readonly number[];
  /** The options of the teachers. */
  http?: Partial<OpenAICompatibleOptions>;
  /** Other options of the run. */
  run?: Partial<RunOptions>;
  /** Sees the generator before the run. */
  onStart?: (generator: ResponseGenerator) => void;
}

/** A hanging run is halted with rows left, which no test expects. */
const DEADLINE_MS = 60_000;

/** An attempt, as it was made. Times are those of `performance.now()`. */
export interface SeenAttempt {
  /** The row. */
  readonly uid: string;
  /** The server, from 0. */
  readonly server: number;
  /** When it was made. */
  readonly startedAt: number;
  /** When it ended; undefined while it has not. */
  endedAt: number | undefined;
  /** Its error; undefined if it succeeded. */
  error: unknown;
}

/** The results of a run. */
export interface LibraryRun {
  /** The answer of `run()`. */
  readonly summary: Summary;
  /** Every snapshot. */
  readonly snapshots: readonly Snapshot[];
  /** Every attempt, those that reached no server included. */
  readonly attempts: readonly SeenAttempt[];
}

/** Runs `in.jsonl` of a folder to `out/`. */
export async function runLibrary(
  dir: TempDir,
  servers: readonly { readonly url: string }[],
  { rows, weights, http, run, onStart, ...options }: LibraryRunOptions,
): Promise<LibraryRun> {
  await using stack = new AsyncDisposableStack();
  const attempts: SeenAttempt[] = [];
  const teachers = servers.map(({ url }, index) => {
    const teacher = openaiCompatible({ baseUrl: url, model: "test-model", ...http });
    stack.defer(() => teacher.close());
    return { teacher: watched(teacher, index, attempts), weight: weights?.[index] };
  });
  const generator = new ResponseGenerator({ teachers, deadlineMs: DEADLINE_MS, ...options });
  const snapshots: Snapshot[] = [];
  generator.on((event) => {
    if (event.type === "snapshot") snapshots.push(event);
  });
  const content = typeof rows === "number" ? numberedRows(rows) : rows;
  const input = [await dir.write("in.jsonl", content)];
  onStart?.(generator);
  const summary = await generator.run({ input, output: dir.path("out/"), ...run });
  return { summary, snapshots, attempts };
}

function watched(teacher: Teacher, server: number, attempts: SeenAttempt[]): Teacher {
  return {
    model: teacher.model,
    address: teacher.address,
    async complete(request, signal) {
      const attempt: SeenAttempt = {
        uid: request.uid,
        server,
        startedAt: performance.now(),
        endedAt: undefined,
        error: undefined,
      };
      attempts.push(attempt);
      try {
        return await teacher.complete(request, signal);
      } catch (error) {
        attempt.error = error;
        throw error;
      } finally {
        attempt.endedAt = performance.now();
      }
    },
  };
}
