/**
 * Runs a scenario in a separate process, with a heap and compiled code of its own.
 * `deno run bench/child.ts SCENARIO OPTIONS` prints the result as JSON.
 *
 * @module
 */

import * as scenarios from "./scenarios.ts";

type Scenarios = {
  [Name in keyof typeof scenarios as typeof scenarios[Name] extends Scenario ? Name : never]:
    typeof scenarios[Name];
};
// deno-lint-ignore no-explicit-any -- the options of any scenario
type Scenario = (options: any) => Promise<unknown>;

export async function inChild<Name extends keyof Scenarios>(
  name: Name,
  options: Parameters<Scenarios[Name]>[0],
): Promise<Awaited<ReturnType<Scenarios[Name]>>> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      ...await v8Flags(),
      "--allow-all",
      import.meta.filename!,
      name,
      JSON.stringify(options),
    ],
    cwd: import.meta.dirname,
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot measure "${name}": its process failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** V8 flags of the task `distill`, so that the bench measures what users run. */
async function v8Flags(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  return tasks.distill.command.match(/--v8-flags=\S+/g) ?? [];
}

if (import.meta.main) {
  const [name, options] = Deno.args;
  const scenario = scenarios[name as keyof Scenarios] as Scenario;
  console.log(JSON.stringify(await scenario(JSON.parse(options))));
}
