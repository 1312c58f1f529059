/**
 * Teachers of `--base-url @endpoints.txt` and `--base-url dns+http://name:port/v1`, which come and go.
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

/** Makes a teacher for an address. */
export type MakeTeacher = (entry: EndpointEntry) => Promise<TeacherPlace> | TeacherPlace;

/** Lists of teachers. */
export interface OpenLists {
  /** The teachers that they hold now. */
  readonly places: readonly TeacherPlace[];
  /** What tells of those that join and leave. */
  readonly list: TeacherList;
}

const AGAIN_MS = 2_000;

/**
 * Reads the lists for the first time. A name that has no address yet is waited for: its pods may still start.
 *
 * @throws {UsageError} when one cannot be used
 */
export async function openLists(
  texts: readonly string[],
  make: MakeTeacher,
  waitMs: number,
): Promise<OpenLists> {
  const known = new Map<string, Teacher>();
  const places: TeacherPlace[] = [];
  const join = async (entry: EndpointEntry) => {
    const place = { ...await make(entry), weight: entry.weight, maxConcurrency: entry.max };
    known.set(entry.url, place.teacher);
    return place;
  };
  const opened: OpenList[] = [];
  for (const text of texts) {
    const source = listOf(text);
    const entries = await firstEntries(source, text.startsWith("@") ? 0 : waitMs);
    for (const entry of entries) if (!known.has(entry.url)) places.push(await join(entry));
    opened.push({ source, entries });
  }
  return { places, list: teacherListOf(opened, known, join) };
}

/** A list as it was when it was last read. */
interface OpenList {
  readonly source: ListSource;
  readonly entries: readonly EndpointEntry[];
}

/** Watches all lists. `known` are the teachers of the addresses that they hold now. */
function teacherListOf(
  lists: readonly OpenList[],
  known: Map<string, Teacher>,
  join: (entry: EndpointEntry) => Promise<TeacherPlace>,
): TeacherList {
  return {
    watch(onChange, onNotice) {
      const watches = lists.map(({ source, entries }) =>
        new EndpointWatch(source, entries, {
          onChange: (joined, left) => {
            const leaving = left.flatMap(({ url }) => known.get(url) ?? []);
            for (const { url } of left) known.delete(url);
            Promise.all(joined.map(join)).then(
              (all) => onChange({ joined: all, left: leaving }),
              (error: Error) => onNotice("warning", error.message),
            );
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
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        continue;
      }
      throw new UsageError(
        `Cannot use the list ${source.name} (--base-url): ${(error as Error).message}`,
      );
    }
  }
}
