/**
 * The list `teachers` of a configuration file: several teachers that share the rows.
 *
 * @module
 */

import { closestString } from "../lib/deps/std_text.ts";
import { MAX_CONCURRENCY } from "../lib/engine/mod.ts";
import { type EndpointName, ENDPOINTS } from "../lib/teacher/mod.ts";
import { type Block, blockOf, type Fail, isKeyName, refuseKey, shownValue } from "./config_yaml.ts";
import { parseThinkTags, THINK_TAGS_RULE } from "./settings.ts";
import { suggestion } from "./words.ts";

/** Which values a field accepts. */
interface Rule {
  /** The end of the error `… must be`. */
  readonly expected: string;
  /** The valid values, if they are a fixed list. */
  readonly words?: readonly string[];
  readonly accepts: (value: unknown) => boolean;
}

const TEXT: Rule = {
  expected: "a text",
  accepts: (value) => typeof value === "string" && value !== "",
};
const ABOVE_ZERO: Rule = {
  expected: "a number above 0",
  accepts: (value) => typeof value === "number" && value > 0 && value < Infinity,
};
const CONCURRENCY: Rule = {
  expected: `a whole number, between 1 and ${MAX_CONCURRENCY}`,
  accepts: (value) =>
    ABOVE_ZERO.accepts(value) && Number.isInteger(value) && Number(value) <= MAX_CONCURRENCY,
};

const ENDPOINT: Rule = {
  expected: `one of ${ENDPOINTS.join(", ")}`,
  words: ENDPOINTS,
  accepts: (value) => ENDPOINTS.some((endpoint) => endpoint === value),
};
const THINK_TAGS: Rule = {
  expected: THINK_TAGS_RULE,
  accepts: (value) => typeof value === "string" && parseThinkTags(value) !== undefined,
};
const BOOLEAN: Rule = { expected: "true or false", accepts: (value) => typeof value === "boolean" };
const HEADERS: Rule = {
  expected: "a block of names and values",
  accepts: isHeaders,
};

/** For each key, the property of `TeacherSpec` that it sets, and its rule. */
const FIELDS: ReadonlyMap<string, readonly [keyof TeacherSpec, Rule]> = new Map([
  ["base_url", ["baseUrl", TEXT]],
  ["model", ["model", TEXT]],
  ["api_key_env", ["apiKeyEnv", TEXT]],
  ["api_key_file", ["apiKeyFile", TEXT]],
  ["weight", ["weight", ABOVE_ZERO]],
  ["max_concurrency", ["maxConcurrency", CONCURRENCY]],
  ["rpm", ["rpm", ABOVE_ZERO]],
  ["tpm", ["tpm", ABOVE_ZERO]],
  ["endpoint", ["endpoint", ENDPOINT]],
  ["headers", ["headers", HEADERS]],
  ["ca_file", ["caFile", TEXT]],
  ["client_cert", ["clientCert", TEXT]],
  ["client_key", ["clientKey", TEXT]],
  ["insecure_tls", ["insecureTls", BOOLEAN]],
  ["think_tags", ["thinkTags", THINK_TAGS]],
]);

/** Values of these keys may hold a secret, or be one that was typed where a name is expected. */
const MAY_BE_SECRET = /^(?:api_key_\w+|base_url|client_key)$/;

/** Reads the list of teachers. Errors name a teacher by its number, from 1. */
export function readTeachers(value: unknown, fail: Fail): TeacherSpec[] {
  if (!Array.isArray(value) || value.length === 0) {
    return fail("teachers must be a list of blocks, each with a base_url or a model of its own");
  }
  return value.map((entry: unknown, index) => {
    const name = `teacher ${index + 1}`;
    return readTeacher(blockOf(entry, name, fail), (problem) => fail(`${name}: ${problem}`));
  });
}

function readTeacher(block: Block, fail: Fail): TeacherSpec {
  const spec: { -readonly [Name in keyof TeacherSpec]: unknown } = {};
  for (const [key, value] of Object.entries(block)) {
    const name = key.replaceAll("-", "_");
    if (isKeyName(name)) refuseKey(key, fail);
    const field = FIELDS.get(name);
    if (field === undefined) {
      return fail(
        `there is no "${key}". Did you mean "${closestString(name, [...FIELDS.keys()])}"?`,
      );
    }
    if (value === null) continue;
    const [property, { expected, words = [], accepts }] = field;
    if (!accepts(value)) {
      const current = MAY_BE_SECRET.test(name) ? shownValue(value) : JSON.stringify(value);
      // Header fields may hold secrets.
      const shown = name === "headers" ? "" : `: current value is ${current}`;
      fail(`${key} must be ${expected}${shown}${suggestion(String(value), words)}`);
    }
    spec[property] = value;
  }
  // Each value has passed the rule of its key.
  return spec as TeacherSpec;
}

/** Whether a value is a block of header fields. */
export function isHeaders(value: unknown): value is Readonly<Record<string, HeaderValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((field) => /^(?:string|number|boolean)$/.test(typeof field));
}

/** One of several teachers: the settings in which it differs from the common ones. */
export interface TeacherSpec {
  /** Address up to `/v1`, or `@env:NAME`. @default `--base-url` */
  readonly baseUrl?: string;
  readonly model?: string;
  /** Environment variable that holds the key. */
  readonly apiKeyEnv?: string;
  readonly apiKeyFile?: string;
  /** Share of the load, relative to the other teachers. */
  readonly weight?: number;
  /** Maximum number of attempts in flight. @default the run's concurrency */
  readonly maxConcurrency?: number;
  /** Requests per minute. @default `--rpm` */
  readonly rpm?: number;
  /** Tokens per minute. @default `--tpm` */
  readonly tpm?: number;
  readonly endpoint?: EndpointName;
  /** Header fields, in addition to those of `--header`. */
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  /** PEM file of certificate authorities. No others are trusted. */
  readonly caFile?: string;
  /** Path of a PEM file. */
  readonly clientCert?: string;
  /** PEM file of the certificate's private key. */
  readonly clientKey?: string;
  /** Whether the server's certificate is not verified. */
  readonly insecureTls?: boolean;
  /** Tags around the reasoning: `OPEN,CLOSE`. */
  readonly thinkTags?: string;
}

/** A header value as YAML gives it. */
type HeaderValue = string | number | boolean;
