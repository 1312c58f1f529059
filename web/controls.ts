/** The controls of the page: request body and effect. @module */

import type { MonitoredRun } from "./monitored_run.ts";
import type { ControlName } from "./protocol.ts";

/** What a control acts on. */
export interface ControlTarget {
  /** The run. */
  readonly run: MonitoredRun;
  /** What happens once the run has ended: controls set it. */
  readonly atEnd: { retryWhenDone: boolean };
}

/** Executes a control. Returns the effect as text for a notice. */
type Control = (body: unknown, target: ControlTarget) => string;

const CONTROLS: Readonly<Record<ControlName, Control>> = {
  pause(body, { run }) {
    expectNoFields(body);
    run.pause();
    return "Paused";
  },
  resume(body, { run }) {
    expectNoFields(body);
    run.resume();
    return "Resumed";
  },
  concurrency(body, { run }) {
    const concurrency = onlyField("concurrency", body, isCount, "a whole number from 1");
    run.setConcurrency(concurrency);
    return `Concurrency set to ${concurrency}`;
  },
  budget(body, { run }) {
    const usd = onlyField(
      "max_cost_usd",
      body,
      isBudget,
      "US dollars above 0, or null for no limit",
    );
    run.setMaxCost(usd);
    return usd === null ? "Budget removed" : `Budget set to $${usd}`;
  },
  retry(body, { atEnd }) {
    atEnd.retryWhenDone = onlyField("retry_when_done", body, isBoolean, "true or false");
    return atEnd.retryWhenDone
      ? "Failed rows will be retried at the end of the run"
      : "Failed rows will not be retried";
  },
  stop(body, { run, atEnd }) {
    expectNoFields(body);
    atEnd.retryWhenDone = false;
    run.stop();
    return "Stopping: calls in flight are finished";
  },
  abort(body, { run, atEnd }) {
    onlyField("confirm", body, (value) => value === "abort", '"abort"');
    atEnd.retryWhenDone = false;
    run.abort("Aborted from the monitor");
    return "Aborting: calls in flight are canceled";
  },
};

/** Whether a control has this name. */
export function isControl(name: string): name is ControlName {
  return Object.hasOwn(CONTROLS, name);
}

/**
 * Executes the control, and records it as a notice of the run. An invalid body changes nothing.
 *
 * @throws {TypeError | RangeError | UsageError} if the body is invalid or the run rejects the value
 */
export function useControl(name: ControlName, body: unknown, target: ControlTarget): void {
  const effect = CONTROLS[name](body, target);
  target.run.notice("info", `${effect} (from the monitor)`);
}

function onlyField<T>(
  field: string,
  body: unknown,
  isValid: (value: unknown) => value is T,
  expected: string,
): T {
  const { [field]: value, ...others } = fieldsOf(body);
  if (Object.keys(others).length === 0 && isValid(value)) return value;
  throw new TypeError(
    `Cannot use the control: the body must have only the field "${field}", with ${expected}`,
  );
}

function expectNoFields(body: unknown): void {
  if (Object.keys(fieldsOf(body)).length === 0) return;
  throw new TypeError("Cannot use the control: the body must be {}");
}

function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return { ...body };
  throw new TypeError("Cannot use the control: the body must be a JSON object");
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
