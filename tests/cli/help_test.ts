import {
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { COMMANDS } from "../../cli/flag.ts";
import { FLAGS, flagsOf } from "../../cli/flags.ts";
import { helpText } from "../../cli/help.ts";
import { parseCommandLine } from "../../cli/parse.ts";

for (const command of COMMANDS) {
  Deno.test(`helpText() of ${command} fits one screen`, () => {
    const lines = helpText(command).split("\n");
    assertEquals(lines.pop(), "");
    assertLessOrEqual(lines.length, 30);
    for (const line of lines) assertLessOrEqual(line.length, 80, line);
  });

  Deno.test(`helpText() of ${command} gives examples that its own parser takes`, () => {
    const text = helpText(command);
    const examples = text.slice(text.indexOf("Examples:\n")).split("\n").slice(1, -1);
    assertEquals(examples.length > 0, true);
    for (const example of examples) {
      const [program, ...args] = example.trim().split(" ");
      assertEquals(program, "distill");
      assertEquals(parseCommandLine(args).command, command);
    }
  });

  Deno.test(`helpText() of ${command} shows every flag when all are asked for, and no other`, () => {
    const text = helpText(command, true);
    const shown = [...text.matchAll(/^ {2}(?: {3}|-\w,) --([\w-]+)/gm)].map(([, name]) => name);
    const known = flagsOf(command).map((flag) => flag.isNegated ? `no-${flag.name}` : flag.name);
    assertEquals(shown.toSorted(), known.toSorted());
    for (const flag of flagsOf(command)) assertStringIncludes(text, flag.help);
  });
}

Deno.test("helpText() of run names the other commands", () => {
  for (const command of COMMANDS) assertStringIncludes(helpText("run"), command);
});

Deno.test("helpText() puts what flags do into one column, with room before it", () => {
  for (const command of COMMANDS) {
    for (const flag of flagsOf(command)) {
      const lines = helpText(command, true).split("\n");
      assertEquals(lines.find((one) => one.slice(29) === flag.help)?.at(28), " ", flag.help);
    }
  }
});

Deno.test("FLAGS gives no name and no letter twice", () => {
  const names = FLAGS.map((flag) => flag.name);
  const letters = FLAGS.flatMap((flag) => flag.short ?? []);
  assertEquals(new Set(names).size, names.length);
  assertEquals(new Set(letters).size, letters.length);
});

Deno.test("FLAGS has no flag that takes the key itself", () => {
  for (const { name, value } of FLAGS) {
    assertEquals(/key$|token$/.test(name) && value !== "FILE", false, name);
  }
});
