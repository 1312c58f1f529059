/**
 * An environment of Python with the programs that read training sets.
 *
 * @module
 */

const FOLDER = new URL(".", import.meta.url).pathname;

/** Makes the environment where there is none. Gives the path of its Python, or why there is none. */
export async function pythonOf(
  requirements: string,
): Promise<{ path: string } | { problem: string }> {
  const home = `${FOLDER}.venv/${requirements}`;
  const path = `${home}/bin/python`;
  const done = `${home}/complete`;
  const wanted = await Deno.readTextFile(`${FOLDER}${requirements}.txt`);
  if (await Deno.readTextFile(done).catch(() => "") === wanted) return { path };
  const steps = [
    ["python3", "-m", "venv", home],
    [path, "-m", "pip", "install", "--quiet", "-r", `${FOLDER}${requirements}.txt`],
  ];
  for (const [command, ...args] of steps) {
    const problem = await problemOf(command, args);
    if (problem !== undefined) return { problem };
  }
  await Deno.writeTextFile(done, wanted);
  return { path };
}

async function problemOf(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { code, stderr } = await new Deno.Command(command, { args: [...args] }).output();
    if (code === 0) return undefined;
    return `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim().slice(-500)}`;
  } catch (error) {
    return `${command}: ${(error as Error).message}`;
  }
}
