/**
 * A folder for `datasets.load_dataset` and the Hugging Face Hub: a dataset card, and Parquet files
 * for each split. The Parquet files appear together or not at all.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { ifThere, removeIfThere, writeAll } from "../files.ts";
import { formatOfName } from "../formats/mod.ts";
import {
  createTemporary,
  orCannotWrite,
  removeLeftovers,
  type TemporaryFile,
  untilSynced,
  writeFileDurably,
} from "../sink/mod.ts";
import { openTable, type Schema, type TableWriter } from "../tables/mod.ts";
import { CARD_MARK, cardOf, DatasetFacts, licenseOf } from "./dataset_card.ts";
import type { ResolvedExport } from "./export_options.ts";
import { infoOf, type OutputGuard } from "./output.ts";
import type { MadeRow } from "./row_maker.ts";
import type { TrainingRow } from "./turns.ts";
import type { TargetContext, Targets, WrittenRows } from "./write_set.ts";

/** After this size, a split continues in another file. `push_to_hub` writes files of up to
 * 500 MB. */
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
  const names: string[] = [];
  for await (const { name } of Deno.readDir(path)) if (!name.startsWith(".")) names.push(name);
  if (names.length === 0) return;
  const card = await Deno.readTextFile(`${path}/README.md`).catch(() => "");
  if (!card.includes(CARD_MARK)) refuse("it holds other files. Name a new folder");
  if (!replace) {
    refuse("it already holds a dataset. Add --replace to replace it, or name another folder");
  }
}

/** Writes the files of a dataset to a staging folder, and moves them into place at the end. */
export class DatasetFolder implements Targets {
  readonly #path: string;
  readonly #staging: string;
  /** Locked while the staging folder next to it is in use. */
  readonly #lock: TemporaryFile;
  readonly #options: ResolvedExport;
  readonly #context: TargetContext;
  /** Whether this export has created the folder. */
  readonly #isNew: boolean;
  readonly #facts = new DatasetFacts();
  readonly #train: SplitFiles;
  readonly #validation: SplitFiles;
  #isMoved = false;

  private constructor(
    path: string,
    lock: TemporaryFile,
    options: ResolvedExport,
    context: TargetContext,
    isNew: boolean,
  ) {
    this.#path = path;
    this.#isNew = isNew;
    this.#lock = lock;
    this.#staging = lock.path.replace(/\.lock$/, "");
    this.#options = options;
    this.#context = context;
    this.#train = new SplitFiles("train", this.#staging, context);
    this.#validation = new SplitFiles("validation", this.#staging, context);
  }

  static async open(options: ResolvedExport, context: TargetContext): Promise<DatasetFolder> {
    const path = (options.output as string).replace(/(?<=.)\/+$/, "");
    const isNew = await infoOf(path) === undefined;
    return await orCannotWrite(path, async () => {
      await Deno.mkdir(path, { recursive: true });
      await removeStaleStaging(path);
      const lock = await createTemporary((token) => `${stagingPath(path, token)}.lock`);
      const folder = new DatasetFolder(path, lock, options, context, isNew);
      await Deno.mkdir(folder.#staging).catch(async (cause) => {
        await folder[Symbol.asyncDispose]();
        throw cause;
      });
      return folder;
    });
  }

  write({ example, row, isValidation }: MadeRow): Promise<void> | undefined {
    this.#facts.add(example);
    return (isValidation ? this.#validation : this.#train).write(row as TrainingRow);
  }

  async finish(written: WrittenRows): Promise<void> {
    // The train split gets a file even if it has no rows: the file has only the columns.
    if (written.rows === written.validationRows) await this.#train.open();
    await this.#train.finish();
    await this.#validation.finish();
    // Files may have appeared while this export was writing.
    await checkFolder(this.#path, this.#context.guard);
    const data = `${this.#path}/data`, oldData = oldDataPath(this.#staging);
    const previousCard = await Deno.readTextFile(`${this.#path}/README.md`).catch(() => "");
    const card = cardOf({
      facts: this.#facts,
      ...written,
      columns: this.#context.schema.columns,
      folder: this.#path,
      license: licenseOf(previousCard),
      options: this.#options,
      origin: this.#context.origin,
    });
    await orCannotWrite(this.#path, async () => {
      const hadData = await infoOf(data) !== undefined;
      if (hadData) await Deno.rename(data, oldData);
      await Deno.rename(this.#staging, data).catch(async (cause) => {
        if (hadData) await Deno.rename(oldData, data);
        throw cause;
      });
      this.#isMoved = true;
      await writeFileDurably(`${this.#path}/README.md`, card, { mode: this.#context.mode });
      if (hadData) await Deno.remove(oldData, { recursive: true });
      await removeIfThere(this.#lock.path);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // If `finish` failed after its renames, the next export finds the lock file unlocked and cleans
    // up.
    using _lock = this.#lock.file;
    if (this.#isMoved) return;
    this.#train.abandonFile();
    this.#validation.abandonFile();
    // An error of the cleanup must not hide the error that led to it.
    await Deno.remove(this.#staging, { recursive: true }).catch(() => {});
    await removeIfThere(this.#lock.path).catch(() => {});
    if (this.#isNew) await Deno.remove(this.#path).catch(() => {});
  }
}

function stagingPath(folder: string, token: string): string {
  return `${folder}/.data-${token}`;
}

/** Where the previous data is until the export is complete. */
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
  readonly #schema: Schema;
  readonly #mode: number | undefined;
  #count = 0;
  #file: Deno.FsFile | undefined;
  #table: TableWriter | undefined;
  #bytes = 0;

  constructor(split: string, folder: string, { schema, mode }: TargetContext) {
    this.#split = split;
    this.#folder = folder;
    this.#schema = schema;
    this.#mode = mode;
  }

  write(row: Readonly<Record<string, unknown>>): Promise<void> | undefined {
    if (this.#table === undefined || this.#bytes >= TARGET_FILE_BYTES) {
      return this.#writeToNext(row);
    }
    return this.#table.write(row);
  }

  async open(): Promise<void> {
    const path = this.#pathOf(this.#count++);
    const options = { write: true, createNew: true, mode: this.#mode };
    const file = await orCannotWrite(path, () => Deno.open(path, options));
    this.#file = file;
    this.#bytes = 0;
    this.#table = await openTable({ kind: "parquet" }, this.#schema, {
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
