/** Checks the options and parameters of a teacher before a run: rejects what cannot be sent, and
 * reports what will probably have no effect. @module */

import {
  callback,
  checkOptions,
  flag,
  oneOf,
  type OptionRule,
  type OptionRules,
  record,
  requireOptions,
  text,
  texts,
} from "../options.ts";
import {
  asksForSeveral,
  BODY_PARAMS,
  secretParam,
  textParamNotices,
  unknownParamNotices,
} from "../params.ts";
import { type EndpointName, ENDPOINTS, FORMATS } from "./api_format.ts";
import { asObject } from "./json.ts";
import { checkHeaders } from "./secrets.ts";
import type { Params } from "./teacher.ts";
import { inspect } from "node:util";

/** Options of {@linkcode openai}. */
export interface OpenAICompatibleOptions {
  /**
   * The base URL. The path of the endpoint (`/chat/completions`) is appended to it, and a query
   * string is kept. If there is no `apiKey`, `user:password@` in the URL is sent as basic
   * authorization. For Azure, use `https://NAME.openai.azure.com/openai/v1` or
   * `https://NAME.openai.azure.com/openai/deployments/DEPLOYMENT?api-version=2024-10-21`.
   * @default "https://api.openai.com/v1"
   */
  baseUrl?: string | undefined;
  /**
   * The endpoint: `chat` is `/chat/completions`; `completions` is `/completions`, for base models
   * and rows of one text; `responses` is `/responses`, which returns summaries of the reasoning.
   * @default "chat"
   */
  endpoint?: EndpointName | undefined;
  /** The model for rows whose parameters have no `model`. */
  model: string;
  /** The API key, sent as `Authorization: Bearer …` (to Azure as `api-key`) and never shown.
   * @default none */
  apiKey?: string | undefined;
  /** Whether answers are streamed as server-sent events. @default false */
  stream?: boolean | undefined;
  /** The time limit of an attempt, in milliseconds. @default 3_600_000 (an hour) */
  timeoutMs?: number | undefined;
  /** The time limit for connecting, in milliseconds. @default 10_000 */
  connectTimeoutMs?: number | undefined;
  /** Maximum time between two tokens of a stream, in milliseconds. Before the first token, only
   * `timeoutMs` applies, because a model may reason for a long time. @default 120_000 */
  streamIdleTimeoutMs?: number | undefined;
  /** Additional header fields. They replace Retort's fields of the same name. @default {} */
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Texts that must never be shown, such as values of `headers` whose names do not suggest a
   * secret. The key and the values of header fields such as `api-key` are always hidden.
   * @default []
   */
  secrets?: readonly string[] | undefined;
  /** The trusted certificate authorities (PEM). @default the authorities that Deno trusts, or those
   * of `DENO_CERT`, `NODE_EXTRA_CA_CERTS` and `DENO_TLS_CA_STORE` */
  ca?: string | undefined;
  /** The certificate (PEM, with its chain) for a teacher that requires one (mTLS). @default none */
  clientCert?: string | undefined;
  /** The private key (PEM, not encrypted) of `clientCert`. @default the key in `clientCert` */
  clientKey?: string | undefined;
  /** Whether to accept any certificate. Anyone on the network path can then read prompts, answers
   * and the key. @default false */
  insecureTls?: boolean | undefined;
  /** The raw fields of the answer to keep (`logprobs`, `system_fingerprint`, …). Each is looked up
   * in the choice, then at the top level. @default [] */
  keep?: readonly string[] | undefined;
  /**
   * The tags around the model's reasoning in its answers, such as `["<reason>", "</reason>"]`.
   * Known tags (`<think>`, `[THINK]`, the channels of gpt-oss, …) are always recognized.
   * @default none
   */
  thinkTags?: readonly [open: string, close: string] | undefined;
  /** The URL of an HTTP proxy. It is not used for a teacher on this machine. @default none */
  proxy?: string | undefined;
  /** Returns Unix time in milliseconds. @default a clock that is never set back */
  now?: (() => number) | undefined;
}

const milliseconds: OptionRule = {
  expected: "a number of milliseconds above 0",
  isType: (value) => typeof value === "number",
  isInRange: (value: number) => value > 0,
};

const tags: OptionRule = {
  expected: 'an opening and a closing tag, as in ["<reason>", "</reason>"]',
  isType: (value) =>
    Array.isArray(value) && value.length === 2 && value[0] !== value[1] &&
    value.every((tag) => typeof tag === "string" && tag.trim() !== ""),
};

const RULES: OptionRules<OpenAICompatibleOptions> = {
  baseUrl: text,
  endpoint: oneOf(ENDPOINTS),
  model: { expected: "the name of a model", isType: (value) => text.isType(value) && value !== "" },
  apiKey: { ...text, isSecret: true },
  stream: flag,
  timeoutMs: milliseconds,
  connectTimeoutMs: milliseconds,
  streamIdleTimeoutMs: milliseconds,
  headers: { ...record, isSecret: true },
  secrets: { ...texts, isSecret: true },
  ca: text,
  clientCert: text,
  clientKey: { ...text, isSecret: true },
  insecureTls: flag,
  keep: texts,
  thinkTags: tags,
  proxy: { ...text, isSecret: true },
  now: callback,
};

/** Returns advice if a run was given the teacher's option `name`; undefined for other names. */
export function teacherOptionAdvice(name: string): string | undefined {
  if (!Object.hasOwn(RULES, name)) return undefined;
  return `it belongs to the teacher, as in openai({ ${name}: … })`;
}

// The value is cached because reading `timeOrigin` takes longer than reading the clock.
const PROCESS_START_MS = performance.timeOrigin;

const DEFAULTS = {
  baseUrl: "https://api.openai.com/v1",
  endpoint: "chat",
  stream: false,
  timeoutMs: 3_600_000,
  connectTimeoutMs: 10_000,
  streamIdleTimeoutMs: 120_000,
  headers: {},
  secrets: [],
  keep: [],
  // The default is not `Date.now`, because deadlines must not change with the system clock.
  now: () => PROCESS_START_MS + performance.now(),
} satisfies Partial<OpenAICompatibleOptions>;

type FilledInName = keyof typeof DEFAULTS;

export type ResolvedTeacherOptions =
  & Omit<OpenAICompatibleOptions, FilledInName>
  & { readonly [Name in FilledInName]: NonNullable<OpenAICompatibleOptions[Name]> };

/** @throws {TypeError | RangeError} if an option is unknown or cannot be used */
export function resolveTeacherOptions(options: OpenAICompatibleOptions): ResolvedTeacherOptions {
  checkOptions(
    options,
    RULES,
    undefined,
    (name) =>
      BODY_PARAMS.has(name)
        ? `it is a parameter of the request, as in distill(rows, { params: { ${name}: … } })`
        : undefined,
  );
  requireOptions("make a teacher", options, ["model"], RULES);
  const givenOptions = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as OpenAICompatibleOptions;
  const resolved = { ...DEFAULTS, ...givenOptions } as ResolvedTeacherOptions;
  checkHeaders(resolved.headers);
  return resolved;
}

export interface CheckedParams {
  readonly params: Params;
  /** What was changed in the parameters, one sentence each. */
  readonly notices: string[];
}

/**
 * Checks the parameters of a run. The fields of `extra_body` become parameters: it belongs to
 * OpenAI's Python client, and servers would ignore it.
 *
 * @throws {RangeError} if `n` requests more than one answer
 * @throws {TypeError} if a parameter is set by Retort, contains a credential (which is not shown)
 * or a value that JSON cannot represent, or is an `extra_body` other than an object
 */
export function checkParams(params: Params): CheckedParams {
  const notices: string[] = [];
  const secret = secretParam(params);
  if (secret !== undefined) {
    throw new TypeError(
      `Cannot send the parameter "${secret}": parameters are written to files, and it contains a ` +
        "credential. Put a key into OPENAI_API_KEY, --api-key-file or --header NAME=@env:VARIABLE",
    );
  }
  const flat = "extra_body" in params ? flatten(params, notices) : params;
  for (const [name, value] of Object.entries(flat)) checkJson(name, value);
  if (asksForSeveral(flat)) {
    throw new RangeError(
      `Cannot send the parameter "n" with the value ${JSON.stringify(flat.n)}: use --samples ` +
        "(samples). Samples are rows of their own, each with its own uid",
    );
  }
  if ("stream" in flat) {
    throw new TypeError(
      'Cannot send the parameter "stream": use --stream, or the option "stream" of the teacher',
    );
  }
  if ("messages" in flat) {
    throw new TypeError('Cannot send the parameter "messages": they come from the rows');
  }
  return { params: flat, notices };
}

/** Rejects numbers, collections and functions that `JSON.stringify` would change or drop: `NaN`
 * would become `null`, and a `Map` would become `{}`. A field with the value undefined is allowed,
 * and is omitted. */
function checkJson(name: string, value: unknown): void {
  try {
    JSON.stringify(value, (_, inner) => {
      if (isJson(inner)) return inner;
      throw new TypeError(`it holds ${inspect(inner, { depth: 0 })}`);
    });
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    throw new TypeError(`Cannot send the parameter "${name}" as JSON: ${reason}`, { cause });
  }
}

function isJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "object") return !(value instanceof Map || value instanceof Set);
  return typeof value !== "bigint" && typeof value !== "function" && typeof value !== "symbol";
}

function flatten(params: Params, notices: string[]): Params {
  const { extra_body: extra, ...rest } = params;
  if (extra === null || extra === undefined) return rest;
  const fields = asObject(extra);
  if (fields === undefined) {
    throw new TypeError(
      `Cannot send the parameter "extra_body": it must be an object: current value is ${
        JSON.stringify(extra)
      }`,
    );
  }
  const names = Object.keys(fields).map((name) => `"${name}"`).join(", ");
  notices.push(
    `"extra_body" belongs to the Python client: its fields are sent as parameters (${names})`,
  );
  return { ...rest, ...fields };
}

export function noticesOf(
  { endpoint, ca, clientCert, insecureTls, keep }: ResolvedTeacherOptions,
  address: string,
  params: Params,
): string[] {
  const format = FORMATS[endpoint];
  const notices = [
    ...format.notices?.(params) ?? [],
    ...unknownParamNotices(Object.keys(params)),
    ...textParamNotices(params),
    ...guidedNotices(Object.keys(params)),
  ];
  const isPlain = address.startsWith("http:");
  if (isPlain && (ca !== undefined || clientCert !== undefined || insecureTls === true)) {
    notices.push(`${address} is called without TLS (http://): certificates have no effect there`);
  } else if (insecureTls === true) {
    notices.push(
      `The certificate of ${address} is not checked (--insecure-tls): ` +
        "anyone in between can read the prompts, the answers and the key",
    );
  }
  if (keep.includes("logprobs") && !asksForLogprobs(params)) {
    notices.push(
      "--keep logprobs keeps what the teacher sends, and no parameter asks it for logprobs: " +
        `add -p ${format.logprobsExample}`,
    );
  }
  return notices;
}

/** Returns notices about parameters that vLLM no longer knows and reports only in its log. */
function guidedNotices(names: readonly string[]): string[] {
  const guided =
    /^(?:guided_(?=(?:choice|grammar|json|regex|whitespace_pattern)$)|(?=structural_tag$))/;
  return names.filter((name) => guided.test(name)).map((name) => {
    const successor = name.replace(guided, "structured_outputs.");
    return `The parameter "${name}" has no effect on vLLM since version 0.12: ` +
      `there it is "${successor}"`;
  });
}

function asksForLogprobs({ logprobs, include }: Params): boolean {
  if (Array.isArray(include) && include.some((item) => /logprobs/.test(String(item)))) return true;
  return logprobs !== undefined && logprobs !== null && logprobs !== false;
}
