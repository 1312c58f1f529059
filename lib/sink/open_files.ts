/**
 * Limits the number of open journals: to open one more, the least recently used one is closed.
 *
 * @module
 */

const CHECKS_AT_ONCE = 64;

/** The open journals, least recently used first. */
export class OpenFiles {
  readonly #most: number;
  readonly #open = new Set<Parkable>();
  /** Journals that were open and are closed now. */
  readonly #closed = new Set<Parkable>();
  /** Closed journals with lines of the last one to two seconds, which `check` still looks after. */
  readonly #justClosed = new Set<Parkable>();
  /** New files to which `park` redirected lines, until the next `moveAway` reports their paths. */
  readonly unnamed: string[] = [];
  /** Callers of `take` that wait for an idle journal or a free place. */
  readonly #waiting: (() => void)[] = [];
  /** Journals that are open, opening or closing. */
  #taken = 0;
  #hasMovedAway = false;

  /** @param most The number of journals that may be open at once. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves when one more may be opened. Call `opened` afterwards, or `give` if that failed. */
  async take(): Promise<void> {
    while (this.#taken >= this.#most) {
      const idle = this.#firstIdle();
      if (idle !== undefined) await this.park(idle);
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#taken++;
  }

  /** Called when a journal was opened: from now on it may be closed while it is idle. */
  opened(journal: Parkable): void {
    this.#open.add(journal);
    this.#closed.delete(journal);
    this.#justClosed.delete(journal);
  }

  /** Makes a journal the last to be closed. */
  used(journal: Parkable): void {
    if (this.#open.delete(journal)) this.#open.add(journal);
  }

  /** Called when a journal has become idle: it can be closed for a caller that waits. */
  idle(): void {
    this.#waiting.shift()?.();
  }

  /** Closes a journal, unless it is in use or has a problem. */
  async park(journal: Parkable): Promise<void> {
    if (!(await journal.park())) return;
    this.#closed.add(journal);
    this.#justClosed.add(journal);
    this.release(journal);
  }

  /** Stops counting a journal: it is closed, or stays open until the end of the run. */
  release(journal: Parkable): void {
    if (this.#open.delete(journal)) this.give();
  }

  /**
   * Calls `Journal.check` for all open files and those that were just closed; returns a problem, or
   * undefined if there is none. To be called about once a second.
   *
   * @param isLast Checks all closed files, too.
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

  /** `Journal.moveAway` for all files, even if it fails for some. */
  async moveAway(paths: string[]): Promise<void> {
    this.#hasMovedAway = true;
    paths.push(...this.unnamed.splice(0));
    await moveAllAway([...this.#open, ...this.#closed], paths);
  }

  /**
   * Whether `moveAway` was called: outputs are lost already, so `park` redirects further ones at
   * once, without waiting to see a problem twice.
   */
  get hasMovedAway(): boolean {
    return this.#hasMovedAway;
  }

  give(): void {
    this.#taken--;
    this.idle();
  }

  #firstIdle(): Parkable | undefined {
    for (const journal of this.#open) if (journal.isIdle) return journal;
  }
}

/** A file whose lines can be redirected to a new file. */
export interface Movable {
  /** See `Journal.moveAway`. */
  moveAway(paths: string[]): Promise<void>;
}

/**
 * Redirects the lines of files with a problem to new files, and adds the paths of these to `paths`.
 *
 * @throws The first error, once all files were tried.
 */
export async function moveAllAway(files: Iterable<Movable>, paths: string[]): Promise<void> {
  const problems: unknown[] = [];
  for (const file of files) await file.moveAway(paths).catch((problem) => problems.push(problem));
  if (problems.length > 0) throw problems[0];
}

/** A journal that can be closed and opens again when a line comes. */
export interface Parkable extends Movable {
  /** Whether it may be closed now. */
  readonly isIdle: boolean;
  /** Closes the file; returns false if it cannot be closed now. */
  park(): Promise<boolean>;
  /** See `Journal.check`. */
  check(): Promise<string | undefined>;
  /** Called after a check without a problem. Returns whether a closed file needs another check. */
  age(): boolean;
}
