import { assertEquals, assertLess, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { splitThinkTags, THINK_TAGS, withoutTags } from "../../lib/teacher/think_tags.ts";
import { fastestMs } from "../support/fastest.ts";
import { REPOSITORY } from "../support/process.ts";

Deno.test("docs/teachers.md lists the tags of each model", async () => {
  const page = await Deno.readTextFile(`${REPOSITORY}/docs/teachers.md`);
  const rules = page.slice(0, page.indexOf("<!-- cases -->")).replaceAll("\\|", "|");
  for (const tags of THINK_TAGS) {
    const [open, close] = tags.map((tag) => tag.trim());
    assertStringIncludes(rules, `| \`${open}…${close}\` `);
  }
});

Deno.test("splitThinkTags() extracts a block at the start between any of the tags", () => {
  for (const [open, close] of THINK_TAGS) {
    const expected = { response: "42", reasoning: "6 * 7" };
    assertEquals(splitThinkTags(`${open}\n6 * 7\n${close}\n\n42`), expected, open);
    assertEquals(splitThinkTags(`\n ${open}6 * 7${close}42`), expected, open);
  }
});

Deno.test("splitThinkTags() takes no longer for a loop of line feeds", async () => {
  const reasoning = `a${"\n".repeat(300_000)}b`;
  const ms = await fastestMs(() => {
    assertEquals(splitThinkTags(`<think>${reasoning}</think>42`), { response: "42", reasoning });
  }, 2_000);
  assertLess(ms, 2_000);
});

Deno.test("splitThinkTags() extracts a block whose opening tag is part of the template", () => {
  const closed = ["</think>", "</seed:think>", "</mm:think>", "</longcat_think>", "[/THINK]"];
  for (const close of closed) {
    const expected = { response: "42", reasoning: "6 * 7" };
    assertEquals(splitThinkTags(`6 * 7\n${close}\n\n42`), expected, close);
  }
  assertEquals(splitThinkTags("</think>42"), { response: "42", reasoning: "" });
});

Deno.test("splitThinkTags() removes an empty block", () => {
  const expected = { response: "42", reasoning: "" };
  assertEquals(splitThinkTags("<think>\n\n</think>\n\n42"), expected);
});

Deno.test("splitThinkTags() leaves tags that are part of the answer", () => {
  const answers = [
    "plain",
    "",
    "  \n",
    "Use <think>a</think> tags",
    "Write <think> first",
    "Use <thought>a</thought> tags",
    "Close with </thought>",
    "<thinking>a</thinking>42",
    "<reasoning>a</reasoning><answer>42</answer>",
    "I think> so",
  ];
  for (const content of answers) assertEquals(splitThinkTags(content), undefined, content);
});

Deno.test("splitThinkTags() loses nothing but the line ends around the two", () => {
  assertEquals(splitThinkTags("<think>a <think> b</think>  c</think> d\n"), {
    response: "  c</think> d\n",
    reasoning: "a <think> b",
  });
});

Deno.test("splitThinkTags() treats a block that was never closed as reasoning", () => {
  assertEquals(splitThinkTags("<think>\nlet me see"), { response: "", reasoning: "let me see" });
});

Deno.test("splitThinkTags() extracts several blocks before the answer", () => {
  const expected = { response: "42", reasoning: "a\n\nb" };
  assertEquals(splitThinkTags("<think>a</think>\n<think>b</think>\n42"), expected);
  // A second block without its end belongs to the answer.
  assertEquals(splitThinkTags("<think>a</think><think> is a tag"), {
    response: "<think> is a tag",
    reasoning: "a",
  });
});

Deno.test("splitThinkTags() accepts the user's tags, also without the opening one", () => {
  const own = ["<<", ">>"] as const;
  assertEquals(splitThinkTags("<<why>>42", own), { response: "42", reasoning: "why" });
  assertEquals(splitThinkTags("why>>42", own), { response: "42", reasoning: "why" });
  assertEquals(splitThinkTags("<think>why</think>42", own), { response: "42", reasoning: "why" });
  assertEquals(splitThinkTags("42 << 3 >> 1", own), undefined);
});

Deno.test("withoutTags() removes tags from a field", () => {
  assertEquals(withoutTags("<think>\nwhy\n</think>\n"), "why");
  assertEquals(withoutTags("<think>why"), "why");
  assertEquals(withoutTags("why <think>"), "why <think>");
});
