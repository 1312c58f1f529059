/** Checks the options of a teacher and fills in defaults; builds its header fields. @module */

import {
  anything,
  callback,
  checkOptions,
  flag,
  type OptionRule,
  type OptionRules,
  record,
  text,
  texts,
} from "../options.ts";
import { isSecretHeader } from "../params.ts";
import { VERSION } from "../version.ts";
import { type EndpointName, ENDPOINTS } from "./api_format.ts";
import type { Address } from "./network.ts";

/** Options of {@linkcode openai}. */
export interface OpenAICompatibleOptions {
  /**
   * The base URL. The path of the endpoint (`/chat/completions`) is appended, and a query string
   * kept. `user:password@` in it is sent as basic authorization if there is no `apiKey`. For Azure:
   * `https://NAME.openai.azure.com/openai/v1`, or
   * `https://NAME.openai.azure.com/openai/deployments/DEPLOYMENT?api-version=2024-10-21`.
   * @default "https://api.openai.com/v1"
   */
  baseUrl?: string;
  /**
   * `chat` is `/chat/completions`; `completions` is `/completions`, which is for base models and
   * accepts only rows of one text; `responses` is `/responses`, which returns summaries of the
   * reasoning. @default "chat"
   */
  endpoint?: EndpointName;
  /** The model for rows whose parameters have no `model`. */
  model: string;
  /** Sent as `Authorization: Bearer …` (to Azure as `api-key`) and shown nowhere. @default none */
  apiKey?: string;
  /** Whether answers are streamed as server-sent events. @default false */
  stream?: boolean;
  /** The longest that an attempt may take, in milliseconds. @default 3_600_000 (an hour) */
  timeoutMs?: number;
  /** The longest that connecting may take, in milliseconds. @default 10_000 */
  connectTimeoutMs?: number;
  /** The longest silence between two tokens of a stream, in milliseconds. Before the first token
   * only `timeoutMs` applies: a model may reason for a long time. @default 120_000 */
  streamIdleTimeoutMs?: number;
  /** Additional header fields, which replace Retort's fields of the same name. @default {} */
  headers?: Readonly<Record<string, string>>;
  /**
   * Texts that must never be shown, such as values of `headers` whose names do not suggest a
   * secret. The key, and values of header fields such as `api-key`, are always included. @default
   * []
   */
  secrets?: readonly string[];
  /** The trusted certificate authorities (PEM). @default those of this machine */
  ca?: string;
  /** The certificate (PEM, with its chain) for a teacher that requires one (mTLS). @default none */
  clientCert?: string;
  /** The private key (PEM, not encrypted) of `clientCert`. @default the one in `clientCert` */
  clientKey?: string;
  /** Whether to accept any certificate. Anyone on the network path can then read prompts, answers
   * and the key. @default false */
  insecureTls?: boolean;
  /** Raw fields of the answer to keep, looked up in the choice and then at the top level:
   * `logprobs`, `system_fingerprint`, … @default [] */
  keep?: readonly string[];
  /**
   * The tags around the model's reasoning in its answers, such as `["<reason>", "</reason>"]`.
   * Known ones (`<think>`, `[THINK]`, the channels of gpt-oss, …) are always recognized. @default
   * none
   */
  thinkTags?: readonly [open: string, close: string];
  /** The URL of an HTTP proxy, which is not used for a teacher on this machine. @default none */
  proxy?: string;
  /** Unix time in milliseconds. @default a clock that is never set back */
  now?: () => number;
}

const milliseconds: OptionRule = {
  expected: "a number of milliseconds above 0",
  isType: (value) => typeof value === "number",
};

const RULES: OptionRules<OpenAICompatibleOptions> = {
  baseUrl: text,
  endpoint: anything,
  model: anything,
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
  thinkTags: anything,
  proxy: { ...text, isSecret: true },
  now: callback,
};

// Cached: reading it takes longer than reading the clock.
const PROCESS_START_MS = performance.timeOrigin;

const DEFAULTS = {
  baseUrl: "https://api.openai.com/v1",
  endpoint: "chat" as EndpointName,
  stream: false,
  timeoutMs: 3_600_000,
  connectTimeoutMs: 10_000,
  streamIdleTimeoutMs: 120_000,
  headers: {},
  secrets: [],
  keep: [],
  // Not `Date.now`: deadlines must not change with the system clock.
  now: () => PROCESS_START_MS + performance.now(),
} satisfies Partial<OpenAICompatibleOptions>;

export type ResolvedTeacherOptions =
  & typeof DEFAULTS
  & Omit<OpenAICompatibleOptions, keyof typeof DEFAULTS>
  & {
    headers: Readonly<Record<string, string>>;
    secrets: readonly string[];
    keep: readonly string[];
  };

/** @throws {TypeError | RangeError} If an option is unknown or cannot be used. */
export function resolveTeacherOptions(options: OpenAICompatibleOptions): ResolvedTeacherOptions {
  checkOptions(options, RULES);
  const setOptions = Object.entries(options).filter(([, value]) => value !== undefined);
  const resolved = { ...DEFAULTS, ...Object.fromEntries(setOptions) } as ResolvedTeacherOptions;
  if (typeof resolved.model !== "string" || resolved.model === "") {
    throw new TypeError('Cannot make a teacher without a model: "model" must be its name');
  }
  for (const name of ["timeoutMs", "connectTimeoutMs", "streamIdleTimeoutMs"] as const) {
    if (!(resolved[name] > 0)) {
      throw new RangeError(
        `Cannot make a teacher: "${name}" must be above 0: current value is ${resolved[name]}`,
      );
    }
  }
  if (!ENDPOINTS.includes(resolved.endpoint)) {
    throw new TypeError(
      `Cannot make a teacher: "endpoint" must be one of ${ENDPOINTS.join(", ")}: current value is ${
        JSON.stringify(resolved.endpoint)
      }`,
    );
  }
  checkHeaders(resolved.headers);
  checkThinkTags(resolved.thinkTags);
  return resolved;
}

function checkThinkTags(tags: unknown): void {
  if (tags === undefined) return;
  const isPair = Array.isArray(tags) && tags.length === 2 && tags[0] !== tags[1] &&
    tags.every((tag) => typeof tag === "string" && tag.trim() !== "");
  if (isPair) return;
  throw new TypeError(
    'Cannot make a teacher: "thinkTags" must be an opening and a closing tag, as in ' +
      `["<reason>", "</reason>"]: current value is ${JSON.stringify(tags)}`,
  );
}

/** undici sets these header fields itself, or would break. */
const RESERVED = /^(content-length|transfer-encoding|connection|keep-alive|upgrade|expect|te)$/;

function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    // The value may be a secret, so it is not shown.
    const problem = RESERVED.test(name.toLowerCase())
      ? "Retort sets it"
      : !/^[\w!#$%&'*+.^`|~-]+$/.test(name)
      ? 'its name must be letters, digits and marks such as "-"'
      : typeof value !== "string" || !isSendable(value)
      ? "its value must be one line of ASCII characters"
      : undefined;
    if (problem !== undefined) {
      throw new TypeError(`Cannot send the header ${JSON.stringify(name)}: ${problem}`);
    }
  }
}

/**
 * The header field with the key, else with the credentials of the address. Azure takes keys in
 * `api-key`, and tokens, which are JSON Web Tokens, in `Authorization`.
 *
 * @throws {TypeError} If the key cannot be sent in a header field. The key is not shown.
 */
export function keyHeader(
  apiKey: string | undefined,
  { credentials, isAzure }: Pick<Address, "credentials" | "isAzure">,
): Record<string, string> {
  if (apiKey !== undefined && apiKey !== "") {
    if (!isSendable(apiKey) || apiKey.trim() !== apiKey) {
      throw new TypeError(
        "Cannot use the API key: it must be one line of ASCII characters without spaces around it",
      );
    }
    if (isAzure && !/^eyJ[\w-]+\.[\w-]+\./.test(apiKey)) return { "api-key": apiKey };
    return { authorization: `Bearer ${apiKey}` };
  }
  return credentials === undefined ? {} : { authorization: `Basic ${base64(credentials)}` };
}

/** Secrets that a server might quote. */
export function secretsOf(
  { apiKey, headers, secrets: userSecrets }: ResolvedTeacherOptions,
  address: Address,
  keys: readonly string[],
  proxy: URL | undefined,
): string[] {
  const secrets = [...address.secrets, ...userSecrets, ...keys.map(withoutScheme)];
  if (apiKey !== undefined) secrets.push(apiKey);
  for (const [name, value] of Object.entries(headers)) {
    if (isSecretHeader(name)) secrets.push(value, withoutScheme(value));
  }
  if (proxy !== undefined) secrets.push(proxy.password, decodeURIComponent(proxy.password));
  return secrets;
}

function withoutScheme(authorization: string): string {
  return authorization.replace(/^\S+ /, "");
}

export function defaultHeaders(stream: boolean): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: stream ? "text/event-stream, application/json" : "application/json",
    // Without this field, some gateways compress, which only costs time, or buffer a stream for it.
    "accept-encoding": "identity",
    "user-agent": `retort/${VERSION}`,
  };
}

/** Alternating names and values are the form that undici reads fastest. The user's fields replace
 * defaults of the same name. */
export function headerList(
  defaults: Readonly<Record<string, string>>,
  userFields: Readonly<Record<string, string>>,
): string[] {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(defaults)) fields.set(name, value);
  for (const [name, value] of Object.entries(userFields)) fields.set(name.toLowerCase(), value);
  return [...fields].flat();
}

function isSendable(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
