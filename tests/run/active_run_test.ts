import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { TeacherChange, TeacherList } from "../../lib/run/options.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";

Deno.test("ActiveRun applies a cost limit that is set while the run is prepared", async () => {
  const usage = { promptTokens: 1e6, completionTokens: 1e6 };
  const teacher: Teacher = {
    complete: () => Promise.resolve({ response: "42", finishReason: "stop", usage, model: "m" }),
  };
  const generator = new ResponseGenerator({ teacher, concurrency: 1, priceIn: 1, priceOut: 1 });
  const outcomes = generator.generate(Array.from({ length: 9 }, (_, i) => ({ prompt: `${i}` })));
  const first = outcomes.next();
  generator.setMaxCost(4);
  await first;
  let answers = 1, message = "";
  try {
    for await (const _ of outcomes) answers++;
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals([answers, message], [2, "The run has cost $4.00 of at most $4.00 (--max-cost)"]);
});

Deno.test("ActiveRun survives listeners that throw or reject, and calls the others", async () => {
  const teacher: Teacher = {
    complete: () =>
      Promise.resolve({ response: "42", finishReason: "stop", usage: null, model: "m" }),
  };
  const generator = new ResponseGenerator({ teacher });
  const seen: string[] = [];
  generator.onOutcomes(() => {
    throw new Error("Thrown");
  });
  generator.onOutcomes(() => Promise.reject(new Error("Rejected")) as unknown as void);
  const leave = generator.onOutcomes((outcomes) => {
    seen.push(...outcomes.map(({ row }) => row.uid));
  });
  const rows = ["a", "b"].map((uid) => ({ uid, prompt: uid }));
  for await (const { ok } of generator.generate(rows)) assertEquals(ok, true);
  leave();
  for await (const { ok } of generator.generate([{ uid: "c", prompt: "c" }])) {
    assertEquals(ok, true);
  }
  assertEquals(seen, ["a", "b"]);
});

Deno.test("onOutcomes() gets no outcome that the consumer of generate() has not taken", async () => {
  const waiting = Promise.withResolvers<void>();
  let calls = 0;
  const teacher: Teacher = {
    complete: () => {
      if (++calls === 8) waiting.resolve();
      return Promise.resolve({
        response: "yes",
        finishReason: "stop",
        usage: null,
        model: "m",
      });
    },
  };
  const generator = new ResponseGenerator({ teacher, concurrency: 8, carefulStart: false });
  const reportedUids: string[] = [], takenUids: string[] = [];
  generator.onOutcomes((outcomes) => reportedUids.push(...outcomes.map(({ row }) => row.uid)));
  const rows = Array.from({ length: 8 }, (_, i) => ({ id: `row-${i}`, prompt: "?" }));
  for await (const { uid } of generator.generate(rows)) {
    takenUids.push(uid);
    await waiting.promise;
    break;
  }
  assertEquals(reportedUids, takenUids);
});

Deno.test("ActiveRun allows more rows in flight with each teacher that joins, with `auto`", async () => {
  const complete = () =>
    Promise.resolve({ response: "42", finishReason: "stop", usage: null, model: "m" });
  let onChange!: (change: TeacherChange) => void;
  const teacherList: TeacherList = {
    watch(callback) {
      onChange = callback;
      return () => {};
    },
  };
  for (const concurrency of ["auto", 7] as const) {
    const generator = new ResponseGenerator({ teacher: { complete }, teacherList, concurrency });
    const atOnce = () => generator.snapshot()!.concurrency;
    const places = Array.from({ length: 3 }, () => ({ teacher: { complete } }));
    for await (const _ of generator.generate([{ prompt: "a" }])) {
      onChange({ joined: places, left: [] });
      assertEquals(atOnce(), concurrency === "auto" ? 4 * 1_024 : 7);
      onChange({ joined: [], left: [places[0].teacher] });
      onChange({ joined: [places[0]], left: [] });
      assertEquals(atOnce(), concurrency === "auto" ? 4 * 1_024 : 7);
      generator.setConcurrency(5);
      onChange({ joined: [{ teacher: { complete } }], left: [] });
      assertEquals(atOnce(), 5);
    }
  }
});

Deno.test("ActiveRun checks the places that a list adds, except fields of the list's own", async () => {
  const complete = () =>
    Promise.resolve({ response: "42", finishReason: "stop", usage: null, model: "m" });
  let onChange!: (change: TeacherChange) => void;
  const teacherList: TeacherList = {
    watch(callback) {
      onChange = callback;
      return () => {};
    },
  };
  const generator = new ResponseGenerator({ teacher: { complete }, teacherList });
  for await (const _ of generator.generate([{ prompt: "a" }])) {
    const place = { teacher: { complete }, weight: 2, region: "eu" };
    onChange({ joined: [place], left: [] });
    assertThrows(
      () => onChange({ joined: [{ ...place, weight: 0 }], left: [] }),
      RangeError,
      "Cannot use weight 0: it must be a number above 0",
    );
  }
});
