/**
 * Controls that a page has over the run.
 *
 * @module
 */

import type { MonitoredRun } from "./monitored_run.ts";
import type { ControlName } from "./protocol.ts";

export interface ControlTarget {
  readonly run: MonitoredRun;
  /** Plan for the end of the run. */
  readonly plan: { retryWhenDone: boolean };
}

/** Validates the body, acts, and returns the text for the log. */
type Control = (body: unknown, target: ControlTarget) => string;

const CONTROLS: Readonly<Record<ControlName, Control>> = {
  pause(body, { run }) {
    nothingIn(body);
    run.pause();
    return "Paused";
  },
  resume(body, { run }) {
    nothingIn(body);
    run.resume();
    return "Resumed";
  },
  concurrency(body, { run }) {
    const concurrency = only("concurrency", body, isCount, "a whole number from 1");
    run.setConcurrency(concurrency);
    return `Concurrency set to ${concurrency}`;
  },
  budget(body, { run }) {
    const usd = only("max_cost_usd", body, isBudget, "US dollars above 0, or null for no limit");
    run.setMaxCost(usd);
    return usd === null ? "Budget lifted" : `Budget set to $${usd}`;
  },
  retry(body, { plan }) {
    plan.retryWhenDone = only("retry_when_done", body, isBoolean, "true or false");
    return plan.retryWhenDone
      ? "Failed rows will be retried at the end of the run"
      : "Failed rows will not be retried";
  },
  stop(body, { run, plan }) {
    nothingIn(body);
    plan.retryWhenDone = false;
    run.stop();
    return "Stopping: calls in flight are finished";
  },
  abort(body, { run, plan }) {
    only("confirm", body, (value) => value === "abort", '"abort"');
    plan.retryWhenDone = false;
    run.abort("Aborted from the monitor");
    return "Aborting: calls in flight are cancelled";
  },
};

/** Whether a control has this name. */
export function isControl(name: string): name is ControlName {
  return Object.hasOwn(CONTROLS, name);
}

/**
 * Runs a control and records it as a notice of the run. An invalid body changes nothing.
 *
 * @throws {TypeError | RangeError | UsageError} if the body is invalid, or the run refuses the
 * value
 */
export function useControl(name: ControlName, body: unknown, target: ControlTarget): void {
  const words = CONTROLS[name](body, target);
  target.run.notice("info", `${words} (from the monitor)`);
}

/**
 * Returns the value of the body's only field. Throws if it is wrong, or if there are other fields.
 */
function only<T>(
  field: string,
  body: unknown,
  isRight: (value: unknown) => value is T,
  expected: string,
): T;
function only(
  field: string,
  body: unknown,
  isRight: (value: unknown) => boolean,
  expected: string,
): unknown;
function only(
  field: string,
  body: unknown,
  isRight: (value: unknown) => boolean,
  expected: string,
): unknown {
  const { [field]: value, ...others } = fieldsOf(body);
  if (Object.keys(others).length === 0 && isRight(value)) return value;
  throw new TypeError(`Cannot do that: the body must be {"${field}": …}, ${expected}`);
}

function nothingIn(body: unknown): void {
  if (Object.keys(fieldsOf(body)).length === 0) return;
  throw new TypeError("Cannot do that: the body must be {}");
}

function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return { ...body };
  throw new TypeError("Cannot do that: the body must be a JSON object");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function isBudget(value: unknown): value is number | null {
  return value === null || (typeof value === "number" && Number.isFinite(value) && value > 0);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}
