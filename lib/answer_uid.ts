/**
 * Ids of answers in output lines: the id of the input row, with what a run has appended to it.
 *
 * @module
 */

import { isObject } from "./json.ts";

/** What a line of a results or failures file answers. */
export interface UidOrigin {
  /** The row's own id in the input, which equal rows share. */
  readonly inputUid: string;
  /** The id of the row in its run: `inputUid`, with `~2`, `~3` … for later rows with the same. */
  readonly rowUid: string;
  /** Which answer to the row it is, from 0. */
  readonly sample: number;
}

/** What a run may have appended to an id: first the number of a copy, then that of a sample. */
const SUFFIX = /^(~[1-9]\d*)?(?:#([1-9]\d{0,2}))?$/;
/** An id that is the hash of a row without one, and what may be appended to it. */
const DERIVED = /^([\da-f]{32})(?:[~#]|$)/;

/**
 * Finds out what a run appended to the id of a line. Users' own ids may end in the same way, but a
 * line always holds the row's own id if it differs from the line's.
 *
 * @param line The parsed line, which has a `uid`.
 * @param uidFields The fields named by `--uid-field`. @default none
 */
export function originOf(
  line: Readonly<Record<string, unknown>>,
  uidFields: readonly string[] = [],
): UidOrigin {
  const uid = String(line.uid);
  if (!/[~#]\d+$/.test(uid)) return { inputUid: uid, rowUid: uid, sample: 0 };
  const distill = isObject(line.distill) ? line.distill : {};
  // Early versions did not write the replaced fields, so the id alone must decide.
  if (distill.replaced === undefined) {
    return originIn(uid, uid.replace(/(?:~\d+)?(?:#\d{1,3})?$/, ""));
  }
  const candidates = [
    ...uidFields.map((field) => line[field]),
    replacedUid(distill.replaced),
    line.custom_id,
    line.id,
    DERIVED.exec(uid)?.[1],
  ];
  const inputUid = candidates.find((candidate) => isOwnUid(candidate, uid));
  return originIn(uid, inputUid === undefined ? uid : uid.slice(0, String(inputUid).length));
}

function originIn(uid: string, inputUid: string): UidOrigin {
  const [, copy = "", sample = "0"] = SUFFIX.exec(uid.slice(inputUid.length)) ?? [];
  return { inputUid, rowUid: inputUid + copy, sample: Number(sample) };
}

function isOwnUid(candidate: unknown, uid: string): boolean {
  if (typeof candidate !== "string" && typeof candidate !== "number") return false;
  const ownUid = String(candidate);
  return ownUid !== "" && uid.startsWith(ownUid) && SUFFIX.test(uid.slice(ownUid.length));
}

/** The row's own `uid`, if the line has another one. Early versions wrote an object, not JSON. */
function replacedUid(replaced: unknown): unknown {
  if (typeof replaced !== "string") return isObject(replaced) ? replaced.uid : undefined;
  if (!replaced.includes('"uid"')) return undefined;
  try {
    return JSON.parse(replaced).uid;
  } catch {
    return undefined;
  }
}
