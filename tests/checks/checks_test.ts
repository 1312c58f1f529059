import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { type CheckOptions, createChecks, type Verdict } from "../../lib/checks/checks.ts";
import { completionOf, COST, rowOf } from "./answers.ts";

/** Each check's verdict on an answer. */
async function reasons(options: CheckOptions, response: string): Promise<Verdict[]> {
  using checks = await createChecks(options);
  return await Promise.all(
    checks.list.map((check) => check(completionOf({ response }), rowOf(), COST)),
  );
}

Deno.test("createChecks() creates no check if none is requested", async () => {
  assertEquals((await createChecks({})).list, []);
  assertEquals((await createChecks({ requireJson: false, jsonSchema: undefined })).list, []);
});

Deno.test("createChecks() creates checks in the order JSON, pattern, own check", async () => {
  const options = { check: () => "no", rejectPattern: "x", requireJson: true };
  assertEquals(await reasons(options, "x"), [
    "Not JSON: Unexpected token 'x'",
    "Matches the reject pattern /x/u",
    "no",
  ]);
});

Deno.test("createChecks() parses an answer once if JSON and a schema are requested", async () => {
  const options = { requireJson: true, jsonSchema: { type: "string" } };
  assertEquals(await reasons(options, "1"), ["Does not match the schema: it must be string"]);
  assertEquals(await reasons(options, "x"), ["Not JSON: Unexpected token 'x'"]);
});

Deno.test("createChecks() refuses invalid options", async () => {
  await assertRejects(() => createChecks({ rejectPattern: "(" }), RangeError, "reject pattern");
  await assertRejects(() => createChecks({ jsonSchema: 7 }), TypeError, "JSON Schema");
});
