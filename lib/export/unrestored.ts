/**
 * Counts rows whose messages cannot be restored, for example because the template has changed, and
 * suggests conditions to export them separately.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { formatCount, formatCountOf } from "../figures.ts";
import { posixWord } from "../printable.ts";
import type { Example } from "./example.ts";

/** The message says which row, and why. */
export class NotRestored extends UsageError {}

/** The first and the last `created` of rows: ISO 8601 in UTC, so they sort as text. */
class Times {
  count = 0;
  first = "";
  last = "";

  add(time: string): void {
    if (this.count === 0 || time < this.first) this.first = time;
    if (time > this.last) this.last = time;
    this.count++;
  }
}

export class UnrestoredRows {
  readonly #where: string | undefined;
  readonly #restored = new Times();
  readonly #unrestored = new Times();
  #first = "";

  /** @param where The condition of the user, which the suggested ones extend. */
  constructor(where: string | undefined) {
    this.#where = where;
  }

  addRestored(example: Example): void {
    this.#restored.add(createdOf(example));
  }

  add(example: Example, place: string, problem: string): void {
    if (this.#unrestored.count === 0) this.#first = `${place}: ${problem}`;
    this.#unrestored.add(createdOf(example));
  }

  /** @throws {NotRestored} If there are such rows. */
  throwIfAny(): void {
    const { count } = this.#unrestored;
    if (count === 0) return;
    if (this.#restored.count === 0) {
      const others = count === 1 ? "" : ` (and ${formatCountOf(count - 1, "other row")})`;
      throw new NotRestored(`Cannot export ${this.#first}${others}`);
    }
    const all = formatCount(count + this.#restored.count);
    throw new NotRestored(
      `Cannot export ${formatCount(count)} of ${all} rows, which were sent with another system, ` +
        `template or prompt field than the others.\n  ${this.#first}\n${this.#wayOut()}`,
    );
  }

  /** One change during a run separates rows by time, unless older rows were retried after it. */
  #wayOut(): string {
    const restored = this.#restored, unrestored = this.#unrestored;
    const raw = "--format raw writes all rows as they are";
    if (unrestored.last < restored.first) {
      return this.#commands(`>= "${restored.first}"`, `< "${restored.first}"`, raw);
    }
    if (restored.last < unrestored.first) {
      return this.#commands(`< "${unrestored.first}"`, `>= "${unrestored.first}"`, raw);
    }
    return "Export them separately: select the others with --uids or --where, then these with " +
      `the --system, --template or --prompt-field that they were sent with. ${raw}`;
  }

  #commands(forRestored: string, forUnrestored: string, raw: string): string {
    const flagOf = (times: string) => {
      const condition = `distill.created ${times}`;
      return `--where ${
        posixWord(this.#where === undefined ? condition : `(${this.#where}) and ${condition}`)
      }`;
    };
    return [
      "Export them separately, by the time of their answers:",
      `  the ${formatCountOf(this.#restored.count, "other row")}: add ${flagOf(forRestored)}`,
      `  ${this.#unrestored.count === 1 ? "this row" : "these rows"}: add ${
        flagOf(forUnrestored)
      } ` +
      "and the --system, --template or --prompt-field that they were sent with",
      `${raw}`,
    ].join("\n");
  }
}

function createdOf({ result }: Example): string {
  const { created } = result.distill as { created?: unknown };
  return typeof created === "string" ? created : "";
}
