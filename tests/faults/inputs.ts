/**
 * Random inputs: any rows, line endings, byte order marks, blank lines, duplicates and characters.
 * The row comes back as it was, each has one outcome, and a second run asks nothing.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { type Completion, ResponseGenerator, type TeacherRequest, verify } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";
import { fc } from "./deps/fast_check.ts";

/** A file of prompts. */
interface InputFile {
  readonly rows: readonly Record<string, unknown>[];
  readonly ending: string;
  readonly hasBom: boolean;
  readonly hasLastEnding: boolean;
  readonly blanks: readonly number[];
}

const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), fc.string());

/** Ids come from a few, so that some meet; names of fields never meet those of a results line. */
const row = fc.record({
  id: fc.option(fc.oneof(fc.constantFrom("a", "b", "a~2", "__proto__"), fc.nat(3)), {
    nil: undefined,
  }),
  prompt: text.map((prompt) => `p${prompt}`),
  extra: fc.dictionary(text.map((name) => `x_${name}`), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 4,
  }),
}).map(({ id, prompt, extra }) => ({ ...id === undefined ? {} : { id }, prompt, ...extra }));

const file: fc.Arbitrary<InputFile> = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 12 }),
  ending: fc.constantFrom("\n", "\r\n"),
  hasBom: fc.boolean(),
  hasLastEnding: fc.boolean(),
  blanks: fc.array(fc.nat(12), { maxLength: 3 }),
});

/** Tries `count` inputs. The error of one that fails names the smallest such input and its seed. */
export async function inputTrials(count: number, seed: number): Promise<void> {
  await fc.assert(fc.asyncProperty(file, comesBack), { numRuns: count, seed });
}

async function comesBack(input: InputFile): Promise<void> {
  await using dir = await tempDir();
  const lines = input.rows.map((row) => JSON.stringify(row));
  await dir.write("in.jsonl", textOf(input, lines));
  const files = { input: [dir.path("in.jsonl")], output: dir.path("out/") };
  let posts = 0;
  const complete = ({ uid }: TeacherRequest): Promise<Completion> => {
    posts++;
    return Promise.resolve({
      response: `to ${uid}`,
      finishReason: "stop",
      usage: null,
      model: "m",
    });
  };
  const run = () =>
    new ResponseGenerator({ teacher: { complete }, concurrency: 4, duplicates: "keep" })
      .run(files);
  await run();
  assertEquals(posts, lines.length);
  const results = (await dir.read("out/in.jsonl")).split("\n").slice(0, -1);
  assertEquals(results.length, lines.length);
  const bySource = new Map(results.map((line) => [JSON.parse(line).distill.source, line]));
  const numbers = lineNumbers(input);
  for (const [i, line] of lines.entries()) {
    const result = bySource.get(`${files.input[0]}:${numbers[i]}`)!;
    assertStringIncludes(result, line.slice(1, -1));
    assertEquals(JSON.parse(result).response, `to ${JSON.parse(result).uid}`);
  }
  await run();
  assertEquals(posts, lines.length);
  const [found] = await verify(files);
  assertEquals([found.succeeded, found.pending, found.damageCount], [lines.length, 0, 0]);
}

function textOf({ ending, hasBom, hasLastEnding, blanks }: InputFile, lines: string[]): string {
  const spaced = lines.map((line, i) => blanks.includes(i) ? `${ending}${line}` : line);
  return (hasBom ? "\ufeff" : "") + spaced.join(ending) + (hasLastEnding ? ending : "");
}

/** The lines of the rows. */
function lineNumbers({ rows, blanks }: InputFile): number[] {
  return rows.map((_, i) => 1 + i + [...new Set(blanks)].filter((blank) => blank <= i).length);
}
