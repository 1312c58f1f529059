/**
 * Python environments, one for each trainer, because their requirements exclude one another.
 *
 * @module
 */

const FOLDER = new URL(".", import.meta.url).pathname;

/** Time limit for creating an environment: a test without a network must not wait for it. */
const INSTALL_MS = 150_000;

/** The path of Python in an environment, or why there is none. */
export type Python = { readonly path: string } | { readonly problem: string };

/**
 * Creates the environment of a trainer if there is none. `<name>.txt` are its requirements.
 * Packages of `<name>.alone.txt` are installed without their dependencies, which would include
 * torch.
 */
export async function pythonOf(name: string): Promise<Python> {
  const home = `${FOLDER}.venv/${name}`;
  const path = `${home}/bin/python`;
  const done = `${home}/complete`;
  const [requirements, alone] = [`${FOLDER}${name}.txt`, `${FOLDER}${name}.alone.txt`];
  const wanted = await Deno.readTextFile(requirements) + await Deno.readTextFile(alone);
  if (await Deno.readTextFile(done).catch(() => "") === wanted) return { path };
  const install = [path, "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "15"];
  const steps = [
    ["python3", "-m", "venv", home],
    [...install, "-r", requirements],
    [...install, "--no-deps", "-r", alone],
  ];
  const signal = AbortSignal.timeout(INSTALL_MS);
  for (const [command, ...args] of steps) {
    const problem = await problemOf(command, args, signal);
    if (problem !== undefined) return { problem };
  }
  await Deno.writeTextFile(done, wanted);
  return { path };
}

/** Runs a script of this folder. Returns its output, and its errors if it failed. */
export async function runScript(path: string, script: string, args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(path, {
    args: [`${FOLDER}${script}`, ...args],
    env: { HF_HUB_OFFLINE: "1", PYTHONDONTWRITEBYTECODE: "1" },
  }).output();
  const decoder = new TextDecoder();
  const errors = code === 0 ? "" : decoder.decode(stderr).slice(-2_000);
  return decoder.decode(stdout).trim() + (errors === "" ? "" : `\n${errors}`);
}

async function problemOf(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { code, stderr } = await new Deno.Command(command, { args: [...args], signal }).output();
    if (code === 0) return undefined;
    const reason = new TextDecoder().decode(stderr).trim().slice(-500);
    return signal.aborted ? `it takes more than ${INSTALL_MS / 1_000} s to install` : reason;
  } catch (error) {
    return `${command}: ${(error as Error).message}`;
  }
}
