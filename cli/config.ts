/**
 * Reads the YAML file of `--config`: inputs, flags, sampling parameters, header fields and
 * teachers, and two blocks of the configuration of ModelCall, an earlier tool.
 *
 * @module
 */

import { suggestion } from "../lib/similar_name.ts";
import { UsageError } from "../lib/errors.ts";
import { secretParam } from "../lib/params.ts";
import { MAX_CONCURRENCY } from "../lib/engine/mod.ts";
import {
  aboveZero,
  accepts,
  flag,
  oneOf,
  type OptionRule,
  type OptionRules,
  text,
  wholeNumberFrom,
} from "../lib/options.ts";
import { type EndpointName, ENDPOINTS } from "../lib/teacher/mod.ts";
import {
  type Block,
  blockOf,
  type Fail,
  isSecretName,
  readYaml,
  refuseSecret,
  shownValue,
} from "./config_yaml.ts";
import { FLAGS } from "./flags.ts";
import type { FlagValue } from "./parse.ts";
import { parseThinkTags, THINK_TAGS_RULE } from "./settings.ts";

export interface Config {
  readonly inputs: string[];
  /** Flags by long name, with values as if the user had typed the flags. */
  readonly flags: Map<string, FlagValue>;
  /** Sampling parameters, from `params` and `chat_config`. */
  readonly params: Record<string, unknown>;
  readonly teachers: TeacherSpec[];
}

const SETTABLE_FLAGS = FLAGS.filter((flag) =>
  flag.commands.includes("run") && flag.group !== "Help" && flag.name !== "config"
);
const OTHER_KEYS = ["input", "params", "headers", "teachers", "client-config", "chat-config"];

export async function readConfig(path: string): Promise<Config> {
  const config: Config = { inputs: [], flags: new Map(), params: {}, teachers: [] };
  const fail: Fail = (problem, cause) => {
    throw new UsageError(`Cannot use "${path}": ${problem}`, { cause });
  };
  const file = blockOf(await readYaml(path, fail) ?? {}, "the file", fail);
  for (const [key, value] of Object.entries(file)) {
    const name = key.replaceAll("_", "-");
    if (value === null) continue;
    if (name === "input") readInputs(value, config, fail);
    else if (name === "params") readParamBlock(blockOf(value, key, fail), key, config, fail);
    else if (name === "headers") readHeaderBlock(value, config, fail);
    else if (name === "teachers") config.teachers.push(...readTeachers(value, fail));
    else if (name === "client-config") readClient(blockOf(value, key, fail), config, fail);
    else if (name === "chat-config") readChat(blockOf(value, key, fail), key, config, fail);
    else readFlag(name, key, value, config, fail);
  }
  return config;
}

function readFlag(name: string, key: string, value: unknown, config: Config, fail: Fail): void {
  if (isSecretName(name.replaceAll("-", "_"))) return refuseSecret(key, fail);
  const negatedName = name.startsWith("no-") ? name.slice(3) : undefined;
  const flag = SETTABLE_FLAGS.find((flag) =>
    flag.name === name || (flag.isOnByDefault && flag.name === negatedName)
  );
  if (flag === undefined) {
    const names = [...SETTABLE_FLAGS.map((flag) => flag.name), ...OTHER_KEYS];
    const hint = suggestion(name, names) ||
      ". Keys are input, params, headers, teachers and the flags of a run (--help-all)";
    return fail(`there is no "${key}"${hint}`);
  }
  if (flag.name === "overwrite" && value === true) {
    // Users continue a run with the same command, and `overwrite` would delete the answers.
    return fail(
      `${key} deletes answers each time the file is used: write it in the command instead`,
    );
  }
  if (flag.value !== undefined && [value].flat().some((item) => typeof item === "object")) {
    return fail(`${key} must be a string, a number or a list of them: put the string in quotes`);
  }
  if (flag.value === undefined) {
    if (typeof value !== "boolean") {
      const shown = typeof value === "string" ? value : shownValue(value);
      return fail(`${key} must be true or false: current value is ${shown}`);
    }
    config.flags.set(flag.name, negatedName === flag.name ? !value : value);
  } else if (flag.name === "header") addHeaders(config, [value].flat().map(String));
  else if (flag.isRepeatable) config.flags.set(flag.name, [value].flat().map(String));
  else if (flag.isValueOptional && typeof value === "boolean") {
    if (value) config.flags.set(flag.name, "");
  } else config.flags.set(flag.name, [value].flat().map(String).join(","));
}

function readInputs(value: unknown, config: Config, fail: Fail): void {
  const paths: unknown[] = [value].flat();
  if (paths.some((path) => typeof path === "object")) {
    fail("input must be a path or a list of paths");
  }
  config.inputs.push(...paths.map(String));
}

function readHeaderBlock(value: unknown, config: Config, fail: Fail): void {
  if (!isHeaders(value)) {
    fail("headers must be a block of names and values");
  }
  addHeaders(config, Object.entries(value).map(([name, text]) => `${name}=${text}`));
}

/**
 * Adds header fields to those that were read before, because a file may have both `header` and
 * `headers`.
 */
function addHeaders({ flags }: Config, fields: readonly string[]): void {
  flags.set("header", [flags.get("header") ?? [], fields].flat().map(String));
}

/** The flag for each key of ModelCall's `client_config`, except `max_retries`. */
const CLIENT_FLAGS: ReadonlyMap<string, string> = new Map([
  ["base_url", "base-url"],
  ["timeout", "timeout"],
  ["api_key_env", "api-key-env"],
  ["api_key_file", "api-key-file"],
]);

/** Reads ModelCall's `client_config`: options of the OpenAI client, and where its key is stored. */
function readClient(block: Block, config: Config, fail: Fail): void {
  for (const [key, value] of Object.entries(block)) {
    if (value === null) continue;
    const name = CLIENT_FLAGS.get(key), fullKey = `client_config.${key}`;
    if (key === "api_key") refuseSecret(fullKey, fail);
    else if (key === "max_retries") {
      const retries = /^\d+$/.test(String(value)) ? Number(value) : NaN;
      if (!Number.isSafeInteger(retries)) {
        fail(`${fullKey} must be a whole number, 0 or more: current value is ${shownValue(value)}`);
      }
      config.flags.set("max-attempts", String(retries + 1));
    } else if (name !== undefined) readFlag(name, fullKey, value, config, fail);
    else {
      fail(
        `${fullKey} is not supported: client_config takes base_url, timeout, max_retries, ` +
          "api_key_env and api_key_file",
      );
    }
  }
}

/** Reads ModelCall's `chat_config`: the fields of each request, except `messages`. */
function readChat(block: Block, key: string, config: Config, fail: Fail): void {
  const params: Block = {};
  for (const [name, value] of Object.entries(block)) {
    if (value === null) continue;
    if (name === "model" || name === "stream") {
      readFlag(name, `${key}.${name}`, value, config, fail);
    } else params[name] = value;
  }
  readParamBlock(params, key, config, fail);
}

/** Reads sampling parameters. Refuses secrets, because parameters are written to files. */
function readParamBlock(block: Block, key: string, config: Config, fail: Fail): void {
  const secret = secretParam(block);
  if (secret !== undefined) refuseSecret(`${key}.${secret}`, fail);
  Object.assign(config.params, block);
}

const TEXT: OptionRule = { ...text, isInRange: (value: string) => value !== "" };
const CONCURRENCY: OptionRule = {
  ...wholeNumberFrom(1, MAX_CONCURRENCY),
  expected: `a whole number, between 1 and ${MAX_CONCURRENCY}`,
};
const THINK_TAGS: OptionRule = {
  expected: THINK_TAGS_RULE,
  isType: (value) => typeof value === "string" && parseThinkTags(value) !== undefined,
};
const ENDPOINT: OptionRule = { ...oneOf(ENDPOINTS), expected: `one of ${ENDPOINTS.join(", ")}` };
const HEADERS: OptionRule = { expected: "a block of names and values", isType: isHeaders };

const TEACHER_RULES: OptionRules<TeacherSpec> = {
  baseUrl: TEXT,
  model: TEXT,
  apiKeyEnv: TEXT,
  apiKeyFile: TEXT,
  weight: aboveZero,
  maxConcurrency: CONCURRENCY,
  rpm: aboveZero,
  tpm: aboveZero,
  endpoint: ENDPOINT,
  headers: HEADERS,
  caFile: TEXT,
  clientCert: TEXT,
  clientKey: TEXT,
  insecureTls: flag,
  thinkTags: THINK_TAGS,
};

/** The rules for the fields of a teacher, by the key in the file, such as `base_url`. */
const RULES_BY_KEY: ReadonlyMap<string, [keyof TeacherSpec, OptionRule]> = new Map(
  Object.entries(TEACHER_RULES).map(([field, rule]) => [
    field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    [field as keyof TeacherSpec, rule],
  ]),
);

/**
 * Matches keys whose value may contain a secret, or be a secret that was typed instead of a name.
 */
const MAY_BE_SECRET = /^(?:api_key_\w+|base_url|client_key)$/;

function readTeachers(value: unknown, fail: Fail): TeacherSpec[] {
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
    if (isSecretName(name)) refuseSecret(key, fail);
    const fieldAndRule = RULES_BY_KEY.get(name);
    if (fieldAndRule === undefined) {
      const names = [...RULES_BY_KEY.keys()];
      const hint = suggestion(name, names) || `: its keys are ${names.join(", ")}`;
      return fail(`there is no "${key}"${hint}`);
    }
    if (value === null) continue;
    const [field, rule] = fieldAndRule;
    if (!accepts(rule, value)) {
      const current = MAY_BE_SECRET.test(name) ? shownValue(value) : JSON.stringify(value);
      // Header fields may contain secrets.
      const shown = name === "headers" ? "" : `: current value is ${current}`;
      const hint = rule === ENDPOINT ? suggestion(String(value), ENDPOINTS) : "";
      fail(`${key} must be ${rule.expected}${shown}${hint}`);
    }
    spec[field] = value;
  }
  return spec as TeacherSpec;
}

function isHeaders(value: unknown): value is Readonly<Record<string, HeaderValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((field) => /^(?:string|number|boolean)$/.test(typeof field));
}

export interface TeacherSpec {
  /**
   * The address, as in `--base-url`: a URL up to `/v1`, `@env:NAME`, or a list. @default
   * `--base-url`
   */
  readonly baseUrl?: string;
  readonly model?: string;
  readonly apiKeyEnv?: string;
  readonly apiKeyFile?: string;
  readonly weight?: number;
  /** Maximum number of attempts in flight. @default the run's concurrency */
  readonly maxConcurrency?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly endpoint?: EndpointName;
  /**
   * Header fields, sent in addition to those of `--header`. They replace fields with the same name.
   */
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  /** PEM file with the certificate authorities to trust. No others are trusted. */
  readonly caFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly insecureTls?: boolean;
  /** Tags around the reasoning: `OPEN,CLOSE`. */
  readonly thinkTags?: string;
}

type HeaderValue = string | number | boolean;
