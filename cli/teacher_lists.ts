/**
 * Teachers of `--base-url @endpoints.txt` and `--base-url dns+http://name:port/v1`, which join and
 * leave.
 *
 * @module
 */

import {
  type EndpointEntry,
  EndpointWatch,
  type ListSource,
  sourceOf,
  type WatchOptions,
} from "../lib/endpoints/mod.ts";
import { UsageError } from "../lib/errors.ts";
import type { TeacherList, TeacherPlace } from "../lib/run/mod.ts";
import type { Teacher } from "../lib/teacher/mod.ts";
import { delay } from "../lib/timer.ts";

/** Creates the teacher at an address. */
export type MakeTeacher = (entry: EndpointEntry) => Promise<TeacherPlace> | TeacherPlace;

/** A list of teachers, as the user named it. */
export interface NamedList {
  /** `@FILE` or `dns+http://…`. */
  readonly text: string;
  /** Creates a teacher of the list, with the list's settings. */
  readonly make: MakeTeacher;
}

export interface OpenLists {
  /** Teachers that the lists name at the start. */
  readonly places: readonly TeacherPlace[];
  /** Reports teachers that join and leave. */
  readonly list: TeacherList;
}

const AGAIN_MS = 2_000;

/**
 * Reads the lists for the first time. If a DNS name has no address yet, waits for one: its pods may
 * still be starting.
 *
 * @param waitMs How long to wait for each name.
 * @param every See `WatchOptions`.
 * @throws {UsageError} if a list cannot be used
 */
export async function openLists(
  lists: readonly NamedList[],
  waitMs: number,
  every?: WatchOptions["every"],
): Promise<OpenLists> {
  const teachers = new ListedTeachers();
  const places: TeacherPlace[] = [];
  const opened: OpenList[] = [];
  for (const { text, make } of lists) {
    const source = listOf(text);
    const entries = await firstEntries(source, text.startsWith("@") ? 0 : waitMs);
    const list = { source, entries, make };
    for (const entry of entries) {
      const place = await teachers.join(list, entry);
      if (place !== undefined) places.push(place);
    }
    opened.push(list);
  }
  return { places, list: teacherListOf(opened, teachers, every) };
}

/** A list with the entries of its first reading. */
interface OpenList extends Pick<NamedList, "make"> {
  readonly source: ListSource;
  readonly entries: readonly EndpointEntry[];
}

function teacherListOf(
  lists: readonly OpenList[],
  teachers: ListedTeachers,
  every?: WatchOptions["every"],
): TeacherList {
  return {
    watch(onChange, onNotice) {
      let isStopped = false;
      const watches = lists.map((list) =>
        new EndpointWatch(list.source, list.entries, {
          async onChange(joined, left) {
            const { change, refused, problems } = await teachers.change(list, joined, left);
            if (isStopped) return [];
            onChange(change);
            for (const problem of problems) onNotice("warning", problem);
            return refused;
          },
          onNotice,
          every,
        })
      );
      return () => {
        isStopped = true;
        for (const watch of watches) watch.stop();
      };
    },
  };
}

/** A teacher, and the lists that name its address. */
interface Listed {
  readonly teacher: Teacher;
  readonly lists: Set<OpenList>;
}

/**
 * The current teachers of all lists. An address on several lists is one teacher with the settings
 * of the list that named it first, until the last of these lists drops it.
 */
class ListedTeachers {
  readonly #byUrl = new Map<string, Listed>();
  /**
   * Last reason why an address could not join. The next readings try it again; only a new reason is
   * reported.
   */
  readonly #problems = new Map<string, string>();
  #changing: Promise<unknown> = Promise.resolve();

  /**
   * Adds an entry of a list. Returns the teacher to add if the address is new, or if only this list
   * has it: then its weight or limit has changed.
   */
  async join(list: OpenList, entry: EndpointEntry): Promise<TeacherPlace | undefined> {
    const listed = this.#byUrl.get(entry.url);
    if (listed !== undefined && !isOnlyIn(list, listed)) {
      listed.lists.add(list);
      return undefined;
    }
    const place = await list.make(entry);
    this.#byUrl.set(entry.url, { teacher: place.teacher, lists: new Set([list]) });
    // The entry takes precedence over the settings of the list.
    const { weight = place.weight, max = place.maxConcurrency } = entry;
    return { ...place, weight, maxConcurrency: max };
  }

  /**
   * Applies a change of a list, after all earlier changes: an address may leave while it still
   * joins.
   */
  change(list: OpenList, joined: readonly EndpointEntry[], left: readonly EndpointEntry[]) {
    const changed = this.#changing.then(() => this.#change(list, joined, left));
    this.#changing = changed;
    return changed;
  }

  async #change(
    list: OpenList,
    joined: readonly EndpointEntry[],
    left: readonly EndpointEntry[],
  ) {
    const leaving: Teacher[] = [], places: TeacherPlace[] = [];
    const refused: EndpointEntry[] = [], problems: string[] = [];
    for (const entry of joined) {
      const before = this.#byUrl.get(entry.url)?.teacher;
      try {
        const place = await this.join(list, entry);
        this.#problems.delete(entry.url);
        if (place === undefined) continue;
        places.push(place);
        // The entry has another weight or limit: a new teacher replaces the old one.
        if (before !== undefined) leaving.push(before);
      } catch (error) {
        refused.push(entry);
        const { message } = error as Error;
        if (this.#problems.get(entry.url) !== message) problems.push(message);
        this.#problems.set(entry.url, message);
      }
    }
    const stays = new Set(joined.map(({ url }) => url));
    for (const { url } of left) {
      if (!stays.has(url)) leaving.push(...this.#leave(list, url));
    }
    return { change: { joined: places, left: leaving }, refused, problems };
  }

  /** Removes an address from a list. Returns its teacher if no other list names it. */
  #leave(list: OpenList, url: string): Teacher[] {
    this.#problems.delete(url);
    const listed = this.#byUrl.get(url);
    if (listed === undefined || !listed.lists.delete(list) || listed.lists.size > 0) return [];
    this.#byUrl.delete(url);
    return [listed.teacher];
  }
}

function isOnlyIn(list: OpenList, { lists }: Listed): boolean {
  return lists.size === 1 && lists.has(list);
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
