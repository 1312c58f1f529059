/** What a failed attempt may mean for its row and its teacher, and the advice for the user.
 * @module */

import type { FailureType } from "../../errors.ts";

export type FailureCause =
  /** The teacher cannot answer any row because, for example, the key, the account, the model or the
   * address is wrong. */
  | "account"
  /** The request is rejected because of this row or because of something that all rows share, such
   * as a parameter. */
  | "request"
  /** Something in this row is rejected, such as its length or its image. */
  | "row"
  /** A content filter blocked the prompt or the answer. */
  | "filter"
  /** The teacher throttles. `type` distinguishes a rate limit from overload. */
  | "load"
  /** No connection could be made, so nothing was sent. */
  | "unreachable"
  /** Retort or a gateway (408, 504, 524) stopped waiting for an answer that may be billed. */
  | "timeout"
  /** A temporary fault, such as status 500, a broken connection or a partial answer. */
  | "fault"
  /** There is an answer, but its finish reason is missing or unknown. */
  | "ending"
  /** The teacher rejected a field that Retort had added. Later requests omit the field. */
  | "adjusted";

export interface Classification {
  /** What happens next: `retry` sends the row again, `fail` fails the row, and `halt` sends the
   * teacher no more rows. */
  readonly action: "retry" | "fail" | "halt";
  readonly cause: FailureCause;
  readonly type: FailureType;
  readonly retryAfterMs?: number;
  /** Whether the teacher reports that a limit is used up, so that other rows must wait too.
   * @default false */
  readonly isExhausted?: boolean;
  /** What the user can do after a halt, without a final period. */
  readonly advice?: string;
  /** Whether the model is the cause. If the row itself chose the model, only that row fails.
   * @default false */
  readonly isAboutModel?: boolean;
  /** How certain it is that the response came from something other than a teacher. Ignored if the
   * teacher has answered before. */
  readonly otherServer?: "certain" | "probable";
}

/** The decision on an error. If `type` is absent, `classify` derives it from the error. */
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

/** Verdicts on 5xx statuses whose code and message do not decide. `classify` handles 501, 505 and
 * 511. Any other status that is not listed is a fault. */
export const SERVER_VERDICTS: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  [503, VERDICTS.overload],
  // A gateway stopped waiting for the answer. 524 is specific to Cloudflare.
  [504, VERDICTS.timeout],
  [524, VERDICTS.timeout],
  // Anthropic
  [529, VERDICTS.overload],
]);

/** The request is rejected for an unknown reason. `classify` compares verdicts with this object
 * and, if they are the same, looks for a reason in the message. */
export const FAIL: Verdict = { action: "fail", cause: "request" };
export const ADJUSTED: Verdict = { action: "retry", cause: "adjusted" };
export const UNKNOWN_ENDING: Verdict = { action: "retry", cause: "ending" };
export const UNREACHABLE: Verdict = { action: "retry", cause: "unreachable", type: "network" };

/** A 2xx response with neither a completion nor an error. */
const BROKEN: Verdict = { ...VERDICTS.fault, type: "response" };
/** A 2xx response that may come from something other than a teacher: Ollama's own API, for example,
 * or `{"code":7,"msg":"oh"}`. */
export const UNRECOGNIZED: Verdict = { ...BROKEN, otherServer: "probable" };
export const BROKEN_ANSWER_VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ["broken_answer", BROKEN],
  // Another web server or a captive portal sent a page.
  ["web_page", { ...BROKEN, otherServer: "certain" }],
  ["other_api", UNRECOGNIZED],
]);

/** Verdicts on connection errors by error code. A code that is not listed is a fault. */
export const CONNECTION_VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ["certificate", VERDICTS.certificate],
  ["client_certificate", VERDICTS.client_certificate],
  // Deno lacks the permission to use the network, so nothing was sent.
  ["no_permission", halt("Start Retort with --allow-net")],
  ["wants_tls", VERDICTS.plain_http],
  [
    "no_tls",
    halt(
      "Check the address: the server there may speak plain HTTP, so try http:// instead of https://",
    ),
  ],
  // The server has no host of this name (SNI), or supports only HTTP/2.
  ["no_handshake", VERDICTS.address],
  // The port belongs to another protocol, such as gRPC or a database protocol.
  ["no_http", { ...VERDICTS.fault, otherServer: "certain" }],
]);
