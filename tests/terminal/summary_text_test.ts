import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { summaryText } from "../../lib/terminal/summary_text.ts";
import type { Summary } from "../../lib/progress/events.ts";
import { makeErrorGroup, makeSummary, makeTeacher } from "../progress/fixtures.ts";

const ERRORS = Array.from({ length: 51 }, (_, i) =>
  makeErrorGroup({
    status: i === 1 ? null : 429,
    message: `cause ${i}`,
    count: 60 - i,
  }));
const COMMAND = "deno task distill in.jsonl -o out/";

Deno.test("summaryText() omits empty parts", () => {
  assertEquals(
    summaryText(makeSummary(), { isColored: false, continueCommand: COMMAND }),
    `\
Finished in 35 s: every row has a result

  Rows      1,319
  Answered  1,319
  Speed     38.2 rows/s
  Latency   p50 512 ms · p90 900 ms · p99 1.24 s · max 3.10 s
  Cost      unknown: it needs token counts (usage), which no answer had, and a price
  Attempts  1,319
  Process   2.4 s of CPU · 85 MB of memory
  Results   out/in.jsonl
`,
  );
});

Deno.test("summaryText() names the command that exports once no row is pending", () => {
  const exportCommand = "retort export out/in.jsonl -o train.jsonl --format messages";
  const lines = (changed: Partial<Summary>) =>
    summaryText(makeSummary(changed), { isColored: false, continueCommand: COMMAND, exportCommand })
      .split("\n").map((line) => line.trim()).filter((line) => line.startsWith("To "));
  assertEquals(lines({}), [`To export  ${exportCommand}`]);
  assertEquals(lines({ failures_on_disk: 2 }), [
    `To retry   ${COMMAND}`,
    `To export  ${exportCommand}`,
  ]);
  assertEquals(lines({ state: "interrupted", pending: 5 }), [`To continue  ${COMMAND}`]);
});

Deno.test("summaryText() does not show $0.00 for answers without token counts", () => {
  const costOf = (cost_usd: number | null, prompt_tokens = 0) => {
    const summary = makeSummary({ cost_usd, succeeded: 3, prompt_tokens, completion_tokens: 0 });
    return /Cost +(.*)/.exec(summaryText(summary, { isColored: false }))?.[1];
  };
  assertEquals(
    costOf(null),
    "unknown: it needs token counts (usage), which no answer had, and a price",
  );
  assertEquals(costOf(null, 30), undefined);
  // The prices are 0.
  assertEquals(costOf(0), "$0.00");
});

Deno.test("summaryText() has all parts in at most 33 lines", () => {
  const files = Array.from({ length: 9 }, (_, i) => ({
    input: `${i}.jsonl`,
    results: `out/${i}.jsonl`,
    failures: `out/${i}_error.jsonl`,
    total: 10,
    succeeded: 5,
    failed: i,
    pending: 0,
  }));
  files[0].failed = 2;
  const summary = makeSummary({
    state: "interrupted",
    skipped: 100,
    succeeded: 1000,
    failed: 19,
    pending: 200,
    failures_on_disk: 25,
    bad_rows: 3,
    merged_duplicates: 4,
    attempts: 1103,
    succeeded_attempts: 1000,
    failed_attempts: 100,
    unknown_attempts: 3,
    refused_for_load: 12,
    crashed_in_flight: 20,
    retries: 81,
    prompt_tokens: 100_710,
    completion_tokens: 234_990,
    wasted_completion_tokens: 4830,
    wasted_by_reason: { rejected: 1830, truncated: 3000 },
    cost_usd: 1.234,
    errors: ERRORS,
    teachers: Array.from({ length: 9 }, () => makeTeacher()),
    files,
  });
  const text = summaryText(summary, { isColored: false, continueCommand: COMMAND });
  assertEquals(
    text,
    `\
Interrupted after 35 s: 200 rows still to do

  Rows             1,319 · 4 identical merged · 3 bad left out
  Finished before  100
  Answered         1,000
  Failed           19 (25 in the failures files)
  Pending          200
  Speed            38.2 rows/s
  Latency          p50 512 ms · p90 900 ms · p99 1.24 s · max 3.10 s
  Tokens           100,710 prompt · 234,990 completion
  Wasted           4,830 completion tokens: 3,000 truncated · 1,830 rejected
  Cost             $1.23
  Attempts         1,103 (81 retries)
                   1,000 succeeded · 100 failed (12 throttled) · 3 unanswered, may be billed
  Crashed          at most 20 calls were in flight when the last run crashed, and may be billed twice
  Process          2.4 s of CPU · 85 MB of memory
  Teachers         http://gpu1:8000/v1  qwen3  411 answered · 12 not answered
                   http://gpu1:8000/v1  qwen3  411 answered · 12 not answered
                   http://gpu1:8000/v1  qwen3  411 answered · 12 not answered
                   and 6 more: 2,466 answered · 72 not answered
  Errors           60 × rate_limit 429: cause 0 · 3 retried
                   59 × rate_limit: cause 1 · 3 retried
                   58 × rate_limit 429: cause 2 · 3 retried
                   1,608 × other causes
  Results          out/0.jsonl
  Failures         out/0_error.jsonl
  Results          out/1.jsonl
  Failures         out/1_error.jsonl
                   and those of 7 more inputs
  To continue      deno task distill in.jsonl -o out/
`,
  );
  assertLessOrEqual(text.split("\n").length - 1, 33);
});

Deno.test("summaryText() shows the concurrency that auto found, if any", () => {
  const auto = { concurrency_is_auto: true, limit: 256, succeeded_attempts: 9 };
  const text = (changes: Partial<Summary>) =>
    summaryText(makeSummary({ ...auto, ...changes }), { isColored: false });
  assert(text({}).includes("  Concurrency  256, found by auto\n"));
  assertEquals(text({ concurrency_is_auto: false }).includes("Concurrency"), false);
  assertEquals(text({ succeeded_attempts: 0 }).includes("Concurrency"), false);
  assertEquals(text({ limit: 0 }).includes("Concurrency"), false);
});

Deno.test("summaryText() says how to retry rows that ran out of tokens", () => {
  const last = (type: string, failed: number, escalates?: boolean) => {
    const actions = { failed, retried: 2, halted: 0 };
    const errors = [makeErrorGroup({ type, actions, action: "retried", status: null })];
    const summary = makeSummary({ failed: 1, failures_on_disk: 1, errors });
    const text = summaryText(summary, { isColored: false, continueCommand: COMMAND, escalates });
    return text.trimEnd().split("\n").at(-1)!.trim();
  };
  const advice = "with a higher --max-tokens, or --on-truncated escalate";
  assertEquals(last("truncated", 1), advice);
  assertEquals(last("truncated", 1, true), "with a higher --max-tokens-cap");
  assertEquals(last("truncated", 0), `To retry  ${COMMAND}`);
  assertEquals(last("rejected", 1), `To retry  ${COMMAND}`);
});

Deno.test("summaryText() gives the command that retries where only failures are left", () => {
  const summary = makeSummary({ succeeded: 1318, failed: 1, failures_on_disk: 1 });
  const text = summaryText(summary, { isColored: false, continueCommand: COMMAND });
  assert(text.startsWith("Finished in 35 s: 1 row has no result\n"));
  assert(text.includes("  Failed    1\n"));
  assert(text.endsWith(`  To retry  ${COMMAND}\n`));
});

const ENDINGS: readonly [name: string, changes: Partial<Summary>, headline: string][] = [
  ["rows that failed", { failures_on_disk: 2 }, "Finished in 35 s: 2 rows have no result"],
  ["rows that are bad", { bad_rows: 1 }, "Finished in 35 s: 1 row has no result"],
  ["no result at all", { total: 3, failures_on_disk: 3 }, "Finished in 35 s: no row has a result"],
  ["an input without rows", { total: 0 }, "Finished in 35 s: there are no rows"],
  [
    "a retry that was interrupted",
    { state: "interrupted", failures_on_disk: 30 },
    "Interrupted after 35 s: 30 rows have no result",
  ],
  [
    "an interruption before the first row could be sent",
    { state: "interrupted", elapsed_ms: 0, total: 0 },
    "Interrupted while the input was read: nothing was sent",
  ],
];
for (const [name, changes, headline] of ENDINGS) {
  Deno.test(`summaryText() begins with the state of ${name}`, () => {
    assertEquals(summaryText(makeSummary(changes), { isColored: false }).split("\n")[0], headline);
  });
}

Deno.test("summaryText() gives the command that continues after any interruption", () => {
  const summary = makeSummary({ state: "interrupted", elapsed_ms: 0, total: 0, pending: 0 });
  const text = summaryText(summary, { isColored: false, continueCommand: COMMAND });
  assert(text.endsWith(`  To continue  ${COMMAND}\n`));
  assertEquals(text.includes("Rows"), false);
});

Deno.test("summaryText() distinguishes failures of earlier runs from those of this one", () => {
  const text = summaryText(makeSummary({ failures_on_disk: 30 }), { isColored: false });
  assert(text.includes("  Failed    30 before this run\n"));
});

Deno.test("summaryText() names the failures file of bad rows", () => {
  const text = summaryText(makeSummary({ bad_rows: 1 }), { isColored: false });
  assert(text.includes("  Failures  out/in_error.jsonl\n"));
});

Deno.test("summaryText() says why a run was halted, without control characters", () => {
  const reason = "The key\x1b[2J was refused\n(401)";
  const nothing = { succeeded: 0, attempts: 0, latency_ms: { p50: 0, p90: 0, p99: 0, max: 0 } };
  const summary = makeSummary({ ...nothing, state: "halted", reason, pending: 1, files: [] });
  assertEquals(
    summaryText(summary, { isColored: false }),
    `\
Halted after 35 s, 1 row still to do: The key was refused (401)

  Rows     1,319
  Pending  1
`,
  );
});

Deno.test("summaryText() ends with the command that continues a halted run, a retry too", () => {
  for (const pending of [0, 5]) {
    const summary = makeSummary({ state: "halted", reason: "No credit", pending });
    const text = summaryText(summary, { isColored: false, continueCommand: COMMAND });
    const left = pending === 0 ? "" : ", 5 rows still to do";
    assert(text.startsWith(`Halted after 35 s${left}: No credit\n`));
    assert(text.endsWith(`  To continue  ${COMMAND}\n`));
  }
});

const ATTEMPTS: readonly [changes: Partial<Summary>, expected: string][] = [
  [{ succeeded_attempts: 7, failed_attempts: 2 }, "7 succeeded · 2 failed"],
  [
    { succeeded_attempts: 0, failed_attempts: 9, refused_for_load: 9 },
    "9 failed (9 throttled)",
  ],
  [
    { succeeded_attempts: 8, unknown_attempts: 1 },
    "8 succeeded · 1 unanswered, may be billed",
  ],
];
for (const [changes, expected] of ATTEMPTS) {
  Deno.test(`summaryText() says how attempts ended: ${expected}`, () => {
    const text = summaryText(makeSummary({ ...changes, attempts: 9 }), { isColored: false });
    assert(text.includes(`\n  Attempts  9\n            ${expected}\n`));
  });
}

Deno.test("summaryText() counts one call of a run that crashed, and one retry, in the singular", () => {
  const one = { crashed_in_flight: 1, attempts: 2, retries: 1 };
  const text = summaryText(makeSummary(one), { isColored: false });
  assert(text.includes("  Attempts  2 (1 retry)\n"), text);
  assert(text.includes("  Crashed   1 call was in flight when the last run crashed"));
});

Deno.test("summaryText() has the same text in colors", () => {
  const summary = makeSummary({ failures_on_disk: 3, errors: ERRORS });
  const colored = summaryText(summary, { isColored: true });
  assert(colored.includes("\x1b[33mFinished"));
  // deno-lint-ignore no-control-regex
  assertEquals(colored.replace(/\x1b\[\d+m/g, ""), summaryText(summary, { isColored: false }));
});
