/**
 * The prices of one model, as `public_prices.json` writes them: clauses separated by semicolons.
 * Prices of tokens are in US dollars per million tokens.
 *
 * ```text
 * 1.25 10 cached 0.125; >200000 2.5 15 cached 0.25; flex 0.625 5;
 * at +8 1-5 00:00-08:30 0.6 5; region eu 1.1
 * ```
 *
 * A clause has the prices of prompt and of completion tokens. The prices of `cached` prompt tokens,
 * of tokens `written` to the cache and of `reasoning` tokens follow if they differ. A word before
 * the prices says what they apply to: a service tier, prompts longer than the number after `>`, or
 * both (`flex>272000`). Prices without a word are for the standard tier. Prices after `at` apply
 * only on some days (1 is Monday) and hours, in UTC. After `+8`, the days, but not the hours, are
 * in UTC+8. `request` is a price per request, `region` a factor on all token prices.
 *
 * @module
 */

import type { Usage } from "../teacher/mod.ts";

/** US dollars per million tokens, and per request. */
export interface TokenPrices {
  readonly prompt: number;
  readonly cached: number;
  readonly written: number;
  /** Completion tokens without reasoning. */
  readonly completion: number;
  readonly reasoning: number;
  readonly request: number;
}

/** Prices by prompt length, ascending. The last step that the prompt exceeds applies. If it exceeds
 * none, the first step applies. */
export type Steps = readonly { readonly above: number; readonly prices: TokenPrices }[];

interface Hours {
  /** Days of the week, from 1 for Monday to 7, in the time zone of `Times`. */
  readonly days: readonly [first: number, last: number];
  /** Minutes since 00:00 UTC. */
  readonly spans: readonly (readonly [fromMinute: number, toMinute: number])[];
}

export interface Times {
  /** How far the time zone of the days is ahead of UTC. */
  readonly offsetMinutes: number;
  readonly hours: readonly Hours[];
}

export interface Rates {
  /** The prices of each service tier. "" is the standard tier. */
  readonly tiers: ReadonlyMap<string, Steps>;
  /** Prices of the standard tier at some times of the week; undefined if they never change. */
  readonly offPeak: { readonly times: Times; readonly prices: TokenPrices } | undefined;
}

const MILLION = 1e6;
const DAY_MINUTES = 24 * 60;

export function parseRates(text: string, region?: string): Rates {
  const clauses = text.split("; ").map((clause) => clause.split(" "));
  const factor = clauses.find(([word, name]) => word === "region" && name === region)?.[2] ?? 1;
  const request = clauses.find(([word]) => word === "request")?.[1] ?? 0;
  const pricesIn = (words: readonly string[]) => readPrices(words, Number(factor), Number(request));
  const tiers = new Map<string, { above: number; prices: TokenPrices }[]>();
  let offPeak: Rates["offPeak"];
  for (const words of clauses) {
    if (words[0] === "request" || words[0] === "region") continue;
    if (words[0] === "at") {
      const { times, rest } = readTimes(words.slice(1));
      offPeak = { times, prices: pricesIn(rest) };
      continue;
    }
    const [, tier, bound] = /^([a-z]*)(?:>(\d+))?/.exec(words[0])!;
    const hasLabel = tier !== "" || bound !== undefined;
    const steps = tiers.get(tier) ?? [];
    steps.push({ above: Number(bound ?? 0), prices: pricesIn(words.slice(hasLabel ? 1 : 0)) });
    tiers.set(tier, steps);
  }
  return { tiers, offPeak };
}

export function pricesFor(
  { tiers, offPeak }: Rates,
  promptTokens: number,
  tier: string,
  atMs: number,
): TokenPrices {
  const tierSteps = tier === "" ? undefined : tiers.get(tier);
  const isOffPeak = tierSteps === undefined && offPeak !== undefined &&
    isWithin(offPeak.times, atMs);
  return isOffPeak ? offPeak.prices : stepFor(tierSteps ?? tiers.get("")!, promptTokens);
}

export function stepFor(steps: Steps, promptTokens: number): TokenPrices {
  let { prices } = steps[0];
  for (const step of steps) if (promptTokens > step.above) prices = step.prices;
  return prices;
}

/** Returns US dollars. Counts do not add up in some answers, so cached, written and reasoning
 * tokens are capped at the counts that include them. */
export function costOf(prices: TokenPrices, usage: Usage): number {
  const { promptTokens, completionTokens } = usage;
  const cached = Math.min(usage.cachedTokens ?? 0, promptTokens);
  const written = Math.min(usage.cacheWriteTokens ?? 0, promptTokens - cached);
  const reasoning = Math.min(usage.reasoningTokens ?? 0, completionTokens);
  const millionths = (promptTokens - cached - written) * prices.prompt +
    cached * prices.cached + written * prices.written +
    completionTokens * prices.completion + reasoning * (prices.reasoning - prices.completion);
  return millionths / MILLION + prices.request;
}

function isWithin({ offsetMinutes, hours }: Times, atMs: number): boolean {
  const minute = Math.floor(atMs / 60_000);
  // 1 January 1970 was a Thursday.
  const day = (Math.floor((minute + offsetMinutes) / DAY_MINUTES) + 3) % 7 + 1;
  const minuteOfDay = minute % DAY_MINUTES;
  return hours.some(({ days: [first, last], spans }) =>
    day >= first && day <= last &&
    spans.some(([from, to]) => minuteOfDay >= from && minuteOfDay < to)
  );
}

function readPrices(words: readonly string[], factor: number, request: number): TokenPrices {
  // Without the rounding, 3 * 1.1 is 3.3000000000000003.
  const priceAt = (index: number) => Number((Number(words[index]) * factor).toPrecision(10));
  const priceAfter = (name: string) =>
    words.includes(name) ? priceAt(words.indexOf(name) + 1) : undefined;
  const prompt = priceAt(0), completion = priceAt(1);
  return {
    prompt,
    completion,
    cached: priceAfter("cached") ?? prompt,
    written: priceAfter("written") ?? prompt,
    reasoning: priceAfter("reasoning") ?? completion,
    request,
  };
}

/** Reads times such as `+8 1-5 00:00-01:00,04:00-06:00 6-7 00:00-24:00`. `rest` holds the words
 * after them. */
function readTimes(words: readonly string[]): { times: Times; rest: readonly string[] } {
  const hours: Hours[] = [];
  let next = 0;
  const offsetMinutes = words[0].startsWith("+") ? Number(words[next++]) * 60 : 0;
  for (; /^\d-\d$/.test(words[next] ?? ""); next += 2) {
    const days = words[next].split("-").map(Number) as [number, number];
    const spans = words[next + 1].split(",")
      .map((span) => span.split("-").map(minutesOf) as [number, number]);
    hours.push({ days, spans });
  }
  return { times: { offsetMinutes, hours }, rest: words.slice(next) };
}

function minutesOf(clock: string): number {
  const [hours, minutes] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}

export interface PublicPrice {
  /** The name of the list, with its date if it has one. */
  readonly source: string;
  /** Returns the current prices. `tier` is the service tier as the API names it. */
  pricesFor(promptTokens: number, tier?: string): TokenPrices;
  knowsTier(tier: string): boolean;
}

/** Names of the standard tier, and of tiers with the same prices. */
const STANDARD_TIERS = ["", "auto", "default", "standard", "standard_only", "on_demand", "scale"];

/** Returns the tier's name in `public_prices.json`; "" is the standard tier. */
export function tierNamed(tier: string | undefined): string {
  const name = tier?.toLowerCase() ?? "";
  if (STANDARD_TIERS.includes(name)) return "";
  return name === "fast" ? "priority" : name;
}
