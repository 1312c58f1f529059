import { assert, assertEquals, assertGreater, assertRejects } from "../../lib/deps/std_assert.ts";
import { BusyTeacher, startBusyServer } from "../../bench/servers.ts";
import { startHelper } from "../../bench/processes.ts";

async function statusOf(teacher: BusyTeacher, prompt: string): Promise<number> {
  const response = await teacher.ask(prompt);
  await response.body?.cancel();
  return response.status;
}

Deno.test("BusyTeacher refuses requests above its rate, including the burst", async () => {
  const teacher = new BusyTeacher({ latencyMs: 0, perSecond: 0.001, burst: 2 });
  const statuses = await Promise.all(["a", "b", "c", "d"].map((one) => statusOf(teacher, one)));
  assertEquals(statuses, [200, 200, 429, 429]);
  assertEquals(teacher.ledger, { posts: 4, rateLimited: 2, failed: 0, peak: 2 });
});

Deno.test("BusyTeacher fails at a fraction of the prompts, at each of them once", async () => {
  const prompts = Array.from({ length: 1_000 }, (_, index) => `${index}: why?`);
  const teacher = new BusyTeacher({ latencyMs: 0, failing: 0.4 });
  const ask = () => Promise.all(prompts.map((prompt) => statusOf(teacher, prompt)));
  const failed = (await ask()).filter((status) => status === 500).length;
  assert(failed > 350 && failed < 450, `${failed} of 1,000 failed`);
  assertEquals(new Set(await ask()), new Set([200]));
  assertEquals(teacher.ledger.failed, failed);
});

Deno.test("BusyTeacher processes a fixed number at the same time and queues the others in order", async () => {
  const latencyMs = 20;
  const teacher = new BusyTeacher({ latencyMs, slots: 1 });
  const answered: string[] = [];
  const startedMs = performance.now();
  await Promise.all(["a", "b", "c"].map(async (prompt) => {
    await statusOf(teacher, prompt);
    answered.push(prompt);
  }));
  assertEquals(answered, ["a", "b", "c"]);
  assertGreater(performance.now() - startedMs, 3 * latencyMs - 3);
  assertEquals(teacher.ledger, { posts: 3, rateLimited: 0, failed: 0, peak: 3 });
});

Deno.test("BusyTeacher gives a prompt the same length of answer each time", async () => {
  const teacher = new BusyTeacher({ latencyMs: 1, spread: 0.5 });
  const tokensOf = async (prompt: string) => {
    const { usage } = await (await teacher.ask(prompt)).json();
    return usage.completion_tokens;
  };
  const first = await Promise.all(["a", "b", "c"].map(tokensOf));
  assertEquals(await Promise.all(["a", "b", "c"].map(tokensOf)), first);
  assertEquals(new Set(first).size, 3);
  assert(first.every((tokens) => tokens >= 131 && tokens <= 393), `${first}`);
});

Deno.test("startBusyServer() serves teachers by their names and keeps a ledger of each", async () => {
  await using server = await startBusyServer({ latencyMs: 0, perSecond: 0.001, burst: 1 });
  const post = async (name: string) => {
    const response = await fetch(`${server.baseUrl(name)}/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ messages: [{ role: "user", content: "1: why?" }] }),
    });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await post("a"), await post("a"), await post("b")], [200, 429, 200]);
  assertEquals(await server.end(), {
    a: { posts: 2, rateLimited: 1, failed: 0, peak: 1 },
    b: { posts: 1, rateLimited: 0, failed: 0, peak: 1 },
  });
});

Deno.test("startHelper() rejects when the script ends before it is ready", async () => {
  const error = await assertRejects(() => startHelper("measure.ts", {}), Error);
  assertEquals(
    error.message,
    'Cannot measure with "measure.ts": its process ended before it was ready',
  );
});
