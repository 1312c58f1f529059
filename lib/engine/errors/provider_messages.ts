/** Error messages that providers document or users have reported, for errors whose status and code
 * say too little. `tests/engine/errors/classify_cases.ts` has examples. @module */

import { isFilterWord } from "../../answer.ts";

/** The number of characters of a message that are searched. Later characters may quote the request,
 * and a prompt may mention money or models. */
const SEARCHED_CHARS = 250;
/** Matches where vLLM and others begin to quote the request. */
const QUOTED = /input_value|['"]input['"]/;

/** Patterns by topic. A topic that is also a meaning in `VERDICTS` has the same name there. */
const TOPICS = {
  billing: [
    /credit balance is too low|insufficient (?:account )?(?:balance|credits?|funds)|余额不足|欠费/i,
    /(?:used all|run out of|have any|exceeded your) (?:available |your )?(?:monthly )?(?:included )?credits/i,
    /(?:reached|exceeded) (?:your|its|the) (?:\S+ ){0,3}(?:usage|spend|spending|credit) (?:limit|cap\b)/i,
    /\bcredits? (?:are|is) (?:depleted|exhausted)|spend limit (?:reached|exceeded)|^key limit exceeded/i,
    /(?<!\b(?:retry|time|latency|error|tokens?|thinking|reasoning) )budget (?:has been exceeded|exhausted|limit reached)/i,
    /\bin arrears\b|\boverdue\b|(?:package|plan) has expired|invalid_payment_instrument|套餐已到期/i,
    // OpenAI, whose code a gateway may drop. Gemini's message begins in the same way when it
    // throttles.
    /exceeded your current quota.{1,150}platform\.openai\.com/i,
    /account \S+ is suspended|account is not active|account is in good standing/i,
    /requires more credits|exceeded ?budget|crossed budget|over budget/i,
  ],
  /** The quota is used up, but neither the status nor the code means a rate limit. */
  quota: [
    /exceeded (?:your|the) (?:current )?quota|quota (?:is |has been )?(?:not enough|insufficient|exhausted|exceeded|used up)/i,
    /额度(?:不足|已用尽)/,
  ],
  /** DashScope sends the code `insufficient_quota` even if only the tokens per minute are used
   * up. */
  allocation: [/(?<!\b(?:week|month) )allocated quota exceeded|\/error-code#token-limit/i],
  /** The API key is invalid or missing, but the status is not 401. */
  key: [
    // xAI percent-encodes its message.
    /(?:invalid|incorrect|missing|expired)(?:[ _]|%20)api(?:[ _-]|%20)?key/i,
    /\bapi[ _-]?key (?:is |has )?(?:not valid|invalid|incorrect|expired|missing|required|not found|disabled)/i,
    /\bauthentication (?:error|failed)|invalid (?:authentication|authorization)|无效的(?:令牌|密钥)/i,
    /token (?:included in the request )?(?:is |has )?(?:invalid|expired)|invalid access token|reported as leaked|^login fail|^unauthori[sz]ed\b|\bnot authenticated/i,
  ],
  rate_limit: [
    /\brate[ -]?limits?\b[^.]{0,40}\b(?:exceeded|reached|hit)|\b(?:exceeded|reached|hit)\b[^.]{0,40}\brate[ -]?limit/i,
    /too many (?:concurrent )?requests|too many tokens(?:,| per )|request limit reached|\b(?:requests|tokens|queries) per (?:second|minute|hour|day)\b/i,
    /\b(?:daily|hourly|per[ -](?:minute|hour|day)) (?:\S+ ){0,3}(?:quota|limit|allocation)s?\b[^.]{0,30}\b(?:exceeded|exhausted|reached|used up)/i,
    /\b(?:exceeded|exhausted|reached|used up) (?:\S+ ){0,3}(?:daily|hourly|per[ -](?:minute|hour|day)) (?:\S+ ){0,3}(?:quota|limit|allocation)/i,
    // The first alternative is a message of Azure API Management.
    /\bout of call volume quota|限流|过于频繁|并发超限|(?:并发数|频率)过高|流量限制|请求过多|访问量过大/i,
  ],
  /** The server is overloaded. Used only for errors in 2xx responses. */
  overload: [
    /rate ?limit|overloaded|over capacity|at capacity/i,
    /\b(?:server|service|system|engine|model)s? (?:is |are )?(?:currently )?(?:too )?busy\b/i,
    /繁忙/,
  ],
  /** The server failed, but the status blames the request. LM Studio sends such errors, and so do
   * gateways that relay another server's error. The patterns are narrow because messages about a
   * request may name parameters such as `timeout`. */
  crash: [
    /\bmodel (?:has |is |was |got )?(?:crashed|unloaded)|degraded function|out of memory/i,
    /^channel error|(?:temporarily|service|currently) unavailable|internal server error|no models provided/i,
    /upstream (?:request |server |service )?(?:timed out|timeout|error|connect|failed|is )/i,
  ],
  /** The server failed. The patterns are broad, because they are used only to rule out a content
   * filter, or if the status says nothing, as in 2xx responses and errors that a router relays. */
  fault: [
    /internal (?:server )?error|server error|unexpected (?:error|eof|end)\b|try again|temporar/i,
    /time(?:d)?[ -]?out|terminated|crashed|disconnect|unavailable|upstream|out of memory/i,
    /connection (?:was |has been )?(?:reset|refused|closed|lost|error|aborted)|failed (?:to generate|during generation)/i,
    /内部错误|服务异常|系统异常|超时|稍后/,
  ],
  /** The status is 503, but the server behind Varnish or Fastly is not overloaded: it failed or was
   * too slow. */
  backend: [/\bbackend (?:fetch failed|read error)|\bfirst byte timeout/i],
  /** LiteLLM relays the error of a provider: `litellm.AuthenticationError: OpenAIException - …`.
   * The first part may be repeated, and a word may follow the exception:
   * `VertexAIException BadRequestError - …`. Earlier versions omit `litellm.`. */
  upstream: [/^(?:(?:litellm\.)?\w+Error: )+\w+Exception(?: \w+)? - /i],
  /** The path does not exist. LM Studio sends this message with status 200. */
  address: [/unexpected endpoint/i],
  /** nginx requires a client certificate, or rejects the certificate that was sent. */
  client_certificate: [/no required SSL certificate|the SSL certificate error/i],
  /** A TLS server received plain HTTP. nginx and Go send these messages. */
  plain_http: [/plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server/i],
  permission: [
    /location is not supported|country, region,? or territory not supported/i,
    /not available in your country|not allowed from unsupported countries/i,
  ],
  /** The model exists, but not at this endpoint. OpenAI, GitHub Copilot and Azure send these
   * messages. */
  endpoint: [
    /only supported in v1\/\w+|not a chat model|chat model and not supported in|not accessible via the \/\w+/i,
    /completion operation does not work with the specified model/i,
  ],
  model: [
    /\bmodels?[\s:/]*[`'"]?[^\s`'"]*[`'"]?\s+(?:is |was )?(?:does ?n[o']t exist|not exist|not found|not supported by)/i,
    /\bmodels?[\s:/]*[`'"]?[^\s`'"]*[`'"]?\s+(?:has been (?:deprecated|decommissioned)|is no longer)/i,
    /(?:not have )?access to (?:the )?model\b|not found the model|unable to access (?:\S+ )?model/i,
    /\b(?:invalid|unknown) model\b|not a valid model|model identifier is invalid|^model: /i,
    /no endpoints (?:found|available) (?:for|matching)|no allowed providers/i,
    /deployment for this resource does not exist|\bno models? (?:is |are )?(?:currently )?loaded/i,
    // LiteLLM, Databricks, Cloudflare, OpenRouter, NVIDIA, Zhipu
    /no healthy deployments for this model|given endpoint does not exist|no such model\b/i,
    /all providers have been ignored|^Function '[^']*': Not found|模型不存在/i,
    // Bedrock, Vertex AI
    /model version has reached the end of its life|model use case details have not been submitted/i,
    /on-demand throughput isn['’]t supported|malformed publisher model|unexpected model name/i,
  ],
  /** The 404 is about a file in the row, or about a kind of input that the model does not
   * support. */
  file: [/\b(?:files?|images?|audio|attachment)\b|no endpoints found that support/i],
  /** llama.cpp answers 500 to images and audio if its model supports neither, and llama-cpp-python
   * answers 500 to parameters that FastAPI rejects. */
  input: [
    /\b(?:image|audio|video)s? input is not supported/i,
    /^\d+ validation errors?(?: for \w*Request\b|:\s+\{[^}]{0,80}'loc': \('body')/,
  ],
  /** The request is at fault. Used only for errors whose status says nothing. */
  request: [
    /\b(?:in|not )valid|validation|\bmust (?:be|have|not|contain)\b|(?:not |un)supported|supports (?:at most|only)|too (?:long|large|many)/i,
    /maximum|exceeds?\b|incorrect|unknown (?:field|parameter)|unrecognized|missing|required|context (?:length|size)/i,
  ],
  filter: [
    /(?:input|output|prompt|content|request|response|messages?) (?:was|were|has been|is) (?:flagged|blocked|filtered)/i,
    /(?:output|prompt|content|response) blocked|requires moderation|limited access to this content|content (?:management|filtering) policy/i,
    /contentpolicyviolation|usage (?:polic(?:y|ies)|guidelines)|content exists risk|considered high risk/i,
    /guardrail \S{0,12}(?:polic|violat|intervened|triggered|blocked)|(?:blocked by|violated|triggered) (?:\S+ ){0,2}guardrail/i,
    /(?:sensitive|unsafe|inappropriate|violation) (?:content|information|chat messages)|new_sensitive|敏感|违规内容|不合规/i,
  ],
};

export type Topic = keyof typeof TOPICS;

export function isAbout(topic: Topic, message: string): boolean {
  const words = searchedPart(message);
  return TOPICS[topic].some((pattern) => pattern.test(words));
}

function searchedPart(message: string): string {
  return message.slice(0, SEARCHED_CHARS).split(QUOTED, 1)[0];
}

/** Whether an error blames the request. Call this only if the status says nothing about the
 * cause. */
export function isAboutRequest(message: string, code = ""): boolean {
  return /invalid|validation|bad_?request|unsupported|badrequest/i.test(code) ||
    isAbout("request", message);
}

export function isFiltered(message: string, code = ""): boolean {
  // The account is suspended for breaking the rules, so the teacher will answer no row.
  if (BLOCKED_ACCOUNT.test(message)) return false;
  return isFilterWord(code) || isAbout("filter", message);
}

const BLOCKED_ACCOUNT =
  /\b(?:account|organi[sz]ation|team|key|access)\b[^.]{0,40}\b(?:is|was|been) (?:suspended|disabled|banned|blocked|deactivated|terminated|revoked)/i;

/** Messages about prompts that exceed the context window. */
const TOO_LONG = [
  /maximum (?:context|prompt) length|model['’]?s context length|available context size|model token limit|range of input length/i,
  /(?:prompt|input|request|messages?)\b[^.:]{0,30}\b(?:too long|longer than the maximum|exceeds? the (?:maximum|limit|context))/i,
  /(?:prompt|input) (?:tokens?|length) [^.]{0,20}(?:too long|exceeds)/i,
  // TensorRT-LLM, TGI, Cloudflare, Azure, Vertex AI, LM Studio, Cerebras
  /prompt length \([\d.]+\) should not exceed|[`'"]inputs[`'"] must have less than/i,
  /exceeded this model context window limit|input tokens exceed the configured limit/i,
  /input token count is \d+ but (?:the )?model only supports|model is loaded with context length of only/i,
  /reduce the length of the (?:messages|prompt|input)/i,
  // SambaNova, Scaleway, MiniMax, LiteLLM
  /maximum supported sequence length is|exceeded maximum context window|context window exceeds limit/i,
  /ContextWindowExceededError/,
  // Zhipu, and gateways in China
  /(?:prompt|输入|上下文)\S{0,8}\s?(?:超长|过长|超过|超出)/i,
];

/** Names of the parameter that limits the tokens of an answer. Rows usually share its value, so an
 * error about it may not be the row's fault. */
const TOKEN_LIMIT = /max_(?:completion_|output_|new_)?tokens/i;

/** Messages that name both the token limit and the context window, from vLLM, TGI and Anthropic. */
const LIMIT_AND_CONTEXT = [
  /is too large: (?<limit>\d+)\. This model['’]?s maximum context length is (?<context>\d+)/i,
  /must be <= (?<context>\d+)\. Given: \d+ [`'"]inputs[`'"] tokens and (?<limit>\d+)/i,
  /exceed context limit: \d+ \+ (?<limit>\d+) > (?<context>\d+)/i,
];

export function isAboutTokenLimit(message: string): boolean {
  return TOKEN_LIMIT.test(searchedPart(message));
}

export function isTooLong(message: string): boolean {
  const words = searchedPart(message);
  if (isAboutTokenLimit(message)) return leavesNoRoom(words);
  return TOO_LONG.some((pattern) => pattern.test(words));
}

/** Whether the prompt leaves too little room for the answer. False if the token limit alone fills
 * the context window. */
function leavesNoRoom(words: string): boolean {
  const groups = LIMIT_AND_CONTEXT.map((pattern) => pattern.exec(words)?.groups).find(Boolean);
  return groups !== undefined && Number(groups.limit) < Number(groups.context);
}

/** Whether a single request exceeds the account's tokens per minute, so that waiting does not
 * help. */
export function neverFits(message: string): boolean {
  if (/request too large/i.test(searchedPart(message))) return true;
  const [, limit = 0, requested = 0] =
    /\blimit:? ([\d,]+),(?: used:? [\d,]+,)? requested:? ([\d,]+)/i.exec(message)
      ?.map((digits) => Number(digits.replaceAll(",", ""))) ?? [];
  return limit > 0 && requested > limit;
}
