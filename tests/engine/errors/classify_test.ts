import { assert, assertEquals, assertMatch } from "../../../lib/deps/std_assert.ts";
import { classify } from "../../../lib/engine/errors/classify.ts";
import { TeacherError } from "../../../lib/errors.ts";
import { GROUPS, type Remedy } from "./classify_cases.ts";
import { assertCurrent, generatedLines } from "../../support/generated_page.ts";
import { PAGE, withTables } from "./classify_table.ts";

const ADVICE: Readonly<Record<Remedy, RegExp>> = {
  key: /OPENAI_API_KEY.*--api-key-env.*--api-key-file/,
  permission: /what the API key may do/,
  billing: /credit.*spending limit/,
  model: /--model/,
  endpoint: /--endpoint \(chat, responses or completions\)/,
  address: /--base-url.*\/chat\/completions/,
  upstream: /the gateway's own key or account.*not yours/,
  proxy: /proxy/,
  certificate: /the dates of the certificate.*--ca-file/,
  "client certificate": /--client-cert, --client-key/,
  tls: /http:\/\//,
};

for (const { title, cases } of GROUPS) {
  for (const { what, error, expected } of cases) {
    const status = error.status ?? error.type;
    Deno.test(`classify() of ${status}, ${title.toLowerCase()}: ${what}`, () => {
      const { advice, ...classification } = classify(error);
      const { remedy, ...rest } = expected;
      assertEquals<unknown>(classification, rest, error.message);
      if (remedy === undefined) assertEquals(advice, undefined);
      else assertMatch(advice ?? "", ADVICE[remedy]);
    });
  }
}

Deno.test("classify() treats a 504 that comes at once as a fault: the server may be down", () => {
  const error = new TeacherError("Gateway Time-out", { status: 504 });
  assertEquals(classify(error, true, 4_999).cause, "fault");
  assertEquals(classify(error, true, 5_000).cause, "timeout");
  const late = new TeacherError("Request timed out", { status: 408 });
  assertEquals(classify(late, true, 4_999).cause, "fault");
  assertEquals(classify(late, true, 5_000).cause, "timeout");
  const own = new TeacherError("Too slow", { type: "timeout" });
  assertEquals(classify(own, true, 10).cause, "timeout");
});

Deno.test("classify() treats another certificate or host name as an outage once the teacher has answered", () => {
  for (const code of ["certificate", "no_handshake"]) {
    const error = new TeacherError("Cannot connect", { type: "network", code });
    assertEquals([classify(error).action, classify(error, true).cause], ["halt", "unreachable"]);
  }
});

Deno.test("classify() treats a wrong address as a fault once the teacher has answered", () => {
  for (const status of [302, 404, 405]) {
    const error = new TeacherError("Moved", { status });
    assertEquals([classify(error).action, classify(error, true).cause], ["halt", "fault"]);
    assertEquals(classify(error, true).type, "server");
    const final = new TeacherError("Moved", { status, retryable: false });
    assertEquals(classify(final, true).action, "halt");
  }
  for (const error of [{ status: 401 }, { status: 404, code: "model_not_found" }]) {
    assertEquals(classify(new TeacherError("Wrong", error), true).action, "halt");
  }
});

Deno.test("docs/errors.md has a line for each case, and says what follows", async () => {
  const page = await Deno.readTextFile(PAGE);
  assertCurrent(page, withTables(page), "tests/engine/errors/classify_table.ts");
  const cases = GROUPS.flatMap(({ cases }) => cases);
  assert(cases.length >= 60);
  const lines = generatedLines(page).filter((line) =>
    line.startsWith("|") && !/^\|(---|who)/.test(line)
  );
  assertEquals(lines.length, cases.length);
});

Deno.test("classify() ignores a message that does not belong to the status", () => {
  const words = "The model `x` does not exist, and insufficient balance";
  assertEquals(classify(new TeacherError(words, { status: 500 })).action, "retry");
  assertEquals(classify(new TeacherError(words, { type: "teacher" })).action, "fail");
  assertEquals(classify(new TeacherError(words, { type: "network" })).action, "retry");
});
