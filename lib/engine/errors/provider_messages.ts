/**
 * Recognizes what an error message is about if neither the status nor the code says it. The
 * patterns come from documentation and from reports of users; most have an example in
 * `tests/engine/errors/classify_cases.ts`.
 *
 * @module
 */

import { isFilterWord } from "../../answer.ts";

/** Servers that quote the request do so after their own words, and a prompt may mention money and
 * models: only this many characters are searched. */
const SEARCHED_CHARS = 250;
/** Where vLLM and others begin to quote the request. */
const QUOTED = /input_value|['"]input['"]/;

const TOPICS = {
  /** The account has no money left, or has reached its spending limit. */
  money: [
    /credit balance is too low|insufficient (?:account )?(?:balance|credits?|funds)|余额不足|欠费/i,
    /(?:used all|run out of|have any|exceeded your) (?:available |your )?(?:monthly )?(?:included )?credits/i,
    /(?:reached|exceeded) (?:your|its|the) (?:\S+ ){0,3}(?:usage|spend|spending|credit) limit/i,
    /budget has been exceeded|exceeded ?budget|crossed budget|over budget|\bin arrears\b|\boverdue\b/i,
    /account \S+ is suspended|account is not active|account is in good standing/i,
    /requires more credits/i,
  ],
  /** The quota is used up; neither the status nor the code is that of a rate limit. */
  quota: [
    /exceeded (?:your|the) (?:current )?quota|quota (?:is |has been )?(?:not enough|insufficient|exhausted|exceeded|used up)/i,
    /额度(?:不足|已用尽)/,
  ],
  /** The API key is invalid or missing, but the status is not 401. */
  key: [
    // xAI percent-encodes its message.
    /(?:invalid|incorrect|missing|expired)(?:[ _]|%20)api(?:[ _-]|%20)?key/i,
    /\bapi[ _-]?key (?:is |has )?(?:not valid|invalid|incorrect|expired|missing|required|not found|disabled)/i,
    /\bauthentication (?:error|failed)|invalid (?:authentication|authorization)|无效的(?:令牌|密钥)/i,
    /token (?:is |has )?(?:invalid|expired)|^login fail|^unauthori[sz]ed\b|\bnot authenticated/i,
  ],
  /** A rate limit was reached, whatever the status. */
  rateLimit: [
    /\brate[ -]?limits?\b[^.]{0,40}\b(?:exceeded|reached|hit)|\b(?:exceeded|reached|hit)\b[^.]{0,40}\brate[ -]?limit/i,
    /too many (?:concurrent )?requests|too many tokens(?:,| per )|request limit reached|\b(?:requests|tokens|queries) per (?:second|minute|hour|day)\b/i,
    /\b(?:daily|hourly|per[ -](?:minute|hour|day)) (?:\S+ ){0,3}(?:quota|limit|allocation)s?\b[^.]{0,30}\b(?:exceeded|exhausted|reached|used up)/i,
    /\b(?:exceeded|exhausted|reached|used up) (?:\S+ ){0,3}(?:daily|hourly|per[ -](?:minute|hour|day)) (?:\S+ ){0,3}(?:quota|limit|allocation)/i,
    /限流|过于频繁|并发超限/,
  ],
  /** The server is overloaded. These patterns are only for errors in a 2xx response. */
  load: [
    /rate ?limit|overloaded|over capacity|at capacity/i,
    /\b(?:server|service|system|engine|model)s? (?:is |are )?(?:currently )?(?:too )?busy\b/i,
    /繁忙/,
  ],
  /** The server failed, but the status blames the request: LM Studio, and gateways that relay their
   * upstream. The patterns are narrow: messages about the request may name parameters such as
   * `timeout`. */
  crash: [
    /\bmodel (?:has |is |was |got )?(?:crashed|unloaded)|^channel error|out of memory/i,
    /(?:temporarily|service|currently) unavailable|internal server error|\bno models provided/i,
    /upstream (?:request |server |service )?(?:timed out|timeout|error|connect|failed|is )/i,
  ],
  /** The server failed. These patterns are only for a status that says nothing: 2xx, or relayed. */
  fault: [
    /internal (?:server )?error|server error|unexpected (?:error|eof|end)\b|try again|temporar/i,
    /time(?:d)?[ -]?out|terminated|crashed|disconnect|unavailable|upstream|out of memory/i,
    /connection (?:was |has been )?(?:reset|refused|closed|lost|error|aborted)|failed (?:to generate|during generation)/i,
    /内部错误|服务异常|系统异常|超时|稍后/,
  ],
  /** The path does not exist. LM Studio says so with status 200. */
  path: [/unexpected endpoint/i],
  /** nginx requires a client certificate, or rejects the one that was sent. */
  clientCertificate: [/no required SSL certificate|the SSL certificate error/i],
  /** A TLS server received plain HTTP: nginx, Go. */
  plainHttp: [/plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server/i],
  region: [/location is not supported|country, region,? or territory not supported/i],
  /** The model does not exist, or this account may not use it. */
  model: [
    /\bmodels?[\s:/]*[`'"]?[^\s`'"]*[`'"]?\s+(?:is )?(?:does ?n[o']t exist|not exist|not found|not supported by)/i,
    /\bmodels?[\s:/]*[`'"]?[^\s`'"]*[`'"]?\s+(?:has been (?:deprecated|decommissioned)|is no longer)/i,
    /(?:not have )?access to (?:the )?model\b|not found the model|unable to access (?:\S+ )?model/i,
    /\b(?:invalid|unknown) model\b|not a valid model|model identifier is invalid|^model: /i,
    /no endpoints (?:found|available) (?:for|matching)|no allowed providers/i,
    /deployment for this resource does not exist|\bno models? (?:is |are )?(?:currently )?loaded/i,
  ],
  /** A 404 about a file in the row, or about a kind of input that the model does not support. */
  file: [/\b(?:files?|images?|audio|attachment)\b|no endpoints found that support/i],
};

export function isAbout(topic: keyof typeof TOPICS, message: string): boolean {
  return matchesAny(message, TOPICS[topic]);
}

/** Whether a message blames the request. Only for errors whose status says nothing. */
export function isAboutRequest(message: string, code = ""): boolean {
  if (/invalid|validation|bad_?request|unsupported|badrequest/i.test(code)) return true;
  return matchesAny(message, [
    /\b(?:in|not )valid|validation|\bmust (?:be|have|not|contain)\b|(?:not |un)supported|supports (?:at most|only)|too (?:long|large|many)/i,
    /maximum|exceeds?\b|incorrect|unknown (?:field|parameter)|unrecognized|missing|required|context (?:length|size)/i,
  ]);
}

/** Whether a content filter blocked this prompt. Other prompts may pass. */
export function isFiltered(message: string, code = ""): boolean {
  // The account is suspended for breaking the rules: no other row will be answered either.
  if (BLOCKED_ACCOUNT.test(message)) return false;
  if (isFilterWord(code)) return true;
  return matchesAny(message, [
    /(?:input|output|prompt|content|request|response|messages?) (?:was|were|has been|is) (?:flagged|blocked|filtered)/i,
    /(?:output|prompt|content) blocked|requires moderation|content (?:management|filtering) policy/i,
    /contentpolicyviolation|usage (?:polic(?:y|ies)|guidelines)|content exists risk|considered high risk/i,
    /guardrail \S{0,12}(?:polic|violat|intervened|triggered|blocked)|(?:blocked by|violated|triggered) (?:\S+ ){0,2}guardrail/i,
    /(?:sensitive|unsafe|inappropriate|violation) (?:content|information|chat messages)|敏感|违规内容|不合规/i,
  ]);
}

const BLOCKED_ACCOUNT =
  /\b(?:account|organi[sz]ation|team|key|access)\b[^.]{0,40}\b(?:is|was|been) (?:suspended|disabled|banned|blocked|deactivated|terminated|revoked)/i;

/** The request is larger than what the account may send in a minute: waiting does not help. */
export function neverFits(message: string): boolean {
  if (matchesAny(message, [/request too large/i])) return true;
  const [, limit = 0, requested = 0] =
    /\blimit:? ([\d,]+),(?: used:? [\d,]+,)? requested:? ([\d,]+)/i.exec(message)
      ?.map((digits) => Number(digits.replaceAll(",", ""))) ?? [];
  return limit > 0 && requested > limit;
}

/** Messages about the token limit do not count: all rows share it. */
export function isTooLong(message: string): boolean {
  if (matchesAny(message, [/max_(?:completion_|output_|new_)?tokens/i])) return false;
  return matchesAny(message, [
    /maximum context length|model['’]?s context length|available context size|model token limit|range of input length/i,
    /(?:prompt|input|request|messages?)\b[^.:]{0,30}\b(?:too long|exceeds? the (?:maximum|limit|context))/i,
    /(?:prompt|input) (?:tokens?|length) [^.]{0,20}(?:too long|exceeds)/i,
  ]);
}

/** Gemini reports `limit: 0` if its free tier does not include the model. */
export function isLimitZero(message: string): boolean {
  return /\blimit:? 0(?![\d.,]\d)/i.test(message);
}

function matchesAny(message: string, patterns: readonly RegExp[]): boolean {
  const words = message.slice(0, SEARCHED_CHARS).split(QUOTED, 1)[0];
  return patterns.some((pattern) => pattern.test(words));
}
