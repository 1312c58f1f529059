/**
 * Teachers of `--base-url @endpoints.txt` and `--base-url dns+http://name:port/v1`, which join and leave.
 *
 * @module
 */

import {
  type EndpointEntry,
  EndpointWatch,
  type ListSource,
  sourceOf,
} from "../lib/endpoints/mod.ts";
import { UsageError } from "../lib/errors.ts";
import type { TeacherList, TeacherPlace } from "../lib/run/mod.ts";
import type { Teacher } from "../lib/teacher/mod.ts";
import { delay } from "../lib/timer.ts";

/** Creates a teacher for an address. */
export type MakeTeacher = (entry: EndpointEntry) => Promise<TeacherPlace> | TeacherPlace;

/** A list as the user named it. */
export interface NamedList {
  /** `@FILE` or `dns+http://…`. */
  readonly text: string;
  /** Creates its teachers. */
  readonly make: MakeTeacher;
}

/** Opened lists of teachers. */
export interface OpenLists {
  /** The current teachers. */
  readonly places: readonly TeacherPlace[];
  /** Reports teachers that join and leave. */
  readonly list: TeacherList;
}

const AGAIN_MS = 2_000;

/**
 * Reads the lists for the first time. If a name has no address yet, waits for it: its pods may still be
 * starting.
 *
 * @throws {UsageError} when one cannot be used
 */
export async function openLists(
  lists: readonly NamedList[],
  waitMs: number,
): Promise<OpenLists> {
  const known = new Map<string, Teacher>();
  const places: TeacherPlace[] = [];
  const opened: OpenList[] = [];
  for (const { text, make } of lists) {
    const join = async (entry: EndpointEntry) => {
      const place = await make(entry);
      known.set(entry.url, place.teacher);
      const { weight = place.weight, max = place.maxConcurrency } = entry;
      return { ...place, weight, maxConcurrency: max };
    };
    const source = listOf(text);
    const entries = await firstEntries(source, text.startsWith("@") ? 0 : waitMs);
    for (const entry of entries) if (!known.has(entry.url)) places.push(await join(entry));
    opened.push({ source, entries, join });
  }
  return { places, list: teacherListOf(opened, known) };
}

/** A list as it was when it was last read. */
interface OpenList {
  readonly source: ListSource;
  readonly entries: readonly EndpointEntry[];
  /** Creates the teacher of an entry; what the entry leaves open is taken from the settings of the list. */
  readonly join: (entry: EndpointEntry) => Promise<TeacherPlace>;
}

/** Watches all lists. `known` holds the current teachers by address. */
function teacherListOf(
  lists: readonly OpenList[],
  known: Map<string, Teacher>,
): TeacherList {
  return {
    watch(onChange, onNotice) {
      const watches = lists.map(({ source, entries, join }) =>
        new EndpointWatch(source, entries, {
          async onChange(joined, left) {
            const leaving = left.flatMap(({ url }) => known.get(url) ?? []);
            for (const { url } of left) known.delete(url);
            const results = await Promise.allSettled(joined.map(join));
            onChange({
              joined: results.flatMap((one) => one.status === "fulfilled" ? one.value : []),
              left: leaving,
            });
            for (const one of results) {
              if (one.status === "rejected") onNotice("warning", (one.reason as Error).message);
            }
          },
          onNotice,
        })
      );
      return () => {
        for (const watch of watches) watch.stop();
      };
    },
  };
}

function listOf(text: string): ListSource {
  try {
    return sourceOf(text);
  } catch (error) {
    throw new UsageError(`Cannot use --base-url "${text}": ${(error as Error).message}`);
  }
}

async function firstEntries(source: ListSource, waitMs: number): Promise<EndpointEntry[]> {
  const end = performance.now() + waitMs;
  while (true) {
    try {
      return (await source.read()).entries;
    } catch (error) {
      if (performance.now() < end) {
        await delay(AGAIN_MS);
        continue;
      }
      throw new UsageError(
        `Cannot use the list ${source.name} (--base-url): ${(error as Error).message}`,
      );
    }
  }
}
