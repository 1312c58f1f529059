/**
 * A temporary folder that is removed at the end of its block.
 *
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";

/** A folder for one test: `await using dir = await tempDir()`. */
export interface TempDir extends AsyncDisposable {
  /** Its own path, without a slash at the end. */
  readonly root: string;
  /** The path of a file or folder in it. */
  path(name: string): string;
  /**
   * Writes a file: text and bytes as they are, rows as JSON lines. Folders are created. Returns its
   * path.
   */
  write(name: string, content: string | Uint8Array | readonly unknown[]): Promise<string>;
  /** The text of a file. */
  read(name: string): Promise<string>;
  /** The parsed lines of a JSONL file, which must end in a newline unless it is empty. */
  // deno-lint-ignore no-explicit-any -- a test knows what its rows hold
  rows(name: string): Promise<any[]>;
  /** The names in it, or in a folder in it, in order. */
  names(folder?: string): Promise<string[]>;
  /** Whether there is such a file. */
  exists(name: string): Promise<boolean>;
}

/** Makes a temporary folder. */
export async function tempDir(): Promise<TempDir> {
  const root = await Deno.makeTempDir({ prefix: "retort_test_" });
  const path = (name: string) => `${root}/${name}`;
  const read = (name: string) => Deno.readTextFile(path(name));
  return {
    root,
    path,
    read,
    async write(name, content) {
      await Deno.mkdir(path(name).replace(/\/[^/]*$/, ""), { recursive: true });
      if (content instanceof Uint8Array) await Deno.writeFile(path(name), content);
      else await Deno.writeTextFile(path(name), asText(content));
      return path(name);
    },
    async rows(name) {
      const lines = (await read(name)).split("\n");
      assertEquals(lines.pop(), "", `${name} must end in a newline`);
      return lines.map((line) => JSON.parse(line));
    },
    async names(folder = "") {
      const entries = await Array.fromAsync(Deno.readDir(path(folder)));
      return entries.map(({ name }) => name).sort();
    },
    async exists(name) {
      return await Deno.stat(path(name)).then(() => true, () => false);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
    },
  };
}

function asText(content: string | readonly unknown[]): string {
  if (typeof content === "string") return content;
  return content.map((row) => JSON.stringify(row) + "\n").join("");
}
