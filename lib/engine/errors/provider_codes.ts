/**
 * Error codes of providers, where the status alone does not say enough. They come from
 * documentation and from reports of users; most have an example in
 * `tests/engine/errors/classify_cases.ts`.
 *
 * @module
 */

import { UNREADABLE_FILE } from "../../errors.ts";
import type { Verdict } from "./classify.ts";

/** Codes by meaning, separated by spaces. The first four meanings halt the teacher; `filter` and
 * `row` fail only their row; the others send it again. */
const CODES = {
  billing: [
    // OpenAI
    "insufficient_quota billing_hard_limit_reached billing_not_active",
    "credit_balance_exhausted organization_spend_limit_exceeded project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    // Anthropic
    "billing_error enforced_spend_limit_reached",
    // OpenRouter
    "openrouter_credits openrouter_key_limit openrouter_workspace_budget",
    "openrouter_guardrail_budget",
    // Moonshot, DashScope, New API, LiteLLM, Together
    "exceeded_current_quota_error arrearage insufficient_user_quota budget_exceeded",
    "credit_limit pre_consume_token_quota_failed",
    // Volcengine: overdue, and the limit that the user has set for a model
    "accountoverdueerror setlimitexceeded",
    // Groq: the spend limit
    "blocked_api_access",
    // Several providers
    "insufficient_balance insufficient_credits",
  ],
  key: [
    "invalid_api_key api_key_invalid api_key_required account_deactivated",
    "authentication_error invalid_authentication_error",
    // LiteLLM: without a database, only its master key is valid.
    "no_db_connection token_not_found_in_db expired_key auth_error",
  ],
  permission: ["unsupported_country_region_territory"],
  model: [
    "model_not_found model_not_available model_not_supported model_decommissioned",
    "invalid_model deploymentnotfound dedicated_endpoint_not_running key_model_access_denied",
  ],
  // `isFilterWord()` recognizes most others, where the status does not blame the server.
  filter: [
    "content_filter content_policy_violation data_inspection_failed flagged_input",
    // Proxies that use New API
    "prompt_blocked",
  ],
  row: [
    "weight_exceeds_budget",
    // Too long: OpenAI, llama.cpp, Anthropic, GitHub
    "context_length_exceeded string_above_max_length exceed_context_size_error",
    "request_too_large tokens_limit_reached",
    // Baidu, UCloud
    "tokens_too_long characters_too_long",
    // The images of the row: OpenAI
    "invalid_image invalid_image_format invalid_image_url invalid_base64_image",
    "image_parse_error image_too_large failed_to_download_image",
    // Our own.
    UNREADABLE_FILE,
  ],
  // OpenRouter with status 402: the requests in flight may cost more than the remaining credit.
  rate_limit: ["openrouter_in_flight_budget"],
  // Anthropic. `isOverloadCode()` recognizes most others.
  overload: ["overloaded_error"],
  // Groq: the model wrote no valid tool call or JSON. Another answer may be valid.
  bad_output: ["tool_use_failed json_validate_failed output_parse_failed"],
} satisfies Record<string, readonly string[]>;

type CodeMeaning = keyof typeof CODES;

export const ROW: Verdict = { action: "fail", cause: "row" };
export const FILTERED: Verdict = { action: "fail", cause: "filter", type: "filtered" };
export const RATE_LIMIT: Verdict = { action: "retry", cause: "load", type: "rate_limit" };
export const OVERLOAD: Verdict = { action: "retry", cause: "load", type: "server" };
export const FAULT: Verdict = { action: "retry", cause: "fault" };

export const KEY = halt(
  "Check the API key (OPENAI_API_KEY, or what --api-key-env, --api-key-file or --header names)",
);
export const PERMISSION = halt(
  "Check what the API key may do (its project, its limits, the country and the address it is used " +
    "from) in the teacher's settings",
);
export const BILLING = halt(
  "Add credit, or raise the spending limit, in the teacher's billing settings",
);
export const MODEL: Verdict = {
  ...halt("Check the name of the model (--model), and that the account may use it"),
  isAboutModel: true,
};

export const OTHER_SERVER =
  'Check the address (--base-url): "/chat/completions", or the path of another --endpoint, is added to it';

export const ADDRESS = halt(OTHER_SERVER);
export const PROXY = halt("Check the user name and the password in the address of the proxy");
export const CLIENT_CERTIFICATE = halt(
  "Check the client certificate (--client-cert, --client-key): the teacher requires one that it " +
    "trusts",
);
export const PLAIN_HTTP = halt(
  "Check the address: the server there speaks TLS, so use https:// instead of http://",
);

export const VERDICTS: Readonly<Record<CodeMeaning, Verdict>> = {
  billing: BILLING,
  key: KEY,
  permission: PERMISSION,
  model: MODEL,
  filter: FILTERED,
  row: ROW,
  rate_limit: RATE_LIMIT,
  overload: OVERLOAD,
  bad_output: { ...FAULT, type: "request" },
};

/** Nothing is sent to this teacher until the user has done something. */
export function halt(advice?: string): Verdict {
  return { action: "halt", cause: "account", type: "account", ...advice && { advice } };
}

const MEANINGS: ReadonlyMap<string, CodeMeaning> = new Map(
  Object.entries(CODES).flatMap(([meaning, codes]) =>
    codes.flatMap((line) => line.split(" ")).map((code) => [code, meaning as CodeMeaning] as const)
  ),
);

/** The meaning of a listed code; undefined if it depends on the status. */
export function codeMeaning(code: string | undefined): CodeMeaning | undefined {
  return code === undefined ? undefined : MEANINGS.get(code.toLowerCase());
}

/** For codes that are not listed. */
export function isRateCode(code = ""): boolean {
  return /rate[_-]?limit|too[_-]?many[_-]?(?:concurrent|requests)|resource[_-]?exhausted|throttl/i
    .test(code) ||
    /quota\w*(?:exceed|exhaust|reached)|(?:exceed|exhaust)\w*quota|(?:daily|hourly|minute)[_-]?limit/i
      .test(code);
}

/** For codes that are not listed. With a 4xx it counts only where the status and the message do not
 * decide earlier: see `verdictOnClientError()`. */
export function isOverloadCode(code = ""): boolean {
  return /overload|busy|slow_down/i.test(code);
}

/** For codes that are not listed, where the status does not blame the request. */
export function isLoadCode(code = ""): boolean {
  return isRateCode(code) || isOverloadCode(code) || /too_?many|capacity|unavailable/i.test(code);
}

/** For codes that are not listed. */
export function isFaultCode(code = ""): boolean {
  return /server|internal|api_error|upstream|provider|timeout|connection|generation/i.test(code);
}
