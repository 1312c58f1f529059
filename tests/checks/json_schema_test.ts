import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { schemaCheck } from "../../lib/checks/built_in_checks.ts";
import { completionOf } from "./answers.ts";

async function judge(schema: unknown, response: string) {
  return (await schemaCheck(schema))(completionOf({ response }));
}

const ANSWER = {
  type: "object",
  required: ["answer"],
  properties: { answer: { type: "integer" }, unit: { enum: ["m", "s"] } },
  additionalProperties: false,
};

for (
  const [what, schema, response, reason] of [
    ["a match", ANSWER, `{"answer":42}`, undefined],
    ["what is not JSON", ANSWER, `42!`, /^Not JSON: /],
    ["a type", ANSWER, `{"answer":"42"}`, "Does not match the schema: /answer must be integer"],
    [
      "a lack",
      ANSWER,
      `{}`,
      "Does not match the schema: it must have required property 'answer'",
    ],
    [
      "several errors, with what is allowed",
      ANSWER,
      `{"x":1,"unit":"kg","y":1,"z":1}`,
      "Does not match the schema: it must have required property 'answer'; it must NOT have " +
      'additional properties: "x"; it must NOT have additional properties: "y"; and 2 more',
    ],
    [
      "an enum",
      ANSWER,
      `{"answer":1,"unit":"kg"}`,
      'Does not match the schema: /unit must be equal to one of the allowed values: ["m","s"]',
    ],
    [
      "a name as long as a text",
      { additionalProperties: { type: "integer" } },
      `{"${"é".repeat(9_000)}":""}`,
      `Does not match the schema: /${"é".repeat(98)}… must be integer`,
    ],
    ["a format", { format: "date" }, `"2025-02-30"`, /must match format "date"$/],
    ["an unknown format", { format: "unheard-of" }, `"x"`, undefined],
    ["an unknown keyword", { example: 1 }, `"x"`, undefined],
    ["a name that every object inherits", { required: ["constructor"] }, `{}`, /'constructor'$/],
    ["a reference", { $ref: "#/$defs/a", $defs: { a: { const: 7 } } }, "8", /constant: 7$/],
    ["draft 2020-12", { prefixItems: [{ type: "string" }] }, `[1]`, /^Does not match.*\/0/],
    [
      "draft 7",
      { $schema: "http://json-schema.org/draft-07/schema#", items: [{ type: "string" }] },
      `[1]`,
      /^Does not match.*\/0 must be string/,
    ],
    [
      "draft 2019-09",
      { $schema: "https://json-schema.org/draft/2019-09/schema", items: [{ type: "string" }] },
      `[1]`,
      /^Does not match.*\/0 must be string/,
    ],
    ["true", true, `1`, undefined],
    ["false", false, `1`, /^Does not match the schema: /],
    [
      "an answer that is nested deeper than the stack",
      { items: { $ref: "#" } },
      "[".repeat(100_000) + "]".repeat(100_000),
      /^Cannot be checked against the schema: Maximum call stack/,
    ],
  ] as [string, unknown, string, string | RegExp | undefined][]
) {
  Deno.test(`schemaCheck() judges ${what}`, async () => {
    const said = await judge(schema, response);
    if (reason instanceof RegExp) assertEquals(reason.test(String(said)), true, String(said));
    else assertEquals(said, reason);
  });
}

for (
  const [schema, type, message] of [
    [
      { properties: { "a/b": { type: "intger" } } },
      TypeError,
      "Cannot use the JSON Schema: /properties/a~1b/type must be equal to one of the allowed values: " +
      '["array","boolean","integer","null","number","object","string"]: current value is "intger"',
    ],
    [
      { properties: { "100%": { type: "intger" } } },
      TypeError,
      "Cannot use the JSON Schema: /properties/100%/type must be equal to one of the allowed values: " +
      '["array","boolean","integer","null","number","object","string"]: current value is "intger"',
    ],
    [{ $ref: "http://example.org/x" }, TypeError, "can't resolve reference http://example.org/x"],
    [{ pattern: "(" }, TypeError, "Cannot use the JSON Schema: "],
    [{ $async: true }, TypeError, '"$async" is not supported'],
    ["{}", TypeError, 'it must be an object, true or false: current value is "{}"'],
    [[], TypeError, "it must be an object, true or false: current value is []"],
    [null, TypeError, "it must be an object, true or false: current value is null"],
    [{ type: "json_schema", json_schema: { name: "answer" } }, TypeError, "without a schema"],
    [
      { $schema: "http://json-schema.org/draft-04/schema#" },
      RangeError,
      '"$schema" must name draft 7, 2019-09 or 2020-12: current value is "http://json-schema',
    ],
  ] as [unknown, typeof TypeError, string][]
) {
  Deno.test(`schemaCheck() refuses ${JSON.stringify(schema)}`, async () => {
    await assertRejects(() => schemaCheck(schema), type, message);
  });
}

Deno.test("schemaCheck() takes multiples of decimal steps as JSON writes them", async () => {
  for (const [step, digits] of [[0.01, 2], [0.1, 1], [0.001, 3], [2.5, 1], [3, 0]] as const) {
    const check = await schemaCheck({ items: { multipleOf: step } });
    const multiples = Array.from({ length: 20_000 }, (_, i) => (i * step).toFixed(digits));
    assertEquals(check(completionOf({ response: `[${multiples}]` })), undefined);
  }
  const others = [
    [0.01, "0.005"],
    [0.01, "123456.789"],
    [1, "1.0005"],
    [3, "10"],
    [2, "3000000000000001"],
  ] as const;
  for (const [step, answer] of others) {
    const reason = `Does not match the schema: it must be multiple of ${step}`;
    assertEquals(await judge({ multipleOf: step }, answer), reason);
  }
});
