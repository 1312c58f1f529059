/**
 * Starts the teacher of the fault trials and reads its ledger.
 *
 * @module
 */

import { REPOSITORY } from "../support/process.ts";
import type { Control, LedgerEntry, TeacherScript } from "./teacher.ts";

/** A teacher that runs in a process of its own. */
export interface LedgerTeacher extends AsyncDisposable {
  /** A part of the teacher for one trial: its own script and its own ledger. */
  trial(script?: TeacherScript): Promise<TrialTeacher>;
}

/** The teacher of one trial. */
export interface TrialTeacher {
  /** Its base URL. */
  readonly url: string;
  /** Follows another script from now on. */
  follow(script: TeacherScript): Promise<void>;
  /** Every POST so far, once none of them is being answered. */
  entries(): Promise<readonly LedgerEntry[]>;
  /** Resolves once `count` POSTs have come, or when the signal is aborted. */
  untilPosts(count: number, signal: AbortSignal): Promise<void>;
}

/** Starts it. */
export async function startTeacher(): Promise<LedgerTeacher> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", `${REPOSITORY}/tests/faults/teacher.ts`],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.endsWith("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The teacher ended before it printed its address");
    said += value;
  }
  const address = said.trim();
  let trials = 0;
  return {
    async trial(script = {}) {
      const teacher = trialOf(`${address}/${++trials}`);
      await teacher.follow(script);
      return teacher;
    },
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await reader.cancel();
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

function trialOf(address: string): TrialTeacher {
  const call = async (path: Control, body: unknown, signal?: AbortSignal) => {
    const options = { method: "POST", body: JSON.stringify(body), signal };
    const response = await fetch(`${address}/${path}`, options);
    return await response.json();
  };
  return {
    url: `${address}/v1`,
    follow: (script) => call("script", script),
    async entries() {
      await call("quiet", null);
      return await call("ledger", 0);
    },
    async untilPosts(count, signal) {
      try {
        await call("until", count, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}
