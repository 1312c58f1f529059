/**
 * What the first pass decided for each row, one byte a row, so that the second pass needs neither the
 * table of ids nor a second look at rows that need nothing.
 *
 * @module
 */

/** What to do with a row. */
export enum Todo {
  /** Nothing: it is settled, or a copy of another row. */
  Skip = 0,
  /** Ask the teacher. */
  Ask = 1,
  /** Ask the teacher again: the row has failed before. */
  AskAgain = 2,
  /** Report it: the line is no row. */
  Bad = 3,
}

/** One decision for each line that is not blank, in their order. */
export class Plan {
  #todos = new Uint8Array(4_096);
  #length = 0;
  readonly #counts = [0, 0, 0, 0];
  readonly #names = new Map<number, string>();

  /** How many rows were decided on. */
  get length(): number {
    return this.#length;
  }

  /** How many rows the teacher has to be asked about. */
  get toAsk(): number {
    return this.#counts[Todo.Ask] + this.#counts[Todo.AskAgain];
  }

  /** How many rows were decided on in this way. */
  count(todo: Todo): number {
    return this.#counts[todo];
  }

  /** Decides on the next row. */
  push(todo: Todo): void {
    if (this.#length === this.#todos.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#todos);
      this.#todos = larger;
    }
    this.#todos[this.#length++] = todo;
    this.#counts[todo]++;
  }

  /** The decision on a row, counted from 0. */
  at(index: number): Todo {
    return this.#todos[index];
  }

  /** Gives a row another id than its own: it is a copy that was asked for. */
  rename(index: number, uid: string): void {
    this.#names.set(index, uid);
  }

  /** The id that was given to a row, if one was. */
  nameOf(index: number): string | undefined {
    return this.#names.get(index);
  }
}
