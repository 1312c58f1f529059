/**
 * Classifies errors: the one place that decides whether an attempt is repeated, whether its row has
 * failed, or whether no row can be answered until the user does something.
 *
 * `docs/errors.md` describes each case.
 *
 * @module
 */

import type { FailureType, TeacherError } from "../../errors.ts";
import { DAY_MS } from "../../timer.ts";
import type { Classification, FailureCause, Verdict } from "./classification.ts";
import {
  BILLING,
  codeMeaning,
  FAULT,
  FILTERED,
  halt,
  isFaultCode,
  isLoadCode,
  isOverloadCode,
  isRateCode,
  KEY,
  MODEL,
  OVERLOAD,
  PERMISSION,
  RATE_LIMIT,
  ROW,
  VERDICTS,
} from "./provider_codes.ts";
import {
  isAboutClientCertificate,
  isAboutCrash,
  isAboutFault,
  isAboutFile,
  isAboutKey,
  isAboutLoad,
  isAboutModel,
  isAboutMoney,
  isAboutPath,
  isAboutPlainHttp,
  isAboutQuota,
  isAboutRateLimit,
  isAboutRegion,
  isAboutRequest,
  isFiltered,
  isLimitZero,
  isTooLong,
  neverFits,
} from "./provider_messages.ts";

const FAIL: Verdict = { action: "fail", cause: "request" };
const TIMEOUT: Verdict = { action: "retry", cause: "timeout", type: "timeout" };
const ADJUSTED: Verdict = { action: "retry", cause: "adjusted" };
const UNPROVEN: Verdict = { action: "retry", cause: "ending" };
const UNREACHABLE: Verdict = { action: "retry", cause: "unreachable", type: "network" };

/** Advice if something other than a teacher answers. */
export const OTHER_SERVER =
  'Check the address (--base-url): "/chat/completions", or the path of another --endpoint, is added to it';

const ADDRESS = halt(OTHER_SERVER);
const PROXY = halt("Check the user name and the password in the address of the proxy");
const CLIENT_CERTIFICATE = halt(
  "Check the client certificate (--client-cert, --client-key): the teacher requires one that it " +
    "trusts",
);
const PLAIN_HTTP = halt(
  "Check the address: the server there speaks TLS, so use https:// instead of http://",
);

/** Verdicts on connections that another attempt does not fix, by error code. */
const CONNECTION_VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  [
    "certificate",
    halt("Check the address, and name the authority that signed the certificate (--ca-file)"),
  ],
  ["client_certificate", CLIENT_CERTIFICATE],
  // Deno's permission, not the teacher's.
  ["no_permission", halt("Start it with --allow-net")],
  ["wants_tls", PLAIN_HTTP],
  [
    "no_tls",
    halt(
      "Check the address: the server there may speak plain HTTP, so try http:// instead of https://",
    ),
  ],
  // A port of another protocol (gRPC, a database).
  ["no_http", { ...FAULT, otherServer: "certain" }],
]);

/** Statuses that mean a wrong address for every row. */
const WRONG_ADDRESS_STATUSES = new Set([404, 405, 410, 426]);
/** 529 is Anthropic's status for overload. */
const OVERLOAD_STATUSES = new Set([503, 529]);
/** 424: TGI and Bedrock, if generation failed. 499: Groq, if it gave up. 444: nginx, for a
 * connection that it closed. */
const FAULT_STATUSES = new Set([408, 409, 421, 423, 424, 425, 444, 499]);

/** A response of status 200 with neither a completion nor an error. */
const BROKEN: Verdict = { ...FAULT, type: "response" };
/** LM Studio responds to unknown paths with status 200 and its own text. */
const UNKNOWN_TEXT: Verdict = { ...BROKEN, otherServer: "probable" };
/** Verdicts on responses of status 200 without a completion, by error code. */
const BROKEN_ANSWER_VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ["broken_answer", BROKEN],
  // From another server, or from a portal in between.
  ["web_page", { ...BROKEN, otherServer: "certain" }],
  ["other_api", UNKNOWN_TEXT],
]);

/**
 * Classifies an error. Obeys what the teacher says explicitly (`error.retryable`, the header
 * `x-should-retry`), as the OpenAI SDKs do, unless another attempt is useless: what the user
 * must fix halts anyway, except for a 429 that is marked retryable.
 *
 * @param hasAnswered Whether the teacher has answered before: the run then waits for a valid
 * certificate, because the old one may be about to be replaced.
 */
export function classify(error: TeacherError, hasAnswered = false): Classification {
  const verdict = verdictOn(error, hasAnswered);
  const { cause, type = typeOf(error, cause), ...rest } = verdict;
  const isLoad = cause === "load";
  const retryAfterMs = verdict.action === "retry" ? requestedWaitMs(error, isLoad) : undefined;
  return {
    ...rest,
    cause,
    type,
    ...retryAfterMs !== undefined && { retryAfterMs },
    ...isLoad && error.isExhausted && { isExhausted: true },
  };
}

/** The type of a failure if its verdict names none: that of the error, unless it contradicts the
 * cause. It follows from the status, and a fault may come with 400, a rejection with 429 or 200. */
function typeOf({ type, status }: TeacherError, cause: FailureCause): FailureType {
  const isStated = type === "response" && status !== undefined;
  if (cause === "fault") return isStated || type === "request" ? "server" : type;
  const isRejected = cause === "request" || cause === "row";
  return isRejected && (isStated || type === "rate_limit") ? "request" : type;
}

/** The wait that the teacher requests, in milliseconds. A custom teacher may request anything:
 * invalid times are ignored. */
function requestedWaitMs(error: TeacherError, isLoad: boolean): number | undefined {
  const { retryAfterMs, limitResetMs } = error;
  const ms = retryAfterMs ?? (isLoad ? limitResetMs : undefined);
  return ms !== undefined && ms >= 0 && ms < Infinity ? Math.min(ms, DAY_MS) : undefined;
}

function verdictOn(error: TeacherError, hasAnswered: boolean): Verdict {
  if (error.isAdjusted) return ADJUSTED;
  const byContent = verdictByContent(error, hasAnswered);
  const verdict = byContent === FAIL ? verdictOnRejection(error) : byContent;
  const { retryable, status, partial } = error;
  // A teacher that rejects a row sends no partial answer: something broke.
  if (retryable === undefined) return verdict === FAIL && partial !== undefined ? FAULT : verdict;
  if (verdict.action === "halt") return retryable && status === 429 ? RATE_LIMIT : verdict;
  if (!retryable) return verdict.action === "fail" ? verdict : verdictOnRejection(error);
  if (verdict.action !== "fail") return verdict;
  // A response of status 2xx is marked retryable only because it may not say what is wrong.
  if (status === undefined || status >= 300) return FAULT;
  return verdict === FAIL ? UNKNOWN_TEXT : verdict;
}

/** The verdict on a rejection: about this row, if the teacher says so; else it may be about
 * something that all rows share. */
function verdictOnRejection({ message, code }: TeacherError): Verdict {
  if (isFiltered(message, code)) return FILTERED;
  return neverFits(message) || isTooLong(message) ? ROW : FAIL;
}

/** The verdict by type, status, code and message, whether or not the teacher wants a retry. */
function verdictByContent(error: TeacherError, hasAnswered: boolean): Verdict {
  if (error.isUnreachable || hasAnswered && error.code === "certificate") return UNREACHABLE;
  if (error.type === "timeout") return TIMEOUT;
  if (error.type === "network") return CONNECTION_VERDICTS.get(error.code ?? "") ?? FAULT;
  if (error.type === "unfinished") return error.code === "broken_off" ? FAULT : UNPROVEN;
  if (error.type === "empty") return FAULT;
  if (error.type === "filtered") return FILTERED;
  if (error.type === "account") return halt();
  const { status } = error;
  // From a custom teacher, or reported in a response of status 2xx.
  if (status === undefined || status < 300) return verdictWithoutStatus(error);
  if (status < 400) return ADDRESS;
  if (status === 407) return PROXY;
  const byCode = verdictByCode(error);
  if (byCode !== undefined) return byCode;
  return status < 500 ? verdictOnClientError(error, status) : verdictOnServerError(error, status);
}

function verdictByCode(error: TeacherError): Verdict | undefined {
  const meaning = codeMeaning(error.code);
  if (meaning === undefined) return undefined;
  if (error.isRelayed && (meaning === "key" || meaning === "billing")) return undefined;
  // Gateways without a free channel name the model too, but only for a while.
  if (meaning === "model" && (error.status ?? 0) >= 500) return undefined;
  return VERDICTS[meaning];
}

/** The verdict on an error without a status of its own: from a custom teacher, or reported in a
 * response of status 2xx. */
function verdictWithoutStatus(error: TeacherError): Verdict {
  const verdict = verdictByCode(error) ?? loadVerdict(error);
  if (verdict !== undefined) return verdict;
  if (error.type === "server" || isFaultCode(error.code)) return FAULT;
  return BROKEN_ANSWER_VERDICTS.get(error.code ?? "") ??
    (error.status === undefined ? FAIL : verdictByMessage(error));
}

/** The verdict on an error in a response of status 2xx whose code does not say enough. */
function verdictByMessage(error: TeacherError): Verdict {
  const { message, code, isRelayed } = error;
  if (neverFits(message)) return ROW;
  if (isAboutMoney(message) && !isRelayed) return BILLING;
  if (isFiltered(message, code)) return FILTERED;
  if (isAboutModel(message)) return MODEL;
  if (isAboutKey(message)) return KEY;
  if (isAboutRegion(message)) return PERMISSION;
  if (isAboutRateLimit(message)) return RATE_LIMIT;
  if (isAboutLoad(message)) return OVERLOAD;
  if (isRelayed || isAboutFault(message)) return FAULT;
  if (isAboutPath(message)) return ADDRESS;
  // A teacher that rejects a row sends an error status, or says what is wrong with the row.
  return isAboutRequest(message, code) ? FAIL : UNKNOWN_TEXT;
}

function verdictOnServerError(error: TeacherError, status: number): Verdict {
  if (status === 511) return ADDRESS;
  // Not implemented, or another version of HTTP: another attempt cannot help.
  if (status === 501 || status === 505) return FAIL;
  return loadVerdict(error) ?? (OVERLOAD_STATUSES.has(status) ? OVERLOAD : FAULT);
}

function verdictOnClientError(error: TeacherError, status: number): Verdict {
  const { message, isRelayed } = error;
  if (status === 401 && !isRelayed) return KEY;
  if (status === 413 || neverFits(message)) return ROW;
  if (isAboutMoney(message) && !isRelayed) return BILLING;
  if (status === 402 && error.retryAfterMs !== undefined) return RATE_LIMIT;
  if (status === 402 && !isRelayed) return BILLING;
  if (status === 429) {
    return isLimitZero(message) ? { ...BILLING, isAboutModel: true } : RATE_LIMIT;
  }
  // 498 is Groq's status for a flex tier without capacity. Others report limits with 400 and 403.
  const isUsedUp = error.isExhausted && error.retryAfterMs !== undefined;
  if (status === 498 || isUsedUp || isRateLimit(error) || isAboutRateLimit(message)) {
    return RATE_LIMIT;
  }
  if (isAboutQuota(message)) return isRelayed ? RATE_LIMIT : BILLING;
  if (isOverloadCode(error.code) || status === 403 && isLoadCode(error.code)) return OVERLOAD;
  if (FAULT_STATUSES.has(status) || isAboutCrash(message)) return FAULT;
  if (isRelayed) return verdictOnRelayed(error);
  if (isFiltered(message, error.code)) return FILTERED;
  // Firewalls answer some prompts with a web page, which says nothing about the key.
  if (status === 403 && error.code === "web_page") return FAIL;
  if (isAboutClientCertificate(message)) return CLIENT_CERTIFICATE;
  if (isAboutPlainHttp(message)) return PLAIN_HTTP;
  if (isAboutModel(message)) return MODEL;
  if (isAboutKey(message)) return KEY;
  if (status === 403 || isAboutRegion(message)) return PERMISSION;
  return WRONG_ADDRESS_STATUSES.has(status) && !isAboutFile(message) ? ADDRESS : FAIL;
}

/** The verdict on a 4xx of a provider behind a router. The provider's key, bill, paths and faults
 * are not the user's: another attempt may reach another provider, or the same one in a better
 * state. */
function verdictOnRelayed({ message, code, status }: TeacherError): Verdict {
  if (isFiltered(message, code)) return FILTERED;
  if (isAboutModel(message)) return MODEL;
  if (isAboutRegion(message)) return PERMISSION;
  const blamesRequest = !isAboutFault(message) && isAboutRequest(message, code);
  return blamesRequest && ![401, 402, 403].includes(status ?? 0) ? FAIL : FAULT;
}

/** The verdict on an error that is about load by its type or code; undefined if it is not. */
function loadVerdict(error: TeacherError): Verdict | undefined {
  if (isRateLimit(error)) return RATE_LIMIT;
  return isLoadCode(error.code) ? OVERLOAD : undefined;
}

function isRateLimit({ type, code }: TeacherError): boolean {
  return type === "rate_limit" || isRateCode(code);
}
