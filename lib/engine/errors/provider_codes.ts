/** Error codes that providers document or users have reported, for errors whose status alone says
 * too little. `tests/engine/errors/classify_cases.ts` has examples. @module */

import { UNREADABLE_FILE } from "../../errors.ts";
import type { Meaning } from "./verdicts.ts";

/** Codes by meaning, separated by spaces. The first four meanings halt the teacher, `filter` and
 * `row` fail the row, and the other meanings make Retort send the row again. */
const CODES = {
  billing: [
    "insufficient_balance insufficient_credits",
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
    // Volcengine: an overdue bill, and a limit that the user has set for a model
    "accountoverdueerror setlimitexceeded",
    // Groq: the spend limit
    "blocked_api_access",
    // DashScope, Google, Vercel
    "allocationquota.freetieronly billing_disabled insufficient_g1_credits_balance",
    "customer_verification_required",
  ],
  key: [
    "invalid_api_key api_key_invalid api_key_required account_deactivated",
    "authentication_error invalid_authentication_error",
    // LiteLLM accepts only its master key if it has no database.
    "no_db_connection token_not_found_in_db expired_key auth_error",
  ],
  permission: ["unsupported_country_region_territory organization_restricted"],
  model: [
    "model_not_found model_not_available model_not_supported model_decommissioned",
    "invalid_model deploymentnotfound dedicated_endpoint_not_running key_model_access_denied",
    // Groq
    "model_terms_required model_permission_blocked_org model_permission_blocked_project",
  ],
  // `isFilterWord()` recognizes most other codes of filters.
  filter: [
    "content_filter content_policy_violation data_inspection_failed flagged_input",
    // Proxies that use New API, guardrails of Portkey
    "prompt_blocked",
    "hooks_failed",
  ],
  row: [
    "weight_exceeds_budget",
    // Too long: OpenAI, llama.cpp, Anthropic, GitHub
    "context_length_exceeded string_above_max_length exceed_context_size_error",
    "request_too_large tokens_limit_reached",
    // Baidu, UCloud
    "tokens_too_long characters_too_long",
    // OpenAI: problems with an image of the row
    "invalid_image invalid_image_format invalid_image_url invalid_base64_image",
    "image_parse_error image_too_large failed_to_download_image",
    UNREADABLE_FILE,
  ],
  rate_limit: [
    // OpenRouter sends this with status 402 if the requests in flight may cost more than the
    // remaining credit.
    "openrouter_in_flight_budget",
    // DashScope, Cerebras
    "limit_requests limit_burst_rate queue_exceeded",
  ],
  // Anthropic. `isOverloadCode()` recognizes most other codes of overload.
  overload: ["overloaded_error"],
  // Groq: the model wrote an invalid tool call or invalid JSON. Another answer may be valid.
  bad_output: ["tool_use_failed json_validate_failed output_parse_failed"],
} satisfies Partial<Record<Meaning, readonly string[]>>;

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries(CODES).flatMap(([meaning, codes]) =>
    codes.flatMap((line) => line.split(" ")).map((code) => [code, meaning as Meaning] as const)
  ),
);

export function codeMeaning(code = ""): Meaning | undefined {
  return MEANINGS.get(code.toLowerCase());
}

/** Whether the words of a code mean a rate limit. Used for codes that `CODES` does not contain. */
export function isRateCode(code = ""): boolean {
  return /rate[_-]?limit|too[_-]?many[_-]?(?:concurrent|requests)|resource[_-]?exhausted|throttl/i
    .test(code) ||
    /quota\w*(?:exceed|exhaust|reached)|(?:exceed|exhaust)\w*quota|(?:daily|hourly|minute)[_-]?limit/i
      .test(code);
}

/** Whether the words of a code mean overload. For a 4xx, the status and the message may decide
 * first. */
export function isOverloadCode(code = ""): boolean {
  return /overload|busy|slow_down/i.test(code);
}

/** Whether the words of a code mean a rate limit or overload. The words are too general for errors
 * whose status blames the request. */
export function isLoadCode(code = ""): boolean {
  return isRateCode(code) || isOverloadCode(code) || /too_?many|capacity|unavailable/i.test(code);
}

/** Whether the words of a code mean a fault of the server. */
export function isFaultCode(code = ""): boolean {
  return /server|internal|api_error|upstream|provider|timeout|connection|generation/i.test(code);
}
