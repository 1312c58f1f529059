/** Tests of lib/run/live_status.ts. @module */

import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { ResponseGenerator, runStatuses, type Teacher, TeacherError } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("a status file counts all teachers, and names those that are not up first", async () => {
  await using dir = await tempDir();
  const teachers = Array.from({ length: 20 }, (_, i): { teacher: Teacher } => ({
    teacher: {
      address: `http://gpu${i}/v1`,
      model: "m",
      complete() {
        if (i === 19) {
          return Promise.reject(new TeacherError("Wrong key", { type: "account", status: 401 }));
        }
        return Promise.resolve({ response: "yes", finishReason: "stop", usage: null, model: "m" });
      },
    },
  }));
  const input = await dir.write(
    "in.jsonl",
    Array.from({ length: 200 }, (_, i) => `{"prompt":"${i}"}\n`).join(""),
  );
  const generator = new ResponseGenerator({ teachers, concurrency: 40, carefulStart: false });
  const summary = await generator.run({ input: [input], output: dir.path("out/in.jsonl") });
  assertEquals([summary.succeeded, summary.teachers[19].state], [200, "halted"]);
  const [status] = await runStatuses(dir.path("out/"));
  assertEquals(status.teacher_states, { up: 19, halted: 1 });
  assertEquals(status.teachers.length, 16);
  assert(status.teachers.some(({ state }) => state === "halted"));
});

Deno.test("a status file stays below 8 KB with long addresses, models and reasons", async () => {
  await using dir = await tempDir();
  const model = "模".repeat(400), name = "名".repeat(70);
  const teachers = Array.from({ length: 20 }, (_, i): { teacher: Teacher } => ({
    teacher: {
      address: i === 19 ? "http://a/v1" : `http://gpu${i}/${"x".repeat(400)}/v1`,
      model,
      complete() {
        const error = { type: "account", status: 400 + i } as const;
        return Promise.reject(new TeacherError(`${i} ${"\u0001模".repeat(400)}`, error));
      },
    },
  }));
  const rows = Array.from({ length: 200 }, (_, i) => `{"prompt":"${i}"}\n`);
  const input = await dir.write("in.jsonl", rows.join(""));
  const generator = new ResponseGenerator({ teachers });
  const { state } = await generator.run({ input: [input], output: dir.path(`out/${name}.jsonl`) });
  assertEquals(state, "halted");
  const text = await dir.read(`out/.retort/${name}.status.json`);
  assertEquals(JSON.parse(text).teachers.length, 16);
  assertLessOrEqual(new TextEncoder().encode(text).length, 8_192);
});
