/**
 * Recognizes messages that say what neither the status nor the code says: that the account has no
 * money left, a model does not exist, a prompt was filtered, a request can never fit.
 *
 * They come from the documentation of providers and from reports of their users; most have an
 * example in `tests/engine/errors/classify_cases.ts`.
 *
 * @module
 */

import { isFilterWord } from "../../endings.ts";

/** Characters of a message that are searched. Servers that quote the request do so after their own
 * words, and a prompt may mention money and models. */
const SEARCHED_CHARS = 250;
/** Where vLLM and others begin to quote the request. */
const QUOTED = /input_value|['"]input['"]/;

/** Whether the account has no money left, or has reached its spending limit. */
export function isAboutMoney(message: string): boolean {
  return matchesAny(
    message,
    /credit balance is too low|insufficient (?:account )?(?:balance|credits?|funds)|余额不足|欠费/i,
    /(?:used all|run out of|have any|exceeded your) (?:available |your )?(?:monthly )?(?:included )?credits/i,
    /(?:reached|exceeded) (?:your|its|the) (?:\S+ ){0,3}(?:usage|spend|spending|credit) limit/i,
    /budget has been exceeded|exceeded ?budget|crossed budget|over budget|\bin arrears\b|\boverdue\b/i,
    /account \S+ is suspended|account is not active|account is in good standing/i,
    /requires more credits/i,
  );
}

/** Whether a quota is used up, where neither the status nor the code is that of a rate limit. */
export function isAboutQuota(message: string): boolean {
  return matchesAny(
    message,
    /exceeded (?:your|the) (?:current )?quota|quota (?:is |has been )?(?:not enough|insufficient|exhausted|exceeded|used up)/i,
    /额度(?:不足|已用尽)/,
  );
}

/** Whether the key is invalid, in a response that is not 401. */
export function isAboutKey(message: string): boolean {
  return matchesAny(
    message,
    // xAI percent-encodes its message.
    /(?:invalid|incorrect|missing|expired)(?:[ _]|%20)api(?:[ _-]|%20)?key/i,
    /\bapi[ _-]?key (?:is |has )?(?:not valid|invalid|incorrect|expired|missing|required|not found|disabled)/i,
    /\bauthentication (?:error|failed)|invalid (?:authentication|authorization)|无效的(?:令牌|密钥)/i,
    /token (?:is |has )?(?:invalid|expired)|^login fail|^unauthori[sz]ed\b|\bnot authenticated/i,
  );
}

/** Whether a rate limit is reached, whatever the status. */
export function isAboutRateLimit(message: string): boolean {
  return matchesAny(
    message,
    /\brate[ -]?limits?\b[^.]{0,40}\b(?:exceeded|reached|hit)|\b(?:exceeded|reached|hit)\b[^.]{0,40}\brate[ -]?limit/i,
    /too many (?:concurrent )?requests|too many tokens(?:,| per )|request limit reached|\b(?:requests|tokens|queries) per (?:second|minute|hour|day)\b/i,
    /\b(?:daily|hourly|per[ -](?:minute|hour|day)) (?:\S+ ){0,3}(?:quota|limit|allocation)s?\b[^.]{0,30}\b(?:exceeded|exhausted|reached|used up)/i,
    /\b(?:exceeded|exhausted|reached|used up) (?:\S+ ){0,3}(?:daily|hourly|per[ -](?:minute|hour|day)) (?:\S+ ){0,3}(?:quota|limit|allocation)/i,
    /限流|过于频繁|并发超限/,
  );
}

/** Whether the teacher is overloaded, in a response without a status of its own. */
export function isAboutLoad(message: string): boolean {
  return matchesAny(
    message,
    /rate ?limit|overloaded|over capacity|at capacity/i,
    /\b(?:server|service|system|engine|model)s? (?:is |are )?(?:currently )?(?:too )?busy\b/i,
    /繁忙/,
  );
}

/** Whether something broke, in a response whose status blames the request, as from LM Studio and
 * from gateways that relay what their upstream says. Patterns are narrow, because messages about
 * the request may name parameters such as `timeout`. */
export function isAboutCrash(message: string): boolean {
  return matchesAny(
    message,
    /\bmodel (?:has |is |was |got )?(?:crashed|unloaded)|^channel error|out of memory/i,
    /(?:temporarily|service|currently) unavailable|internal server error|\bno models provided/i,
    /upstream (?:request |server |service )?(?:timed out|timeout|error|connect|failed|is )/i,
  );
}

/** Whether something broke, in a response without a status of its own. */
export function isAboutFault(message: string): boolean {
  return matchesAny(
    message,
    /internal (?:server )?error|server error|unexpected (?:error|eof|end)\b|try again|temporar/i,
    /time(?:d)?[ -]?out|terminated|crashed|disconnect|unavailable|upstream|out of memory/i,
    /connection (?:was |has been )?(?:reset|refused|closed|lost|error|aborted)|failed (?:to generate|during generation)/i,
    /内部错误|服务异常|系统异常|超时|稍后/,
  );
}

/** Whether the request itself is invalid, in a response without a status of its own. */
export function isAboutRequest(message: string, code = ""): boolean {
  if (/invalid|validation|bad_?request|unsupported|badrequest/i.test(code)) return true;
  return matchesAny(
    message,
    /\b(?:in|not )valid|validation|\bmust (?:be|have|not|contain)\b|(?:not |un)supported|supports (?:at most|only)|too (?:long|large|many)/i,
    /maximum|exceeds?\b|incorrect|unknown (?:field|parameter)|unrecognized|missing|required|context (?:length|size)/i,
  );
}

/** Whether the path does not exist, which LM Studio says with status 200. */
export function isAboutPath(message: string): boolean {
  return matchesAny(message, /unexpected endpoint/i);
}

/** Whether nginx requires a client certificate, or another one. */
export function isAboutClientCertificate(message: string): boolean {
  return matchesAny(message, /no required SSL certificate|the SSL certificate error/i);
}

/** Whether a TLS server received plain HTTP: nginx, Go. */
export function isAboutPlainHttp(message: string): boolean {
  return matchesAny(
    message,
    /plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server/i,
  );
}

/** Whether the teacher may not be used from this country. */
export function isAboutRegion(message: string): boolean {
  return matchesAny(
    message,
    /location is not supported|country, region,? or territory not supported/i,
  );
}

/** Whether the model does not exist, or not for this account. */
export function isAboutModel(message: string): boolean {
  return matchesAny(
    message,
    /\bmodels?[\s:/]*[`'"]?[^\s`'"]*[`'"]?\s+(?:is )?(?:does ?n[o']t exist|not exist|not found|not supported by)/i,
    /\bmodels?[\s:/]*[`'"]?[^\s`'"]*[`'"]?\s+(?:has been (?:deprecated|decommissioned)|is no longer)/i,
    /(?:not have )?access to (?:the )?model\b|not found the model|unable to access (?:\S+ )?model/i,
    /\b(?:invalid|unknown) model\b|not a valid model|model identifier is invalid|^model: /i,
    /no endpoints (?:found|available) (?:for|matching)|no allowed providers/i,
    /deployment for this resource does not exist|\bno models? (?:is |are )?(?:currently )?loaded/i,
  );
}

/** Whether a 404 is about something in the row, or what the model cannot do with it. */
export function isAboutFile(message: string): boolean {
  return matchesAny(
    message,
    /\b(?:files?|images?|audio|attachment)\b|no endpoints found that support/i,
  );
}

/** Whether a filter withheld this prompt, which says nothing about others. */
export function isFiltered(message: string, code = ""): boolean {
  // An account that is suspended for breaking the rules: no other row will be answered either.
  if (BLOCKED_ACCOUNT.test(message)) return false;
  if (isFilterWord(code)) return true;
  return matchesAny(
    message,
    /(?:input|output|prompt|content|request|response|messages?) (?:was|were|has been|is) (?:flagged|blocked|filtered)/i,
    /(?:output|prompt|content) blocked|requires moderation|content (?:management|filtering) policy/i,
    /contentpolicyviolation|usage (?:polic(?:y|ies)|guidelines)|content exists risk|considered high risk/i,
    /guardrail \S{0,12}(?:polic|violat|intervened|triggered|blocked)|(?:blocked by|violated|triggered) (?:\S+ ){0,2}guardrail/i,
    /(?:sensitive|unsafe|inappropriate|violation) (?:content|information|chat messages)|敏感|违规内容|不合规/i,
  );
}

const BLOCKED_ACCOUNT =
  /\b(?:account|organi[sz]ation|team|key|access)\b[^.]{0,40}\b(?:is|was|been) (?:suspended|disabled|banned|blocked|deactivated|terminated|revoked)/i;

/** Whether one request is larger than what the account may send in a minute, so waiting does not
 * help. */
export function neverFits(message: string): boolean {
  if (matchesAny(message, /request too large/i)) return true;
  const match = /\blimit:? ([\d,]+),(?: used:? [\d,]+,)? requested:? ([\d,]+)/i.exec(message);
  return match !== null && toNumber(match[1]) > 0 && toNumber(match[2]) > toNumber(match[1]);
}

/** Whether the row is too long for the model. Messages about the token limit do not count: all rows
 * share it. */
export function isTooLong(message: string): boolean {
  if (matchesAny(message, /max_(?:completion_|output_|new_)?tokens/i)) return false;
  return matchesAny(
    message,
    /maximum context length|model['’]?s context length|available context size|model token limit|range of input length/i,
    /(?:prompt|input|request|messages?)\b[^.:]{0,30}\b(?:too long|exceeds? the (?:maximum|limit|context))/i,
    /(?:prompt|input) (?:tokens?|length) [^.]{0,20}(?:too long|exceeds)/i,
  );
}

/** Whether the limit of the account is zero (Gemini's free tier for a paid model). */
export function isLimitZero(message: string): boolean {
  return /\blimit:? 0(?![\d.,]\d)/i.test(message);
}

function matchesAny(message: string, ...patterns: RegExp[]): boolean {
  const words = message.slice(0, SEARCHED_CHARS).split(QUOTED, 1)[0];
  return patterns.some((pattern) => pattern.test(words));
}

function toNumber(digits: string): number {
  return Number(digits.replaceAll(",", ""));
}
