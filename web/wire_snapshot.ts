/** Shortens a snapshot so that it can be sent twice a second. @module */

import { Buffer } from "node:buffer";
import {
  countTeacherStates,
  type ErrorGroup,
  mostUrgentTeachers,
  type Snapshot,
  type TeacherStatus,
} from "../lib/progress/mod.ts";
import { formatCount, sumOf } from "../lib/figures.ts";
import { cut } from "../lib/printable.ts";
import type { SnapshotMessage } from "./protocol.ts";
import type { TeacherFigures, WireSnapshot } from "./monitor_state.ts";

export const MAX_SNAPSHOT_BYTES = 8 * 1024;

/** Longest uid, in UTF-16 units. Users search for uids, so most must not be truncated. */
const MAX_UID = 80;

interface Limits {
  readonly errors: number;
  readonly teachers: number;
  /** Longest text, in UTF-16 units. */
  readonly text: number;
}

/**
 * Limits, tried in this order. Any snapshot fits the last ones: 24 UTF-16 units of control
 * characters have 144 bytes.
 */
const LIMITS: readonly Limits[] = [
  { errors: 50, teachers: 32, text: 400 },
  { errors: 30, teachers: 16, text: 240 },
  { errors: 20, teachers: 12, text: 160 },
  { errors: 12, teachers: 8, text: 120 },
  { errors: 8, teachers: 6, text: 80 },
  { errors: 4, teachers: 4, text: 40 },
  { errors: 2, teachers: 2, text: 24 },
];

/**
 * Shortens a snapshot, by default to the limits of `hello` and reports. Returns only the figures of
 * the teachers in the shortened snapshot.
 *
 * @param figures One for each teacher of the snapshot.
 */
export function wireSnapshot(
  snapshot: Snapshot,
  figures: readonly TeacherFigures[],
  limits: Limits = LIMITS[0],
): { snapshot: WireSnapshot; teacher_figures: TeacherFigures[] } {
  const { teachers } = snapshot;
  // Teachers that left always have an entry, so that the sums of the table are complete.
  const left = sumOfLeft(teachers.filter((teacher) => !isPresent(teacher)));
  const shown = mostUrgentTeachers(teachers, limits.teachers - left.length);
  return {
    snapshot: {
      ...snapshot,
      reason: cutOrNull(snapshot.reason, limits.text),
      errors: snapshot.errors.slice(0, limits.errors).map((group) => cutGroup(group, limits.text)),
      errors_total: snapshot.errors.length,
      teachers: [...shown.map((i) => teachers[i]), ...left]
        .map((teacher) => cutTeacher(teacher, limits.text)),
      teachers_total: teachers.filter(isPresent).length + left.length,
      teachers_left: left.length,
      teacher_states: countTeacherStates(teachers),
    },
    teacher_figures: [
      ...shown.map((i) => figures[i]),
      ...left.map(() => ({ rows_per_s: 0, p50_ms: null })),
    ],
  };
}

function isPresent({ state }: TeacherStatus): boolean {
  return state !== "left";
}

/** Sums up the teachers that left in one entry. Returns no entry if no teacher left. */
function sumOfLeft(left: readonly TeacherStatus[]): TeacherStatus[] {
  if (left.length < 2) return [...left];
  const count = sumOf(left, ({ teachers = 1 }) => teachers);
  return [{
    ...left[0],
    address: `${formatCount(count)} teachers that left`,
    model: "",
    answered: sumOf(left, ({ answered }) => answered),
    failed: sumOf(left, ({ failed }) => failed),
    completion_tokens: sumOf(left, ({ completion_tokens }) => completion_tokens),
    cost_usd: sumOf(left, ({ cost_usd }) => cost_usd),
    teachers: count,
  }];
}

/**
 * Encodes a message in at most 8 KB, where necessary with fewer errors and teachers and shorter
 * texts.
 */
export function encodeSnapshot(
  message: Omit<SnapshotMessage, "snapshot">,
  snapshot: Snapshot,
): string {
  let text = "";
  for (const limits of LIMITS) {
    text = JSON.stringify({
      ...message,
      ...wireSnapshot(snapshot, message.teacher_figures, limits),
    });
    if (Buffer.byteLength(text) <= MAX_SNAPSHOT_BYTES) break;
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

function cutOrNull(text: string | null, length: number): string | null {
  return text === null ? null : cut(text, length);
}
