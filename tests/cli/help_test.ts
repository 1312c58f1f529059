import {
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { COMMANDS, ENTRIES } from "../../cli/commands.ts";
import { FLAGS, flagsOf } from "../../cli/flags.ts";
import { commandHelp, mainHelp } from "../../cli/help.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { SIMULATE_DEFAULTS } from "../../lib/simulate/options.ts";

/**
 * Checks that a help fits a usual terminal. The main help has a line for each command, so it may be
 * longer.
 */
function assertFits(text: string, maxLines: number): void {
  const lines = text.split("\n");
  assertEquals(lines.pop(), "");
  assertLessOrEqual(lines.length, maxLines);
  for (const line of lines) assertLessOrEqual(line.length, 80, line);
}

/** Returns the flags that a help lists, as users type them. */
function listedIn(text: string): string[] {
  return [...text.matchAll(/^ {2}(?: {3}|-\w,) --([\w-]+)/gm)].map(([, name]) => name);
}

for (const command of COMMANDS) {
  Deno.test(`the help of ${command} fits one screen and says what it is for`, () => {
    const { summary, about = [], usage, examples } = ENTRIES[command];
    const text = commandHelp(command);
    assertFits(text, 34);
    assertEquals(text.split("\n").slice(0, about.length + 1), [`${summary}.`, ...about]);
    for (const line of usage) assertStringIncludes(text, ` retort ${line}\n`);
    assertEquals(examples.length > 0, true);
    for (const example of examples) {
      assertStringIncludes(text, `\n  retort ${example}\n`);
      const parsed = parseCommandLine(example.split(" "));
      assertEquals(parsed.command, command);
      // A reader must find what the flags of an example mean. Those of a run are in its help.
      const listed = listedIn(command === "submit" ? text + commandHelp("run") : text);
      assertEquals([...parsed.flags.keys()].filter((name) => !listed.includes(name)), []);
    }
  });

  Deno.test(`the help of ${command} lists every flag when all are requested, and no other`, () => {
    const text = commandHelp(command, "retort", true);
    const known = flagsOf(command).map((flag) =>
      flag.isOnByDefault ? `no-${flag.name}` : flag.name
    );
    assertEquals(listedIn(text).toSorted(), known.toSorted());
    assertFits(text, 150);
    const headings = text.split("\n").filter((line) => /^[A-Z][a-z ]+:$/.test(line));
    assertEquals(headings.slice(-2), ["Help:", "Examples:"]);
    const { flagHelp = {} } = ENTRIES[command];
    const names = flagsOf(command).map(({ name }) => name);
    assertEquals(Object.keys(flagHelp).filter((name) => !names.includes(name)), []);
    for (const { name, help } of flagsOf(command)) {
      const shown = flagHelp[name] ?? help;
      const line = text.split("\n").find((one) => one.slice(29) === shown);
      assertEquals(line?.at(28), " ", `${shown}: in one column, with room before it`);
    }
  });
}

Deno.test("the main help names the commands first, then the flags that most runs need", () => {
  const text = mainHelp();
  assertFits(text, 52);
  const lines = text.split("\n");
  const first = lines.indexOf("Commands:") + 1, end = lines.indexOf("", first);
  const named = lines.slice(first, end).map((line) => line.trim().split(" ")[0]);
  assertEquals(named, [...COMMANDS]);
  assertEquals(lines[end + 1], "Flags of a run:");
  const common = flagsOf("run").filter((flag) => flag.isCommon).map(({ name }) => name);
  assertEquals(listedIn(text), common);
});

Deno.test("the main help lists every flag of every command when all are requested", () => {
  const listed = listedIn(mainHelp("retort", true));
  const known = FLAGS.map((flag) => flag.isOnByDefault ? `no-${flag.name}` : flag.name);
  assertEquals(listed.toSorted(), known.toSorted());
});

Deno.test("help has one name for the program, and says how it is started here", () => {
  const program = "npx -y deno@2.9.6 task distill";
  const text = mainHelp(program);
  assertEquals(text, `${mainHelp()}"retort" here stands for: ${program}\n`);
  for (const command of COMMANDS) {
    assertEquals(/\bdistill\b/.test(commandHelp(command, "retort", true)), false, command);
  }
});

Deno.test("the help of simulate lists each of its options with its default", () => {
  const rows = ENTRIES.simulate.sections!.flatMap((section) => section.rows);
  assertEquals(rows.map(([name]) => name), Object.keys(SIMULATE_DEFAULTS));
  for (const [name, text] of rows) {
    const value = SIMULATE_DEFAULTS[name as keyof typeof SIMULATE_DEFAULTS];
    assertStringIncludes(text, `(default ${value})`, name);
  }
});

Deno.test("FLAGS has unique names and letters", () => {
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
