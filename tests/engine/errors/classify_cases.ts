/**
 * How teachers fail, and what follows: the table of `classify_test.ts`
 * and of `docs/errors.md`. After a change here, regenerate the page:
 * `deno run --allow-all tests/engine/errors/classify_table.ts`.
 *
 * @module
 */

import type { Classification } from "../../../lib/engine/errors/verdicts.ts";
import { errors } from "../../../lib/deps/undici.ts";
import { TeacherError } from "../../../lib/errors.ts";
import { statusError } from "../../../lib/teacher/error_response.ts";
import { networkError, type Stage } from "../../../lib/teacher/interruptions.ts";
import {
  missingChoiceError,
  notAnObjectError,
  statedError,
} from "../../../lib/teacher/answer_body.ts";

/** What the user can do: fixes for problems that halt a teacher. */
export type Remedy =
  | "key"
  | "upstream"
  | "permission"
  | "billing"
  | "model"
  | "endpoint"
  | "address"
  | "proxy"
  | "certificate"
  | "client certificate"
  | "tls";

/** The expected result of `classify()`. */
export interface Expected extends Omit<Classification, "advice"> {
  readonly remedy?: Remedy;
}

/** A way for an attempt to fail. */
export interface ClassifyCase {
  /** The server and its message. */
  readonly what: string;
  /** The error as the teacher throws it. */
  readonly error: TeacherError;
  /** The header fields that matter. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expected: Expected;
}

/** When all responses arrive. */
const NOW = Date.parse("2025-01-01T00:00:00Z");
const same = (text: string) => text;

/** The row, or something that all rows share, may be the cause: counts against the teacher. */
const FAIL: Expected = { action: "fail", cause: "request", type: "request" };
/** Only this row is the cause. */
const ROW: Expected = { ...FAIL, cause: "row" };
const FILTERED: Expected = { ...FAIL, cause: "filter", type: "filtered" };
const FAULT: Expected = { action: "retry", cause: "fault", type: "server" };
const RATE_LIMIT: Expected = { action: "retry", cause: "load", type: "rate_limit" };
const OVERLOAD: Expected = { ...RATE_LIMIT, type: "server" };
const BROKEN: Expected = { ...FAULT, type: "response" };
const UNKNOWN: Expected = { ...BROKEN, otherServer: "probable" };
const CUT_OFF: Expected = { ...FAULT, type: "network" };
/** A gateway stopped waiting. */
const SLOW: Expected = { action: "retry", cause: "timeout", type: "server" };
const TIMEOUT: Expected = { action: "retry", cause: "timeout", type: "timeout" };
const UNREACHABLE: Expected = { action: "retry", cause: "unreachable", type: "network" };
const KEY = halts("key"), BILLING = halts("billing"), ADDRESS = halts("address");
const PERMISSION = halts("permission"), PROXY = halts("proxy");
const MODEL: Expected = { ...halts("model"), isAboutModel: true };
const ENDPOINT: Expected = { ...halts("endpoint"), isAboutModel: true };

function halts(remedy: Remedy): Expected {
  return { action: "halt", cause: "account", type: "account", remedy };
}

function asksFor(retryAfterMs: number, expected = RATE_LIMIT): Expected {
  return { ...expected, retryAfterMs };
}

/** An exhausted limit. */
function exhausted(retryAfterMs?: number): Expected {
  const until = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { ...RATE_LIMIT, isExhausted: true, ...until };
}

type Headers = Record<string, string>;
type Row = readonly [what: string, error: TeacherError, expected: Expected, headers?: Headers];

/** A section of the page. */
export interface CaseGroup {
  readonly title: string;
  readonly cases: readonly ClassifyCase[];
}

function group(title: string, rows: readonly Row[]): CaseGroup {
  const cases = rows.map(([what, error, expected, headers = {}]) => ({
    what,
    error,
    expected,
    headers,
  }));
  return { title, cases };
}

/** A response that is not 2xx. */
function on(
  what: string,
  status: number,
  body: unknown,
  expected: Expected,
  headers: Headers = {},
): Row {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const address = { shownBaseUrl: "https://api.example/v1", isVersioned: true };
  const context = { model: "m", modelAsked: undefined, keep: [], redact: same };
  const waitedMs = 60_000;
  const error = statusError({ status, headers, text, address, context, waitedMs, now: NOW });
  return [what, error, expected, headers];
}

/** An error reported in an answer or a stream of status 200. */
function stated(what: string, error: unknown, expected: Expected): Row {
  return [what, statedError(error, { status: 200, redact: same }), expected];
}

function broken(what: string, code: string, stage: Stage, expected: Expected): Row {
  const cause = Object.assign(new Error(code.toLowerCase()), { code });
  return [what, networkError(cause, "api.example:443", stage, undefined), expected];
}

/** A response that is not HTTP. */
function unreadable(what: string, data: string, expected: Expected): Row {
  const cause = new errors.HTTPParserError("Response does not match the HTTP/1.1 protocol");
  Object.assign(cause, { code: "HPE_INVALID_CONSTANT", data });
  return [what, networkError(cause, "api.example:80", "sent", undefined), expected];
}

/** A fatal alert of a TLS handshake. */
function alert(what: string, name: string, expected = halts("client certificate")): Row {
  const cause = new Error(`received fatal alert: ${name}`);
  const error = networkError(cause, "api.example:443", "connecting", undefined);
  return [what, error, expected];
}

/** A response of status 200 without a completion. */
function without(what: string, body: unknown, expected: Expected): Row {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const error = typeof body === "string"
    ? notAnObjectError(text, { status: 200, redact: same })
    : missingChoiceError(body as Record<string, unknown>, "choice", text, {
      status: 200,
      redact: same,
    });
  return [what, error, expected];
}

/** An error that a custom teacher throws. */
function own(
  what: string,
  options: ConstructorParameters<typeof TeacherError>[1],
  expected: Expected,
): Row {
  return [what, new TeacherError("Its own words", options), expected];
}

/** An error body in OpenAI's form. */
function openai(message: string, type: string, code: string | null = null) {
  return { error: { message, type, param: null, code } };
}

/** An error body in Anthropic's form. */
function anthropic(type: string, message: string, details?: unknown) {
  return { type: "error", error: { type, message, details }, request_id: "req_1" };
}

/** An error body in Google's form: a list, as from the OpenAI interface of Gemini. */
function google(code: number, status: string, message: string, details?: unknown[]) {
  return [{ error: { code, message, status, details } }];
}

/** An error body in OpenRouter's form. */
function openrouter(code: number, message: string, metadata?: unknown) {
  return { error: { code, message, metadata } };
}

/** An error body in the form of vLLM and SGLang. */
function vllm(code: number, type: string, message: string) {
  return { object: "error", message, type, param: null, code };
}

/** An error body in MiniMax's form, which always has status 200. */
function minimax(code: number, message: string) {
  return { id: "1", choices: null, base_resp: { status_code: code, status_msg: message } };
}

/** An OpenRouter error that relays a provider's body as text. */
function relayed(code: number, raw: unknown, more: Record<string, unknown> = {}) {
  const text = typeof raw === "string" ? raw : JSON.stringify(raw);
  return openrouter(code, RELAYED, { raw: text, provider_name: "Chutes", ...more });
}

const RELAYED = "Provider returned error";
const QUOTA = "You exceeded your current quota, please check your plan and billing details.";
const RETRY_INFO = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.07s" };
const BAD_KEY = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" };
const PAGE = "<!DOCTYPE html><html><title>Just a moment</title></html>";

export const GROUPS: readonly CaseGroup[] = [
  group("The key and what it may do", [
    on(
      "OpenAI: wrong key",
      401,
      openai("Incorrect API key provided: sk-1.", "invalid_request_error", "invalid_api_key"),
      KEY,
    ),
    on(
      "OpenAI: no organization",
      401,
      openai("You must be a member of an organization to use the API", "invalid_request_error"),
      KEY,
    ),
    on(
      "OpenAI: closed account",
      401,
      openai("The account is deactivated.", "invalid_request_error", "account_deactivated"),
      KEY,
    ),
    on("Anthropic: wrong key", 401, anthropic("authentication_error", "invalid x-api-key"), KEY),
    on("DeepSeek: wrong key", 401, openai("Authentication Fails", "authentication_error"), KEY),
    on("Mistral: wrong key", 401, { message: "Unauthorized", request_id: "1" }, KEY),
    on("vLLM with --api-key", 401, { error: "Unauthorized" }, KEY),
    on(
      "Gemini: wrong key",
      400,
      google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [BAD_KEY]),
      KEY,
    ),
    on(
      "Gemini: expired key",
      400,
      google(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."),
      KEY,
    ),
    on("nothing but a status", 401, "", KEY),
    on("Databricks: wrong key", 403, { error_code: "403", message: "Invalid access token." }, KEY),
    on("AWS: expired", 403, {
      Message: "The security token included in the request is expired",
    }, KEY),
    on(
      "Gemini: a key that Google found in public",
      403,
      google(403, "PERMISSION_DENIED", "Your API key was reported as leaked."),
      KEY,
    ),
    on(
      "LiteLLM without a database: wrong key",
      400,
      openai("No connected db.", "no_db_connection", "400"),
      KEY,
    ),
    on(
      "LiteLLM: expired key",
      400,
      openai("Authentication Error - Expired Key. Key Expiry time …", "expired_key", "400"),
      KEY,
    ),
    on(
      "LiteLLM: wrong key, older",
      400,
      { detail: "Authentication Error, Invalid proxy server token passed." },
      KEY,
    ),
    on(
      "LiteLLM: the provider refuses its key",
      401,
      openai(
        "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided: sk-1.",
        "invalid_request_error",
        "401",
      ),
      halts("upstream"),
    ),
    on(
      "LiteLLM: Google refuses its key",
      401,
      openai(
        "litellm.AuthenticationError: litellm.AuthenticationError: VertexAIException AuthenticationError - API key not valid.",
        "None",
        "401",
      ),
      halts("upstream"),
    ),
    on(
      "LiteLLM: a paid model on Gemini's free tier",
      429,
      openai(
        `litellm.RateLimitError: litellm.RateLimitError: geminiException - {"error": {"code": 429, "message": "${QUOTA} limit: 0, model: gemini-9"}}`,
        "throttling_error",
        "429",
      ),
      { ...halts("upstream"), isAboutModel: true },
    ),
    on(
      "LiteLLM: the provider's bill at OpenAI",
      429,
      openai(
        `litellm.RateLimitError: RateLimitError: OpenAIException - ${QUOTA} For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.`,
        "throttling_error",
        "429",
      ),
      halts("upstream"),
    ),
    on(
      "LiteLLM: the provider's bill, older",
      400,
      openai(
        "BadRequestError: AnthropicException - Your credit balance is too low",
        "None",
        "400",
      ),
      halts("upstream"),
    ),
    on("xAI: wrong key", 400, {
      code: "Client specified an invalid argument",
      error: "Incorrect API key provided: na***ys. You can obtain an API key from …",
    }, KEY),
    on("xAI: wrong key, encoded", 400, {
      code: "Client specified an invalid argument",
      error: "Incorrect%20API%20key%20provided:%20ba***na.",
    }, KEY),
    on("SiliconFlow: wrong key", 403, "Api key is invalid", KEY),
    on("New API: wrong key", 403, openai("无效的令牌", "new_api_error"), KEY),
    on(
      "nginx: no client certificate",
      400,
      "<html><head><title>400 No required SSL certificate was sent</title></head></html>",
      halts("client certificate"),
    ),
    on(
      "nginx: TLS is missing",
      400,
      "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
      halts("tls"),
    ),
    on("Go: TLS is missing", 400, "Client sent an HTTP request to an HTTPS server.", halts("tls")),
    on(
      "OpenAI: country",
      403,
      openai(
        "Country, region, or territory not supported",
        "request_forbidden",
        "unsupported_country_region_territory",
      ),
      PERMISSION,
    ),
    on(
      "Gemini: country",
      400,
      google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
      PERMISSION,
    ),
    on(
      "Anthropic: no permission",
      403,
      anthropic("permission_error", "Your API key does not have permission to use this resource."),
      PERMISSION,
    ),
    on(
      "Gemini: country of the free tier",
      400,
      google(400, "FAILED_PRECONDITION", "The free tier is not available in your country."),
      PERMISSION,
    ),
    on(
      "Bedrock: country",
      400,
      { message: "Access to Anthropic models is not allowed from unsupported countries." },
      PERMISSION,
    ),
    on(
      "Groq: restricted",
      400,
      openai("Organization is restricted", "invalid_request_error", "organization_restricted"),
      PERMISSION,
    ),
    on("nothing but a status", 403, "", PERMISSION),
    on("HTTP proxy: its own password", 407, "", PROXY),
  ]),
  group("Billing", [
    on(
      "Volcengine: overdue",
      403,
      openai(
        "The request failed because your account has an overdue balance.",
        "Forbidden",
        "AccountOverdueError",
      ),
      BILLING,
    ),
    on(
      "Groq: the spend limit",
      400,
      openai("API access is blocked", "invalid_request_error", "blocked_api_access"),
      BILLING,
    ),
    on("Z.ai: in arrears", 429, {
      error: { code: "1113", message: "Your account is in arrears, please recharge and try again" },
    }, BILLING),
    on(
      "a gateway: its quota",
      400,
      { code: 1102, message: "You exceeded your current quota" },
      BILLING,
    ),
    on(
      "OpenAI: no credit",
      429,
      openai(QUOTA, "insufficient_quota", "insufficient_quota"),
      BILLING,
    ),
    on("OpenAI: the same, years ago", 429, openai(QUOTA, "insufficient_quota"), BILLING),
    on(
      "OpenAI: a project's limit",
      429,
      openai(QUOTA, "insufficient_quota", "project_spend_limit_exceeded"),
      BILLING,
      { "x-should-retry": "false" },
    ),
    on(
      "OpenAI: hard limit",
      429,
      openai("Billing hard limit has been reached", "requests", "billing_hard_limit_reached"),
      BILLING,
    ),
    on(
      "OpenAI: billing not active",
      429,
      openai("Your account is not active.", "billing_not_active", "billing_not_active"),
      BILLING,
    ),
    on(
      "Anthropic: no credit",
      400,
      anthropic(
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
      ),
      BILLING,
    ),
    on(
      "Anthropic: spend limit",
      400,
      anthropic(
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2025-02-01.",
      ),
      BILLING,
    ),
    on(
      "Anthropic: the tier's limit",
      429,
      anthropic("rate_limit_error", "Monthly spend limit reached", {
        error_code: "enforced_spend_limit_reached",
      }),
      BILLING,
    ),
    on("Anthropic: billing", 402, anthropic("billing_error", "Payment failed"), BILLING),
    on("DeepSeek: no credit", 402, openai("Insufficient Balance", "unknown_error"), BILLING),
    on("Zhipu: in arrears", 429, {
      error: { code: "1113", message: "您的账户已欠费，请充值后重试。" },
    }, BILLING),
    on(
      "OpenRouter: no credit",
      402,
      openrouter(402, "Insufficient credits. Add more using https://openrouter.ai/credits"),
      BILLING,
    ),
    on(
      "OpenRouter: little credit",
      402,
      openrouter(402, "This request requires more credits, or fewer max_tokens."),
      BILLING,
    ),
    on(
      "OpenRouter: the key's limit",
      403,
      openrouter(403, "Budget limit exceeded", { limit_source: "openrouter_key_limit" }),
      BILLING,
    ),
    on(
      "OpenRouter: too much in flight for the credit",
      402,
      openrouter(402, "In-flight budget exhausted", {
        limit_source: "openrouter_in_flight_budget",
      }),
      asksFor(3_000),
      { "retry-after": "3" },
    ),
    on(
      "xAI: one prompt that its rules forbid",
      403,
      {
        code: "The caller does not have permission to execute the specified operation",
        error: "Content violates usage guidelines. Team: 1, Failed check: SAFETY_CHECK_TYPE_BIO",
      },
      FILTERED,
    ),
    on(
      "an account that broke such rules too often",
      403,
      openai("Your account has been suspended for violating our usage policies", "forbidden"),
      PERMISSION,
    ),
    on(
      "xAI: no credit",
      429,
      {
        code: "Some resource has been exhausted",
        error: "Your team 1 has either used all available credits or reached its monthly " +
          "spending limit.",
      },
      BILLING,
    ),
    on(
      "Moonshot: no credit",
      429,
      openai("Your account is suspended, please check your plan", "exceeded_current_quota_error"),
      BILLING,
    ),
    on(
      "DashScope: arrears",
      400,
      openai(
        "Access denied, please make sure your account is in good standing.",
        "Arrearage",
        "Arrearage",
      ),
      BILLING,
    ),
    on(
      "Fireworks: suspended",
      412,
      openai(
        "Account acme is suspended, possibly due to reaching the monthly spending limit",
        "error",
        "PRECONDITION_FAILED",
      ),
      BILLING,
    ),
    on(
      "Hugging Face: no credit",
      402,
      { error: "You have exceeded your monthly included credits for Inference Providers." },
      BILLING,
    ),
    on(
      "LiteLLM: budget",
      400,
      openai(
        "Budget has been exceeded! Current cost: 14.2, Max budget: 10.0",
        "budget_exceeded",
        "400",
      ),
      BILLING,
    ),
    on(
      "New API: no credit",
      403,
      openai("User quota is not enough", "new_api_error", "insufficient_user_quota"),
      BILLING,
    ),
    on(
      "Gemini: no prepaid credit",
      429,
      google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
      BILLING,
    ),
    on(
      "Gemini: the project's limit",
      429,
      google(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."),
      BILLING,
    ),
    on(
      "Google: no billing account",
      403,
      google(403, "PERMISSION_DENIED", "This API method requires billing to be enabled.", [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "BILLING_DISABLED" },
      ]),
      BILLING,
    ),
    on(
      "DashScope: the free tier",
      403,
      openai(
        "The free tier of the model has been exhausted.",
        "AllocationQuota.FreeTierOnly",
        "AllocationQuota.FreeTierOnly",
      ),
      BILLING,
    ),
    on(
      "DashScope: a week's tokens",
      429,
      openai("week allocated quota exceeded.", "insufficient_quota", "insufficient_quota"),
      BILLING,
    ),
    on("Zhipu: the plan is over", 429, {
      error: { code: "1309", message: "您的 GLM Coding Plan 套餐已到期，暂无法使用" },
    }, BILLING),
    on("Z.ai: the plan is over", 429, {
      error: { code: "1309", message: "Your GLM Coding Plan package has expired" },
    }, BILLING),
    on("Portkey: budget", 412, { status: "failure", message: "Budget exhausted" }, BILLING),
    on("Cloudflare's AI gateway: spend limit", 429, {
      success: false,
      error: [{ code: 2021, message: "Spend limit reached" }],
    }, BILLING),
    on("LiteLLM: budget of a user", 429, { detail: "Max budget limit reached." }, BILLING),
    on(
      "OpenRouter: the key's limit, without its source",
      403,
      openrouter(403, "Key limit exceeded (total limit)."),
      BILLING,
    ),
    on(
      "Vercel: no card",
      403,
      openai("AI Gateway requires a valid credit card", "customer_verification_required"),
      BILLING,
    ),
    on(
      "Gemini: a paid model on the free tier",
      429,
      google(429, "RESOURCE_EXHAUSTED", `${QUOTA} * Quota exceeded, limit: 0, model: gemini-9`, [
        RETRY_INFO,
      ]),
      { ...BILLING, isAboutModel: true },
    ),
  ]),
  group("The model", [
    on(
      "LM Studio: none loaded",
      400,
      openai("No models loaded. Please load a model.", "invalid_request_error"),
      MODEL,
    ),
    on(
      "OpenAI: only at `/responses`",
      404,
      openai(
        "This model is only supported in v1/responses and not in v1/chat/completions.",
        "invalid_request_error",
        null,
      ),
      ENDPOINT,
    ),
    on(
      "OpenAI: not at this endpoint",
      404,
      openai(
        "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did " +
          "you mean to use v1/completions?",
        "invalid_request_error",
        null,
      ),
      ENDPOINT,
    ),
    on(
      "Azure OpenAI: only at `/responses`",
      400,
      {
        error: {
          code: "OperationNotSupported",
          message:
            "The chatCompletion operation does not work with the specified model, gpt-5.1-codex. " +
            "Please choose different model and try again.",
        },
      },
      ENDPOINT,
    ),
    on(
      "Azure Foundry: deployed, but not there",
      400,
      openai("Unknown model: DeepSeek-V4-Flash", "x", "unknown_model"),
      MODEL,
    ),
    on(
      "OpenAI",
      404,
      openai(
        "The model `x` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
      ),
      MODEL,
    ),
    on(
      "OpenAI: not in this project",
      403,
      openai(
        "Project `p` does not have access to model `x`",
        "invalid_request_error",
        "model_not_found",
      ),
      MODEL,
    ),
    on(
      "Azure OpenAI",
      404,
      {
        error: {
          code: "DeploymentNotFound",
          message: "The API deployment for this resource does not exist.",
        },
      },
      MODEL,
    ),
    on("Anthropic", 404, anthropic("not_found_error", "model: claude-x"), MODEL),
    on(
      "Gemini",
      404,
      google(404, "NOT_FOUND", "models/x is not found for API version v1main"),
      MODEL,
    ),
    on(
      "DeepSeek",
      400,
      openai("Model Not Exist", "invalid_request_error", "invalid_request_error"),
      MODEL,
    ),
    on(
      "Groq: retired",
      400,
      openai(
        "The model `x` has been decommissioned and is no longer supported.",
        "invalid_request_error",
        "model_decommissioned",
      ),
      MODEL,
    ),
    on(
      "Mistral",
      400,
      {
        object: "error",
        message: "Invalid model: x",
        type: "invalid_model",
        param: null,
        code: "1500",
      },
      MODEL,
    ),
    on(
      "Together",
      400,
      openai(
        "Unable to access non-serverless model x.",
        "invalid_request_error",
        "model_not_available",
      ),
      MODEL,
    ),
    on("OpenRouter", 400, openrouter(400, "x is not a valid model ID"), MODEL),
    on(
      "OpenRouter: no provider serves it",
      404,
      openrouter(404, "No endpoints found for x."),
      MODEL,
    ),
    on(
      "Moonshot",
      404,
      openai("Not found the model x or Permission denied", "resource_not_found_error"),
      MODEL,
    ),
    on("vLLM", 404, vllm(404, "NotFoundError", "The model `x` does not exist."), MODEL),
    on("Ollama", 404, openai('model "x" not found, try pulling it first', "api_error"), MODEL),
    on(
      "LiteLLM: not this key",
      401,
      openai(
        "key not allowed to access model. Tried to access x",
        "key_model_access_denied",
        "401",
      ),
      MODEL,
    ),
    on(
      "LiteLLM",
      400,
      openai("/chat/completions: Invalid model name passed in model=x", "None", "400"),
      MODEL,
    ),
    on(
      "LiteLLM with any model name",
      400,
      openai(
        "litellm.BadRequestError: You passed in model=x. There are no healthy deployments for this model",
        "invalid_request_error",
        "400",
      ),
      MODEL,
    ),
    on("Databricks", 404, {
      error_code: "RESOURCE_DOES_NOT_EXIST",
      message: "The given endpoint does not exist, please retry after checking",
    }, MODEL),
    on("Zhipu", 400, { error: { code: "1211", message: "模型不存在，请检查模型代码。" } }, MODEL),
    on("Cloudflare", 400, {
      errors: [{ code: 5007, message: "AiError: No such model @cf/x or task" }],
    }, MODEL),
    on("NVIDIA", 404, {
      status: 404,
      title: "Not Found",
      detail: "Function 'f': Not found for account 'a'",
    }, MODEL),
    on(
      "Vertex AI",
      404,
      google(404, "NOT_FOUND", "Publisher Model `projects/p/models/x` was not found"),
      MODEL,
    ),
    on(
      "Vertex AI: a name of another form",
      400,
      google(400, "INVALID_ARGUMENT", "Malformed publisher model `x`"),
      MODEL,
    ),
    on(
      "Bedrock: retired",
      404,
      { message: "This model version has reached the end of its life." },
      MODEL,
    ),
    on(
      "Bedrock: needs an inference profile",
      400,
      { message: "Invocation of model ID x with on-demand throughput isn’t supported." },
      MODEL,
    ),
    on(
      "Bedrock: a form is missing",
      404,
      { message: "Model use case details have not been submitted for this account." },
      MODEL,
    ),
    on(
      "Groq: terms",
      400,
      openai("The model requires terms acceptance", "x", "model_terms_required"),
      MODEL,
    ),
    on(
      "OpenRouter: no provider is allowed",
      404,
      openrouter(404, "All providers have been ignored."),
      MODEL,
    ),
  ]),
  group("The address", [
    on("FastAPI: no such path", 404, { detail: "Not Found" }, ADDRESS),
    on(
      "OpenAI: no such path",
      404,
      openai("Invalid URL (POST /v1/v1/chat/completions)", "invalid_request_error"),
      ADDRESS,
    ),
    on("Azure OpenAI: no such path", 404, {
      error: { code: "404", message: "Resource not found" },
    }, ADDRESS),
    on("another server", 405, { detail: "Method Not Allowed" }, ADDRESS),
    on("something that is gone", 410, "Gone", ADDRESS),
    on("a redirect", 301, "", ADDRESS, { location: "https://api.example/v2" }),
    on("a redirect", 308, "", ADDRESS, { location: "https://api.example/v2" }),
    on("a portal that wants a login", 511, PAGE, ADDRESS),
    broken(
      "a certificate of an authority that is not trusted",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "connecting",
      halts("certificate"),
    ),
    alert("a server that wants a client certificate (TLS 1.2)", "HandshakeFailure"),
    alert("a server that does not trust the client certificate", "UnknownCA"),
    alert("a server of other names (SNI)", "UnrecognisedName", ADDRESS),
    alert("a server of HTTP/2 only", "NoApplicationProtocol", ADDRESS),
    broken("an expired certificate", "CERT_HAS_EXPIRED", "connecting", halts("certificate")),
    broken(
      "https:// where http:// is spoken",
      "ERR_SSL_WRONG_VERSION_NUMBER",
      "connecting",
      halts("tls"),
    ),
    unreadable("http:// where https:// is spoken", "\x15\x03\x01\0\x02\x02F", halts("tls")),
    unreadable("a port of another protocol", "SSH-2.0", { ...CUT_OFF, otherServer: "certain" }),
  ]),
  group("Overload and rate limits", [
    on(
      "a gateway: a daily quota",
      400,
      openai("Daily token quota used up, resets at 00:00 UTC", "x", "daily_quota_exceeded"),
      exhausted(60_000),
      { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3h" },
    ),
    on("a gateway: by its words", 400, "Daily request limit reached for this key", RATE_LIMIT),
    on(
      "a gateway: a rate limit",
      400,
      openai("Too fast", "invalid_request_error", "err_rate_limited"),
      RATE_LIMIT,
    ),
    on("AWS", 400, { __type: "ThrottlingException", message: "Rate exceeded" }, RATE_LIMIT),
    on(
      "Bedrock: a day's tokens",
      429,
      { message: "Too many tokens per day, please wait" },
      RATE_LIMIT,
    ),
    on("Bedrock: quota", 400, {
      code: "ServiceQuotaExceededException",
      message: "Your request exceeds the service quota for your account.",
    }, RATE_LIMIT),
    on("a gateway: by its headers", 403, "Forbidden", exhausted(9_000), {
      "retry-after": "9",
      "x-ratelimit-remaining": "0",
    }),
    on(
      "GitHub: secondary limit",
      403,
      { message: "You have exceeded a secondary rate limit. Please wait a few minutes." },
      asksFor(60_000),
      { "retry-after": "60" },
    ),
    on("Cloudflare Workers AI: a day's free allocation", 429, {
      errors: [{ code: 4006, message: "you have used up your daily free allocation of neurons" }],
    }, RATE_LIMIT),
    on(
      "DashScope: throttling",
      429,
      openai("Requests throttling triggered.", "Throttling.RateQuota", "Throttling.RateQuota"),
      RATE_LIMIT,
    ),
    on("a gateway: no capacity", 429, { message: "It has reached its usage capacity" }, RATE_LIMIT),
    on(
      "DashScope: a minute's tokens",
      429,
      openai(
        "Allocated quota exceeded, please increase your quota limit.",
        "insufficient_quota",
        "insufficient_quota",
      ),
      RATE_LIMIT,
    ),
    on(
      "DashScope: a minute's tokens, in other words",
      429,
      openai(
        `${QUOTA} For details, see: https://help.aliyun.com/zh/model-studio/error-code#token-limit`,
        "insufficient_quota",
        "insufficient_quota",
      ),
      RATE_LIMIT,
    ),
    stated("DashScope: in a stream", {
      code: "limit_burst_rate",
      message: "Request rate increased too quickly.",
    }, RATE_LIMIT),
    stated("Cerebras: in a stream", {
      code: "queue_exceeded",
      message: "We're experiencing high traffic right now!",
    }, RATE_LIMIT),
    on("Zhipu: concurrency", 400, {
      error: { code: "1302", message: "您当前使用该API的并发数过高，请降低并发" },
    }, RATE_LIMIT),
    on(
      "Azure API Management: quota",
      403,
      { statusCode: 403, message: "Out of call volume quota. Quota will be replenished in 10:00." },
      asksFor(600_000),
      { "retry-after": "600" },
    ),
    on("watsonx: quota", 403, {
      errors: [{
        code: "token_quota_reached",
        message: "This service instance's token quota has been reached.",
      }],
    }, RATE_LIMIT),
    on(
      "OpenAI: too many requests",
      429,
      openai(
        "Rate limit reached for x: Limit 500, Used 500, Requested 1.",
        "requests",
        "rate_limit_exceeded",
      ),
      asksFor(1_500),
      { "retry-after-ms": "1500", "retry-after": "2" },
    ),
    on(
      "OpenAI: nothing left, no Retry-After",
      429,
      openai("Rate limit reached for x", "requests", "rate_limit_exceeded"),
      exhausted(6_120),
      { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6.12s" },
    ),
    on(
      "OpenAI: nothing left until tomorrow",
      429,
      openai("Rate limit reached for x", "tokens", "rate_limit_exceeded"),
      exhausted(60_000),
      { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7h12m0s" },
    ),
    on(
      "OpenAI: nothing left, and when to come back",
      429,
      openai("Rate limit reached for x", "requests", "rate_limit_exceeded"),
      exhausted(2_000),
      { "retry-after": "2", "x-ratelimit-remaining-requests": "0" },
    ),
    on(
      "Google's older APIs",
      403,
      google(403, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com"),
      RATE_LIMIT,
    ),
    on(
      "OpenRouter: nothing left",
      429,
      openai("Rate limit exceeded: free-models-per-min", "rate_limit", "429"),
      exhausted(30_000),
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1735689630000" },
    ),
    on(
      "LiteLLM: nothing left of a key's limit",
      429,
      openai("Rate limit exceeded for api_key", "None", "429"),
      exhausted(60_000),
      { "retry-after": "60", "x-ratelimit-api_key-remaining-requests": "0" },
    ),
    on(
      "Cerebras: no request left this minute",
      429,
      openai("Too many requests", "too_many_requests_error", "request_quota_exceeded"),
      exhausted(12_500),
      {
        "x-ratelimit-remaining-requests-minute": "0",
        "x-ratelimit-reset-requests-minute": "12.5",
        "x-ratelimit-remaining-tokens-minute": "50000",
      },
    ),
    on(
      "Fireworks: over the limit",
      429,
      openai("Too many requests", "error", "RATE_LIMIT_EXCEEDED"),
      exhausted(),
      { "x-ratelimit-over-limit": "yes" },
    ),
    on(
      "a gateway that follows the draft of IETF",
      429,
      "Too many requests",
      exhausted(12_000),
      { ratelimit: '"minute";r=0;t=12' },
    ),
    on(
      "LiteLLM: all deployments cool down",
      429,
      openai("No deployments available for selected model, Try again in 5 seconds.", "None", "429"),
      RATE_LIMIT,
    ),
    on(
      "LiteLLM: a minute's limit, whose 60 is a constant",
      429,
      openai("No deployments available for selected model.", "throttling_error", "429"),
      RATE_LIMIT,
      { "llm_provider-retry-after": "60" },
    ),
    on(
      "OpenRouter: headers of the limit in the body",
      429,
      openrouter(429, "Rate limit exceeded: free-models-per-day", {
        headers: { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1735689630000" },
      }),
      exhausted(30_000),
    ),
    on(
      "a gateway to Gemini: Google's error as the text of its own",
      429,
      openai(
        JSON.stringify(google(429, "RESOURCE_EXHAUSTED", "Quota exceeded", [RETRY_INFO])),
        "Too Many Requests",
      ),
      asksFor(34_070),
    ),
    on(
      "KoboldAI",
      503,
      { detail: { msg: "Server is busy; please try again later.", type: "service_unavailable" } },
      OVERLOAD,
    ),
    on("Mistral: capacity", 429, {
      object: "error",
      message: "Service tier capacity exceeded for this model.",
      type: "invalid_request_error",
    }, RATE_LIMIT),
    on(
      "something left of every limit",
      429,
      openai("Rate limit reached for x", "tokens", "rate_limit_exceeded"),
      asksFor(1_000),
      {
        "retry-after": "1",
        "x-ratelimit-remaining-requests": "120",
        "x-ratelimit-remaining-tokens": "801",
        ratelimit: '"minute";r=12;t=12',
      },
    ),
    on(
      "OpenAI: slow down",
      503,
      openai("Slow down", "service_unavailable_error", "slow_down"),
      OVERLOAD,
    ),
    on(
      "Azure OpenAI",
      429,
      {
        error: { code: "429", message: "Requests have exceeded call rate limit. Retry after 2 s." },
      },
      asksFor(2_000),
      { "retry-after": "2" },
    ),
    on(
      "Anthropic: too many requests",
      429,
      anthropic("rate_limit_error", "Number of requests"),
      asksFor(11_000),
      {
        "retry-after": "11",
        "x-should-retry": "true",
      },
    ),
    on(
      "Anthropic: nothing left",
      429,
      anthropic("rate_limit_error", "Number of tokens"),
      exhausted(20_000),
      {
        "anthropic-ratelimit-tokens-limit": "8000",
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2025-01-01T00:00:20Z",
      },
    ),
    on("Anthropic: overload", 529, anthropic("overloaded_error", "Overloaded"), OVERLOAD),
    on(
      "Gemini: too many requests",
      429,
      google(429, "RESOURCE_EXHAUSTED", QUOTA, [RETRY_INFO]),
      asksFor(34_070),
    ),
    on(
      "Groq: too many tokens",
      429,
      openai(
        "Rate limit reached: Limit 6000, Used 5034, Requested 1443. Please try again in 4.77s.",
        "tokens",
        "rate_limit_exceeded",
      ),
      asksFor(4_770),
      { "retry-after": "4.77" },
    ),
    on("Groq: flex tier full", 498, openai("Flex tier capacity exceeded", "api_error"), RATE_LIMIT),
    on("Mistral: too many requests", 429, { message: "Requests rate limit exceeded" }, RATE_LIMIT),
    on("Mistral: capacity", 429, {
      object: "error",
      message: "Service tier capacity exceeded for this model.",
      type: "service_tier_capacity_exceeded",
      param: null,
      code: "3505",
    }, RATE_LIMIT),
    on("DeepSeek: overload", 503, openai("Service is too busy", "service_unavailable"), OVERLOAD),
    on(
      "Moonshot: overload",
      429,
      openai(
        "The engine is currently overloaded, please try again later",
        "engine_overloaded_error",
      ),
      RATE_LIMIT,
    ),
    on(
      "Together: overload",
      503,
      openai("The server is overloaded", "service_unavailable"),
      OVERLOAD,
    ),
    on(
      "New API: no channel for the model now",
      503,
      openai("No channel for model x", "new_api_error", "model_not_found"),
      OVERLOAD,
    ),
    on(
      "LiteLLM: all are cooling down",
      429,
      openai("No deployments available for selected model", "None", "429"),
      RATE_LIMIT,
    ),
    on(
      "SGLang: full queue",
      503,
      vllm(503, "ServiceUnavailable", "The request queue is full."),
      OVERLOAD,
    ),
    on("llama.cpp: loading", 503, {
      error: { code: 503, message: "Loading model", type: "unavailable_error" },
    }, OVERLOAD),
    on("Ollama: full queue", 503, {
      error: "server busy, please try again. maximum pending requests exceeded",
    }, OVERLOAD),
    on(
      "TGI: full queue",
      429,
      { error: "Model is overloaded", error_type: "overloaded" },
      RATE_LIMIT,
    ),
    on("a Retry-After date", 503, "", asksFor(30_000, OVERLOAD), {
      "retry-after": "Wed, 01 Jan 2025 00:00:30 GMT",
    }),
    on("an invalid Retry-After", 429, "", RATE_LIMIT, { "retry-after": "-5" }),
    on("an invalid Retry-After", 503, "", OVERLOAD, { "retry-after": "999999999" }),
    on(
      "OpenAI: no credit, but marked as temporary",
      429,
      openai(QUOTA, "insufficient_quota"),
      RATE_LIMIT,
      {
        "x-should-retry": "true",
      },
    ),
    stated(
      "Anthropic: overload in a stream",
      { type: "overloaded_error", message: "Overloaded" },
      OVERLOAD,
    ),
    stated(
      "OpenRouter: load in a stream",
      { code: 429, message: "Provider returned error" },
      RATE_LIMIT,
    ),
  ]),
  group("Temporary faults", [
    on(
      "Groq: the model wrote no call of a tool",
      400,
      openai("Failed to call a function.", "invalid_request_error", "tool_use_failed"),
      { ...FAULT, type: "request" },
    ),
    on(
      "Groq: the model wrote no JSON",
      400,
      openai("Failed to validate JSON.", "invalid_request_error", "json_validate_failed"),
      { ...FAULT, type: "request" },
    ),
    on(
      "LM Studio: a crash",
      400,
      { error: "The model has crashed without additional information. (Exit code: 6)" },
      FAULT,
    ),
    on("a gateway: upstream", 400, openai("Upstream request timed out", "x"), FAULT),
    on("LM Studio: the model was taken away", 400, { error: "Model is unloaded." }, FAULT),
    on(
      "OpenAI",
      500,
      openai("The server had an error while processing your request", "server_error"),
      FAULT,
    ),
    on("Anthropic", 500, anthropic("api_error", "Internal server error"), FAULT),
    on(
      "vLLM: dead engine",
      500,
      vllm(500, "InternalServerError", "EngineCore encountered an issue."),
      FAULT,
    ),
    on("nginx", 502, "<html><title>502 Bad Gateway</title></html>", FAULT),
    on("nginx", 504, "<html><title>504 Gateway Time-out</title></html>", SLOW),
    on("Varnish", 503, "<html><title>503 Backend fetch failed</title></html>", FAULT),
    on("Fastly", 503, "<html><title>503 first byte timeout</title></html>", FAULT),
    on("Cloudflare", 520, "error code: 520", FAULT),
    on("Cloudflare: too slow", 524, "error code: 524", SLOW),
    on("TGI: generating failed", 424, {
      error: "Request failed during generation",
      error_type: "generation",
    }, FAULT),
    on("OpenRouter: too slow", 408, openrouter(408, "Request timed out"), SLOW),
    on("a gateway: too slow", 408, "upstream request timeout", SLOW),
    on(
      "LiteLLM: too slow",
      408,
      openai("litellm.Timeout: APITimeoutError - Request timed out.", "x", "408"),
      SLOW,
    ),
    on("HAProxy: the request came late", 408, "<html><body><h1>408 Request Time-out</h1>", FAULT),
    on("NVIDIA", 400, {
      status: 400,
      title: "Bad Request",
      detail: "Function id 'f': DEGRADED function cannot be invoked",
    }, FAULT),
    on("a firewall", 500, "<html><h1>Your request was blocked</h1></html>", FAULT),
    on("a filter that failed", 500, openai("Guardrail violation check: timeout", "x"), FAULT),
    on("a filter that failed, by its code", 424, openai("No", "content_filter_error"), FAULT),
    on("a filter that is overloaded", 503, openai("No", "x", "guardrail_error"), OVERLOAD),
    on("a filter that was too slow", 504, openai("No", "moderation"), SLOW),
    on("Anthropic: conflict", 409, anthropic("conflict_error", "Conflict"), FAULT),
    on("too early", 425, "", FAULT),
    on("locked for now", 423, "Locked", FAULT),
    on("nginx: a connection that it closed", 444, "", FAULT),
    on("Groq: gave up", 499, openai("Request cancelled", "api_error"), FAULT),
    on(
      "a 4xx marked as temporary",
      400,
      openai("Try that again", "invalid_request_error"),
      FAULT,
      { "x-should-retry": "true" },
    ),
    stated("OpenRouter: fault in a stream", {
      code: "server_error",
      message: "Provider disconnected",
    }, FAULT),
    stated(
      "vLLM: fault in a stream",
      { code: 500, message: "oops", type: "InternalServerError" },
      FAULT,
    ),
    broken("reset while it worked", "ECONNRESET", "sent", CUT_OFF),
    broken("broken in the middle", "UND_ERR_SOCKET", "answering", CUT_OFF),
  ]),
  group("What a router passes on from its provider", [
    on("OpenRouter: no reason", 400, openrouter(400, RELAYED), FAULT),
    on("OpenRouter: no message", 400, relayed(400, ""), FAULT),
    on("OpenRouter: a message that says nothing", 400, relayed(400, "ERROR"), FAULT),
    on("OpenRouter: a page", 400, relayed(400, PAGE), FAULT),
    on("OpenRouter: no such path", 404, relayed(404, { detail: "Not Found" }), FAULT),
    on("OpenRouter: its key", 401, relayed(401, openai("Invalid API Key", "x")), FAULT),
    on("OpenRouter: its key, named", 401, relayed(401, openai("No", "invalid_api_key")), FAULT),
    on("OpenRouter: its bill", 402, relayed(402, openai("Insufficient Balance", "x")), FAULT),
    on("OpenRouter: its bill, named", 400, relayed(400, openai("No", "billing_error")), FAULT),
    on("OpenRouter: its quota", 400, relayed(400, openai(QUOTA, "x")), RATE_LIMIT),
    on(
      "OpenRouter: the user's own bill",
      402,
      relayed(402, openai("Insufficient Balance", "x"), { is_byok: true }),
      BILLING,
    ),
    on(
      "OpenRouter: the user's own key",
      401,
      relayed(401, openai("Incorrect API key provided", "invalid_api_key"), { is_byok: true }),
      KEY,
    ),
    on(
      "OpenRouter: a fault",
      400,
      relayed(400, openai("Connection error, try again", "invalid_request_error")),
      FAULT,
    ),
    on(
      "OpenRouter: images",
      400,
      relayed(400, openai("Model 'x' supports at most 1 image per prompt.", "error")),
      FAIL,
    ),
    on(
      "OpenRouter: Alibaba wants the word JSON",
      400,
      relayed(400, openai("'messages' must contain the word 'json' in some form", "error")),
      FAIL,
    ),
    on("OpenRouter: too long", 400, relayed(400, "Prompt exceeds the maximum length"), ROW),
    on(
      "OpenRouter: a filter",
      400,
      relayed(400, openai("Content Exists Risk", "content_policy_violation")),
      FILTERED,
    ),
    on(
      "OpenRouter: the country",
      403,
      relayed(403, openai("Country, region, or territory not supported", "request_forbidden")),
      PERMISSION,
    ),
    on(
      "OpenRouter: load",
      429,
      relayed(429, "x is temporarily rate-limited upstream. Please retry shortly"),
      RATE_LIMIT,
    ),
    on(
      "OpenRouter: its own free tier at Google",
      429,
      relayed(429, google(429, "RESOURCE_EXHAUSTED", `${QUOTA} limit: 0, model: gemini-9`)),
      RATE_LIMIT,
    ),
    stated("OpenRouter: in an answer", relayed(400, "").error, FAULT),
    stated("OpenRouter: in an answer, without a status", { message: RELAYED }, FAULT),
    stated("OpenRouter: in an answer, its own key", {
      message: RELAYED,
      metadata: { raw: "Incorrect API key provided", provider_name: "Chutes" },
    }, FAULT),
    on("OpenRouter: while it chooses", 400, openrouter(400, "No models provided"), FAULT),
    on("Cloudflare's AI gateway", 400, {
      success: false,
      error: [{ code: 2005, message: "Failed to get response from provider" }],
    }, FAULT),
    on(
      "OpenCode",
      400,
      openai(
        "Error from provider (Console Go): Upstream request failed",
        "invalid_request_error",
        "invalid_request_error",
      ),
      FAULT,
    ),
    on(
      "a gateway that passes on the user's key",
      401,
      openai(
        "Error from provider: Incorrect API key provided",
        "invalid_api_key",
        "invalid_api_key",
      ),
      KEY,
    ),
    on(
      "LiteLLM before OpenRouter",
      400,
      openai(`litellm.BadRequestError: OpenrouterException - {"message":"${RELAYED}"}`, "None"),
      FAULT,
    ),
  ]),
  group("Status 200 without an answer", [
    without("an empty body", "", BROKEN),
    without("white space", " \n", BROKEN),
    without("truncated JSON", '{"choices":[{"mess', BROKEN),
    without("no choice", { choices: [] }, BROKEN),
    without("a proxy, in plain text", "upstream connect error or disconnect", FAULT),
    without("a gateway, in plain text", "Insufficient balance", BILLING),
    without("LiteLLM: its provider sent 422", "null", UNKNOWN),
    without("a web page", PAGE, { ...BROKEN, otherServer: "certain" }),
    without("another API", { status: "ok" }, UNKNOWN),
    without("MiniMax: wrong key", minimax(1004, "login fail"), KEY),
    without("MiniMax: no credit", minimax(1008, "insufficient balance"), BILLING),
    without("MiniMax: too many requests", minimax(1002, "rate limit"), RATE_LIMIT),
    without(
      "MiniMax: too many tokens in five hours",
      minimax(2056, "usage limit exceeded"),
      RATE_LIMIT,
    ),
    without(
      "MiniMax: prompt too long",
      minimax(2013, "invalid params, context window exceeds limit"),
      ROW,
    ),
    without("MiniMax: filter", minimax(1026, "input new_sensitive"), FILTERED),
    without("MiniMax: something broke", minimax(1000, "unknown error"), FAULT),
    without("Gemini: filter", { promptFeedback: { blockReason: "SAFETY" } }, FILTERED),
    without("Baidu: no such token", {
      error_code: 110,
      error_msg: "Access token invalid or no longer valid",
    }, KEY),
    without("Baidu: too many requests", {
      error_code: 18,
      error_msg: "Open api qps request limit reached",
    }, RATE_LIMIT),
    without("a gateway: its own numbers", { code: 1305, msg: "服务繁忙，请稍后再试" }, OVERLOAD),
    without("a gateway: an unknown message", { code: 7, msg: "oh" }, UNKNOWN),
    without("a gateway: success, and no answer", { code: 0, message: "success" }, UNKNOWN),
    stated("an error without a code in an answer", "something odd", UNKNOWN),
    without("a gateway: no key", { detail: "Not authenticated" }, KEY),
    without(
      "LM Studio: no such path",
      { error: "Unexpected endpoint or method. (POST /v1)" },
      ADDRESS,
    ),
    without(
      "Ollama's own API: an object a line",
      '{"message":{"content":"4"},"done":false}\n{"done":true}',
      UNKNOWN,
    ),
    without("a gateway: a status among the numbers", { code: 401, message: "No" }, KEY),
    stated("Ollama: fault in a stream", "unexpected EOF", FAULT),
    stated("an error with another message", "Insufficient balance", BILLING),
  ]),
  group("Only this row", [
    on(
      "Moonshot: prompt too long",
      400,
      openai("Input token length too long", "invalid_request_error"),
      ROW,
    ),
    on(
      "Baidu: prompt too long",
      400,
      openai("Prompt tokens too long", "invalid_request_error", "tokens_too_long"),
      ROW,
    ),
    on(
      "DashScope: prompt too long",
      400,
      openai("Range of input length should be [1, 30720]", "InvalidParameter", "InvalidParameter"),
      ROW,
    ),
    on(
      "Anthropic: prompt too long",
      400,
      anthropic("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
      ROW,
    ),
    on(
      "vLLM: a token limit that is too high for any prompt",
      400,
      vllm(
        400,
        "BadRequestError",
        "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 8192 tokens",
      ),
      FAIL,
    ),
    on(
      "vLLM: a prompt that leaves too little room for the answer",
      400,
      vllm(
        400,
        "BadRequestError",
        "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is 8192 tokens and your request has 5000 input tokens (4000 > 8192 - 5000)",
      ),
      ROW,
    ),
    on(
      "TGI: a prompt that leaves too little room for the answer",
      422,
      {
        error:
          "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`",
        error_type: "validation",
      },
      ROW,
    ),
    on(
      "TGI: a token limit that is too high for any prompt",
      422,
      {
        error:
          "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 20 `inputs` tokens and 9000 `max_new_tokens`",
        error_type: "validation",
      },
      FAIL,
    ),
    on(
      "Anthropic: a prompt that leaves too little room for the answer",
      400,
      anthropic(
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
      ),
      ROW,
    ),
    on(
      "xAI: prompt too long",
      400,
      {
        code: "Client specified an invalid argument",
        error:
          "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
      },
      ROW,
    ),
    on(
      "TensorRT-LLM: prompt too long",
      400,
      { message: "The sum of prompt length (9000.0) should not exceed max_num_tokens (8192)" },
      ROW,
    ),
    on(
      "vLLM: longer than the model takes",
      400,
      vllm(
        400,
        "BadRequestError",
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that `max_model_len` is no smaller than the number of text tokens.",
      ),
      ROW,
    ),
    on(
      "Cloudflare: prompt too long",
      400,
      openai(
        "The estimated number of input and maximum output tokens (9000) exceeded this model context window limit (8192).",
        "invalid_request_error",
      ),
      ROW,
    ),
    on(
      "Azure: prompt too long",
      400,
      openai(
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
        "invalid_request_error",
      ),
      ROW,
    ),
    on(
      "Vertex AI: prompt too long",
      400,
      openai(
        "Unable to submit request because the input token count is 40000 but the model only supports up to 32768.",
        "INVALID_ARGUMENT",
      ),
      ROW,
    ),
    on(
      "LM Studio: prompt too long",
      400,
      {
        error:
          "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.",
      },
      ROW,
    ),
    on(
      "Cerebras: prompt too long",
      400,
      openai(
        "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        "invalid_request_error",
      ),
      ROW,
    ),
    on(
      "LiteLLM: prompt too long",
      400,
      openai("litellm.ContextWindowExceededError: this is too much", "x", "400"),
      ROW,
    ),
    on(
      "Together: prompt too long",
      403,
      openai(
        "Input validation error: `inputs` must have less than 4095 tokens. Given: 9000",
        "invalid_request_error",
      ),
      ROW,
    ),
    on(
      "SambaNova: prompt too long",
      400,
      openai(
        "The provided prompt is 9000 tokens long, but the maximum supported sequence length is just 8192!",
        "BadRequest",
      ),
      ROW,
    ),
    on("Zhipu: prompt too long", 400, { error: { code: "1261", message: "Prompt 超长" } }, ROW),
    on(
      "OpenAI: prompt too long",
      400,
      openai(
        "This model's maximum context length is 8192 tokens.",
        "invalid_request_error",
        "context_length_exceeded",
      ),
      ROW,
    ),
    on(
      "vLLM: prompt too long",
      400,
      vllm(400, "BadRequestError", "This model's maximum context length is 8192 tokens."),
      ROW,
    ),
    on(
      "SGLang: prompt too long",
      400,
      vllm(
        400,
        "BadRequestError",
        "The input (61709 tokens) is longer than the model's context length.",
      ),
      ROW,
    ),
    on(
      "OpenAI: parameter",
      400,
      openai(
        "Unsupported parameter: 'max_tokens' is not supported with this model.",
        "invalid_request_error",
        "unsupported_parameter",
      ),
      FAIL,
    ),
    on(
      "DeepSeek: parameter",
      422,
      openai("Failed to deserialize the JSON body", "invalid_request_error"),
      FAIL,
    ),
    on("llama.cpp: images without a projector", 500, {
      error: {
        code: 500,
        message: "image input is not supported - hint: if this is unexpected, you may need to " +
          "provide the mmproj",
        type: "server_error",
      },
    }, { ...FAIL, type: "server" }),
    on("llama-cpp-python: parameter", 500, {
      error: {
        message:
          "1 validation error:\n  {'type': 'float_parsing', 'loc': ('body', 'temperature'), " +
          "'msg': 'Input should be a valid number, unable to parse string as a number', 'input': " +
          "'abc'}\n\n  File \"llama_cpp/server/app.py\", line 376, in create_chat_completion",
        type: "internal_server_error",
        param: null,
        code: null,
      },
    }, { ...FAIL, type: "server" }),
    on("Mistral: parameter", 422, {
      object: "error",
      message: {
        detail: [{
          type: "extra_forbidden",
          loc: ["body", "max_completion_tokens"],
          msg: "Extra inputs are not permitted",
          input: 32000,
        }],
      },
      type: "invalid_request_error",
      code: null,
    }, FAIL),
    on("FastAPI: parameter", 422, {
      detail: [{ loc: ["body", "messages"], msg: "field required" }],
    }, FAIL),
    on(
      "vLLM: quotes a prompt that speaks of money",
      400,
      vllm(
        400,
        "BadRequestError",
        "[{'type': 'missing', 'loc': ('body', 'messages'), 'input': 'Insufficient balance'}]",
      ),
      FAIL,
    ),
    on(
      "a long message with a prompt in it",
      400,
      openai(`Cannot read${" this".repeat(60)}: insufficient balance`, "invalid_request_error"),
      FAIL,
    ),
    on("Azure Foundry: a completion that its filter has blocked", 400, {
      id: "chatcmpl-802d5a802bf84292896e446052595",
      model: "",
      choices: [{
        index: 0,
        message: { role: "assistant", content: "" },
        finish_reason: "content_filter",
        content_filter_results: {
          error: {
            code: "content_filter",
            message: "Response content blocked by label 'MultiSeverity_ViolenceScore'.",
          },
        },
      }],
      usage: { prompt_tokens: 55, total_tokens: 55 },
    }, FILTERED),
    on("Azure OpenAI: filter", 400, {
      error: {
        code: "content_filter",
        message:
          "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        status: 400,
      },
    }, FILTERED),
    on(
      "Anthropic: filter",
      400,
      anthropic("invalid_request_error", "Output blocked by content filtering policy"),
      FILTERED,
    ),
    on(
      "OpenAI: flagged",
      400,
      openai(
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "invalid_request_error",
        "invalid_prompt",
      ),
      FILTERED,
    ),
    on(
      "LiteLLM: Azure's filter",
      400,
      openai(
        "litellm.BadRequestError: litellm.ContentPolicyViolationError: AzureException - The response was filtered",
        "None",
        "400",
      ),
      FILTERED,
    ),
    on(
      "OpenAI: limited for safety",
      400,
      openai(
        "Invalid prompt: we've limited access to this content for safety reasons.",
        "invalid_request_error",
        "invalid_prompt",
      ),
      FILTERED,
    ),
    on(
      "Portkey: guardrail",
      446,
      openai("The guardrail checks defined in the config failed.", "hooks_failed"),
      FILTERED,
    ),
    on("Cloudflare's AI gateway: guardrail", 424, {
      success: false,
      error: [{ code: 2017, message: "Response blocked due to security configurations" }],
    }, FILTERED),
    on(
      "MiniMax: blocked, with status 500",
      500,
      { type: "error", error: { type: "server_error", message: "output new_sensitive (1027)" } },
      FILTERED,
    ),
    on("a firewall", 503, "<html><h1>Your request was blocked</h1></html>", OVERLOAD),
    stated("MiniMax: blocked, in a stream", {
      type: "unprocessable_entity_error",
      message: "output new_sensitive (1027)",
      http_code: "422",
    }, FILTERED),
    stated("MiniMax: a parameter, in a stream", {
      type: "bad_request_error",
      message: "no (2013)",
      http_code: "400",
    }, FAIL),
    on("LiteLLM: guardrail", 400, openai("Violated guardrail policy", "None", "400"), FILTERED),
    on(
      "Volcengine: sensitive",
      400,
      openai(
        "The request failed because the input text may contain sensitive information.",
        "BadRequest",
        "InputTextSensitiveContentDetected",
      ),
      FILTERED,
    ),
    on(
      "Moonshot: high risk",
      400,
      openai("The request was rejected because it was considered high risk", "content_filter"),
      FILTERED,
    ),
    on("Z.ai: unsafe", 400, {
      error: {
        code: "1301",
        message: "System detected potentially unsafe or sensitive content in input or generation.",
      },
    }, FILTERED),
    on(
      "New API: its word list",
      400,
      openai("sensitive words detected", "new_api_error", "sensitive_words_detected"),
      FILTERED,
    ),
    on(
      "UCloud: compliance",
      400,
      openai("Sensitive chat messages", "invalid_request_error", "invalid_messages"),
      FILTERED,
    ),
    on(
      "a gateway: filter",
      422,
      { error: { code: "content_safety_violation", message: "No" } },
      FILTERED,
    ),
    on(
      "Databricks: guardrail",
      400,
      { error_code: "BAD_REQUEST", message: "Invalid input: guardrail triggered" },
      FILTERED,
    ),
    on(
      "OpenRouter: moderation",
      403,
      openrouter(403, 'Your input was flagged for "violence".', {
        reasons: ["violence"],
        flagged_input: "…",
      }),
      FILTERED,
    ),
    on(
      "DashScope: inspection",
      400,
      openai(
        "Input data may contain inappropriate content.",
        "data_inspection_failed",
        "data_inspection_failed",
      ),
      FILTERED,
    ),
    on("DeepSeek: risk", 400, openai("Content Exists Risk", "invalid_request_error"), FILTERED),
    on("Cloudflare: firewall", 403, PAGE, FAIL),
    on("a gateway: thinking", 400, { message: "Thinking budget exhausted" }, FAIL),
    on(
      "OpenRouter: no provider can do that with the model",
      404,
      openrouter(404, "No endpoints found that support tool use."),
      FAIL,
    ),
    on(
      "a file of the row is missing",
      404,
      openai("No such File object: file-1", "invalid_request_error"),
      FAIL,
    ),
    on(
      "Anthropic: too long",
      413,
      anthropic("request_too_large", "Request exceeds the maximum size"),
      ROW,
    ),
    on("nginx: too long", 413, "<html><title>413 Request Entity Too Large</title></html>", ROW),
    on(
      "OpenAI: more than a minute's tokens",
      429,
      openai(
        "Request too large for x on tokens per min (TPM): Limit 30000, Requested 39000.",
        "tokens",
        "rate_limit_exceeded",
      ),
      ROW,
      { "retry-after": "1" },
    ),
    on(
      "Groq: more than a minute's tokens",
      413,
      openai(
        "Request too large for model x: Limit 12000, Requested 14137.",
        "tokens",
        "rate_limit_exceeded",
      ),
      ROW,
    ),
    on(
      "OpenRouter: more than the credit",
      402,
      openrouter(402, "Too expensive", {
        error_type: "weight_exceeds_budget",
        limit_source: "openrouter_credits",
      }),
      ROW,
    ),
    on("not implemented", 501, "", { ...FAIL, type: "server" }),
    on("another HTTP", 505, "", { ...FAIL, type: "server" }),
    on("a 5xx marked as permanent", 500, openai("No", "server_error"), {
      ...FAIL,
      type: "server",
    }, {
      "x-should-retry": "false",
    }),
    stated(
      "TGI: validation in a stream",
      "Input validation error: `inputs` must have less than 4095 tokens. Given: 64001",
      ROW,
    ),
    on(
      "a parameter whose name is that of a fault",
      400,
      openai("timeout must be above 0", "x"),
      FAIL,
    ),
    stated("llama.cpp: too long, in a stream", {
      code: 400,
      message: "the request exceeds the available context size, try increasing it",
      type: "exceed_context_size_error",
    }, ROW),
    stated("a gateway: a parameter, in an answer", {
      message: "top_p has to be below 1",
      type: "invalid_request_error",
    }, FAIL),
  ]),
  group("Without an answer", [
    broken("no server listens", "ECONNREFUSED", "connecting", UNREACHABLE),
    broken("no such host", "ENOTFOUND", "connecting", UNREACHABLE),
    broken("no name server", "EAI_AGAIN", "connecting", UNREACHABLE),
    broken("no way there", "EHOSTUNREACH", "connecting", UNREACHABLE),
    broken("no connection in time", "UND_ERR_CONNECT_TIMEOUT", "connecting", UNREACHABLE),
    own("no answer in time", { type: "timeout" }, TIMEOUT),
  ]),
  group("A custom teacher", [
    own("throws a network error", { type: "network" }, CUT_OFF),
    own("knows of a limit", { type: "rate_limit", retryAfterMs: 700 }, asksFor(700)),
    own("asks for an invalid wait", { status: 503, retryAfterMs: NaN }, OVERLOAD),
    own(
      "asks for a week",
      { status: 503, retryAfterMs: 7 * 86_400_000 },
      asksFor(86_400_000, OVERLOAD),
    ),
    own("gives no reason", {}, { ...FAIL, type: "teacher" }),
    own("says that a retry may help", { retryable: true }, { ...FAULT, type: "teacher" }),
    own("says that a retry will not help", { status: 503, retryable: false }, {
      ...FAIL,
      type: "server",
    }),
    own("names a filter", { type: "filtered" }, FILTERED),
    own("says that no row will be answered", { type: "account" }, {
      action: "halt",
      cause: "account",
      type: "account",
    }),
    own("says that a retry may help with a wrong key", { status: 401, retryable: true }, KEY),
  ]),
];
