/** What a failed attempt can mean for its row and its teacher, and what to advise. @module */

import type { FailureType } from "../../errors.ts";

export type FailureCause =
  /** The teacher cannot answer any row: the key, the account, the model or the address, for
   * example, is wrong. */
  | "account"
  /** The request is rejected, because of this row or of something that all rows share, such as a
   * parameter. */
  | "request"
  /** Something in this row is rejected, such as its length or its image. */
  | "row"
  /** A content filter blocked the prompt or the answer. */
  | "filter"
  /** The teacher throttles. `type` tells a rate limit from overload. */
  | "load"
  /** No connection could be made, so nothing was sent. */
  | "unreachable"
  /** Retort, or a gateway (504, 408), stopped waiting for an answer that may be billed. */
  | "timeout"
  /** A temporary fault, such as status 500 or 408, a broken connection or a partial answer. */
  | "fault"
  /** There is an answer, but its finish reason is missing or unknown. */
  | "ending"
  /** The teacher rejected a field that Retort had added; requests omit it from now on. */
  | "adjusted";

export interface Classification {
  /** `retry`: another attempt. `fail`: the row fails. `halt`: the teacher gets no more rows. */
  readonly action: "retry" | "fail" | "halt";
  readonly cause: FailureCause;
  readonly type: FailureType;
  readonly retryAfterMs?: number;
  /** The teacher says that a limit is used up, so other rows must wait too. @default false */
  readonly isExhausted?: boolean;
  /** For halts: what the user can do, without a final period. */
  readonly advice?: string;
  /** The model is the cause. If the row itself chose the model, only that row fails. @default false
   */
  readonly isAboutModel?: boolean;
  /** How certain it is that something other than a teacher responds. Ignored if the teacher has
   * ever answered. */
  readonly otherServer?: "certain" | "probable";
}

/** A decision on an error. If `type` is absent, `classify` derives it from the error. */
export type Verdict = Omit<Classification, "type" | "retryAfterMs" | "isExhausted"> & {
  readonly type?: FailureType;
};

export function halt(advice?: string): Verdict {
  return { action: "halt", cause: "account", type: "account", ...advice && { advice } };
}

export const OTHER_SERVER =
  'Check the address (--base-url): "/chat/completions", or the path of another --endpoint, is added to it';

/** Verdicts by the meaning of an error. */
export const VERDICTS = {
  row: { action: "fail", cause: "row" },
  filter: { action: "fail", cause: "filter", type: "filtered" },
  rate_limit: { action: "retry", cause: "load", type: "rate_limit" },
  overload: { action: "retry", cause: "load", type: "server" },
  fault: { action: "retry", cause: "fault" },
  timeout: { action: "retry", cause: "timeout" },
  bad_output: { action: "retry", cause: "fault", type: "request" },
  key: halt(
    "Check the API key (OPENAI_API_KEY, or what --api-key-env, --api-key-file or --header names)",
  ),
  permission: halt(
    "In the teacher's settings, check what the API key may do: its project, its limits, and the " +
      "countries and IP addresses from which it may be used",
  ),
  billing: halt("Add credit, or raise the spending limit, in the teacher's billing settings"),
  upstream: halt(
    "The provider behind the gateway has rejected the gateway's own key or account, not yours: check " +
      "the gateway's configuration",
  ),
  model: {
    ...halt("Check the name of the model (--model), and that the account may use it"),
    isAboutModel: true,
  },
  endpoint: {
    ...halt(
      "The model is served at another endpoint: choose it with --endpoint (chat, responses or completions)",
    ),
    isAboutModel: true,
  },
  address: halt(OTHER_SERVER),
  proxy: halt("Check the user name and the password in the address of the proxy"),
  certificate: halt(
    "Check the address, the dates of the certificate and the clock of this machine. To trust your " +
      "own certificate authority, use --ca-file",
  ),
  client_certificate: halt(
    "The teacher requires a client certificate, or does not trust the one that was sent: check " +
      "--client-cert, --client-key and the address",
  ),
  plain_http: halt(
    "Check the address: the server there speaks TLS, so use https:// instead of http://",
  ),
} satisfies Record<string, Verdict>;

export type Meaning = keyof typeof VERDICTS;

/** Verdicts on 5xx statuses. Other 5xx statuses are faults. */
export const SERVER_VERDICTS: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  [503, VERDICTS.overload],
  // A gateway stopped waiting for the answer; 524 is Cloudflare's status.
  [504, VERDICTS.timeout],
  [524, VERDICTS.timeout],
  // Anthropic
  [529, VERDICTS.overload],
]);

/** The request is rejected for no known reason. `classify` compares verdicts with this object, and
 * then looks for a reason in the message. */
export const FAIL: Verdict = { action: "fail", cause: "request" };
export const ADJUSTED: Verdict = { action: "retry", cause: "adjusted" };
export const UNKNOWN_ENDING: Verdict = { action: "retry", cause: "ending" };
export const UNREACHABLE: Verdict = { action: "retry", cause: "unreachable", type: "network" };

/** A 2xx response with neither a completion nor an error. */
const BROKEN: Verdict = { ...VERDICTS.fault, type: "response" };
/** A 2xx response that may not be a teacher's: Ollama's own API, or `{"code":7,"msg":"oh"}`. */
export const UNRECOGNIZED: Verdict = { ...BROKEN, otherServer: "probable" };
export const BROKEN_ANSWER_VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ["broken_answer", BROKEN],
  // From another web server, or from a captive portal.
  ["web_page", { ...BROKEN, otherServer: "certain" }],
  ["other_api", UNRECOGNIZED],
]);

/** Verdicts on connection errors by error code. Other codes are faults. */
export const CONNECTION_VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ["certificate", VERDICTS.certificate],
  ["client_certificate", VERDICTS.client_certificate],
  // Deno lacks the permission to use the network; the teacher was not asked.
  ["no_permission", halt("Start Retort with --allow-net")],
  ["wants_tls", VERDICTS.plain_http],
  [
    "no_tls",
    halt(
      "Check the address: the server there may speak plain HTTP, so try http:// instead of https://",
    ),
  ],
  // The server has no host of this name (SNI), or speaks only HTTP/2.
  ["no_handshake", VERDICTS.address],
  // A port of another protocol (gRPC, a database).
  ["no_http", { ...VERDICTS.fault, otherServer: "certain" }],
]);
