import { assertEquals, assertStringIncludes, assertThrows } from "../../lib/deps/std_assert.ts";
import { FLAGS } from "../../cli/flags.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { UsageError } from "../../lib/errors.ts";

function parsed(...args: string[]) {
  const { command, inputs, flags } = parseCommandLine(args);
  return { command, inputs, flags: Object.fromEntries(flags) };
}

function refusal(...args: string[]): string {
  return assertThrows(() => parseCommandLine(args), UsageError).message;
}

Deno.test("parseCommandLine() runs where no command is named", () => {
  assertEquals(parsed("a.jsonl", "-o", "out/"), {
    command: "run",
    inputs: ["a.jsonl"],
    flags: { output: "out/" },
  });
  assertEquals(parsed("run", "a.jsonl").command, "run");
  assertEquals(parsed("verify", "a.jsonl").command, "verify");
  assertEquals(parsed(), { command: "run", inputs: [], flags: {} });
});

Deno.test("parseCommandLine() reads a command only in the first position", () => {
  assertEquals(parsed("a.jsonl", "verify").inputs, ["a.jsonl", "verify"]);
  assertEquals(parsed("run", "run").inputs, ["run"]);
});

Deno.test("parseCommandLine() reads values in every usual way", () => {
  const expected = { model: "x", output: "y", concurrency: "20" };
  assertEquals(parsed("-m", "x", "-o", "y", "-c", "20").flags, expected);
  assertEquals(parsed("-mx", "-oy", "-c20").flags, expected);
  assertEquals(parsed("--model", "x", "--output", "y", "--concurrency", "20").flags, expected);
  assertEquals(parsed("--model=x", "--output=y", "--concurrency=20").flags, expected);
  assertEquals(parsed("-m=x", "-o=y", "-c=20").flags, expected);
  assertEquals(parsed("--system", "a=b\nc", "-p", "x=\n1").flags, {
    system: "a=b\nc",
    param: ["x=\n1"],
  });
});

Deno.test("parseCommandLine() takes the last of two values", () => {
  assertEquals(parsed("-o", "a", "--output=b").flags, { output: "b" });
});

Deno.test("parseCommandLine() collects a flag that may be repeated", () => {
  assertEquals(parsed("-p", "a=1", "-pb=2", "--param=c=3=4").flags, {
    param: ["a=1", "b=2", "c=3=4"],
  });
});

Deno.test("parseCommandLine() takes an address for each teacher", () => {
  assertEquals(parsed("--base-url", "http://a/v1", "--base-url=http://b/v1").flags, {
    "base-url": ["http://a/v1", "http://b/v1"],
  });
});

Deno.test("parseCommandLine() reads switches, alone and together", () => {
  assertEquals(parsed("--dry-run", "--stream", "-hV").flags, {
    "dry-run": true,
    stream: true,
    help: true,
    version: true,
  });
});

Deno.test("parseCommandLine() does not use the word after a switch as its value", () => {
  const { inputs, flags } = parsed("--dry-run", "true", "1", "-q", "false");
  assertEquals([inputs, flags], [["true", "1", "false"], { "dry-run": true, quiet: true }]);
});

Deno.test("parseCommandLine() turns off a switch that is on by default", () => {
  assertEquals(parsed("--no-resume", "--no-lock", "--no-careful-start").flags, {
    resume: false,
    lock: false,
    "careful-start": false,
  });
});

Deno.test("parseCommandLine() reads a number after --monitor as its port, but not an input", () => {
  assertEquals(parsed("--monitor", "a.jsonl", "--monitor-host", "::1"), {
    command: "run",
    inputs: ["a.jsonl"],
    flags: { monitor: "", "monitor-host": "::1" },
  });
  assertEquals(parsed("--monitor", "8123", "a.jsonl").flags, { monitor: "8123" });
  assertEquals(parsed("a.jsonl", "--monitor=8123").flags, { monitor: "8123" });
  assertEquals(parsed("--monitor", "./8123").inputs, ["./8123"]);
});

Deno.test("parseCommandLine() reads what follows -- as inputs", () => {
  assertEquals(parsed("-o", "out/", "--", "-a.jsonl", "--retry", "--").inputs, [
    "-a.jsonl",
    "--retry",
    "--",
  ]);
});

Deno.test("parseCommandLine() takes - for standard input, and for a value", () => {
  assertEquals(parsed("-", "-o", "-"), { command: "run", inputs: ["-"], flags: { output: "-" } });
});

Deno.test("parseCommandLine() takes a negative number for a value", () => {
  assertEquals(parsed("--temperature", "-1", "-p", "x=-1").flags, {
    temperature: "-1",
    param: ["x=-1"],
  });
});

Deno.test("parseCommandLine() lets the value of --simulate be left out", () => {
  assertEquals(parsed("--simulate", "a.jsonl"), {
    command: "run",
    inputs: ["a.jsonl"],
    flags: { simulate: "" },
  });
  assertEquals(parsed("--simulate=latency=5,rpm=60").flags, { simulate: "latency=5,rpm=60" });
  assertEquals(parsed("a.jsonl", "--simulate").flags, { simulate: "" });
});

for (const types of ["timeout", "429", "timeout,429,truncated"]) {
  Deno.test(`parseCommandLine() takes ${types} after --retry for what to retry`, () => {
    assertEquals(parsed("--retry", types, "a.jsonl"), {
      command: "run",
      inputs: ["a.jsonl"],
      flags: { retry: types },
    });
    assertEquals(parsed("retry", `--retry=${types}`).flags, { retry: types });
  });
}

for (const input of ["a.jsonl", "timeout.jsonl", "4290", "timeout,", "600", ","]) {
  Deno.test(`parseCommandLine() takes ${input} after --retry for an input`, () => {
    assertEquals(parsed("--retry", input), {
      command: "run",
      inputs: [input],
      flags: { retry: "" },
    });
  });
}

for (
  const [args, what] of [
    [["--modle", "x"], "Did you mean --model?"],
    [["--max_tokens", "5"], "Did you mean --max-tokens?"],
    [["--overwite"], "Did you mean --overwrite?"],
    [["--no-resum"], "Did you mean --no-resume?"],
    [["--no-dry-run"], "Did you mean --dry-run?"],
    [["--rmp", "60"], "Did you mean --rpm?"],
    [["--max-costs", "5"], "Did you mean --max-cost?"],
    [["--top-p", "0.9"], "-p top_p=VALUE"],
    [["--seed", "3"], "-p seed=VALUE"],
    [["--max_completion_tokens=5"], "-p max_completion_tokens=VALUE"],
    [["--num-workers", "8"], "Did you mean --concurrency?"],
    [["-P", "8"], "Did you mean --concurrency?"],
    [["-j", "8"], "Did you mean --concurrency?"],
    [["--max-retries=3"], "Did you mean --max-attempts?"],
    [["--system-prompt", "x"], "Did you mean --system?"],
    [["--budget", "5"], "Did you mean --max-cost?"],
    [["--num_generations", "5"], "Did you mean --samples?"],
    [["--no-progress"], "Did you mean --progress?"],
    [["--cache"], "no cache is needed"],
    [["--force"], "--overwrite"],
    [["--split", "train"], "See --help-all"],
    [["--flux-capacitor"], "See --help-all"],
    [["-x"], "See --help-all"],
    [["--__proto__"], "See --help-all"],
    [["--constructor"], "See --help-all"],
  ] as [string[], string][]
) {
  Deno.test(`parseCommandLine() refuses ${args[0]} and says: ${what}`, () => {
    const message = refusal("a.jsonl", ...args);
    assertStringIncludes(message, `Cannot use ${args[0].split("=")[0]}`);
    assertStringIncludes(message, `: there is no such flag. `);
    assertStringIncludes(message, what);
  });
}

for (
  const [args, name] of [
    [["run", "--format", "messages"], "format"],
    [["run", "--port", "8000"], "port"],
    [["verify", "-m", "x"], "model"],
    [["export", "--samples", "4"], "samples"],
    [["retry", "--no-resume"], "resume"],
    [["export", "--retry"], "retry"],
  ] as [string[], string][]
) {
  Deno.test(`parseCommandLine() says which commands ${args[1]} belongs to`, () => {
    const at = FLAGS.find((flag) => flag.name === name)!.commands.join(", ");
    assertEquals(
      refusal(...args),
      `Cannot use ${args[1]} with "${args[0]}": it belongs to ${at}`,
    );
  });
}

Deno.test("parseCommandLine() says which flag a user of xargs means by that of another command", () => {
  assertEquals(
    refusal("a.jsonl", "--parallel", "8"),
    'Cannot use --parallel with "run": it belongs to submit. Did you mean --concurrency?',
  );
});

for (const name of ["resume", "lock"]) {
  Deno.test(`parseCommandLine() says that --${name} is the default`, () => {
    assertStringIncludes(refusal("a.jsonl", `--${name}`), `--no-${name}`);
    assertStringIncludes(refusal("a.jsonl", `--${name}=false`), `--no-${name}`);
    assertEquals(refusal("a.jsonl", `--${name}`).includes("belongs to"), false);
  });
}

for (
  const args of [["-o"], ["-o", ""], ["--output="], ["-o", "-m", "x"], ["-o", "--"], ["a", "-p"]]
) {
  Deno.test(`parseCommandLine() says that a value is missing in ${JSON.stringify(args)}`, () => {
    assertStringIncludes(refusal(...args), "it needs a value");
  });
}

Deno.test("parseCommandLine() says how to write a value that begins with a dash", () => {
  assertStringIncludes(refusal("--system", "-x"), "--system=-x");
  assertEquals(parsed("--system=-x").flags, { system: "-x" });
});

for (const arg of ["--dry-run=yes", "--dry-run=", "--no-resume=false", "--no-lock=1"]) {
  Deno.test(`parseCommandLine() refuses a value for a switch: ${arg}`, () => {
    assertStringIncludes(refusal(arg), "it is a switch");
  });
}

for (const name of ["--api-key", "--api_key", "--apikey", "--key", "--token"]) {
  Deno.test(`parseCommandLine() takes no key from ${name}, and does not repeat it`, () => {
    for (const args of [[`${name}=sk-secret`], [name, "sk-secret"]]) {
      const message = refusal("a.jsonl", ...args);
      assertStringIncludes(message, name);
      assertStringIncludes(message, "--api-key-file");
      assertEquals(message.includes("sk-secret"), false);
    }
  });
}
