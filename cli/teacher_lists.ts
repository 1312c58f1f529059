/**
 * Teachers that join and leave: `--base-url @endpoints.txt` and `dns+http://name:port/v1`.
 *
 * @module
 */

import {
  type EndpointEntry,
  EndpointWatch,
  type ListChange,
  type ListSource,
  type SourceDependencies,
  sourceOf,
  type WatchOptions,
} from "../lib/endpoints/mod.ts";
import { UsageError } from "../lib/errors.ts";
import type { TeacherList, TeacherPlace } from "../lib/run/mod.ts";
import { redactAddress, type Teacher } from "../lib/teacher/mod.ts";
import { delay } from "../lib/timer.ts";

export type ListedPlace = TeacherPlace & Partial<AsyncDisposable>;

export type MakeTeacher = (entry: EndpointEntry) => Promise<ListedPlace> | ListedPlace;

export interface NamedList {
  /** `@FILE` or `dns+http://…`. */
  readonly text: string;
  /** Lists with the same settings share the teacher of an address. @default "" */
  readonly settings?: string;
  readonly make: MakeTeacher;
}

/** The opened lists. Disposing them closes their teachers. */
export interface OpenLists extends AsyncDisposable {
  readonly places: readonly TeacherPlace[];
  readonly list: TeacherList;
}

export interface OpenListsOptions {
  /** How long a DNS name may have no address. */
  readonly waitMs: number;
  /** How long the file of a list may be missing, empty or wrong. @default 0 */
  readonly fileWaitMs?: number;
  /** Called once for each list that cannot be used yet. */
  readonly onWait?: (message: string) => void;
  readonly every?: WatchOptions["every"];
  readonly dependencies?: SourceDependencies;
}

/** Interval between two readings of a list that cannot be used yet. */
const RETRY_MS = 2_000;

/**
 * Reads the lists for the first time. Waits for lists that cannot be used yet, because pods may
 * still be starting, or a file may be in the middle of an edit.
 */
export async function openLists(
  lists: readonly NamedList[],
  { waitMs, fileWaitMs = 0, onWait, every, dependencies }: OpenListsOptions,
): Promise<OpenLists> {
  await using opening = new AsyncDisposableStack();
  const teachers = opening.use(new ListedTeachers());
  const places: TeacherPlace[] = [];
  const openedLists: OpenList[] = [];
  for (const { text, settings, make } of lists) {
    const source = listSourceOf(text, dependencies);
    const listWaitMs = text.startsWith("@") ? fileWaitMs : waitMs;
    const entries = await firstEntries(source, { waitMs: listWaitMs, onWait, dependencies });
    const list = { source, entries, settings, make };
    for (const entry of entries) {
      const place = await teachers.join(list, entry);
      if (place !== undefined) places.push(place);
    }
    openedLists.push(list);
  }
  const open = opening.move();
  return {
    places,
    list: teacherListOf(openedLists, teachers, every),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

interface OpenList extends Pick<NamedList, "settings" | "make"> {
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
      teachers.reset(lists);
      const watches = lists.map((list) =>
        new EndpointWatch(list.source, list.entries, {
          async onChange(changes) {
            const { change, refusedEntries, problems } = await teachers.change(list, changes);
            if (isStopped) return [];
            onChange(change);
            for (const problem of problems) onNotice("warning", problem);
            return refusedEntries;
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

/** A teacher, and the list entries with its address. */
interface ListedTeacher {
  readonly place: ListedPlace;
  /**
   * The entries, in the order in which lists named the address. The first decides weight and limit.
   */
  readonly entries: Map<OpenList, EndpointEntry>;
}

/** Maximum number of departed teachers that are kept, because each restarted pod adds one. */
const MAX_DEPARTED = 1_000;

/**
 * The teachers of all lists. An address in several lists with the same settings is one teacher,
 * which leaves when none of them has the address any more. If the address comes back, the same
 * teacher joins again, even with calls in flight.
 */
class ListedTeachers implements AsyncDisposable {
  /** The teachers by their keys (`keyOf`). */
  readonly #byKey = new Map<string, ListedTeacher>();
  /** Why addresses could not join, by key. Later readings try again and report only new reasons. */
  readonly #problems = new Map<string, string>();
  /** Keys of the teachers that no list names any more, in the order in which they left. */
  readonly #departed = new Set<string>();
  #changing: Promise<unknown> = Promise.resolve();

  /** Returns the place of a teacher that joins; undefined if another list already names its
   * address. */
  async join(list: OpenList, entry: EndpointEntry): Promise<TeacherPlace | undefined> {
    const key = keyOf(list, entry);
    const listedTeacher = this.#byKey.get(key) ??
      { place: await list.make(entry), entries: new Map() };
    this.#byKey.set(key, listedTeacher);
    this.#departed.delete(key);
    listedTeacher.entries.set(list, entry);
    return listedTeacher.entries.size === 1 ? placeOf(listedTeacher) : undefined;
  }

  /** Forgets the changes of earlier runs, such as the run before a retry from the monitor's page:
   * each run begins with the teachers that the lists named at first. Teachers that joined later may
   * join again. */
  reset(lists: readonly OpenList[]): void {
    this.#changing = this.#changing.then(() => {
      for (const [key, { entries }] of this.#byKey) {
        entries.clear();
        this.#departed.add(key);
      }
      for (const list of lists) {
        for (const entry of list.entries) {
          const key = keyOf(list, entry);
          this.#byKey.get(key)?.entries.set(list, entry);
          this.#departed.delete(key);
        }
      }
    });
  }

  /**
   * Applies changes after all earlier ones, because an address may leave while it is still joining.
   */
  change(list: OpenList, changes: ListChange) {
    const result = this.#changing.then(() => this.#change(list, changes));
    this.#changing = result;
    return result;
  }

  async #change(list: OpenList, { joined, left, changed }: ListChange) {
    const joinedPlaces: TeacherPlace[] = [], changedPlaces: TeacherPlace[] = [];
    const leftTeachers: Teacher[] = [];
    const refusedEntries: EndpointEntry[] = [], problems: string[] = [];
    for (const entry of joined) {
      try {
        const place = await this.join(list, entry);
        this.#problems.delete(keyOf(list, entry));
        if (place !== undefined) joinedPlaces.push(place);
      } catch (error) {
        refusedEntries.push(entry);
        const { message } = error as Error;
        const key = keyOf(list, entry);
        if (this.#problems.get(key) !== message) problems.push(message);
        this.#problems.set(key, message);
      }
    }
    for (const entry of changed) {
      const listedTeacher = this.#byKey.get(keyOf(list, entry))!;
      listedTeacher.entries.set(list, entry);
      changedPlaces.push(placeOf(listedTeacher));
    }
    for (const entry of left) {
      const key = keyOf(list, entry), listedTeacher = this.#byKey.get(key);
      this.#problems.delete(key);
      if (listedTeacher === undefined || !listedTeacher.entries.delete(list)) continue;
      // The weight and the limit of the next list that names the address apply now.
      if (listedTeacher.entries.size > 0) changedPlaces.push(placeOf(listedTeacher));
      else {
        leftTeachers.push(listedTeacher.place.teacher);
        this.#departed.add(key);
      }
    }
    this.#forgetOldest();
    const change = { joined: joinedPlaces, left: leftTeachers, changed: changedPlaces };
    return { change, refusedEntries, problems };
  }

  /** Does not close the forgotten teachers: calls may be in flight. Idle connections time out. */
  #forgetOldest(): void {
    for (const key of this.#departed) {
      if (this.#departed.size <= MAX_DEPARTED) return;
      this.#departed.delete(key);
      this.#byKey.delete(key);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const listedTeachers = [...this.#byKey.values()];
    await Promise.all(listedTeachers.map(({ place }) => place[Symbol.asyncDispose]?.()));
  }
}

function keyOf({ settings = "" }: OpenList, { url }: EndpointEntry): string {
  return `${url} ${settings}`;
}

/**
 * Takes the weight and the limit from the first list that names the teacher or, if that sets none,
 * from the configuration.
 */
function placeOf({ place, entries }: ListedTeacher): TeacherPlace {
  const [{ weight = place.weight, max = place.maxConcurrency }] = entries.values();
  return { ...place, weight, maxConcurrency: max };
}

function listSourceOf(text: string, dependencies?: SourceDependencies): ListSource {
  try {
    return sourceOf(text, dependencies);
  } catch (error) {
    const shown = text.startsWith("@") ? text : redactAddress(text);
    throw new UsageError(`Cannot use --base-url "${shown}": ${(error as Error).message}`);
  }
}

async function firstEntries(
  source: ListSource,
  { waitMs, onWait, dependencies: { pause = delay } = {} }: OpenListsOptions,
): Promise<EndpointEntry[]> {
  const end = performance.now() + waitMs;
  for (let hasWaited = false;; hasWaited = true) {
    try {
      return (await source.read()).entries;
    } catch (error) {
      const reason = (error as Error).message;
      if (performance.now() >= end) {
        throw new UsageError(`Cannot use the list ${source.name} (--base-url): ${reason}`);
      }
      const limit = waitMs === Infinity ? "" : ` (${waitMs / 1_000} s at most)`;
      if (!hasWaited) onWait?.(`Waiting for ${source.name}: ${reason}${limit}`);
      await pause(RETRY_MS);
    }
  }
}
