/** Rejected answers: the reason, the cost, and the retries. @module */

import {
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import type { Params, Summary } from "../../mod.ts";
import { chatAnswer, type LedgerRequest, serveLedger } from "../support/ledger_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { type LibraryRunOptions, runLibrary } from "./library_run.ts";

/** One row for each answer, which is its prompt. */
async function runWith(
  dir: TempDir,
  answers: readonly string[],
  options: Omit<LibraryRunOptions, "rows">,
): Promise<Summary> {
  await using server = serveLedger(({ prompt }) => Response.json(chatAnswer(prompt)));
  const rows = answers.map((prompt, i) => ({ id: `row-${i}`, prompt }));
  return (await runLibrary(dir, [server], { rows, ...options })).summary;
}

/** Proves that the first row has a result, and that the others failed with these reasons and with
 * what was paid for. */
async function assertRejected(
  dir: TempDir,
  answers: readonly string[],
  summary: Summary,
  reasons: readonly RegExp[],
): Promise<void> {
  assertEquals([summary.succeeded, summary.failed], [1, reasons.length]);
  const [{ uid }] = await dir.rows("out/in.jsonl");
  assertEquals(uid, "row-0");
  const failures = await dir.rows("out/in_error.jsonl");
  failures.sort((a, b) => a.uid < b.uid ? -1 : 1);
  reasons.forEach((reason, i) => {
    const { error, partial } = failures[i];
    assertEquals([error.type, error.status], ["rejected", null]);
    assertMatch(error.message, reason);
    assertEquals([partial.response, partial.finish_reason], [answers[i + 1], "stop"]);
    assertEquals(partial.completion_tokens, 11);
  });
  // Each answer has 11 tokens.
  const wasted = 11 * reasons.length;
  assertEquals(summary.completion_tokens, 11 + wasted);
  assertEquals(summary.wasted_completion_tokens, wasted);
  assertEquals(summary.wasted_by_reason, { rejected: wasted });
  assertEquals([summary.succeeded_attempts, summary.failed_attempts], [1, reasons.length]);
}

const JSON_SCHEMA = {
  type: "object",
  properties: { n: { type: "integer" } },
  required: ["n"],
};
const CHECKS: readonly [
  name: string,
  options: Omit<LibraryRunOptions, "rows">,
  answers: readonly string[],
  reasons: readonly RegExp[],
][] = [
  ["requireJson", { requireJson: true }, ['{"n":1}', "one", '{"n":'], [/JSON/, /JSON/]],
  [
    "jsonSchema",
    { jsonSchema: JSON_SCHEMA },
    ['{"n":1}', "one", '{"n":"1"}', '{"m":1}'],
    [/JSON/, /integer/, /\bn\b/],
  ],
  [
    "rejectPattern",
    { rejectPattern: /as an ai/i },
    ["Blue", "As an AI, I cannot see"],
    [/as an ai/i],
  ],
  [
    "validate",
    { validate: ({ response, prompt }) => response === prompt && response !== "" && at(response) },
    ["good", "no", "Say more"],
    [/returned false/, /^too long: 8$/],
  ],
  [
    "an asynchronous validate",
    {
      validate: async ({ response }) => {
        await Promise.resolve();
        if (response === "boom") throw new Error("The judge is ill");
        return at(response);
      },
    },
    ["good", "no", "boom", "Say more"],
    [/returned false/, /The judge is ill/, /^too long: 8$/],
  ],
];

/** The results of a user's function: true, false, or a reason. */
function at(response: string): boolean | string {
  if (response.length > 4) return `too long: ${response.length}`;
  return response !== "no";
}

for (const [name, options, answers, reasons] of CHECKS) {
  Deno.test(`${name}: a rejected answer is a failure with its reason and what was paid for`, async () => {
    await using dir = await tempDir();
    await assertRejected(dir, answers, await runWith(dir, answers, options), reasons);
  });
}

Deno.test("resample retries a rejected answer with another seed, as often as allowed", async () => {
  await using dir = await tempDir();
  const seeds: unknown[] = [];
  await using server = serveLedger(({ prompt, asked, body }) => {
    if (prompt === "third time") seeds.push(body.seed);
    return Response.json(chatAnswer(prompt === "third time" && asked === 3 ? "{}" : "no JSON"));
  });
  const rows = [{ id: "a", prompt: "third time" }, { id: "b", prompt: "never" }];
  const params = { seed: 7 };
  const options = { rows, params, requireJson: true, resample: 2 };
  const { summary } = await runLibrary(dir, [server], options);
  assertEquals([summary.succeeded, summary.failed, server.posts], [1, 1, 6]);
  assertEquals(server.prompts, new Map([["third time", 3], ["never", 3]]));
  assertEquals([seeds[0], new Set(seeds).size], [7, 3]);
  assertEquals(summary.wasted_by_reason, { rejected: 5 * 11 });
  assertEquals(summary.completion_tokens, 6 * 11);
  const [{ uid, distill }] = await dir.rows("out/in.jsonl");
  assertEquals([uid, distill.attempts], ["a", 3]);
  const [{ error, partial }] = await dir.rows("out/in_error.jsonl");
  assertEquals([error.type, error.attempts, partial.response], ["rejected", 3, "no JSON"]);
});

/** Reasons for as long as it may, or answers where that is long enough. */
function reasoner(needs: number): (request: LedgerRequest) => Response {
  return ({ body }) => {
    const limit: number = body.max_tokens ?? body.max_completion_tokens;
    if (limit >= needs) return Response.json(chatAnswer("42", { usage: used(needs) }));
    return Response.json(chatAnswer(null, {
      message: { reasoning_content: "Let me see" },
      finish_reason: "length",
      usage: used(limit),
    }));
  };
}

function used(tokens: number): object {
  return { prompt_tokens: 7, completion_tokens: tokens, total_tokens: 7 + tokens };
}

const LIMITS = [
  ["max_tokens", undefined, 799, [100, 200, 400, 800]],
  ["max_completion_tokens", undefined, 300, [100, 200, 400]],
  ["max_tokens", 300, 299, [100, 200, 300]],
] as const;
for (const [name, maxTokensCap, needs, limits] of LIMITS) {
  Deno.test(`escalate doubles ${name} from 100 to ${limits.at(-1)} and gets an answer`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger(reasoner(needs));
    const params: Params = { [name]: 100 };
    const { summary } = await runLibrary(dir, [server], {
      rows: 1,
      params,
      onTruncated: "escalate",
      maxTokensCap,
    });
    assertEquals(server.requests.map(({ body }) => body[name]), [...limits]);
    assertEquals([summary.succeeded, summary.failed], [1, 0]);
    const [{ response, distill }] = await dir.rows("out/in.jsonl");
    assertEquals([response, distill.attempts], ["42", limits.length]);
    const wasted = limits.slice(0, -1).reduce((sum: number, limit) => sum + limit, 0);
    assertEquals(summary.wasted_by_reason, { truncated: wasted });
    assertEquals(summary.completion_tokens, wasted + needs);
  });
}

Deno.test("escalate stops at 8 times the limit, and says that the reasoning has used it up", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(reasoner(1_000));
  const params = { max_tokens: 100 };
  const options = { rows: 1, params, onTruncated: "escalate" } as const;
  const { summary } = await runLibrary(dir, [server], options);
  assertEquals(server.requests.map(({ body }) => body.max_tokens), [100, 200, 400, 800]);
  assertEquals([summary.succeeded, summary.failed], [0, 1]);
  assertEquals(summary.wasted_by_reason, { truncated: 1_500 });
  const [{ error, partial }] = await dir.rows("out/in_error.jsonl");
  assertEquals([error.type, error.attempts], ["truncated", 4]);
  assertStringIncludes(error.message, "The reasoning used up the token limit (max_tokens 800)");
  assertEquals([partial.response, partial.reasoning], ["", "Let me see"]);
  assertEquals([partial.finish_reason, partial.completion_tokens], ["length", 800]);
});

Deno.test("the reasons of wasted answers are counted separately: truncated, filtered, empty, rejected", async () => {
  await using dir = await tempDir();
  const endings: Record<string, Record<string, unknown>> = {
    long: { finish_reason: "length", usage: used(100) },
    filtered: { finish_reason: "content_filter", usage: used(10) },
    blank: { message: { content: " \n" }, usage: used(1) },
    bad: { usage: used(1_000) },
    good: { usage: used(10_000) },
  };
  await using server = serveLedger(({ prompt }) =>
    Response.json(chatAnswer(prompt, endings[prompt]))
  );
  const rows = Object.keys(endings).map((prompt) => ({ id: prompt, prompt }));
  const { summary } = await runLibrary(dir, [server], { rows, rejectPattern: "^bad$" });
  assertEquals(summary.wasted_by_reason, {
    truncated: 100,
    filtered: 10,
    empty: 1,
    rejected: 1_000,
  });
  assertEquals([summary.wasted_completion_tokens, summary.completion_tokens], [1_111, 11_111]);
  const failures = await dir.rows("out/in_error.jsonl");
  const types = Object.fromEntries(failures.map(({ uid, error }) => [uid, error.type]));
  assertEquals(types, { long: "truncated", filtered: "filtered", blank: "empty", bad: "rejected" });
  for (const { partial } of failures) assertNotEquals(partial, undefined);
});

Deno.test("an answer that was not checked when its run ended is checked by the next one, and not paid for again", async () => {
  await using dir = await tempDir();
  const usage = { prompt_tokens_details: { cached_tokens: 3 } };
  await using server = serveLedger(({ prompt, n }) =>
    Response.json(chatAnswer(n > 2 ? "good" : prompt, { usage }))
  );
  const rows = [{ id: "a", prompt: "good" }, { id: "b", prompt: "bad" }];
  const options = { rows, resample: 1, carefulStart: false };
  let abort = () => {}, checks = 0;
  const stopped = await runLibrary(dir, [server], {
    ...options,
    onStart: (generator) => abort = () => generator.abort(),
    validate() {
      if (++checks === rows.length) abort();
      return new Promise(() => {});
    },
  });
  assertEquals([stopped.summary.succeeded, server.posts], [0, 2]);
  // Known by a field, whatever the message says; older versions wrote only the message.
  const [a, b] = (await dir.read("out/in_error.jsonl")).split("\n").toSorted().slice(-2);
  const reworded = a.replace("The run was ended before", "Other words");
  await dir.write("out/in_error.jsonl", `${reworded}\n${b.replace(',"unchecked":true', "")}\n`);
  assertEquals([a, b].map((line) => JSON.parse(line).error.next), [
    { resample: 0, unchecked: true },
    { resample: 0, unchecked: true },
  ]);
  const { summary } = await runLibrary(dir, [server], {
    ...options,
    validate: ({ response }) => response === "good",
  });
  assertEquals([summary.succeeded, summary.failed, server.posts], [2, 0, 3]);
  const { attempts, failedAttempts, unknownAttempts } = summary;
  assertEquals([attempts, failedAttempts, unknownAttempts], [1, 0, 0]);
  const results = await dir.rows("out/in.jsonl");
  assertEquals(results.map(({ uid }) => uid).toSorted(), ["a", "b"]);
  assertEquals(results.map(({ distill }) => distill.cached_tokens), [3, 3]);
});

Deno.test("an answer with raw fields that was not checked is requested again, since no file holds them", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() => Response.json(chatAnswer("good", { logprobs: [-1] })));
  const options = { rows: 1, carefulStart: false, http: { keep: ["logprobs"] } };
  let abort = () => {};
  await runLibrary(dir, [server], {
    ...options,
    onStart: (generator) => abort = () => generator.abort(),
    validate() {
      abort();
      return new Promise(() => {});
    },
  });
  await runLibrary(dir, [server], { ...options, validate: () => true });
  const [{ distill }] = await dir.rows("out/in.jsonl");
  assertEquals([JSON.parse(distill.kept), server.posts], [{ logprobs: [-1] }, 2]);
});

Deno.test("a run that cannot tidy its failures has answered every row, says so, and leaves that to the next one", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ asked }) => Response.json(chatAnswer(`answer ${asked}`)));
  const options: LibraryRunOptions = {
    rows: 3,
    resample: 1,
    validate: ({ response }) => response === "answer 2",
  };
  const warnings: string[] = [];
  const { rename } = Deno;
  Deno.rename = (from, to) =>
    String(to).endsWith("in_error.jsonl")
      ? Promise.reject(new Deno.errors.PermissionDenied("no"))
      : rename(from, to);
  try {
    const { summary } = await runLibrary(dir, [server], {
      ...options,
      onStart: (generator) =>
        generator.on((event) => event.type === "notice" && warnings.push(event.message)),
    });
    assertEquals([summary.state, summary.succeeded, summary.failed], ["done", 3, 0]);
  } finally {
    Deno.rename = rename;
  }
  assertStringIncludes(warnings.join("\n"), "permission denied: outdated lines stay in it");
  assertEquals((await dir.rows("out/in_error.jsonl")).length, 3);
  await runLibrary(dir, [server], options);
  assertEquals(server.posts, 6);
  assertEquals(await dir.rows("out/in_error.jsonl"), []);
});

Deno.test("an answer that was cut off, is kept, and was not checked is not paid for again either", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() =>
    Response.json(chatAnswer("half", { finish_reason: "length" }))
  );
  const options = { rows: 1, onTruncated: "keep", carefulStart: false } as const;
  let abort = () => {};
  await runLibrary(dir, [server], {
    ...options,
    onStart: (generator) => abort = () => generator.abort(),
    validate() {
      abort();
      return new Promise(() => {});
    },
  });
  const { summary } = await runLibrary(dir, [server], { ...options, validate: () => true });
  assertEquals([summary.succeeded, server.posts], [1, 1]);
});
