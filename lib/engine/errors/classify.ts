/**
 * What an error means: the one place that decides whether an attempt is repeated, whether its row has failed,
 * or whether no row can be answered until the user does something.
 *
 * `docs/errors.md` describes each case.
 *
 * @module
 */

import type { TeacherError } from "../../errors.ts";
import { DAY_MS } from "../../timer.ts";
import {
  aboutClientCertificate,
  aboutCrash,
  aboutFault,
  aboutFile,
  aboutKey,
  aboutLoad,
  aboutModel,
  aboutMoney,
  aboutPath,
  aboutPlainHttp,
  aboutRegion,
  aboutRequest,
  type CodeCause,
  codeCause,
  isFaultCode,
  isFiltered,
  isLoadCode,
  isPage,
  neverFits,
  nothingAllowed,
} from "./provider_messages.ts";

/** What follows a failed attempt. */
export type FailureReaction = "retry" | "fail" | "halt";

/**
 * Why an attempt failed.
 *
 * - `account`: the key, the bill, the model or the address; no row will be answered
 * - `request`: this row is refused, others may not be
 * - `load`: the teacher has too much to do (429, 503, 529)
 * - `unreachable`: no connection could be made, nothing was sent
 * - `timeout`: a deadline passed
 * - `adjusted`: the teacher refused a field that was added for the user, and requests leave it out from now on
 * - `fault`: something broke (500, 502, 504, 408, 409, cut connections, half answers)
 * - `ending`: there is an answer, but nothing says that the teacher finished it
 */
export type FailureCause =
  | "account"
  | "request"
  | "load"
  | "unreachable"
  | "timeout"
  | "fault"
  | "ending"
  | "adjusted";

/** What an error means for its row and for its teacher. */
export interface Classification {
  /** What follows: another attempt, the end of this row, or the end of all sending. */
  readonly action: FailureReaction;
  /** Why. */
  readonly cause: FailureCause;
  /** How long the teacher asks to wait, in milliseconds. @default undefined: it says nothing of that */
  readonly retryAfterMs?: number;
  /** Whether the teacher says that a limit is used up: no other row is sent to it until then.
   * @default false */
  readonly isExhausted?: boolean;
  /** For halts: what the user can do, a sentence without a final period. */
  readonly advice?: string;
  /** Whether the model's name is the cause: a row that names its own model fails alone. @default false */
  readonly isAboutModel?: boolean;
  /** Whether something other than a teacher answers, surely or probably. Counts only if nothing else has
   * ever answered there. */
  readonly isOtherServer?: "certainly" | "probably";
}

const FAIL: Classification = { action: "fail", cause: "request" };
const FAULT: Classification = { action: "retry", cause: "fault" };
const TIMEOUT: Classification = { action: "retry", cause: "timeout" };
const ADJUSTED: Classification = { action: "retry", cause: "adjusted" };
const UNPROVEN: Classification = { action: "retry", cause: "ending" };
const UNREACHABLE: Classification = { action: "retry", cause: "unreachable" };

const KEY = halt(
  "Check the API key (OPENAI_API_KEY, or what --api-key-env, --api-key-file or --header names)",
);
const PERMISSION = halt(
  "Check what the API key may do (its project, its limits, the country and the address it is used " +
    "from) in the teacher's settings",
);
const BILLING = halt(
  "Add credit, or raise the spending limit, in the teacher's billing settings",
);
const MODEL: Classification = {
  ...halt("Check the name of the model (--model), and that the account may use it"),
  isAboutModel: true,
};

/** Advice where something other than a teacher answers. */
export const OTHER_SERVER =
  'Check the address (--base-url): "/chat/completions", or the path of another --endpoint, is added to it';

const ADDRESS = halt(OTHER_SERVER);
const PROXY = halt("Check the user name and the password in the address of the proxy");
const CERTIFICATE = halt(
  "Check the address, and name the authority that signed the certificate (--ca-file)",
);
const CLIENT_CERTIFICATE = halt(
  "Check the certificate that the teacher is shown (--client-cert, --client-key): it wants one that " +
    "it trusts",
);
const NO_TLS = halt(
  "Check the address: what answers there does not speak TLS, it may want http:// instead of https://",
);
const PLAIN_HTTP = halt(
  "Check the address: what answers there speaks TLS, it wants https:// instead of http://",
);
/** Deno's permission, not the teacher's. */
const NO_PERMISSION = halt("Start it with --allow-net");

const BY_CODE: Readonly<Record<CodeCause, Classification>> = {
  billing: BILLING,
  key: KEY,
  permission: PERMISSION,
  model: MODEL,
  request: FAIL,
  fault: FAULT,
};

/** Statuses that mean a wrong address, whatever the row. */
const WRONG_ADDRESS = new Set([404, 405, 410, 426, 511]);
/** 498 is Groq's word for a flex tier without capacity, 529 Anthropic's for overload. */
const LOAD = new Set([429, 498, 503, 529]);
/** 424 is used by TGI and Bedrock when generating failed, 499 by Groq when it gave up, 444 by nginx for a
 * connection that it closed. */
const FAULTS = new Set([408, 409, 421, 423, 424, 425, 444, 499]);
/** Another attempt cannot help: not implemented, another version of HTTP. */
const HOPELESS = new Set([501, 505]);

/** Answers of status 200 that hold neither a completion nor an error. A page where a completion should be comes
 * from another server, or from a portal in between. */
const BROKEN_ANSWERS: ReadonlyMap<string, Classification> = new Map([
  ["broken_answer", FAULT],
  ["web_page", { ...FAULT, isOtherServer: "certainly" }],
  ["other_api", { ...FAULT, isOtherServer: "probably" }],
]);

/** A port of another protocol (gRPC, a database). */
const NO_HTTP: Classification = { ...FAULT, isOtherServer: "certainly" };

/** LM Studio answers requests for paths that it does not have with status 200 and a text of its own. */
const UNKNOWN_WORDS: Classification = { ...FAULT, isOtherServer: "probably" };

/**
 * Classifies an error. What its thrower says explicitly (`error.retryable`, the header `x-should-retry`) is obeyed, as
 * the OpenAI SDKs do, unless another attempt is useless: what the user has to fix halts anyway, except for a 429 that
 * is said to pass. A teacher that `hasAnswered` is waited for while its certificate is renewed.
 */
export function classify(error: TeacherError, hasAnswered = false): Classification {
  if (error.isAdjusted) return ADJUSTED;
  const verdict = classifyByContent(error, hasAnswered);
  if (error.retryable === undefined) {
    // A teacher that rejects a row sends no part of an answer: something broke.
    const hasBroken = verdict.action === "fail" && error.partial !== undefined;
    return hasBroken && !isAboutRow(error) ? FAULT : verdict;
  }
  if (verdict.action === "halt") {
    return error.retryable && error.status === 429 ? load(error) : verdict;
  }
  if (!error.retryable) return FAIL;
  if (verdict.action !== "fail") return verdict;
  // An error in an answer of status 200 is called retryable only because its text may say nothing that is
  // known.
  const isStated = error.status !== undefined && error.status < 300;
  if (isStated) return isAboutRow(error) ? verdict : UNKNOWN_WORDS;
  return FAULT;
}

/** Whether the teacher says that it rejects this row, and not what all rows share. */
export function isAboutRow({ message, code }: TeacherError): boolean {
  return codeCause(code) === "request" || isFiltered(message, code) || neverFits(message);
}

function classifyByContent(error: TeacherError, hasAnswered: boolean): Classification {
  if (error.isUnreachable || hasAnswered && error.code === "certificate") return UNREACHABLE;
  if (error.type === "timeout") return TIMEOUT;
  if (error.type === "network") return ofConnection(error.code);
  if (error.type === "unfinished") return error.code === "broken_off" ? FAULT : UNPROVEN;
  if (error.type === "empty") return FAULT;
  const { status } = error;
  // An error of a custom teacher or of a stream, without a status of its own.
  if (status === undefined || status < 300) return ofWords(error);
  if (status < 400) return ADDRESS;
  if (status === 407) return PROXY;
  const known = ofCode(error);
  if (known !== undefined) return known;
  return status < 500 ? ofClientError(error, status) : ofServerError(error, status);
}

function ofConnection(code: string | undefined): Classification {
  if (code === "certificate") return CERTIFICATE;
  if (code === "client_certificate") return CLIENT_CERTIFICATE;
  if (code === "no_permission") return NO_PERMISSION;
  if (code === "wants_tls") return PLAIN_HTTP;
  if (code === "no_http") return NO_HTTP;
  return code === "no_tls" ? NO_TLS : FAULT;
}

function ofCode(error: TeacherError): Classification | undefined {
  const cause = codeCause(error.code);
  if (cause === undefined) return undefined;
  if (cause === "key" && error.isRelayed) return undefined;
  // Gateways without a free channel name the model too; that passes.
  if (cause === "model" && (error.status ?? 0) >= 500) return undefined;
  return BY_CODE[cause];
}

/** An error without a status of its own: from a custom teacher, or stated in an answer of status 2xx. */
function ofWords(error: TeacherError): Classification {
  const known = ofCode(error);
  if (known !== undefined) return known;
  if (error.type === "rate_limit" || isLoadCode(error.code)) return load(error);
  if (error.type === "server" || isFaultCode(error.code)) return FAULT;
  const broken = BROKEN_ANSWERS.get(error.code ?? "");
  if (broken !== undefined) return broken;
  return error.status === undefined ? FAIL : ofStatedError(error);
}

/** An error in an answer of status 200 whose code does not say enough. */
function ofStatedError(error: TeacherError): Classification {
  const { message, code } = error;
  if (neverFits(message)) return FAIL;
  if (aboutMoney(message)) return BILLING;
  if (isFiltered(message, code)) return FAIL;
  if (aboutModel(message)) return MODEL;
  if (aboutKey(message)) return KEY;
  if (aboutRegion(message)) return PERMISSION;
  if (aboutLoad(message)) return load(error);
  if (error.isRelayed || aboutFault(message)) return FAULT;
  if (aboutPath(message)) return ADDRESS;
  // A teacher that rejects a row for a reason sends an error status, or says what is wrong with the row.
  return aboutRequest(message, code) ? FAIL : UNKNOWN_WORDS;
}

function ofServerError(error: TeacherError, status: number): Classification {
  if (status === 511) return ADDRESS;
  if (HOPELESS.has(status)) return FAIL;
  return LOAD.has(status) || isLoadCode(error.code) ? load(error) : FAULT;
}

function ofClientError(error: TeacherError, status: number): Classification {
  const { message } = error;
  if (status === 401 && !error.isRelayed) return KEY;
  if (neverFits(message)) return FAIL;
  if (aboutMoney(message)) return BILLING;
  if (status === 402) return error.retryAfterMs === undefined ? BILLING : load(error);
  if (status === 429) {
    return nothingAllowed(message) ? { ...BILLING, isAboutModel: true } : load(error);
  }
  // Older Google APIs report their limits with 403.
  if (LOAD.has(status) || (status === 403 && isLoadCode(error.code))) return load(error);
  if (FAULTS.has(status) || aboutCrash(message)) return FAULT;
  if (error.isRelayed) return ofRelayed(error);
  // Firewalls answer some prompts with a page: that says nothing about the key.
  if (isFiltered(message, error.code) || (status === 403 && isPage(message))) return FAIL;
  if (aboutClientCertificate(message)) return CLIENT_CERTIFICATE;
  if (aboutPlainHttp(message)) return PLAIN_HTTP;
  if (aboutModel(message)) return MODEL;
  if (aboutKey(message)) return KEY;
  if (status === 403 || aboutRegion(message)) return PERMISSION;
  return WRONG_ADDRESS.has(status) && !aboutFile(message) ? ADDRESS : FAIL;
}

/** The 4xx of a provider behind a router. Its key, its paths and its faults are not ours: another attempt may
 * reach another provider, or the same one in a better state. */
function ofRelayed({ message, code, status }: TeacherError): Classification {
  if (isFiltered(message, code)) return FAIL;
  if (aboutModel(message)) return MODEL;
  if (aboutRegion(message)) return PERMISSION;
  const isSaid = !aboutFault(message) && aboutRequest(message, code);
  return isSaid && status !== 401 && status !== 403 ? FAIL : FAULT;
}

function load(error: TeacherError): Classification {
  const { retryAfterMs: ms, isExhausted } = error;
  const load: Classification = {
    action: "retry",
    cause: "load",
    ...isExhausted && { isExhausted },
  };
  if (ms === undefined || !(ms >= 0 && ms < Infinity)) return load;
  return { ...load, retryAfterMs: Math.min(ms, DAY_MS) };
}

function halt(advice: string): Classification {
  return { action: "halt", cause: "account", advice };
}
