/**
 * Text that a stream brings in pieces.
 *
 * @module
 */

/** The number of pieces that tell a stream of snapshots from one whose second piece begins like the first. */
const LEAST_SNAPSHOTS = 3;
/** The number of snapshots after which only the last one is held in memory. */
const CERTAIN_SNAPSHOTS = 16;

/**
 * Puts pieces together. Some servers send the whole text so far with each of them (DashScope, MiniMax):
 * a stream in which every piece is longer than the one before and begins with it is one of snapshots.
 */
export class DeltaText {
  #joined = "";
  #pieces = 0;
  // The last piece as long as all pieces so far were snapshots, else undefined.
  #snapshot: string | undefined = "";

  /** Adds a piece. */
  add(piece: string): void {
    if (piece === "") return;
    const snapshot = this.#snapshot;
    if (snapshot !== undefined) {
      const isNext = piece.length > snapshot.length
        ? piece.startsWith(snapshot)
        : this.#pieces >= LEAST_SNAPSHOTS && piece === snapshot;
      this.#snapshot = isNext ? piece : undefined;
    }
    this.#pieces++;
    if (this.#snapshot !== undefined && this.#pieces > CERTAIN_SNAPSHOTS) this.#joined = piece;
    else this.#joined += piece;
  }

  /** Takes the whole text, where it is a longer one. */
  extendTo(whole: string): void {
    if (!whole.startsWith(this.text)) return;
    this.#joined = whole;
    this.#snapshot = undefined;
  }

  /** The text so far. */
  get text(): string {
    return this.#snapshot !== undefined && this.#pieces >= LEAST_SNAPSHOTS
      ? this.#snapshot
      : this.#joined;
  }
}
