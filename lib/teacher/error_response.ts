/** Reads the errors in bodies, in the forms of known servers and gateways, and creates the error of
 * a response whose status is not 2xx. @module */

import { MIN_GATEWAY_WAIT_MS, TeacherError } from "../errors.ts";
import { asText } from "../json.ts";
import { DAY_MS } from "../timer.ts";
import { type AnswerContext, toCompletion } from "./completion.ts";
import { isPage, pageText } from "./content_coding.ts";
import { remedyFor } from "./interruptions.ts";
import { asObject, firstObject, type JsonObject, parseErrorBody } from "./json.ts";
import { type Address, baseUrlAt, redactAddress } from "./network.ts";
import {
  exhaustion,
  fieldText,
  type HeaderFields,
  retryAfterMs,
  shouldRetry,
} from "./rate_headers.ts";
import type { Redact } from "./secrets.ts";
import type { Completion } from "./teacher.ts";

export interface StatusErrorOptions {
  status: number;
  headers: HeaderFields;
  /** The body, or its first 64 KiB. */
  text: string;
  address: Pick<Address, "shownBaseUrl" | "isVersioned">;
  context: AnswerContext;
  /** The time since the attempt began. */
  waitedMs: number;
  now: number;
}

/** Maximum wait until a limit resets. It is bounded because the limit may be raised earlier. */
const MAX_RESET_MS = 60_000;

export function statusError(options: StatusErrorOptions): TeacherError {
  const { status, headers, context, now } = options, { redact } = context;
  const sent = parseErrorBody(options.text) ?? {};
  const stated = readError(sent, status, redact);
  const limit = exhaustion(headers, now) ?? exhaustion(statedHeaders(innermost(sent)), now);
  const resetMs = limit?.resetMs, advice = gatewayAdvice(options);
  return new TeacherError(shownMessage(messageOf(options, stated, advice), redact), {
    status,
    isRelayed: stated.isRelayed,
    code: stated.code ?? (isPage(options.text) ? "web_page" : undefined),
    retryable: shouldRetry(headers),
    retryAfterMs: retryAfterMs(headers, now) ?? stated.retryAfterMs,
    isExhausted: limit !== undefined,
    limitResetMs: resetMs === undefined ? undefined : Math.min(MAX_RESET_MS, resetMs),
    partial: partialOf(stated.body, context),
    notice: advice === undefined
      ? undefined
      : `${advice} (${status} from ${options.address.shownBaseUrl}). As the teacher may bill such ` +
        "answers, a row is sent twice at most",
  });
}

/** An error in the words of the server that failed, which may be behind a router or a gateway. */
interface StatedError {
  /** The body of the server that failed. If a router does not pass it on, the router's body. */
  readonly body: JsonObject;
  /** The message, with the provider's name if a router states it; undefined if there is none. */
  readonly message: string | undefined;
  readonly code: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Whether a router used its own key. False if the body says that the key was the user's
   * (`is_byok`), or for a 401 that names no provider; undefined if there is no router. */
  readonly isRelayed: boolean | undefined;
}

export function readError(
  sent: JsonObject,
  status: number | undefined,
  redact: Redact,
): StatedError {
  const relayed = relayedError(sent, status);
  const body = innermost(relayed?.body ?? filterError(sent) ?? sent);
  const code = codeOf(body) ?? codeOf(sent);
  return {
    body,
    message: relayed?.message ?? errorMessage(body),
    code: code === undefined ? undefined : redact(code),
    retryAfterMs: statedDelayMs(body),
    isRelayed: relayed?.isRelayed,
  };
}

/** Returns the error of a blocked completion. Azure's model inference sends it with status 400. */
function filterError({ choices }: JsonObject): JsonObject | undefined {
  const choice = firstObject(choices);
  const error = asObject(asObject(choice?.content_filter_results)?.error);
  return error === undefined ? undefined : { error };
}

/** Returns the model's text as a partial answer. Groq sends the text with the error if it is not
 * the required tool call or JSON. */
function partialOf({ error }: JsonObject, context: AnswerContext): Completion | undefined {
  const content = asText(asObject(error)?.failed_generation);
  if (content === "") return undefined;
  return toCompletion({ content, finishReason: "error" }, context);
}

function messageOf(
  { status, headers, text, address: { shownBaseUrl: address, isVersioned }, context }:
    StatusErrorOptions,
  stated: StatedError,
  advice: string | undefined,
): string {
  if (status >= 300 && status < 400) {
    const location = fieldText(headers.location);
    const target = location === "" ? "another address" : JSON.stringify(redactAddress(location));
    return `The teacher at ${address} redirects (${status}) to ${target}: ` +
      `redirects are not followed. Give ${baseUrlAt(location, address)} as the base URL`;
  }
  const quotedBody = () => pageText(context.redact(text)).slice(0, MAX_QUOTED_CHARS);
  const message = (stated.message ?? [advice, quotedBody()].filter(Boolean).join(": ")) ||
    `The teacher answered ${status} without a message`;
  if (status !== 404 || isVersioned || stated.isRelayed !== undefined) return message;
  const required = /\.azure\./.test(address)
    ? "Azure requires /openai/v1, or /openai/deployments/NAME and ?api-version=2024-10-21"
    : "most teachers require it";
  return `${message} (${address} has no "/v1" in it: ${required})`;
}

/** Returns advice if a gateway did not wait for the answer. Cloudflare then sends 524; LiteLLM and
 * Portkey send 408. A 408 with a web page means instead that the request arrived too slowly. */
function gatewayAdvice(options: StatusErrorOptions): string | undefined {
  const { status, text, context, waitedMs } = options;
  const isTimeout = status === 408 ? !isPage(text) : status === 504 || status === 524;
  if (!isTimeout || waitedMs < MIN_GATEWAY_WAIT_MS) return undefined;
  const remedy = remedyFor(context.isStreamed);
  return `A gateway did not wait for the answer: ${remedy}, or raise its timeout`;
}

/** Matches codes: one word with a letter. Numbers repeat the status; sentences are messages. */
const CODE = /^(?=.*[a-z])[\w.:/-]{2,100}$/i;
/** Matches words that servers send instead of a code. */
const NO_CODE = /^(?:none|null|error|unknown|unknown_error)$/i;

/** MiniMax's error numbers, by the code that other servers send for the same error. MiniMax sends
 * all errors with status 200. */
const MINIMAX_NUMBERS: Readonly<Record<string, readonly number[]>> = {
  server_error: [1000, 1013, 1024, 1033],
  timeout: [1001],
  rate_limit: [1002, 1039, 1041, 2056],
  invalid_api_key: [1004, 2049],
  insufficient_balance: [1008],
  content_filter: [1026, 1027],
};

/** Returns the most specific code. The exceeded limit (Anthropic, OpenRouter) and Google's reason
 * take precedence over the type, which is the same for every 429. */
function codeOf(top: JsonObject): string | undefined {
  const error = asObject(top.error) ?? asObject(top.detail) ?? firstObject(top.errors) ?? {};
  const metadata = asObject(error.metadata) ?? {};
  const candidates = [
    asObject(error.details)?.error_code,
    detailOf(error, "ErrorInfo")?.reason,
    metadata.error_type,
    metadata.limit_source,
    "flagged_input" in metadata ? "flagged_input" : undefined,
    ...[error.code, error.type, error.status],
    minimaxCode(top),
    blockReason(top) === "" ? undefined : "content_filter",
    ...[top.code, top.error_code, top.error_type, top.type, top.__type],
  ];
  return candidates.map(asText).find((text) => CODE.test(text) && !NO_CODE.test(text));
}

/** Returns the body of the server behind a gateway, or `body` itself if there is no such server.
 * The inner body is JSON text in the message (Gemini's tools and gateways to Google), a value that
 * the gateway could not read (Vercel), or FastAPI's `detail`. */
function innermost(body: JsonObject, levels = 3): JsonObject {
  const detail = asObject(body.detail);
  if (levels > 0 && detail !== undefined && asObject(detail.error) !== undefined) {
    return innermost(detail, levels - 1);
  }
  const unread = asText(asObject(asObject(body.error)?.value)?.error_message);
  const inner = parseErrorBody(unread || errorMessage(body) || "");
  return inner !== undefined && errorMessage(inner) !== undefined
    ? innermost(inner, levels - 1)
    : body;
}

/** Matches messages of OpenRouter, Cloudflare's AI gateway and OpenCode about a failed provider. */
const RELAYED = /\bprovider returned error|response from (?:the )?provider|\berror from provider/i;

/** The number of characters that are searched. Later characters may quote the request. */
const RELAYED_SEARCH_CHARS = 150;

/** Returns the error of a provider, with the body that the router sends; undefined if the error is
 * the server's own. OpenRouter sends the body as text (`metadata.raw`). */
function relayedError(
  top: JsonObject,
  status: number | undefined,
): Partial<StatedError> | undefined {
  const routerMessage = errorMessage(top) ?? "";
  if (!RELAYED.test(routerMessage.slice(0, RELAYED_SEARCH_CHARS))) return undefined;
  const metadata = asObject(asObject(top.error)?.metadata) ?? asObject(top.metadata) ?? {};
  const provider = asText(metadata.provider_name);
  const raw = asText(metadata.raw).trim();
  const inner = parseErrorBody(raw) ?? firstObject(metadata.raw) ?? asObject(metadata.raw);
  const isText = inner === undefined || !raw.startsWith("{");
  const stated = errorMessage(inner ?? {}) || (isText && !isPage(raw) ? raw : "");
  const message = /\s/.test(stated) ? stated : [routerMessage, stated].filter(Boolean).join(": ");
  return {
    body: inner,
    // A 401 that names no provider may be about the user's own key.
    isRelayed: metadata.is_byok !== true && (provider !== "" || status !== 401),
    message: provider === "" ? message : `${message} (from ${provider})`,
  };
}

/** Returns the message in the forms of OpenAI, FastAPI, Ollama and others, or the error as JSON. */
export function errorMessage(body: JsonObject): string | undefined {
  const { message, detail } = body;
  // Cloudflare's AI gateway sends a list.
  const error = Array.isArray(body.error) ? body.error[0] : body.error;
  const stated = asText(asObject(error)?.message) || asText(error) || asText(message) ||
    detailMessage(detail) || detailMessage(asObject(message)?.detail) ||
    asText(asObject(detail)?.message) || asText(asObject(detail)?.msg) ||
    gatewayMessage(body);
  if (stated !== "") return stated;
  return asObject(error) === undefined ? undefined : errorJson(error);
}

/** Returns the wait that Google states in the body: `"retryDelay": "34.07s"`. */
function statedDelayMs({ error }: JsonObject): number | undefined {
  const delay = detailOf(asObject(error) ?? {}, "RetryInfo")?.retryDelay;
  const seconds = /^([\d.]+)s$/.exec(asText(delay))?.[1];
  const ms = seconds === undefined ? NaN : Number(seconds) * 1_000;
  return ms <= DAY_MS ? Math.ceil(ms) : undefined;
}

/** Returns the provider's header fields, which OpenRouter sends in the body, by lowercase name. */
function statedHeaders({ error }: JsonObject): Readonly<Record<string, string>> {
  const headers = asObject(asObject(asObject(error)?.metadata)?.headers) ?? {};
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}

function gatewayMessage(body: JsonObject): string {
  const blocked = blockReason(body);
  if (blocked !== "") return `The prompt was blocked by a filter: ${blocked}`;
  const minimax = minimaxStatus(body) === 0 ? "" : asText(asObject(body.base_resp)?.status_msg);
  return minimax || asText(body.msg) || asText(body.error_msg) || asText(body.error_message) ||
    asText(body.errorMessage) || asText(body.Message) || asText(firstObject(body.errors)?.message);
}

function minimaxCode(body: JsonObject): string | undefined {
  const number = minimaxStatus(body);
  return Object.keys(MINIMAX_NUMBERS).find((code) => MINIMAX_NUMBERS[code].includes(number));
}

function minimaxStatus({ base_resp: base }: JsonObject): number {
  const status = asObject(base)?.status_code;
  return typeof status === "number" ? status : 0;
}

/** Returns Gemini's reason for blocking a prompt; "" if it did not block the prompt. */
function blockReason(body: JsonObject): string {
  const feedback = asObject(body.promptFeedback) ?? asObject(body.prompt_feedback);
  return asText(feedback?.blockReason) || asText(feedback?.block_reason);
}

/** Returns the entry of Google's `details` whose `@type` ends with `type`. */
function detailOf({ details }: JsonObject, type: string): JsonObject | undefined {
  if (!Array.isArray(details)) return undefined;
  return details.map(asObject).find((detail) => asText(detail?.["@type"]).endsWith(`.${type}`));
}

/** Returns the message in `detail`: FastAPI sends a text or a list of errors with their places. */
function detailMessage(detail: unknown): string {
  if (!Array.isArray(detail)) return asText(detail);
  return detail.map((entry) => {
    const { loc, msg } = asObject(entry) ?? {};
    const place = Array.isArray(loc) ? `${loc.join(".")}: ` : "";
    return place + asText(msg);
  }).filter((text) => text !== "").join("; ");
}

export function errorJson(error: unknown): string {
  try {
    return JSON.stringify(error);
  } catch {
    return "an error that is nested too deeply to be shown";
  }
}

/** Redacts the start of a message, which may quote the whole request, and only then shortens it:
 * half of a key would not be redacted. */
export function shownMessage(message: string, redact: Redact): string {
  return redact(message.slice(0, 8 * MAX_MESSAGE_CHARS)).slice(0, MAX_MESSAGE_CHARS);
}

/** Maximum length of a shown message. A longer body of plain text is not taken for a message. */
export const MAX_MESSAGE_CHARS = 1_000;
export const MAX_QUOTED_CHARS = 300;
