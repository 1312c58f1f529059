/**
 * Request parameters, from the configuration and from flags.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { parseLossless, setField } from "../lib/source/mod.ts";
import type { Params } from "../lib/teacher/mod.ts";
import type { Settings } from "./settings.ts";

/**
 * Merges the parameters. Later ones take precedence: configuration, `--params`, `--temperature` and
 * `--max-tokens`, `-p`.
 *
 * @throws {UsageError} if one cannot be read, or must not be sent
 */
export async function readParams(settings: Settings, config: Params): Promise<Params> {
  const params: Record<string, unknown> = { ...config };
  const text = await settings.textOrFile("params");
  if (text !== undefined) Object.assign(params, parseObject(text));
  for (const name of ["temperature", "max-tokens"]) {
    const value = settings.text(name);
    if (value === undefined) continue;
    if (value.trim() === "" || !Number.isFinite(Number(value))) {
      throw new UsageError(`Cannot use ${settings.flagText(name, value)}: it must be a number`);
    }
    setParam(params, name.replace("-", "_"), value);
  }
  for (const pair of settings.list("param")) {
    const equals = pair.indexOf("=");
    if (equals < 1) {
      throw new UsageError(`Cannot use -p ${JSON.stringify(pair)}: it must be NAME=VALUE`);
    }
    setParam(params, pair.slice(0, equals), pair.slice(equals + 1));
  }
  if (Object.hasOwn(params, "model")) {
    throw new UsageError('Cannot send the parameter "model": use -m');
  }
  return params;
}

function parseObject(text: string): Params {
  let value: unknown;
  try {
    value = parseLossless(text);
  } catch (cause) {
    throw new UsageError(`Cannot use --params: it is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Params;
  throw new UsageError('Cannot use --params: it must be an object, as in {"temperature":0.6}');
}

/** Sets a parameter, or with the path `a.b` a field of it. Text that is not JSON is a string. */
function setParam(params: Record<string, unknown>, path: string, text: string): void {
  let value: unknown;
  try {
    value = parseLossless(text);
  } catch {
    value = text;
  }
  const names = path.split(".");
  let holder = params;
  for (const name of names.slice(0, -1)) {
    const inner = Object.hasOwn(holder, name) ? holder[name] : undefined;
    const copy = typeof inner === "object" && inner !== null ? { ...inner } : {};
    setField(holder, name, copy);
    holder = copy as Record<string, unknown>;
  }
  setField(holder, names.at(-1)!, value);
}
