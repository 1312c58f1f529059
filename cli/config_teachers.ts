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

/** What a field takes, in the words of the error, and the check. */
interface Rule {
  readonly what: string;
  readonly takes: (value: unknown) => boolean;
}

const TEXT: Rule = {
  what: "a text",
  takes: (value) => typeof value === "string" && value !== "",
};
const ABOVE_ZERO: Rule = {
  what: "a number above 0",
  takes: (value) => typeof value === "number" && value > 0 && value < Infinity,
};
const CONCURRENCY: Rule = {
  what: `a whole number, between 1 and ${MAX_CONCURRENCY}`,
  takes: (value) =>
    ABOVE_ZERO.takes(value) && Number.isInteger(value) && Number(value) <= MAX_CONCURRENCY,
};

const ENDPOINT: Rule = {
  what: `one of ${ENDPOINTS.join(", ")}`,
  takes: (value) => ENDPOINTS.some((endpoint) => endpoint === value),
};
const THINK_TAGS: Rule = {
  what: THINK_TAGS_RULE,
  takes: (value) => typeof value === "string" && parseThinkTags(value) !== undefined,
};
const SWITCH: Rule = { what: "true or false", takes: (value) => typeof value === "boolean" };
const HEADERS: Rule = {
  what: "a block of names and values",
  takes: isHeaders,
};

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
  ["insecure_tls", ["insecureTls", SWITCH]],
  ["think_tags", ["thinkTags", THINK_TAGS]],
]);

/** Values of these keys may hold a secret, or be one that was typed where a name is expected. */
const MAY_BE_SECRET = /^(?:api_key_\w+|base_url|client_key)$/;

/** Reads the list of teachers. Errors name a teacher by its number, from 1. */
export function readTeachers(value: unknown, fail: Fail): TeacherSpec[] {
  if (!Array.isArray(value) || value.length === 0) {
    return fail("teachers must be a list of blocks, each with a base_url or a model of its own");
  }
  return value.map((one: unknown, index) => {
    const place = `teacher ${index + 1}`;
    return readTeacher(blockOf(one, place, fail), (what) => fail(`${place}: ${what}`));
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
    const [as, { what, takes }] = field;
    if (!takes(value)) {
      const current = MAY_BE_SECRET.test(name) ? shownValue(value) : JSON.stringify(value);
      fail(`${key} must be ${what}${name === "headers" ? "" : `: current value is ${current}`}`);
    }
    spec[as] = value;
  }
  // Each value has passed the rule of its key.
  return spec as TeacherSpec;
}

/** Whether a value is a block of header fields. */
export function isHeaders(value: unknown): value is Readonly<Record<string, HeaderValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((one) => /^(?:string|number|boolean)$/.test(typeof one));
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
  /** Most attempts in flight. @default no limit of its own */
  readonly maxConcurrency?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly endpoint?: EndpointName;
  /** Header fields, in addition to those of `--header`. */
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  /** PEM file of the only certificate authorities that are trusted. */
  readonly caFile?: string;
  /** Path of a PEM file. */
  readonly clientCert?: string;
  /** PEM file of the certificate's private key. */
  readonly clientKey?: string;
  /** Whether any certificate is accepted. */
  readonly insecureTls?: boolean;
  /** Tags around the reasoning: `OPEN,CLOSE`. */
  readonly thinkTags?: string;
}

/** A header value as YAML gives it. */
type HeaderValue = string | number | boolean;
