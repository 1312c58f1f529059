/**
 * What the teachers of a run say of how they will be asked.
 *
 * @module
 */

import type { Preflight } from "./preflight.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** What the user should know of the teachers before the first call; `found`: what the first row of each
 * shape is asked with counts, too, and the names of the parameters of the others. */
export function teacherNotices(
  { teachers, params }: Pick<ResolvedOptions, "teachers" | "params">,
  found: readonly Pick<Preflight, "firsts" | "paramNames">[] = [],
): string[] {
  const rows = found.flatMap(({ firsts }) => [...firsts.values()]);
  const names = found.flatMap(({ paramNames }) => [...paramNames].map((name) => [name, undefined]));
  const asked = {
    ...Object.fromEntries(names),
    ...params,
    ...rows.find((row) => row.params !== undefined)?.params,
  };
  return [...new Set(teachers.flatMap(({ teacher }) => teacher.notices?.(asked) ?? []))];
}
