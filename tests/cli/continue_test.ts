import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Config } from "../../cli/config.ts";
import { asRetry, type NextArgs, nextArgsOf, nextCommand } from "../../cli/continue.ts";
import { type Flag, flagsOf } from "../../cli/flags.ts";
import { type FlagValue, parseCommandLine, type ParsedArgs } from "../../cli/parse.ts";
import { Budget } from "../../lib/engine/answers/mod.ts";
import { summaryOf } from "./summary_fixture.ts";
import { withNamedShard } from "../../cli/shard.ts";
import { POSIX, shellWords } from "../support/process.ts";

const INTERRUPTED = summaryOf({ state: "interrupted", pending: 5, failures_on_disk: 2 });
const FAILED = summaryOf({ failures_on_disk: 2 });

/** The arguments of a run that can be repeated as it is. */
function argsOf(args: ParsedArgs): NextArgs {
  return { thisRun: args, pendingRows: args };
}

function next(args: string[], summary = INTERRUPTED): string | undefined {
  return nextCommand(argsOf(parseCommandLine(args)), summary, "retort");
}

Deno.test("nextCommand() returns nothing when all is done", () => {
  assertEquals(next(["a.jsonl", "-o", "out/"], summaryOf()), undefined);
  // Bad rows cannot be retried.
  assertEquals(next(["a.jsonl", "-o", "out/"], summaryOf({ bad_rows: 3 })), undefined);
});

Deno.test("nextCommand() does not repeat a command whose budget its shard has spent", () => {
  const budget = new Budget({ maxCostUsd: 40, priceOf: () => 1 });
  budget.setShare(0.25, 10);
  const reason = budget.exhaustedReason!;
  const args = ["a.jsonl", "-o", "out/", "--shard", "0/4", "--max-cost", "40"];
  assertEquals(next(args, summaryOf({ state: "halted", pending: 5, reason })), undefined);
  const other = next(args, summaryOf({ state: "halted", pending: 5, reason: "No such model" }));
  assertEquals(other, `retort ${args.join(" ")}`);
});

Deno.test("nextCommand() runs the pending rows first", () => {
  assertEquals(next(["a.jsonl", "-o", "out/", "-m", "x"]), "retort a.jsonl -o out/ -m x");
});

Deno.test("nextCommand() shows the next run in the same way", () => {
  const args = ["a.jsonl", "-o", "out/", "--monitor", "--open", "--report", "r.html"];
  assertEquals(next(args), "retort a.jsonl -o out/ --monitor --open --report r.html");
  assertEquals(next(["a.jsonl", "--monitor", "8123"]), "retort a.jsonl --monitor=8123");
});

Deno.test("nextCommand() retries failed rows when none is pending", () => {
  assertEquals(next(["a.jsonl", "-o", "out/"], FAILED), "retort retry a.jsonl -o out/");
});

Deno.test("nextCommand() does not start over again, and retries nothing by itself", () => {
  const over = ["a.jsonl", "-o", "out/", "--no-resume", "--overwrite"];
  assertEquals(next(over), "retort a.jsonl -o out/");
  const ended = summaryOf({ pending: 5, failures_on_disk: 2 });
  const types = ["a.jsonl", "-o", "out/", "--retry=429"];
  assertEquals(next(types, ended), "retort a.jsonl -o out/");
  assertEquals(next(["retry", ...types], ended), "retort a.jsonl -o out/");
});

Deno.test("nextCommand() does not pay for the answers of --reask-answered again", POSIX, () => {
  const args = ["retry", "a.jsonl", "--uids", "1,2", "--reask-answered"];
  const failed = summaryOf({ failed: 1, failures_on_disk: 2 });
  assertEquals(next(args, failed), "retort retry a.jsonl --uids 1,2");
  // With --uids, this command would have nothing to send.
  assertEquals(next(args, FAILED), "retort retry a.jsonl");
  assertEquals(next(["retry", "a.jsonl", "--exclude-uids", "1"], FAILED), undefined);
  // Without the flag, this would be another retry, which sends rows that have failed again.
  const interrupted = summaryOf({ state: "interrupted", pending: 5 });
  assertEquals(next(args, interrupted), "retort retry a.jsonl --uids 1,2 --reask-answered");
});

Deno.test("nextCommand() repeats the command when the input was not read to its end", () => {
  const unread = summaryOf({ state: "interrupted", total: 0, elapsed_ms: 0 });
  const args = ["a.jsonl", "-o", "out/", "--changed", "reask"];
  assertEquals(next(args, unread), "retort a.jsonl -o out/ --changed reask");
  // The old results still exist.
  const over = ["a.jsonl", "-o", "out/", "--no-resume", "--overwrite"];
  assertEquals(next(over, unread), "retort a.jsonl -o out/ --no-resume --overwrite");
});

Deno.test("nextCommand() continues an interrupted retry as requested", () => {
  const types = ["a.jsonl", "-o", "out/", "--retry=429"];
  for (const pending of [0, 5]) {
    const left = summaryOf({ state: "interrupted", pending, failures_on_disk: 2 });
    assertEquals(next(["retry", ...types], left), "retort retry a.jsonl -o out/ --retry=429");
    assertEquals(next(types, left), "retort a.jsonl -o out/ --retry=429");
    assertEquals(next(["retry", "a.jsonl"], left), "retort retry a.jsonl");
  }
});

Deno.test("nextCommand() continues after a halt with the same command, its limits included", () => {
  const halted = summaryOf({ state: "halted", pending: 5, failures_on_disk: 2 });
  const args = ["a.jsonl", "-o", "out/", "--max-cost", "5", "--deadline", "2h"];
  assertEquals(next(args, halted), "retort a.jsonl -o out/ --max-cost 5 --deadline 2h");
  assertEquals(
    next(["a.jsonl", "--base-url", "http://a/v1", "--base-url", "http://b/v1", "-cauto"], halted),
    "retort a.jsonl --base-url http://a/v1 --base-url http://b/v1 -c auto",
  );
  assertEquals(
    next(["a.jsonl", "-o", "out/", "--no-resume", "--overwrite", "--no-careful-start"], halted),
    "retort a.jsonl -o out/ --no-careful-start",
  );
});

Deno.test("nextCommand() continues with a halted retry, whose rows are among the failures", () => {
  const left = summaryOf({ state: "halted", failures_on_disk: 2 });
  assertEquals(next(["retry", "a.jsonl", "--retry=429"], left), "retort retry a.jsonl --retry=429");
  assertEquals(next(["a.jsonl", "--retry"], left), "retort a.jsonl --retry");
});

Deno.test("nextCommand() repeats --changed, which the next run needs as well", () => {
  for (const changed of ["keep", "reask"]) {
    const args = ["a.jsonl", "-o", "out/", "--changed", changed];
    assertEquals(next(args), `retort a.jsonl -o out/ --changed ${changed}`);
    assertEquals(next(args, FAILED), `retort retry a.jsonl -o out/ --changed ${changed}`);
  }
});

Deno.test("nextCommand() leaves out flags that a retry does not take", () => {
  // A retry from the page was interrupted while it read the input.
  const unread = summaryOf({ state: "interrupted", total: 0, elapsed_ms: 0 });
  const args = ["a.jsonl", "-o", "out/", "--no-resume", "--overwrite", "-c", "5"];
  const asked = asRetry(argsOf(parseCommandLine(args)));
  assertEquals(nextCommand(asked, unread, "retort"), "retort retry a.jsonl -o out/ -c 5");
});

Deno.test("nextCommand() drops no flag but those that start over", () => {
  const others = ["retry", "simulate"];
  const told = flagsOf("run").filter(({ name, group }) =>
    group !== "Help" && !others.includes(name)
  );
  const args = told.flatMap((flag) => flag.isOnByDefault ? `--no-${flag.name}` : writtenOf(flag));
  const again = parseCommandLine(next(["a.jsonl", ...args])!.split(" ").slice(1));
  assertEquals(again.inputs, ["a.jsonl"]);
  const before = parseCommandLine(["a.jsonl", ...args]).flags;
  const missing = [...before.keys()].filter((name) => !again.flags.has(name));
  assertEquals(missing, ["resume", "overwrite"]);
  for (const [name, value] of again.flags) assertEquals(value, before.get(name), name);
});

function writtenOf({ name, value }: Flag): string {
  return value === undefined ? `--${name}` : `--${name}=7`;
}

Deno.test("nextCommand() writes every other flag again", () => {
  const args = [
    "b.jsonl",
    "c.jsonl",
    "-c",
    "50",
    "-p",
    "a=1",
    "-p",
    "b=2",
    "--no-lock",
    "--stream",
  ];
  assertEquals(
    next([...args, "--simulate", "--limit", "5"]),
    "retort b.jsonl c.jsonl -c 50 -p a=1 -p b=2 --no-lock --stream --simulate --limit 5",
  );
  assertEquals(next(["--simulate=latency=5"]), "retort --simulate=latency=5");
});

Deno.test("nextCommand() quotes words that a shell would change", POSIX, () => {
  assertEquals(
    next(["my file.jsonl", "--system", 'It\'s $HOME; "really"', "--template=é\n{{q}}"]),
    `retort 'my file.jsonl' --system 'It'\\''s $HOME; "really"' --template 'é\n{{q}}'`,
  );
});

Deno.test("nextCommand() shows no secret that was typed", POSIX, () => {
  const typed = [
    ["--header", "api-key=azure-secret"],
    ["--header", "Authorization: Bearer tok-1"],
    ["--header", "X-Team=@env:TEAM"],
    ["--header", "X-Title=mine"],
    ["--base-url", "http://me:pass@h.example:8000/v1"],
    ["--base-url", "http://plain.example/v1?api-version=1"],
    ["--base-url", "https://h.example/openai?api-version=1&sig=abc"],
  ];
  const before =
    "retort a.jsonl --header api-key=@env:API_KEY --header Authorization=@env:AUTHORIZATION " +
    "--header X-Team=@env:TEAM --header X-Title=mine --base-url ";
  const after = " --base-url 'http://plain.example/v1?api-version=1' --base-url @env:TEACHER_URL_3";
  assertEquals(next(["a.jsonl", ...typed.flat()]), `${before}@env:OPENAI_BASE_URL${after}`);
});

Deno.test(
  "nextCommand() shows which provider Portkey is to use, and none of its keys",
  POSIX,
  () => {
    const shown = (name: string, value: string) =>
      next(["a.jsonl", "--header", `${name}=${value}`])!.replace("retort a.jsonl --header ", "");
    const host = "x-portkey-custom-host=http://vllm:8000/v1";
    assertEquals(shown("x-portkey-provider", "openai"), "x-portkey-provider=openai");
    assertEquals(shown("x-portkey-custom-host", "http://vllm:8000/v1"), host);
    assertEquals(shown("HTTP-Referer", "http://a/?b=1"), "'HTTP-Referer=http://a/?b=1'");
    for (
      const [name, value] of [
        ["x-portkey-api-key", "pk-1"],
        ["X-Portkey-Virtual-Key", "vk-1"],
        ["x-portkey-config", '{"provider":"openai","api_key":"sk-1"}'],
        ["x-portkey-metadata", '{"_user":"me@example.com"}'],
        ["x-portkey-vertex-service-account-json", '{"private_key":"1"}'],
        ["x-portkey-aws-session-token", "t-1"],
        ["x-portkey-custom-host", "http://me:pass@vllm:8000/v1"],
        ["x-portkey-custom-host", "https://vllm:8000/v1?code=1"],
      ]
    ) {
      assertEquals(shown(name, value), `${name}=@env:${name.toUpperCase().replaceAll("-", "_")}`);
    }
  },
);

Deno.test(
  "nextCommand() names the variable that holds the address, and none that holds another",
  POSIX,
  () => {
    for (
      const url of [
        "http://me:pass@h/v1",
        "http://token@h/v1",
        "https://h/v1?api_key=x",
        "https://h/v1?sig=x",
      ]
    ) {
      const shown = (env: string | undefined) =>
        nextCommand(
          argsOf(parseCommandLine(["a.jsonl", "--base-url", url])),
          INTERRUPTED,
          "retort",
          () => env,
        );
      for (const env of [undefined, "", url]) {
        assertEquals(shown(env), "retort a.jsonl --base-url @env:OPENAI_BASE_URL");
      }
      assertEquals(shown("http://other/v1"), "retort a.jsonl --base-url @env:TEACHER_URL_1");
    }
  },
);

Deno.test("nextCommand() does not echo flags that a simulated run does not validate", () => {
  const args = ["--api-key-env", "sk-1", "--api-key-file=sk-2", "--header", "X=@env:sk-3"];
  assertEquals(next(["a.jsonl", "--simulate", ...args]), "retort a.jsonl --simulate");
});

Deno.test("nextCommand() is read back by a shell as what was typed", POSIX, async () => {
  const args = [
    "a b.jsonl",
    "c'd\\.jsonl",
    "-o",
    "out dir/",
    "-p",
    'stop=["\\n","$(ls)"]',
    "--system=-- be brief; `x` * ~ # !",
    "--template=-{{q}}",
    "--temperature",
    "-1",
    "--simulate=seed=1,tokens=$5",
  ];
  const before = parseCommandLine(args);
  const [program, ...again] = await shellWords(nextCommand(argsOf(before), INTERRUPTED, "retort")!);
  assertEquals(program, "retort");
  assertEquals(parseCommandLine(again), before);
});

Deno.test(
  "nextCommand() holds no control, and is read back by bash as what was typed",
  POSIX,
  async () => {
    const args = [
      "a\x1b]0;owned\x07\u202e'\\x.jsonl",
      "-o",
      "out\x9b31m/",
      "--system",
      "two\nlines\r\u2066 and it's\x7f1",
      "-m",
      "m\x1b[2J",
    ];
    const before = parseCommandLine(args);
    const line = nextCommand(argsOf(before), INTERRUPTED, "retort")!;
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(line), false);
    const [, ...again] = await shellWords(line, "bash");
    assertEquals(parseCommandLine(again), before);
  },
);

Deno.test("nextCommand() names the shard of a job, whose variables are not set elsewhere", () => {
  const args = parseCommandLine(["a.jsonl", "-o", "out/", "--shard", "auto"]);
  const named = withNamedShard(args, { index: 3, count: 16 });
  const command = nextCommand(argsOf(named), INTERRUPTED, "retort");
  assertEquals(command, "retort a.jsonl -o out/ --shard 3/16");
  assertEquals(withNamedShard(args, undefined), args);
});

Deno.test("nextArgsOf() writes the settings of a file as flags where it would retry or start over", async () => {
  const typed = parseCommandLine(["a.jsonl", "--config", "c.yaml", "-c", "5", "-o", "none/"]);
  const printed = async (parts: Partial<Config>, retry = false) => {
    const config = { inputs: [], flags: new Map(), params: {}, teachers: [], ...parts };
    const run = { input: ["a.jsonl"], output: "none/", retry };
    const args = await nextArgsOf(typed, { config, run, generator: { params: { top_p: 1 } } });
    return [INTERRUPTED, summaryOf({ pending: 5 })].map((summary) =>
      nextCommand(args, summary, "retort")
    );
  };
  const same = "retort a.jsonl --config c.yaml -c 5 -o none/";
  const flags = "-c 5 -o none/ --params '{\"top_p\":1}'";
  const retrying = new Map<string, FlagValue>([["retry", ""], ["quiet", false], ["lock", true]]);
  assertEquals(await printed({}), [same, same]);
  assertEquals(await printed({ flags: retrying }, true), [same, `retort a.jsonl ${flags}`]);
  const over = new Map<string, FlagValue>([["resume", false], ["temperature", "1"]]);
  assertEquals(await printed({ flags: over }), Array(2).fill(`retort a.jsonl ${flags}`));
  // Flags cannot say the teachers of a file.
  assertEquals(await printed({ flags: retrying, teachers: [{}] }, true), [same, undefined]);
});
