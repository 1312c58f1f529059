import { assertEquals } from "../../lib/deps/std_assert.ts";
import { askedSchemaOf, schemaCheck } from "../../lib/checks/built_in_checks.ts";
import { completionOf } from "./answers.ts";

const SCHEMA = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
const WRAPPERS = [
  { type: "json_schema", json_schema: { name: "my-a", schema: SCHEMA, strict: true } },
  { type: "json_schema", name: "my-a", schema: SCHEMA, strict: true },
  { name: "my-a", schema: SCHEMA, strict: true },
];

for (const wrapper of WRAPPERS) {
  Deno.test(`a schema is taken out of ${JSON.stringify(wrapper)}`, async () => {
    const check = await schemaCheck(wrapper);
    assertEquals(check(completionOf({ response: '{"a":1}' })), undefined);
    assertEquals(
      check(completionOf({ response: '{"a":"1"}' })),
      "Does not match the schema: /a must be integer",
    );
    const { name, schema, strict } = askedSchemaOf(wrapper)!;
    assertEquals([name, schema, strict], ["my-a", SCHEMA, true]);
  });
}

Deno.test("askedSchemaOf() names a schema by its title, and requests nothing if any answer is valid", () => {
  assertEquals(askedSchemaOf(SCHEMA), { schema: SCHEMA, name: "answer" });
  assertEquals(askedSchemaOf({ ...SCHEMA, title: "My answer (v2)" })?.name, "My_answer_v2_");
  assertEquals(askedSchemaOf({ ...SCHEMA, title: "答" })?.name, "_");
  // Properties with these names do not make a schema a `response_format`.
  const own = { type: "object", properties: { schema: {}, name: {} } };
  assertEquals(askedSchemaOf(own)?.schema, own);
  assertEquals(askedSchemaOf(true), undefined);
});
