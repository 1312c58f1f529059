/**
 * Reads JSON Lines as users of a dataset do: with Python's `json`, and with pyarrow if installed.
 *
 * @module
 */

/** Python reads each line by itself; pyarrow reads a file as one table. */
const SCRIPT = `
import json, os, sys
try:
    import pyarrow.json as arrow
except ImportError:
    arrow = None
for path in sys.argv[1:]:
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        continue
    with open(path, encoding="utf-8", newline="\\n") as lines:
        for number, line in enumerate(lines, 1):
            try:
                json.loads(line)
            except ValueError as error:
                print(f"{path}:{number}: Python: {error}")
    if arrow is not None:
        try:
            arrow.read_json(path)
        except Exception as error:
            print(f"{path}: pyarrow: {error}")
`;

/** Which readers this machine has. */
export interface Readers {
  /** Whether there is a `python3`. */
  readonly python: boolean;
  /** Whether it has pyarrow. */
  readonly pyarrow: boolean;
}

let readers: Promise<Readers> | undefined;

/** Which readers this machine has. A reader that is missing is skipped. */
export function pythonReaders(): Promise<Readers> {
  return readers ??= (async () => {
    const python = await python3("-c", "pass") !== undefined;
    return { python, pyarrow: python && await python3("-c", "import pyarrow.json") !== undefined };
  })();
}

/** What Python and pyarrow cannot read in these files; nothing where there is no Python. */
export async function pythonProblems(paths: readonly string[]): Promise<string[]> {
  if (!(await pythonReaders()).python) return [];
  const said = await python3("-c", SCRIPT, ...paths);
  if (said === undefined) return ["Python could not read the files"];
  return said.split("\n").filter((line) => line !== "");
}

/** What it prints; undefined where there is no Python, or where it fails. */
async function python3(...args: string[]): Promise<string | undefined> {
  try {
    const command = new Deno.Command("python3", { args, stdout: "piped", stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
