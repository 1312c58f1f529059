/**
 * Output files that were cut at any byte of their last three records, as a crash of the machine
 * leaves them: the next run asks the rows whose lines are not whole, and no others.
 *
 * @module
 */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import {
  type Completion,
  ResponseGenerator,
  type Teacher,
  TeacherError,
  verify,
} from "../../mod.ts";
import type { TeacherRequest } from "../../mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const ROWS = 9;
const RECORDS = 3;
const NAMES = ["out/in.jsonl", "out/in_error.jsonl"];

/** Refuses the rows with an even number, and records the requests. */
class EvenRefuser implements Teacher {
  readonly model = "test";
  asked: string[] = [];

  complete({ uid }: TeacherRequest): Promise<Completion> {
    this.asked.push(uid);
    if (Number(uid.slice(4)) % 2 === 0) throw new TeacherError(`no ${uid}`, { status: 400 });
    const response = `Grüße, ${uid} 🎓`;
    return Promise.resolve({ response, finishReason: "stop", usage: null, model: "test" });
  }
}

/** Cuts the results and the failures at every `step`th byte. Returns the number of cuts. */
export async function cutTrial(step: number): Promise<number> {
  await using dir = await tempDir();
  const rows = Array.from(
    { length: ROWS },
    (_, i) => ({ id: `row-${i}`, prompt: `größe ${i} 🎓` }),
  );
  await dir.write("in.jsonl", rows);
  await run(dir);
  const whole = await Promise.all(NAMES.map((name) => Deno.readFile(dir.path(name))));
  let cuts = 0;
  for (const [file, bytes] of whole.entries()) {
    for (let size = bytes.length - 1; size >= startOfLast(bytes, RECORDS); size -= step) {
      await Promise.all(NAMES.map((name, i) => Deno.writeFile(dir.path(name), whole[i])));
      await Deno.truncate(dir.path(NAMES[file]), size);
      await checkCut(dir, bytes, size);
      cuts++;
    }
  }
  return cuts;
}

async function checkCut(dir: TempDir, bytes: Uint8Array, size: number): Promise<void> {
  const where = `cut at byte ${size} of ${bytes.length}`;
  // A line that lacks only its newline is complete.
  const whole = uidsOf(bytes.subarray(0, bytes[size] === 10 ? size + 1 : size));
  const asked = await run(dir);
  assertEquals(new Set(asked), uidsOf(bytes).difference(whole), where);
  assertEquals(asked.length, new Set(asked).size, where);
  const [results, failures] = await Promise.all(NAMES.map((name) => dir.rows(name)));
  const uids = [...results, ...failures].map(({ uid }) => uid);
  assertEquals([uids.length, new Set(uids).size], [ROWS, ROWS], where);
  const [found] = await verify({ input: [dir.path("in.jsonl")], output: dir.path("out/") });
  assert(found.damageCount === 0 && found.pending === 0, where);
}

/** Runs to the end; returns the rows that were sent. */
async function run(dir: TempDir): Promise<string[]> {
  const teacher = new EvenRefuser();
  const generator = new ResponseGenerator({ teacher, carefulStart: false });
  await generator.run({ input: [dir.path("in.jsonl")], output: dir.path("out/") });
  return teacher.asked;
}

/** Where the last `count` lines begin. */
function startOfLast(bytes: Uint8Array, count: number): number {
  let at = bytes.length - 1;
  for (; count > 0 && at >= 0; count--) at = bytes.lastIndexOf(10, at - 1);
  return at + 1;
}

/** The uids of the lines that are whole. */
function uidsOf(bytes: Uint8Array): Set<string> {
  const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
  return new Set(lines.map((line) => JSON.parse(line).uid));
}
