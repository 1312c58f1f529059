/** Tests of searches in texts: difficult lines yield the same as parsing them. @module */

import { assertEquals, assertMatch, assertRejects } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { DataServer } from "../../lib/data/data_server.ts";
import { DataIndex, selectRows } from "../../lib/data/mod.ts";
import { DamagedLine, factsOf } from "../../lib/data/line_facts.ts";
import { lookupObjects } from "../../lib/data/fields.ts";
import { scanJobOf, Scanner } from "../../lib/data/scanner.ts";
import { SCAN_ROWS } from "../../lib/data/scan.ts";
import { parseWhere } from "../../lib/where/mod.ts";
import { tempDir } from "../support/temp.ts";
import { failureLine, resultLine } from "./lines.ts";

const TEXTS = [
  "total of 12 hours",
  "TOTAL OF 7 Kelvin, ſorry, TAXİ",
  'He said "sorry", then C:\\new\\table and a/b',
  "Für alle: 中文字符 😀 \u2028 end",
  'it holds {"response": "total of 3 hours"} as text',
  "line one\nline two\ttotal of 9 days\r\n",
  "\\boxed{42} \\\\ \\",
  "lone \ud800 half",
  "",
];

/** Each line has the same content in another notation. */
const WAYS: ((line: string) => string)[] = [
  (line) => line,
  // Spaces as Python's json.dumps writes them.
  (line) => JSON.stringify(JSON.parse(line), null, 1).replaceAll("\n", " "),
  (line) => line.replaceAll(/[^\x20-\x7e]/g, escaped),
  (line) => line.replaceAll("/", "\\/").replaceAll("total", "\\u0074otal"),
  (line) => line.replace('"response":', '"resp\\u006fnse":'),
  (line) => line.replaceAll("total of", "total\\u0020of"),
  (line) => line.replaceAll("\\n", "\\u000A").replaceAll("\\t", "\\u0009"),
  (line) => line.replace("{", '{"response":"first of two",'),
  (line) => line.replace('"prompt":', '"meta":{"response":["}","{\\""],"reasoning":1e5},"prompt":'),
  (line) => `${line}\r`,
];

const CONDITIONS = [
  'response matches "(?i)total of \\\\d+ [a-z]+s\\\\b"',
  'response matches "total of \\\\d+"',
  'response matches "(?i)\\bsorry\\b"',
  "response matches 'to(t)al of \\d+'",
  'response matches "\\11total of"',
  'response matches "(?i)sorry"',
  'response matches "k?elvin"',
  'response matches "(?i)kelvin"',
  'response icontains "KELVIN"',
  'response icontains "taxi"',
  'response contains "中文"',
  'response contains "a/b"',
  'response contains "one\\nline two\\ttotal"',
  'response matches "new\\\\\\\\table"',
  'response matches "^line.*days\\\\s+$"',
  'response matches "one$|two"',
  'response matches "boxed\\\\{4?2\\\\}"',
  'response contains "lone \\ud800"',
  'response == ""',
  'not response contains "o"',
  'reasoning contains "because" and response contains "o"',
  'meta.response contains "}"',
  "meta.reasoning > 1 and response != ''",
  'prompt contains "prompt of"',
  'prompt contains "Template"',
  'error.message icontains "no answer"',
  'distill.response_id == "r1"',
  'response_id == "r1" or created > "2027"',
  'uid matches "^w[0-3]t1$"',
  'flags contains "empty" or response contains "total"',
];

Deno.test("scan: finds the same as parsing each line, in any notation", async () => {
  await using dir = await tempDir();
  // A file for each notation: a block with escaped letters is searched without the prefilter.
  const files = WAYS.map((way, w) =>
    TEXTS.map((response, t) => {
      const options = {
        response,
        reasoning: t % 2 === 0 ? "because" : "",
        distill: { response_id: `r${t}` },
      };
      return way(resultLine({ uid: `w${w}t${t}`, ...options }).trimEnd());
    })
  );
  files.push([failureLine("f").trimEnd()]);
  const paths = await Promise.all(files.map(async (lines, i) => ({
    path: await dir.write(`${i}.jsonl`, lines.join("\n") + "\n"),
  })));
  const index = new DataIndex(paths);
  index.refresh();
  await index.readAll();
  for (const template of [undefined, "Template of {{uid}}"]) {
    const hints = { template };
    for (const file of index.files) file.hints = hints;
    for (const where of CONDITIONS) {
      const { matches } = parseWhere(where);
      const expected = files.flat().flatMap((line) => {
        const facts = factsOf(line, hints);
        if (facts instanceof DamagedLine) throw new Error(`${facts.problem}: ${line}`);
        const [first, ...others] = lookupObjects(
          facts,
          hints,
          () => facts.status === "answered" && facts.response === "" ? ["empty"] : [],
          {},
        );
        return matches(first, ...others) ? [facts.uid] : [];
      });
      const found = Array.from(
        selectRows(index, where),
        (row) => JSON.parse(index.textAt(row)).uid,
      );
      assertEquals(found, expected, `${where} with template ${template}`);
    }
  }
  index.close();
});

Deno.test("scan: the prompt is searched alike under both of its names", async () => {
  await using dir = await tempDir();
  const messages = ["first", "second"].map((content) => ({ role: "user", content }));
  const path = await dir.write(
    "x.jsonl",
    resultLine({ uid: "x", own: { prompt: undefined, messages } }),
  );
  const index = new DataIndex([{ path }]);
  index.refresh();
  await index.readAll();
  for (const template of [undefined, "Template of {{uid}}"]) {
    index.files[0].hints = { template };
    const text = template === undefined ? "first\\nsecond" : "Template of x";
    for (const condition of [`contains "${text}"`, `== "${text}"`, `matches "${text}"`]) {
      for (const name of ["prompt", "distill.prompt"]) {
        const where = `${name} ${condition}`;
        assertEquals(selectRows(index, where).length, 1, where);
      }
    }
  }
  index.close();
});

Deno.test("scan: prompts with images from a field are found", async () => {
  await using dir = await tempDir();
  const own = { messages: [{ role: "user", content: "<image>?" }], images: ["https://a/1.png"] };
  const path = await dir.write("x.jsonl", resultLine({ uid: "x", own: { ...own, prompt: null } }));
  const index = new DataIndex([{ path }]);
  await index.readAll();
  for (
    const condition of ['contains "image_url"', 'icontains "IMAGE_URL"', 'matches "^.image_url"']
  ) {
    assertEquals(selectRows(index, `distill.prompt ${condition}`).length, 1, condition);
  }
  index.close();
});

Deno.test("scan: parts of lines in a file that was replaced are not rows", async () => {
  await using dir = await tempDir();
  const line = (uid: string) =>
    resultLine({ uid, own: { meta: { response_id: "r1" }, pad: "x".repeat(500) } });
  const path = await dir.write("x.jsonl", line("a") + line("b"));
  const index = new DataIndex([{ path }]);
  await index.readAll();
  index.close();
  await dir.write("x.jsonl", line("a").slice(20) + line("b") + line("c"));
  assertEquals(Array.from(selectRows(index, 'response_id == "r1"')), []);
  index.close();
});

Deno.test("scan: the first rows are searched at once, the others by two workers, in their order", async () => {
  await using dir = await tempDir();
  const count = 5 * SCAN_ROWS + 3;
  const lines = Array.from(
    { length: count },
    (_, i) => resultLine({ uid: `r${i}`, response: i % 7 === 0 ? "hit" : "miss" }),
  );
  const index = new DataIndex([{ path: await dir.write("x.jsonl", lines.join("")) }]);
  index.refresh();
  await index.readAll();
  const all = selectRows(index, "");
  const job = scanJobOf(index, all, parseWhere('response == "hit"').parts);
  const expected = [...all].filter((row) => row % 7 === 0);
  const atOnce = new Scanner(job, 60_000);
  assertEquals([...atOnce.hitsSoFar()], expected);
  assertEquals([atOnce.done, atOnce.isDone, atOnce.problem], [count, true, undefined]);
  const scanner = new Scanner(job, 0);
  assertEquals(scanner.hitsSoFar().length, 0);
  await scanner.ended;
  assertEquals([...scanner.hitsSoFar()], expected);
  assertEquals([scanner.done, scanner.problem], [count, undefined]);
  index.close();
});

Deno.test("scan: ends with the problem if a worker fails", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", resultLine({ uid: "a" }).repeat(SCAN_ROWS + 1));
  const index = new DataIndex([{ path }]);
  index.refresh();
  await index.readAll();
  const job = scanJobOf(index, selectRows(index, ""), parseWhere('prompt contains "a"').parts);
  // A missing column makes every search throw.
  const columns = { ...job.columns, bytes: undefined as unknown as Uint32Array<ArrayBuffer> };
  const scanner = new Scanner({ ...job, columns }, 0);
  await scanner.ended;
  assertMatch(scanner.problem ?? "", /undefined/);
  index.close();
});

Deno.test("scan: ids are saved once all rows were searched, or not at all", async () => {
  await using dir = await tempDir();
  const count = 4 * SCAN_ROWS;
  const lines = Array.from({ length: count }, (_, i) => resultLine({ uid: `r${i}` }));
  const index = new DataIndex([{ path: await dir.write("x.jsonl", lines.join("")) }]);
  index.refresh();
  await index.readAll();
  const server = new DataServer(index, []);
  const { now } = performance;
  let aheadMs = 0;
  // A fast machine would search all rows before it starts a worker.
  performance.now = () => now.call(performance) + (aheadMs += 50);
  try {
    const where = 'response contains "answer"';
    const saving = server.answer("uids", { where });
    assertEquals(server.answer("overview", { where }).scan?.isDone, false);
    // Another page searches, and the page that saves is hidden.
    aheadMs += 10_000;
    server.answer("overview", { where: "" });
    assertEquals((await saving).length, count);
    const canceled = server.answer("uids", { where: `${where} or reasoning == "a"` });
    // Conditions on columns: their selections are dropped by newer ones only, not after a time.
    for (const status of ["a", "b", "c"]) {
      server.answer("overview", { where: `status == "${status}"` });
    }
    await assertRejects(() => canceled, UsageError, "Cannot save the selection. The search was");
  } finally {
    performance.now = now;
  }
  index.close();
});

Deno.test("scan: rows that were found in an earlier table are not shown", async () => {
  await using dir = await tempDir();
  const line = (uid: string, lang: string) => resultLine({ uid, own: { lang } });
  const path = await dir.write("x.jsonl", line("a", "de") + line("b", "en"));
  const index = new DataIndex([{ path }]);
  index.refresh();
  await index.readAll();
  const server = new DataServer(index, []);
  const where = 'lang == "de"';
  const shown = () =>
    server.answer("rows", { where, from: 0, count: 9, columns: [] }).rows.map(({ uid }) => uid);
  assertEquals(shown(), ["a"]);
  await dir.write("x.jsonl", line("c", "en") + line("d", "de") + line("e", "de"));
  index.refresh();
  await index.readAll();
  assertEquals(shown(), ["d", "e"]);
  index.close();
});

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
