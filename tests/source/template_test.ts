import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { RowProblem } from "../../lib/source/parsed_row.ts";
import { compileTemplate } from "../../lib/source/prompt_texts.ts";

function render(template: string, text: string): string {
  const prompt = compileTemplate(template).render(JSON.parse(text), text);
  return prompt instanceof RowProblem ? `bad: ${prompt.problem}` : prompt;
}

Deno.test("compileTemplate() inserts strings as they are", () => {
  assertEquals(
    render('Q: {{q}}\nA{{ q }}"', '{"q":"1 \\"<\\u0041$&{{x}}>"}'),
    'Q: 1 "<A$&{{x}}>\nA1 "<A$&{{x}}>"',
  );
});

Deno.test("compileTemplate() inserts other values as JSON with numbers as written", () => {
  const row = '{"n":1.0,"id":1234567890123456789,"l":[1e400, "a"],"o":{"b":true},"f":false}';
  assertEquals(
    render("{{n}} {{id}} {{l}} {{o}} {{f}}", row),
    '1.0 1234567890123456789 [1e400,"a"] {"b":true} false',
  );
});

Deno.test("compileTemplate() follows dotted paths, a field of exactly that name first", () => {
  const row = '{"a":{"b":{"c":"deep"}},"l":[{"x":2.50}],"d.e":"flat","d":{"e":"deep"}}';
  assertEquals(render("{{a.b.c}} {{l.0.x}} {{d.e}}", row), "deep 2.50 flat");
});

Deno.test("compileTemplate() makes a bad row of a field that is missing or null", () => {
  const missing = (name: string) => `bad: template needs the field "${name}": the row has none`;
  assertEquals(render("{{q}} {{a.b}}", '{"q":"x","a":"text"}'), missing("a.b"));
  assertEquals(render("{{q}}", '{"q":null}'), missing("q"));
  assertEquals(render("{{constructor}}", "{}"), missing("constructor"));
  assertEquals(render("{{q.length}}", '{"q":"x"}'), missing("q.length"));
  assertEquals(render("{{__proto__.a}}", '{"__proto__":{"a":"own"}}'), "own");
});

Deno.test("compileTemplate() makes a bad row of an empty prompt", () => {
  assertEquals(render(" {{q}}\n", '{"q":" "}'), "bad: template gives an empty prompt for this row");
});

Deno.test("compileTemplate() does not change other braces", () => {
  assertEquals(render('{"a":{"b":{{x}}}}', '{"x":"1"}'), '{"a":{"b":1}}');
  assertEquals(render("{{x}} } }}", '{"x":"1"}'), "1 } }}");
});

Deno.test("compileTemplate() refuses a {{ that is not closed or names nothing", () => {
  assertThrows(
    () => compileTemplate("a {{b"),
    RangeError,
    'Cannot read the template: "{{" must be closed by "}}": current value is "a {{b"',
  );
  assertThrows(() => compileTemplate("{{a {{b}}"), RangeError);
  assertThrows(() => compileTemplate("{{ }}"), RangeError, "must be followed by a field");
});

Deno.test("compileTemplate() refuses a template that sends the same prompt for every row", () => {
  // A shell turns "Solve: $question" into this.
  assertThrows(() => compileTemplate("Solve: "), RangeError, "it must name a field, as in");
});
