/**
 * A folder for `datasets.load_dataset` and the Hugging Face Hub: a dataset card, and Parquet files
 * for each split. The Parquet files appear together or not at all.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { ifThere, namesIn, removeIfThere, writeAll } from "../files.ts";
import { formatOfName } from "../formats/mod.ts";
import {
  createTemporary,
  orCannotWrite,
  removeLeftovers,
  untilSynced,
  writeFileDurably,
} from "../sink/mod.ts";
import { openTable, type TableWriter } from "../tables/mod.ts";
import { CARD_MARK, cardOf, DatasetFacts, licenseOf } from "./dataset_card.ts";
import type { ResolvedExport } from "./export_options.ts";
import { infoOf, type OutputGuard } from "./output.ts";
import type { TrainingRow } from "./turns.ts";
import type { TargetContext, Targets } from "./write_set.ts";

/** Size at which a split continues in another file. `push_to_hub` writes files of up to 500 MB. */
const TARGET_FILE_BYTES = 256 * 2 ** 20;

/**
 * Accepts a folder that does not exist, has only hidden files or, with `replace`, has a dataset
 * that Retort wrote.
 *
 * @throws {UsageError} For other folders, for files, and for new names with the extension of a file
 * of rows, such as `.jsonl`.
 */
export async function checkFolder(path: string, { replace }: OutputGuard): Promise<void> {
  if (path === "") throw new UsageError("Cannot write to an empty path: name a folder");
  const refuse = (problem: string): never => {
    throw new UsageError(`Cannot write the dataset "${path}": ${problem}`);
  };
  const info = await infoOf(path);
  if (info === undefined) {
    if (formatOfName(path) !== undefined) {
      refuse("a dataset is a folder. Name one, as in dataset/, or use --format messages");
    }
    return;
  }
  if (!info.isDirectory) refuse("it is a file: name a folder");
  const names = (await namesIn(path)).filter((name) => !name.startsWith("."));
  if (names.length === 0) return;
  const card = await Deno.readTextFile(`${path}/README.md`).catch(() => "");
  if (!card.includes(CARD_MARK)) refuse("it holds other files. Name a new folder");
  if (!replace) {
    refuse("it already holds a dataset. Add --replace to replace it, or name another folder");
  }
}

/** Writes the files of a dataset to a staging folder, and moves them into place at the end. */
export async function openDataset(
  options: ResolvedExport,
  context: TargetContext,
): Promise<Targets> {
  const path = (options.output as string).replace(/(?<=.)\/+$/, "");
  const isNew = await infoOf(path) === undefined;
  // The lock file stays locked while the staging folder next to it is in use.
  const lock = await orCannotWrite(path, async () => {
    await Deno.mkdir(path, { recursive: true });
    await removeStaleStaging(path);
    return await createTemporary((token) => `${stagingPath(path, token)}.lock`);
  });
  const staging = lock.path.replace(/\.lock$/, "");
  const train = new SplitFiles("train", staging, context);
  const validation = new SplitFiles("validation", staging, context);
  const facts = new DatasetFacts();
  let isMoved = false;
  const targets: Targets = {
    write({ example, row, isValidation }) {
      facts.add(example);
      return (isValidation ? validation : train).write(row as TrainingRow);
    },
    async finish(written) {
      // The train split gets a file even if it has no rows: the file has only the columns.
      if (written.rows === written.validationRows) await train.open();
      await train.finish();
      await validation.finish();
      // Files may have appeared while this export was writing.
      await checkFolder(path, context.guard);
      const previousCard = await Deno.readTextFile(`${path}/README.md`).catch(() => "");
      const license = licenseOf(previousCard);
      const card = cardOf({ ...context, ...written, facts, folder: path, license, options });
      await orCannotWrite(path, async () => {
        await replaceData(path, staging);
        isMoved = true;
        await writeFileDurably(`${path}/README.md`, card, { mode: context.mode });
        await ifThere(Deno.remove(oldDataPath(staging), { recursive: true }));
        await removeIfThere(lock.path);
      });
    },
    async [Symbol.asyncDispose]() {
      // If `finish` failed after its renames, the next export finds the lock file unlocked and
      // cleans up.
      using _lock = lock.file;
      if (isMoved) return;
      train.abandonFile();
      validation.abandonFile();
      // An error during the cleanup must not hide the error that caused it.
      await Deno.remove(staging, { recursive: true }).catch(() => {});
      await removeIfThere(lock.path).catch(() => {});
      if (isNew) await Deno.remove(path).catch(() => {});
    },
  };
  await orCannotWrite(path, () => Deno.mkdir(staging)).catch(async (error) => {
    await targets[Symbol.asyncDispose]();
    throw error;
  });
  return targets;
}

/** Moves the staging folder to `data`, and the previous data aside. */
async function replaceData(folder: string, staging: string): Promise<void> {
  const data = `${folder}/data`, oldData = oldDataPath(staging);
  const hadData = await infoOf(data) !== undefined;
  if (hadData) await Deno.rename(data, oldData);
  await Deno.rename(staging, data).catch(async (cause) => {
    if (hadData) await Deno.rename(oldData, data);
    throw cause;
  });
}

function stagingPath(folder: string, token: string): string {
  return `${folder}/.data-${token}`;
}

/** Returns where the previous data is kept until the export is complete. */
function oldDataPath(staging: string): string {
  return `${staging}.old`;
}

/**
 * Removes staging folders of killed exports. If an export was killed between its two renames, first
 * restores the previous data.
 */
async function removeStaleStaging(folder: string): Promise<void> {
  await removeLeftovers(folder, /^\.data-([0-9a-f]{16})\.lock$/, async (lock, token) => {
    const staging = stagingPath(folder, token), oldData = oldDataPath(staging);
    if (await infoOf(`${folder}/data`) === undefined && await infoOf(oldData) !== undefined) {
      await Deno.rename(oldData, `${folder}/data`);
    }
    for (const path of [staging, oldData]) await ifThere(Deno.remove(path, { recursive: true }));
    await Deno.remove(lock);
  });
}

/** The Parquet files of one split. Their names contain the number of files, so they are renamed at
 * the end. */
class SplitFiles {
  readonly #split: string;
  readonly #folder: string;
  readonly #context: TargetContext;
  #count = 0;
  #file: Deno.FsFile | undefined;
  #table: TableWriter | undefined;
  #bytes = 0;

  constructor(split: string, folder: string, context: TargetContext) {
    this.#split = split;
    this.#folder = folder;
    this.#context = context;
  }

  write(row: Readonly<Record<string, unknown>>): Promise<void> | undefined {
    if (this.#table === undefined || this.#bytes >= TARGET_FILE_BYTES) {
      return this.#writeToNext(row);
    }
    return this.#table.write(row);
  }

  async open(): Promise<void> {
    const { schema, mode } = this.#context;
    const path = this.#pathOf(this.#count++);
    const options = { write: true, createNew: true, mode };
    const file = await orCannotWrite(path, () => Deno.open(path, options));
    this.#file = file;
    this.#bytes = 0;
    this.#table = await openTable({ kind: "parquet" }, schema, {
      write: async (bytes) => {
        this.#bytes += bytes.length;
        await orCannotWrite(path, () => writeAll(file, bytes));
      },
    });
  }

  async finish(): Promise<void> {
    await this.#completeFile();
    const digits = (number: number) => String(number).padStart(5, "0");
    for (let i = 0; i < this.#count; i++) {
      const name = `${this.#split}-${digits(i)}-of-${digits(this.#count)}.parquet`;
      const path = this.#pathOf(i);
      await orCannotWrite(path, () => Deno.rename(path, `${this.#folder}/${name}`));
    }
  }

  /** Closes the current file without writing its footer, because the file will be removed. */
  abandonFile(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #writeToNext(row: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#completeFile();
    await this.open();
    await this.#table!.write(row);
  }

  async #completeFile(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await this.#table!.finish();
    await orCannotWrite(this.#pathOf(this.#count - 1), () => untilSynced(file.sync()));
    file.close();
    this.#file = undefined;
    this.#table = undefined;
  }

  #pathOf(index: number): string {
    return `${this.#folder}/${this.#split}-${index}.tmp`;
  }
}
