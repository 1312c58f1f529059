/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Whole texts of prompts and models: as Markdown with colored code, or raw, but never as markup.
 */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import type { Locator, Page } from "./deps/playwright.ts";
import { tempDir } from "../support/temp.ts";
import { makeAnswer } from "../web/fake_run.ts";
import { visitStill } from "./browser.ts";
import { overflow, section } from "./parts.ts";
import { makeRunStart, type StagedRun, stageRun } from "./staged_run.ts";

const MARKDOWN = `# The result

It is **${"`x`"} = 2** & more: &lt;b&gt; <b onclick="hacked = 1">bold</b> <script>hacked = 1</script>

1. [good](https://example.org/a?b=c) and https://example.net
2. [bad](javascript:hacked=1) [worse](data:text/html,<script>hacked=1</script>) [file](file:///etc/passwd)
3. ![picture](https://tracker.example/x.png)

| n | n² |
|---|---:|
| 2 | 4 |

\`\`\`python
def square(n):
    return n * n  # <img src=x onerror="hacked = 1">
\`\`\`

\`\`\`mystery
1 < 2
\`\`\`

So $a*b*c$ and \\(x_1 * x_2 * x_3\\).
`;

/** Longer than the text that lists hold. */
const LONG = Array.from({ length: 3_000 }, (_, i) => `Sentence ${i}.`).join(
  " ",
);

/** Answers by the uid of their row. */
const ANSWERS: Readonly<Record<string, string>> = {
  markdown: MARKDOWN,
  json: '{"answer":42,"steps":["a","<b>"]}',
  long: LONG,
  deep: ">".repeat(5_000),
  deep_code: `# Code\n\n\`\`\`js\n${"`${".repeat(2_000)}\n\`\`\``,
  nested: "1. **one**\n   - two\n",
  wide: `\`\`\`python\n${"print(1); ".repeat(100)}\n\`\`\`\n\n| ${"z".repeat(500)} |\n| --- |\n`,
};

function stageTexts(): StagedRun {
  const stage = stageRun();
  stage.run.emit(makeRunStart());
  for (const [uid, response] of Object.entries(ANSWERS)) {
    const answer = makeAnswer(uid);
    const completion = answer.completion &&
      { ...answer.completion, response, reasoning: "Hm" };
    stage.run.settle([{ ...answer, completion }]);
  }
  stage.play(1);
  stage.strike(4);
  return stage;
}

/** Opens a sample and returns its answer. */
async function openAnswer(page: Page, uid: string): Promise<Locator> {
  const card = section(page, "Samples").locator("details.card").filter({
    has: page.getByText(uid, { exact: true }),
  });
  await card.locator("summary").first().click();
  return card.getByRole("group", { name: "Answer", exact: true });
}

async function assertSafeMarkdown(page: Page): Promise<void> {
  const answer = await openAnswer(page, "markdown");
  await answer.locator(".md-heading").getByText("The result").waitFor();
  const text = await answer.innerText();
  for (
    const part of [
      '& more: <b> <b onclick="hacked = 1">bold</b> <script>hacked = 1</script>',
      "[bad](javascript:hacked=1)",
      "[file](file:///etc/passwd)",
      "![picture](https://tracker.example/x.png)",
      '# <img src=x onerror="hacked = 1">',
      "1 < 2",
      "$a*b*c$ and \\(x_1 * x_2 * x_3\\)",
    ]
  ) assert(text.includes(part), `${part} in ${text}`);
  assertEquals(
    await answer.locator("a").evaluateAll((all) =>
      all.map((one) => [one.getAttribute("href"), one.getAttribute("rel")])
    ),
    [
      ["https://example.org/a?b=c", "noopener noreferrer"],
      ["https://example.net", "noopener noreferrer"],
    ],
  );
  assertEquals(await answer.locator("img, script, b").count(), 0);
  assertEquals(await answer.locator(".code-keyword").allInnerTexts(), [
    "def",
    "return",
  ]);
  assertEquals(await answer.locator("td.md-right").innerText(), "4");
  assertEquals(
    await page.evaluate(() => Reflect.get(globalThis, "hacked")),
    undefined,
  );
}

Deno.test("page: answers are Markdown with colored code, or raw, and never markup", async () => {
  await using stage = stageTexts();
  await using visited = await visitStill(stage.served.url);
  const { page, requests } = visited;
  await assertSafeMarkdown(page);
  const json = await openAnswer(page, "json");
  assertEquals(JSON.parse(await json.innerText()), JSON.parse(ANSWERS.json));
  assertEquals(await json.locator(".code-number").innerText(), "42");
  assertEquals(
    await (await openAnswer(page, "deep")).innerText(),
    ANSWERS.deep,
  );
  const deepCode = await openAnswer(page, "deep_code");
  await deepCode.locator(".md-heading").getByText("Code").waitFor();
  assertEquals(await deepCode.locator(".code").innerText(), "`${".repeat(2_000));
  const long = await openAnswer(page, "long");
  await long.waitFor();
  assert(await long.innerText() === LONG, "the whole answer");
  await page.getByText("Reasoning").first().click();
  await page.getByRole("group", { name: "Reasoning", exact: true }).getByText(
    "Hm",
  ).waitFor();
  const card = page.locator("details.card").filter({
    has: page.getByText("markdown", { exact: true }),
  });
  await card.getByRole("button", { name: "Raw answer" }).click();
  assertEquals(
    await card.getByRole("group", { name: "Answer" }).textContent(),
    MARKDOWN,
  );
  const base = new URL(page.url()).origin.replace("http", "");
  assertEquals(
    requests.filter((url) => !url.includes(base) && !url.startsWith("data:")),
    [],
  );
});

Deno.test("page: a bullet inside a numbered list is a bullet", async () => {
  await using stage = stageTexts();
  await using visited = await visitStill(stage.served.url);
  const answer = await openAnswer(visited.page, "nested");
  await answer.waitFor();
  const markers = await answer.locator("li").evaluateAll((all) =>
    all.map((one) => getComputedStyle(one).listStyleType)
  );
  assertEquals(markers, ["decimal", "disc"]);
});

Deno.test("page: a long line of code does not push the buttons of its answer out of the window", async () => {
  await using stage = stageTexts();
  await using visited = await visitStill(stage.served.url);
  const { page } = visited;
  const answer = await openAnswer(page, "wide");
  await answer.locator(".code").waitFor();
  for (const width of [1_440, 360]) {
    await page.setViewportSize({ width, height: 900 });
    assertEquals([width, await overflow(page)], [width, 0]);
  }
});

Deno.test("page: without a clipboard, as at a network address, Copy copies the text itself", async () => {
  await using stage = stageTexts();
  await using visited = await visitStill(stage.served.url, {
    initScript: () => Object.defineProperty(navigator, "clipboard", { value: undefined }),
  });
  const { page } = visited;
  await openAnswer(page, "nested");
  const copied = page.evaluate(() =>
    new Promise((resolve) =>
      addEventListener("copy", (event) => resolve(event.clipboardData?.getData("text/plain")))
    )
  );
  await page.getByRole("button", { name: "Copy answer" }).click();
  await page.getByRole("button", { name: "Copied answer" }).waitFor();
  assertEquals(await copied, ANSWERS.nested);
});

Deno.test("page and report: a string that would become markup is an error", async () => {
  await using dir = await tempDir();
  await using stage = stageTexts();
  const path = await dir.write("report.html", stage.served.monitor.report());
  await using visited = await visitStill(stage.served.url, {
    expected: /TrustedHTML|Trusted Type/,
  });
  for (const url of ["", `file://${path}`]) {
    const { page } = visited;
    if (url !== "") {
      await page.goto(url);
      await assertSafeMarkdown(page);
      assert(
        await (await openAnswer(page, "long")).innerText() === LONG,
        "the whole answer",
      );
    }
    const error = await page.evaluate(() => {
      try {
        document.body.innerHTML = "<b>markup</b>";
      } catch (error) {
        return String(error);
      }
    });
    assert(error?.includes("TrustedHTML"), error);
  }
});
