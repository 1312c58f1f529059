/**
 * Takes answers of prompts that have been edited since out of the results. They were paid for, so
 * they are not thrown away.
 *
 * @module
 */

import { isBlankLine, linesOf, readLineBlocks } from "../line_blocks.ts";
import { checkOwnFile } from "../own_line.ts";
import { cannotWrite, Replacement, syncFolderOf, writeAll } from "./durable_file.ts";
import { uidOfLine } from "./line_uid.ts";
import { repairTail } from "./tail.ts";

/**
 * Moves the lines of these uids from the results to `<name>.outdated.jsonl` beside them, and gives
 * that file's path. A crash on the way leaves a line in both files at worst.
 *
 * @throws {DamagedFileError} when a line has no uid; the results are then as they were
 * @throws {SinkError} when a file cannot be written; the results are then as they were
 */
export async function setAside(
  path: string,
  uids: ReadonlySet<string>,
  token?: string,
): Promise<string> {
  const keptAt = outdatedPathOf(path);
  await checkOwnFile(keptAt, "results");
  await repairTail(keptAt);
  await using results = await Replacement.open(path, { token });
  using aside = await openAside(keptAt, (await Deno.stat(path)).mode ?? undefined);
  let number = 0;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const block of readLineBlocks(path)) {
    const staying: string[] = [];
    const leaving: string[] = [];
    for (const line of linesOf(block)) {
      number++;
      if (isBlankLine(line)) continue;
      const text = decoder.decode(line);
      (uids.has(uidOfLine(text, path, number)) ? leaving : staying).push(`${text}\n`);
    }
    await results.write(new TextEncoder().encode(staying.join("")));
    if (leaving.length > 0) await writeAll(aside, new TextEncoder().encode(leaving.join("")));
  }
  await aside.sync();
  await syncFolderOf(keptAt);
  await results.commit();
  return keptAt;
}

/** Where answers to edited prompts are kept: `out/x.outdated.jsonl` for the results `out/x.jsonl`. */
export function outdatedPathOf(path: string): string {
  return `${path.replace(/\.\w+$/, "")}.outdated.jsonl`;
}

async function openAside(path: string, mode: number | undefined): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { append: true, create: true, mode });
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}
