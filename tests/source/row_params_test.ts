import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RowParser } from "../../lib/source/parse_row.ts";

/** A row's parameters as they would be sent, or their problem. */
function paramsOf(row: string): string | undefined {
  const parsed = new RowParser().parse(row);
  return "problem" in parsed ? parsed.problem : JSON.stringify(parsed.params);
}

const MESSAGES = '"messages":[{"role":"user","content":"q"}]';

Deno.test("parse() takes all of a Batch body but the messages as parameters", () => {
  assertEquals(
    paramsOf(`{"body":{"model":"m","temperature":1.0,${MESSAGES},"seed":1234567890123456789}}`),
    '{"model":"m","temperature":1.0,"seed":1234567890123456789}',
  );
  assertEquals(paramsOf(`{"body":{${MESSAGES}}}`), undefined);
});

Deno.test("parse() takes params and tools of every other shape, as written", () => {
  assertEquals(
    paramsOf('{"prompt":"p","params":{"top_p":0.90,"__proto__":1},"tools":[{"type":"function"}]}'),
    '{"top_p":0.90,"__proto__":1,"tools":[{"type":"function"}]}',
  );
  assertEquals(
    paramsOf(`{${MESSAGES},"tools":[{"n":1.0}],"params":null}`),
    '{"tools":[{"n":1.0}]}',
  );
  assertEquals(paramsOf('{"prompt":"p","params":{"tools":[{}]},"tools":null}'), '{"tools":[{}]}');
  assertEquals(paramsOf('{"prompt":"p","params":{},"tools":[]}'), undefined);
});

Deno.test("parse() omits parameters that the client sets", () => {
  assertEquals(
    paramsOf('{"prompt":"p","params":{"stream":true,"stream_options":{},"seed":1}}'),
    '{"seed":1}',
  );
  assertEquals(paramsOf(`{"body":{${MESSAGES},"stream":true,"stream_options":{}}}`), undefined);
});

Deno.test("parse() flattens extra_body over the rest", () => {
  assertEquals(
    paramsOf('{"prompt":"p","params":{"top_k":1,"extra_body":{"top_k":20,"min_p":0.0}}}'),
    '{"top_k":20,"min_p":0.0}',
  );
  assertEquals(paramsOf('{"prompt":"p","params":{"extra_body":null}}'), undefined);
  assertEquals(
    paramsOf('{"prompt":"p","params":{"extra_body":"x"}}'),
    '"params.extra_body" must be an object: current value is "x"',
  );
});

Deno.test("parse() refuses params and tools of a wrong type", () => {
  assertEquals(
    paramsOf('{"prompt":"p","params":"[1]"}'),
    '"params" must be an object: current value is "[1]"',
  );
  assertEquals(
    paramsOf('{"prompt":"p","params":[]}'),
    '"params" must be an object: current value is an empty array',
  );
  assertEquals(
    paramsOf('{"prompt":"p","tools":{}}'),
    '"tools" must be an array of tools, or its JSON text: current value is an object',
  );
  assertEquals(
    paramsOf('{"prompt":"p","params":{"messages":[]}}'),
    '"params" must not contain "messages": they belong in the row itself',
  );
});

Deno.test("parse() refuses more than one sample per row", () => {
  const reason = "must be 1 (use --samples for several answers)";
  const asShown = { "2": "2", "2.0": "2", '"2"': '"2"', "1e400": "Infinity" };
  for (const [n, shown] of Object.entries(asShown)) {
    assertEquals(
      paramsOf(`{"prompt":"p","params":{"n":${n}}}`),
      `"params.n" ${reason}: current value is ${shown}`,
    );
  }
  assertEquals(
    paramsOf(`{"body":{${MESSAGES},"extra_body":{"n":4}}}`),
    `"body.n" ${reason}: current value is 4`,
  );
  assertEquals(paramsOf('{"prompt":"p","params":{"n":1.0}}'), '{"n":1.0}');
});

Deno.test("parse() refuses credentials in the parameters of a row", () => {
  assertEquals(
    paramsOf('{"prompt":"p","params":{"api_key":"sk-secret"}}'),
    '"params.api_key" must not be in a row: it is a credential',
  );
  assertEquals(
    paramsOf(`{"body":{"model":"m","token":"sk-secret",${MESSAGES}}}`),
    '"body.token" must not be in a row: it is a credential',
  );
  assertEquals(
    paramsOf('{"prompt":"p","params":{"max_tokens":5,"prompt_cache_key":"k"}}'),
    '{"max_tokens":5,"prompt_cache_key":"k"}',
  );
});
