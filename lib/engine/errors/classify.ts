/** Decides what a failed attempt means for its row and its teacher. `docs/errors.md` describes each
 * case. @module */

import { type FailureType, MIN_GATEWAY_WAIT_MS, type TeacherError } from "../../errors.ts";
import { DAY_MS } from "../../timer.ts";
import {
  codeMeaning,
  isFaultCode,
  isLoadCode,
  isOverloadCode,
  isRateCode,
} from "./provider_codes.ts";
import {
  isAbout,
  isAboutRequest,
  isFiltered,
  isTooLong,
  neverFits,
  type Topic,
} from "./provider_messages.ts";
import {
  ADJUSTED,
  BROKEN_ANSWER_VERDICTS,
  type Classification,
  CONNECTION_VERDICTS,
  FAIL,
  type FailureCause,
  halt,
  type Meaning,
  SERVER_VERDICTS,
  UNKNOWN_ENDING,
  UNREACHABLE,
  UNRECOGNIZED,
  type Verdict,
  VERDICTS,
} from "./verdicts.ts";

const WRONG_ADDRESS_STATUSES = new Set([404, 405, 410, 426]);
/** TGI and Bedrock send 424 if generation failed, and Groq sends 499 for a canceled request. nginx
 * uses 444 for a connection that it closed. */
const FAULT_STATUSES = new Set([408, 409, 421, 423, 424, 425, 444, 499]);

/**
 * Classifies an error. An explicit hint from the teacher (`error.retryable`, the header
 * `x-should-retry`) takes precedence, as in the OpenAI SDKs. Errors that the user must fix halt the
 * teacher despite such a hint, except for a 429 that is marked retryable.
 *
 * @param hasAnswered Whether the teacher has answered before. If so, a bad certificate counts as an
 * outage, because it may be replaced soon. A wrong address then counts as a fault unless the
 * teacher marks it as final, because gateways answer 404 while the server behind them restarts.
 * @param waitedMs The latency of the attempt.
 */
export function classify(
  error: TeacherError,
  hasAnswered = false,
  waitedMs = Infinity,
): Classification {
  const reported = withUpstream(verdictOn(error, hasAnswered), error);
  // A gateway that gives up this early has not waited long enough for an answer to be billed.
  const isEarly = error.status !== undefined && waitedMs < MIN_GATEWAY_WAIT_MS;
  const isFault = reported === VERDICTS.timeout
    ? isEarly
    : reported === VERDICTS.address && hasAnswered && error.retryable !== false;
  const verdict: Verdict = isFault ? VERDICTS.fault : reported;
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

/** If a gateway relays an error about an account, advises the user to check the gateway instead. */
function withUpstream(verdict: Verdict, { message }: TeacherError): Verdict {
  const isRelayed = ACCOUNT_ADVICE.has(verdict.advice) && isAbout("upstream", message);
  return isRelayed ? { ...verdict, advice: VERDICTS.upstream.advice } : verdict;
}

const ACCOUNT_ADVICE: ReadonlySet<string | undefined> = new Set(
  [VERDICTS.key, VERDICTS.permission, VERDICTS.billing].map(({ advice }) => advice),
);

/** Returns the error's own type, unless that type contradicts the cause: a fault may have status
 * 400, and a rejection may have status 429 or 200. */
function typeOf({ type, status }: TeacherError, cause: FailureCause): FailureType {
  const isFrom2xx = type === "response" && status !== undefined;
  if (cause === "fault") return isFrom2xx || type === "request" ? "server" : type;
  const isRejected = cause === "request" || cause === "row";
  return isRejected && (isFrom2xx || type === "rate_limit") ? "request" : type;
}

/** Returns the wait that the teacher requests, at most a day. Invalid times are ignored, because a
 * custom teacher may request anything. */
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
  if (retryable === undefined) {
    // A teacher that sent part of an answer has not rejected the row.
    return verdict === FAIL && partial !== undefined ? VERDICTS.fault : verdict;
  }
  if (verdict.action === "halt") return retryable && status === 429 ? VERDICTS.rate_limit : verdict;
  if (!retryable) return verdict.action === "fail" ? verdict : verdictOnRejection(error);
  if (verdict.action !== "fail") return verdict;
  // Errors in 2xx responses are marked retryable because many do not say what is wrong. The row
  // fails only if the error clearly blames the row.
  if (status === undefined || status >= 300) return VERDICTS.fault;
  return verdict === FAIL ? UNRECOGNIZED : verdict;
}

/** Returns the verdict on a rejected request. If the message names neither a content filter nor
 * something in this row, the cause may be shared by all rows (`FAIL`). */
function verdictOnRejection({ message, code }: TeacherError): Verdict {
  if (isFiltered(message, code)) return VERDICTS.filter;
  return neverFits(message) || isTooLong(message) ? VERDICTS.row : FAIL;
}

/** Codes of connection errors that end when the server gets another certificate or
 * configuration. */
const MAY_BE_REPLACED: ReadonlySet<string | undefined> = new Set(["certificate", "no_handshake"]);

function verdictByContent(error: TeacherError, hasAnswered: boolean): Verdict {
  if (error.isUnreachable || hasAnswered && MAY_BE_REPLACED.has(error.code)) return UNREACHABLE;
  if (error.type === "timeout") return VERDICTS.timeout;
  if (error.type === "network") return CONNECTION_VERDICTS.get(error.code ?? "") ?? VERDICTS.fault;
  if (error.type === "unfinished") {
    return error.code === "broken_off" ? VERDICTS.fault : UNKNOWN_ENDING;
  }
  if (error.type === "empty") return VERDICTS.fault;
  if (error.type === "filtered") return VERDICTS.filter;
  if (error.type === "account") return halt();
  const { status } = error;
  if (status === undefined || status < 300) return verdictWithoutStatus(error);
  if (status < 400) return VERDICTS.address;
  if (status === 407) return VERDICTS.proxy;
  const byCode = verdictByCode(error);
  if (byCode !== undefined) return byCode;
  return status < 500 ? verdictOnClientError(error, status) : verdictOnServerError(error, status);
}

function verdictByCode(error: TeacherError): Verdict | undefined {
  const meaning = codeMeaning(error.code);
  if (meaning === undefined) return undefined;
  if (meaning === "billing" && isAbout("allocation", error.message)) return VERDICTS.rate_limit;
  if (error.isRelayed && BLAMES_USER.has(meaning)) return undefined;
  // Gateways such as New API answer with a 5xx that blames the model when no server for the model
  // is available.
  if (meaning === "model" && (error.status ?? 0) >= 500) return undefined;
  return VERDICTS[meaning];
}

/** Returns the verdict on an error of a custom teacher or an error in a 2xx response. */
function verdictWithoutStatus(error: TeacherError): Verdict {
  const verdict = verdictByCode(error) ?? loadVerdict(error);
  if (verdict !== undefined) return verdict;
  if (error.type === "server" || isFaultCode(error.code)) return VERDICTS.fault;
  return BROKEN_ANSWER_VERDICTS.get(error.code ?? "") ??
    (error.status === undefined ? FAIL : verdictByMessage(error));
}

function verdictByMessage(error: TeacherError): Verdict {
  const { message, code, isRelayed } = error;
  if (neverFits(message)) return VERDICTS.row;
  const named = verdictAbout(error, "billing", "filter", "model", "key", "permission") ??
    verdictAbout(error, "rate_limit", "overload");
  if (named !== undefined) return named;
  if (isRelayed || isAbout("fault", message)) return VERDICTS.fault;
  if (isAbout("address", message)) return VERDICTS.address;
  // A rejected row would have an error status or a message that says what is wrong with the row.
  return isAboutRequest(message, code) ? FAIL : UNRECOGNIZED;
}

/** Returns the verdict for the first of `meanings` that the message expresses. */
function verdictAbout(
  { message, code, isRelayed }: TeacherError,
  ...meanings: readonly (Meaning & Topic)[]
): Verdict | undefined {
  const found = meanings.find((meaning) => {
    if (isRelayed && BLAMES_USER.has(meaning)) return false;
    return meaning === "filter" ? isFiltered(message, code) : isAbout(meaning, message);
  });
  return found && VERDICTS[found];
}

/** If a router relays an error with one of these meanings, the error is about the router's own key
 * or account, not the user's. */
const BLAMES_USER: ReadonlySet<Meaning> = new Set(["key", "billing"]);

function verdictOnServerError(error: TeacherError, status: number): Verdict {
  if (status === 511) return VERDICTS.address;
  // 501 means not implemented, and 505 means another version of HTTP. Another attempt cannot help.
  if (status === 501 || status === 505 || isAbout("input", error.message)) return FAIL;
  if (isAbout("backend", error.message)) return VERDICTS.fault;
  const verdict = loadVerdict(error) ?? SERVER_VERDICTS.get(status);
  // MiniMax sends 500 for text that its filter blocks.
  return verdict ?? (isBlocked(error) ? VERDICTS.filter : VERDICTS.fault);
}

/** Whether a filter blocked the row although the status means a fault. False if the filter itself
 * failed, and for web pages, which firewalls send. */
function isBlocked({ message, code = "" }: TeacherError): boolean {
  return isFiltered(message, code) && !isAbout("fault", message) && !FILTER_FAILED.test(code) &&
    code !== "web_page";
}

const FILTER_FAILED =
  /(?:filter|policy|moderation|guardrail|safety)_?(?:check|service)?_?(?:error|fail|timeout|unavailable)/i;

function verdictOnClientError(error: TeacherError, status: number): Verdict {
  const { message, isRelayed } = error;
  if (verdictAbout(error, "billing")) return VERDICTS.billing;
  if (status === 401 && !isRelayed) return VERDICTS.key;
  if (status === 413 || neverFits(message)) return VERDICTS.row;
  if (status === 402 && error.retryAfterMs !== undefined) return VERDICTS.rate_limit;
  if (status === 402 && !isRelayed) return VERDICTS.billing;
  if (status === 429) {
    const isUnpaid = isLimitZero(message) && !isRelayed;
    return isUnpaid ? { ...VERDICTS.billing, isAboutModel: true } : VERDICTS.rate_limit;
  }
  // Groq sends 498 if a flex tier has no capacity. Other providers report used-up limits with 400
  // or 403.
  const isUsedUp = error.isExhausted && error.retryAfterMs !== undefined;
  if (status === 498 || isUsedUp || isRateLimit(error) || isAbout("rate_limit", message)) {
    return VERDICTS.rate_limit;
  }
  if (isAbout("quota", message)) return isRelayed ? VERDICTS.rate_limit : VERDICTS.billing;
  if (isOverloadCode(error.code) || status === 403 && isLoadCode(error.code)) {
    return VERDICTS.overload;
  }
  if (FAULT_STATUSES.has(status)) return verdictOnFault(error, status);
  if (isAbout("crash", message)) return VERDICTS.fault;
  if (isFiltered(message, error.code)) return VERDICTS.filter;
  if (isRelayed) return verdictOnRelayed(error);
  // The key may be fine: firewalls answer some prompts with a web page, and Together sends 403 for
  // long prompts.
  if (status === 403 && (error.code === "web_page" || isTooLong(message))) return FAIL;
  const named = verdictAbout(error, "client_certificate", "plain_http", "endpoint", "model", "key");
  if (named !== undefined) return named;
  if (status === 403 || isAbout("permission", message)) return VERDICTS.permission;
  return WRONG_ADDRESS_STATUSES.has(status) && !isAbout("file", message) ? VERDICTS.address : FAIL;
}

function verdictOnFault(error: TeacherError, status: number): Verdict {
  if (isBlocked(error)) return VERDICTS.filter;
  // With 408, a gateway reports that it has stopped waiting for the server. If the body is a web
  // page, a web server reports that the request took too long to arrive.
  return status === 408 && error.code !== "web_page" ? VERDICTS.timeout : VERDICTS.fault;
}

/** Returns the verdict on a 4xx that a router relays. A rejected key, account or path is the
 * router's own, not the user's, so another attempt may reach another provider. */
function verdictOnRelayed(error: TeacherError): Verdict {
  const { message, code, status } = error;
  const named = verdictAbout(error, "model", "permission");
  if (named !== undefined) return named;
  const blamesRequest = !isAbout("fault", message) && isAboutRequest(message, code);
  return blamesRequest && ![401, 402, 403].includes(status ?? 0) ? FAIL : VERDICTS.fault;
}

function loadVerdict(error: TeacherError): Verdict | undefined {
  if (isRateLimit(error)) return VERDICTS.rate_limit;
  return isLoadCode(error.code) ? VERDICTS.overload : undefined;
}

function isRateLimit({ type, code }: TeacherError): boolean {
  return type === "rate_limit" || isRateCode(code);
}

/** Whether the message contains `limit: 0`. Gemini reports this limit if its free tier does not
 * include the model. */
function isLimitZero(message: string): boolean {
  return /\blimit:? 0(?![\d.,]\d)/i.test(message);
}
