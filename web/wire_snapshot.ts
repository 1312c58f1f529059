/**
 * Shortens a snapshot so that it can be sent twice a second.
 *
 * @module
 */

import type { ErrorGroup, Snapshot, TeacherStatus } from "../lib/progress/mod.ts";
import { byteLength, cut } from "./cut.ts";
import type { SnapshotMessage } from "./protocol.ts";
import type { WireSnapshot } from "./monitor_state.ts";

/** Limit of a snapshot message, in bytes. */
export const MAX_SNAPSHOT_BYTES = 8 * 1024;

/** How much of a snapshot is kept. */
interface Fit {
  readonly errors: number;
  readonly teachers: number;
  /** Longest text, in UTF-16 units. */
  readonly text: number;
}

/**
 * Tried in this order. With the last one any snapshot fits: a text of 24 units has at most 144
 * bytes, if all are control characters.
 */
const FITS: readonly Fit[] = [
  { errors: 50, teachers: 32, text: 400 },
  { errors: 30, teachers: 16, text: 240 },
  { errors: 20, teachers: 12, text: 160 },
  { errors: 12, teachers: 8, text: 120 },
  { errors: 8, teachers: 6, text: 80 },
  { errors: 4, teachers: 4, text: 40 },
  { errors: 2, teachers: 2, text: 24 },
];

/** Shortens a snapshot; by default to the limits of those in `hello` and in reports. */
export function wireSnapshot(snapshot: Snapshot, fit: Fit = FITS[0]): WireSnapshot {
  return {
    ...snapshot,
    reason: cutOrNull(snapshot.reason, fit.text),
    errors: snapshot.errors.slice(0, fit.errors).map((group) => cutGroup(group, fit.text)),
    errors_total: snapshot.errors.length,
    teachers: snapshot.teachers.slice(0, fit.teachers).map((one) => cutTeacher(one, fit.text)),
    teachers_total: snapshot.teachers.length,
    teachers_left: snapshot.teachers.filter(({ state }) => state === "left").length,
  };
}

/**
 * Encodes a snapshot message in at most 8 KB: completely if that fits, otherwise with only the most
 * frequent errors and shorter texts.
 */
export function encodeSnapshot(
  message: Omit<SnapshotMessage, "snapshot">,
  snapshot: Snapshot,
): string {
  let text = "";
  for (const fit of FITS) {
    const teacher_figures = message.teacher_figures.slice(0, fit.teachers);
    text = JSON.stringify({ ...message, teacher_figures, snapshot: wireSnapshot(snapshot, fit) });
    if (byteLength(text) <= MAX_SNAPSHOT_BYTES) break;
  }
  return text;
}

function cutGroup(group: ErrorGroup, length: number): ErrorGroup {
  return {
    ...group,
    message: cut(group.message, length),
    uids: group.uids.map((uid) => cut(uid, Math.min(length, MAX_UID))),
  };
}

function cutTeacher(teacher: TeacherStatus, length: number): TeacherStatus {
  return {
    ...teacher,
    address: cut(teacher.address, length),
    model: cut(teacher.model, length),
    reason: cutOrNull(teacher.reason, length),
  };
}

/** Longest id, in UTF-16 units. Users search for ids, so most must be complete. */
const MAX_UID = 80;

function cutOrNull(text: string | null, length: number): string | null {
  return text === null ? null : cut(text, length);
}
