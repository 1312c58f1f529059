import { assertEquals, assertRejects, assertThrows } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { openaiCompatible } from "../../lib/teacher/openai_compatible.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { unusedPort } from "../support/ports.ts";
import { serveRaw } from "../support/raw_server.ts";

const never = new AbortController().signal;
// undici's timer for connections to a proxy runs for a second after the last one.
const OPTIONS = { sanitizeOps: false, sanitizeResources: false };

function ask(teacher: Teacher, prompt: string) {
  return teacher.complete(
    { uid: prompt, messages: [{ role: "user", content: prompt }], params: {} },
    never,
  );
}

Deno.test("a proxy is used, and nothing is sent twice through it", OPTIONS, async () => {
  await using proxy = serveRaw(({ n, onConnection }) =>
    onConnection > 1 && n % 3 === 0 ? "hangup" : "answer"
  );
  const teacher = openaiCompatible({
    model: "m",
    baseUrl: "http://teacher.invalid/v1",
    proxy: proxy.url.replace(/\/v1$/, ""),
  });
  let failures = 0;
  await Promise.all(Array.from({ length: 10 }, async (_, lane) => {
    for (let n = 0; n < 10; n++) await ask(teacher, `${lane}/${n}`).catch(() => failures++);
  }));
  await teacher.close?.();
  assertEquals(proxy.posts, 100);
  assertEquals(Math.max(...proxy.prompts.values()), 1);
  assertEquals(failures > 0, true);
});

Deno.test("a teacher on this machine is never called through a proxy", OPTIONS, async () => {
  await using server = serveLedger();
  const teacher = openaiCompatible({
    model: "m",
    baseUrl: server.url,
    proxy: "http://proxy.invalid:3128",
  });
  assertEquals((await ask(teacher, "x")).response, "answer to x");
  await teacher.close?.();
});

Deno.test("a proxy that cannot be reached is named, its password is not", OPTIONS, async () => {
  const port = unusedPort();
  const teacher = openaiCompatible({
    model: "m",
    baseUrl: "https://teacher.invalid/v1",
    proxy: `http://me:hidden@127.0.0.1:${port}`,
  });
  const error = await assertRejects(() => ask(teacher, "x"), TeacherError);
  assertEquals(
    error.message,
    `Cannot connect to teacher.invalid:443 through the proxy 127.0.0.1:${port}: connection refused`,
  );
  assertEquals(error.type, "network");
  await teacher.close?.();
});

Deno.test("a proxy whose password cannot be decoded is refused, and not shown", () => {
  const bad = ["http://me:hid%ZZden@p:3128", "http://me%:hidden@p:3128", "me:hidden%@p:3128"];
  for (const proxy of bad) {
    const make = () =>
      openaiCompatible({ model: "m", baseUrl: "https://teacher.invalid/v1", proxy });
    const { message } = assertThrows(make, TypeError, '"%25" instead of each "%"');
    assertEquals([message.includes("hid"), message.includes("me:")], [false, false]);
  }
});

Deno.test("a proxy without a scheme is taken for an http:// proxy", async () => {
  for (const proxy of ["me:hidden@p:3128", "proxy.example:3128", "127.0.0.1:3128", "p"]) {
    const make = { model: "m", baseUrl: "https://teacher.invalid/v1", proxy };
    await openaiCompatible(make).close();
  }
  const make = () =>
    openaiCompatible({ model: "m", baseUrl: "https://h/v1", proxy: "socks5://p:1" });
  assertThrows(make, TypeError, "ALL_PROXY): it must be an address");
  assertThrows(make, TypeError, 'its scheme is "socks5:"');
});
