/**
 * Limits the number of open files. Before another file is opened, the idle file that was used least
 * recently is closed. The lines of the last one to two seconds stay in memory, because they exist
 * nowhere else if another program replaces a file that is closed.
 *
 * @module
 */

const MAX_CONCURRENT_CHECKS = 64;

export class OpenFiles {
  readonly #maxOpen: number;
  /** Open files, the least recently used first. */
  readonly #open = new Set<Parkable>();
  readonly #closed = new Set<Parkable>();
  /** Closed files with recent lines in memory: `check` includes them. */
  readonly #justClosed = new Set<Parkable>();
  /** New files to which `park` has redirected lines. The next `moveAway` reports them. */
  readonly unreportedPaths: string[] = [];
  /** Callers of `acquireSlot` that wait for a slot. */
  readonly #waiters: (() => void)[] = [];
  /** The number of files that are open, opening or closing. */
  #usedSlots = 0;
  /** Whether `moveAway` was called. Outputs have then been lost, so `park` redirects lines at the
   * first problem, without a second check. */
  hasMovedAway = false;
  readonly recentMemory = new RecentMemory();

  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
  }

  /** Resolves when a file may be opened. Then call `onOpened`, or `releaseSlot` if opening
   * failed. */
  async acquireSlot(): Promise<void> {
    while (this.#usedSlots >= this.#maxOpen) {
      const idle = this.#firstIdle();
      if (idle !== undefined) await this.park(idle);
      else await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    this.#usedSlots++;
  }

  /** Registers an open file, which may be closed while idle from now on. */
  onOpened(file: Parkable): void {
    this.#open.add(file);
    this.#closed.delete(file);
    this.#justClosed.delete(file);
  }

  /** Moves the file to the end of the order in which idle files are closed. */
  onUsed(file: Parkable): void {
    if (this.#open.delete(file)) this.#open.add(file);
  }

  /** Wakes a waiting caller: an idle file can be closed, or a slot is free. */
  onIdle(): void {
    this.#waiters.shift()?.();
  }

  async park(file: Parkable): Promise<void> {
    if (!(await file.park())) return;
    this.#closed.add(file);
    this.#justClosed.add(file);
    this.remove(file);
  }

  /** Frees the slot of a file that is closed, or that stays open until the run ends. */
  remove(file: Parkable): void {
    if (this.#open.delete(file)) this.releaseSlot();
  }

  /** Checks files that are open or were just closed; with `isLast`, also all other closed files.
   * Returns the first problem, as a message. Call it about once a second. */
  async check(isLast = false): Promise<string | undefined> {
    const files = [
      ...this.#open,
      ...(isLast ? this.#closed : this.#justClosed),
    ];
    let reported: string | undefined;
    for (let start = 0; start < files.length; start += MAX_CONCURRENT_CHECKS) {
      const group = files.slice(start, start + MAX_CONCURRENT_CHECKS);
      const problems = await Promise.all(group.map((file) => this.#checkFile(file)));
      reported ??= problems.find((problem) => problem !== undefined);
    }
    return reported;
  }

  async #checkFile(file: Parkable): Promise<string | undefined> {
    const problem = await file.check();
    if (problem === undefined && !file.age()) this.#justClosed.delete(file);
    return problem;
  }

  async moveAway(paths: string[]): Promise<void> {
    this.hasMovedAway = true;
    paths.push(...this.unreportedPaths.splice(0));
    await moveAllAway([...this.#open, ...this.#closed], paths);
  }

  releaseSlot(): void {
    this.#usedSlots--;
    this.onIdle();
  }

  #firstIdle(): Parkable | undefined {
    for (const file of this.#open) if (file.isIdle) return file;
  }
}

export interface Movable {
  moveAway(paths: string[]): Promise<void>;
}

/**
 * Redirects lines of files with a problem to new files, and adds the paths to `paths`.
 *
 * @throws The first error, once all files were tried.
 */
export async function moveAllAway(files: Iterable<Movable>, paths: string[]): Promise<void> {
  const errors: unknown[] = [];
  for (const file of files) {
    await file.moveAway(paths).catch((error) => errors.push(error));
  }
  if (errors.length > 0) throw errors[0];
}

/** A file that can be parked: it is closed, and opened again for the next line. */
export interface Parkable extends Movable {
  readonly isIdle: boolean;
  park(): Promise<boolean>;
  check(): Promise<string | undefined>;
  /** Called after a check without a problem. Drops lines that were added before the previous check.
   * Returns whether a closed file has recent lines left, and needs another check. */
  age(): boolean;
}

/** Maximum size of the recent lines of all outputs of a run. */
const MAX_RECENT_BYTES = 32 * 1024 * 1024;

export class RecentMemory {
  #freeBytes: number;

  constructor(bytes: number = MAX_RECENT_BYTES) {
    this.#freeBytes = bytes;
  }

  reserve({ length }: Uint8Array): boolean {
    if (length > this.#freeBytes) return false;
    this.#freeBytes -= length;
    return true;
  }

  release(lines: readonly Uint8Array[]): void {
    for (const { length } of lines) this.#freeBytes += length;
  }
}

/** Lines of the last one to two seconds, if `age` is called every second. Holds fewer lines if the
 * shared memory is full: a line that is dropped here can be rescued only while its file is open. */
export class RecentLines {
  readonly #memory: RecentMemory;
  /** Lines that were added between the last two calls of `age`. */
  #olderLines: Uint8Array[] = [];
  /** Lines that were added after the last call of `age`. */
  #newerLines: Uint8Array[] = [];

  constructor(memory: RecentMemory) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#olderLines.length === 0 && this.#newerLines.length === 0;
  }

  add(lines: Uint8Array): void {
    if (!this.#memory.reserve(lines)) {
      this.#dropOlder();
      if (!this.#memory.reserve(lines)) return;
    }
    this.#newerLines.push(lines);
  }

  age(): void {
    this.#dropOlder();
    this.#olderLines = this.#newerLines;
    this.#newerLines = [];
  }

  takeAll(): Uint8Array[] {
    const lines = [...this.#olderLines, ...this.#newerLines];
    this.#memory.release(lines);
    this.#olderLines = [];
    this.#newerLines = [];
    return lines;
  }

  /** Undoes `takeAll`, but treats the lines as new. */
  putBack(lines: readonly Uint8Array[]): void {
    const newer = this.#newerLines;
    this.#newerLines = [];
    for (const line of lines) this.add(line);
    this.#newerLines.push(...newer);
  }

  takeOver(others: RecentLines): void {
    this.#olderLines.push(...others.#olderLines);
    this.#newerLines.push(...others.#newerLines);
    others.#olderLines = [];
    others.#newerLines = [];
  }

  #dropOlder(): void {
    this.#memory.release(this.#olderLines);
    this.#olderLines = [];
  }
}
