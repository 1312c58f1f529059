/**
 * Limits the number of open journals. The least recently used one is made durable and closed for the next.
 *
 * @module
 */

/** The open journals, least recently used first. */
export class OpenFiles {
  readonly #most: number;
  readonly #open = new Set<Parkable>();
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
    if (await journal.park()) this.release(journal);
  }

  /** A journal is closed, or stays open until the end: it no longer counts. */
  release(journal: Parkable): void {
    if (this.#open.delete(journal)) this.give();
  }

  /** What has happened to the open files meanwhile; see `Journal`. */
  async check(): Promise<string | undefined> {
    const problems = await Promise.all([...this.#open].map((journal) => journal.check()));
    return problems.find((problem) => problem !== undefined);
  }

  /** Directs the lines of files with a problem to new files, and returns their paths. */
  async moveAway(): Promise<string[]> {
    this.#hasMovedAway = true;
    const paths: string[] = [];
    for (const journal of [...this.#open]) paths.push(await journal.moveAway() ?? "");
    return paths.filter((path) => path !== "");
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

/** A journal that can be closed and is opened again when it is needed. */
export interface Parkable {
  /** Whether it may be closed. */
  readonly isIdle: boolean;
  /** Closes it; false where that cannot be done now. */
  park(): Promise<boolean>;
  /** See `Journal`. */
  check(): Promise<string | undefined>;
  /** See `Journal`. */
  moveAway(): Promise<string | undefined>;
}
