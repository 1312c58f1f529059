/**
 * Runs examples of the documentation, each in a folder of its own below the working folder, against
 * the simulated teacher. A process of its own, because examples name files by relative paths. Reads
 * examples as JSON from standard input, and prints those that fail.
 *
 * @module
 */

import { main } from "../../cli.ts";
import { isCommand } from "../../cli/commands.ts";
import type { Io } from "../../cli/io.ts";
import { parseCommandLine, type ParsedArgs } from "../../cli/parse.ts";
import { FLAGS } from "../../cli/flags.ts";
import type { Example } from "./pages.ts";

/** What a simulated teacher does not take, and what would open a browser. */
const NOT_SIMULATED = [
  "base-url",
  "api-key-env",
  "api-key-file",
  "header",
  "ca-file",
  "client-cert",
  "client-key",
  "insecure-tls",
  "endpoint",
  "config",
  "open",
];

/** Rows that every example can use, whatever fields it names. */
const ROWS = ["A", "B", "C"].map((name, i) => ({
  id: name,
  prompt: `Say ${name}`,
  text: name,
  language: "French",
  lang: "en",
  score: i,
}));

const SCHEMA = { type: "object" };

/** What an example wrote, and how it ended. */
interface Ended {
  readonly code: number;
  readonly text: string;
}

/** Runs a command in this process. A server is ended once it has printed its address. */
async function run(args: readonly string[]): Promise<Ended> {
  let text = "";
  const handlers = new Set<() => void>();
  const isServing = ["simulate", "view", "monitor"].includes(args[0]);
  const write = (more: string) => {
    text += more;
    if (isServing && /http:\/\//.test(text)) setTimeout(() => handlers.forEach((end) => end()), 0);
  };
  const io: Io = {
    writeOut: write,
    writeErr: write,
    env: () => undefined,
    stdin: new ReadableStream(),
    isTerminal: false,
    columns: () => 80,
    onSignal(_signal, handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    program: "retort",
  };
  return { code: await main(args, io), text };
}

/** The same with a simulated teacher that answers at once. */
function simulated(args: readonly string[]): string[] {
  const { command, inputs, flags } = parseCommandLine(args);
  if (command !== "run" && command !== "retry") return args.filter((word) => word !== "--open");
  const words: string[] = command === "run" ? [] : [command];
  for (const [name, value] of flags) {
    if (NOT_SIMULATED.includes(name) || name === "simulate") continue;
    const flag = FLAGS.find((one) => one.name === name)!;
    if (value === false) words.push(`--no-${name}`);
    else if (value === true) words.push(`--${name}`);
    else {for (const one of [value].flat()) {
        words.push(`--${name}${one === "" && flag.isValueOptional ? "" : `=${one}`}`);
      }}
  }
  if (flags.has("max-cost")) words.push("--price-in=1", "--price-out=1");
  // What the simulated teacher says is no JSON.
  const isChecked = flags.has("json-schema") || flags.has("require-json");
  if (isChecked) words.push("--allow-failures=100%");
  return [...words, "--simulate=latency=1,tokens=5", ...inputs];
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Makes an input, in the format that its name says. */
async function makeInput(path: string): Promise<void> {
  const file = path.replace(/^~\//, "").replaceAll("*", "part-0").replace("part-0part-0/", "sub/");
  if (file === "-" || file.startsWith("/") || await exists(file)) return;
  const folder = file.replace(/[^/]*$/, "");
  if (folder !== "") await Deno.mkdir(folder, { recursive: true });
  if (file.endsWith("/")) return await makeInput(`${file}rows.jsonl`);
  const lines = ROWS.map((row) => `${JSON.stringify(row)}\n`).join("");
  if (/\.jsonl$/.test(file)) return await Deno.writeTextFile(file, lines);
  if (/\.txt$/.test(file)) return await Deno.writeTextFile(file, "Say A\nSay B\n");
  await Deno.writeTextFile("base.jsonl", lines);
  await expect(["convert", "base.jsonl", "-o", file, "--quiet"]);
}

/** Makes what an example reads: inputs, and the output of an earlier run. */
async function prepare({ command, inputs, flags }: ParsedArgs): Promise<void> {
  await Deno.writeTextFile("schema.json", JSON.stringify(SCHEMA));
  await Deno.writeTextFile("params.json", "{}");
  const samples = flags.has("prefer") ? "2" : "1";
  const simulate = ["--simulate=latency=1,tokens=5", `--samples=${samples}`, "--quiet"];
  if (command === "run" || command === "convert") await Promise.all(inputs.map(makeInput));
  else if (command === "submit") await Promise.all(inputs.slice(1).map(makeInput));
  else if (command === "retry" || command === "verify") {
    for (const input of inputs) await makeInput(input);
    const model = flags.get("model") ?? "simulated";
    await expect([...inputs, "-o", String(flags.get("output")), "-m", String(model), ...simulate]);
  } else if (command === "merge" && inputs.length === 1) {
    await makeInput("prompts.jsonl");
    for (const shard of ["0/2", "1/2"]) {
      await expect(["prompts.jsonl", "-o", inputs[0], "--shard", shard, ...simulate]);
    }
  } else if (!["simulate", "help", "version"].includes(command)) {
    for (const path of inputs) {
      const results = path.endsWith("/") ? `${path}prompts.jsonl` : path;
      const name = results.split("/").at(-1)!;
      await makeInput(name);
      await expect([name, "-o", results.replace(/[^/]*$/, "") || "out/", ...simulate]);
    }
  }
  for (const name of ["uids", "exclude-uids"]) {
    const path = /^@(.+)/.exec(String(flags.get(name) ?? ""))?.[1];
    if (path === undefined) continue;
    await Deno.mkdir(path.replace(/[^/]*$/, "") || ".", { recursive: true });
    await Deno.writeTextFile(path, `${ROWS[0].id}\n`);
  }
}

async function expect(args: string[]): Promise<void> {
  const { code, text } = await run(args);
  if (code !== 0) throw new Error(`${args.join(" ")}\n${text}`);
}

const examples: Example[] = await new Response(Deno.stdin.readable).json();
const root = Deno.cwd();
for (const [index, { place, args }] of examples.entries()) {
  Deno.chdir(root);
  await Deno.mkdir(`example-${index}/~`, { recursive: true });
  Deno.chdir(`example-${index}`);
  try {
    const parsed = parseCommandLine(args);
    if (parsed.flags.has("help") || parsed.flags.has("help-all") || !isCommand(parsed.command)) {
      continue;
    }
    await prepare(parsed);
    await expect(simulated(args).map((word) => word === "8000" ? "0" : word));
  } catch (error) {
    console.log(`${place}\n  ${error instanceof Error ? error.message : error}`);
  }
}
