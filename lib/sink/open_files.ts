/**
 * Limits the number of open journals. The least recently used one is made durable and closed for the next.
 *
 * @module
 */

const CHECKS_AT_ONCE = 64;

/** The open journals, least recently used first. */
export class OpenFiles {
  readonly #most: number;
  readonly #open = new Set<Parkable>();
  /** Those that were open before. */
  readonly #closed = new Set<Parkable>();
  /** Of these, the ones whose last lines are a second old at most. */
  readonly #justClosed = new Set<Parkable>();
  /** New files that lines were directed to when the old ones were to be closed; the next `moveAway` gives them. */
  readonly unnamed: string[] = [];
  /** Callers that wait for a place. */
  readonly #waiting: (() => void)[] = [];
  /** Places held by journals, including those that are opening or closing. */
  #taken = 0;
  #hasMovedAway = false;

  /** At most `most` journals are open at once. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when one more may be opened, which `opened` or `give` has to follow. */
  async take(): Promise<void> {
    while (this.#taken >= this.#most) {
      const idle = this.#firstIdle();
      if (idle !== undefined) await this.park(idle);
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#taken++;
  }

  /** A journal is open, and may be closed while it is idle. */
  opened(journal: Parkable): void {
    this.#open.add(journal);
    this.#closed.delete(journal);
    this.#justClosed.delete(journal);
  }

  /** A journal was used: others are closed first. */
  used(journal: Parkable): void {
    if (this.#open.delete(journal)) this.#open.add(journal);
  }

  /** A journal has become idle. */
  idle(): void {
    this.#waiting.shift()?.();
  }

  /** Closes an open journal, unless it cannot be closed now. */
  async park(journal: Parkable): Promise<void> {
    if (!(await journal.park())) return;
    this.#closed.add(journal);
    this.#justClosed.add(journal);
    this.release(journal);
  }

  /** A journal is closed, or stays open until the end: it no longer counts. */
  release(journal: Parkable): void {
    if (this.#open.delete(journal)) this.give();
  }

  /**
   * What has happened to the open files meanwhile, and to those that were closed just now: see `Journal`. To be called
   * about once a second.
   *
   * @param isLast Whether to check all closed files.
   */
  async check(isLast = false): Promise<string | undefined> {
    const journals = [...this.#open, ...(isLast ? this.#closed : this.#justClosed)];
    let found: string | undefined;
    for (let first = 0; first < journals.length; first += CHECKS_AT_ONCE) {
      const some = journals.slice(first, first + CHECKS_AT_ONCE);
      found = (await Promise.all(some.map((journal) => this.#checkOne(journal))))
        .find((problem) => problem !== undefined) ?? found;
    }
    return found;
  }

  async #checkOne(journal: Parkable): Promise<string | undefined> {
    const problem = await journal.check();
    if (problem === undefined && !journal.age()) this.#justClosed.delete(journal);
    return problem;
  }

  /** See `Journal`: for every file, also where it fails for some. */
  async moveAway(paths: string[]): Promise<void> {
    this.#hasMovedAway = true;
    paths.push(...this.unnamed.splice(0));
    await moveAllAway([...this.#open, ...this.#closed], paths);
  }

  /** Whether lines of some files go to new ones already: further problems are then handled at once. */
  get hasMovedAway(): boolean {
    return this.#hasMovedAway;
  }

  /** A place is free. */
  give(): void {
    this.#taken--;
    this.idle();
  }

  #firstIdle(): Parkable | undefined {
    for (const journal of this.#open) if (journal.isIdle) return journal;
  }
}

/** A file whose lines can be directed to another file. */
export interface Movable {
  /** See `Journal`. */
  moveAway(paths: string[]): Promise<void>;
}

/**
 * Directs the lines of files with a problem to new files, and adds the paths of these.
 *
 * @throws the first problem, once all files were tried
 */
export async function moveAllAway(files: Iterable<Movable>, paths: string[]): Promise<void> {
  const problems: unknown[] = [];
  for (const file of files) await file.moveAway(paths).catch((problem) => problems.push(problem));
  if (problems.length > 0) throw problems[0];
}

/** A journal that can be closed and is opened again when it is needed. */
export interface Parkable extends Movable {
  /** Whether it may be closed. */
  readonly isIdle: boolean;
  /** Closes it; false if that cannot be done now. */
  park(): Promise<boolean>;
  /** See `Journal`. */
  check(): Promise<string | undefined>;
  /** A second has passed in which nothing was found; gives whether a closed file is still to be looked after. */
  age(): boolean;
}
