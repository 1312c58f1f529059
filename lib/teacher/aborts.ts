/**
 * One listener for each abort signal, however many attempts share it.
 *
 * @module
 */

/** What can be ended by a signal. */
export interface Abortable {
  /** Ends it with the signal's reason. */
  abort(reason: unknown): void;
}

/** Who has to be told when a signal is aborted. */
export class Aborts {
  // Weak: a signal that nobody else holds takes its listener and its set with it.
  readonly #groups = new WeakMap<AbortSignal, Set<Abortable>>();

  /** Ends `target` when `signal` is aborted. */
  add(signal: AbortSignal, target: Abortable): void {
    let group = this.#groups.get(signal);
    if (group === undefined) {
      group = new Set();
      this.#groups.set(signal, group);
      listen(signal, group);
    }
    group.add(target);
  }

  /** Forgets `target`: it has ended. */
  delete(signal: AbortSignal, target: Abortable): void {
    this.#groups.get(signal)?.delete(target);
  }
}

function listen(signal: AbortSignal, group: Set<Abortable>): void {
  signal.addEventListener("abort", () => {
    for (const target of group) target.abort(signal.reason);
    group.clear();
  }, { once: true });
}
