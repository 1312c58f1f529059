/**
 * Runs helpers in separate processes, so that their cost does not count as Retort's. Options are
 * JSON in the first argument. A helper prints a line when it is ready and, when its stdin ends, its
 * result as JSON.
 *
 * @module
 */

export interface Helper<Report> extends AsyncDisposable {
  /** The line that the helper printed when it was ready. */
  readonly greeting: string;
  /** Ends the helper, and resolves with its result. */
  end(): Promise<Report>;
}

/** Starts a script of this folder. Rejects if the script ends before it is ready. */
export async function startHelper<Report>(
  script: string,
  options: object,
): Promise<Helper<Report>> {
  const child = spawn(script, options);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const read = async (isEnough: () => boolean) => {
    for (let isDone = false; !isDone && !isEnough();) {
      const { value = "", done } = await reader.read();
      text += value;
      isDone = done;
    }
  };
  async function finish(): Promise<Report> {
    // Closing fails if the helper has already ended.
    await child.stdin.close().catch(() => {});
    await read(() => false);
    const { success } = await child.status;
    if (!success) throw new Error(`Cannot measure with "${script}": its process failed`);
    return JSON.parse(text);
  }
  let finished: Promise<Report> | undefined;
  await read(() => text.includes("\n"));
  const [greeting] = text.split("\n", 1);
  text = text.slice(greeting.length + 1);
  if (greeting === "") {
    await finish().catch(() => {});
    throw new Error(`Cannot measure with "${script}": its process ended before it was ready`);
  }
  const end = () => finished ??= finish();
  return {
    greeting,
    end,
    [Symbol.asyncDispose]: () => end().then(() => {}, () => {}),
  };
}

function spawn(script: string, options: object): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", script, JSON.stringify(options)],
    cwd: import.meta.dirname,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Resolves when the helper's stdin ends. */
export async function untilEnd(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}
