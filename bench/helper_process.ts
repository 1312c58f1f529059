/**
 * Helpers in processes of their own, so that their cost does not count as Retort's. A helper takes
 * its options as JSON, writes one line when it is ready, ends when its standard input ends, and
 * writes its result as JSON.
 *
 * @module
 */

/** A running helper. Dispose of it, or end it. */
export interface Helper<Report> extends AsyncDisposable {
  /** The line that it wrote when it got ready. */
  readonly greeting: string;
  /** Ends it and returns its result. */
  end(): Promise<Report>;
}

/** Starts a script of this folder. Rejects when it ends before it is ready. */
export async function startHelper<Report>(
  script: string,
  options: object,
): Promise<Helper<Report>> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", script, JSON.stringify(options)],
    cwd: import.meta.dirname,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  async function read(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
    }
  }
  async function end(): Promise<Report> {
    // A helper that has ended by itself has already closed its side.
    await child.stdin.close().catch(() => {});
    await read(() => false);
    const { success } = await child.status;
    if (!success) throw new Error(`Cannot measure with "${script}": its process failed`);
    return JSON.parse(text);
  }
  let ended: Promise<Report> | undefined;
  await read(() => text.includes("\n"));
  const [greeting] = text.split("\n", 1);
  text = text.slice(greeting.length + 1);
  if (greeting === "") {
    await end().catch(() => {});
    throw new Error(`Cannot measure with "${script}": it has not started`);
  }
  return {
    greeting,
    end: () => ended ??= end(),
    async [Symbol.asyncDispose]() {
      await (ended ??= end()).catch(() => {});
    },
  };
}

/** Resolves when the parent process wants this one to end. */
export async function untilEnd(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}
