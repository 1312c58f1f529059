/**
 * The prices of one model, as `public_prices.json` writes them: clauses separated by semicolons,
 * all prices in US dollars for a million tokens.
 *
 * ```text
 * 1.25 10 cached 0.125; >200000 2.5 15 cached 0.25; flex 0.625 5;
 * at +8 1-5 00:00-08:30 0.6 5; region eu 1.1
 * ```
 *
 * A clause has the prices of prompt and of completion tokens, then those of `cached` prompt tokens,
 * of tokens `written` to the cache and of `reasoning` tokens, if they differ. It is for the
 * standard tier unless it begins with another one, for prompts longer than the number after `>`, or
 * for the times after `at` (hours in UTC; days from Monday, 1, in UTC+8 if `+8` precedes them).
 * `request` has a price per request, `region` a factor on all token prices.
 *
 * @module
 */

import type { Usage } from "../teacher/mod.ts";

/** US dollars for a million tokens. */
export interface TokenPrices {
  readonly prompt: number;
  /** Prompt tokens read from the cache. */
  readonly cached: number;
  /** Prompt tokens written to the cache. */
  readonly written: number;
  /** Completion tokens without reasoning. */
  readonly completion: number;
  readonly reasoning: number;
}

/** Prices by prompt length, ascending: the last step whose `above` is exceeded applies. */
export type Steps = readonly { readonly above: number; readonly prices: TokenPrices }[];

/** Spans of the week, in minutes since Monday 00:00 UTC. */
export type Times = readonly (readonly [fromMinute: number, toMinute: number])[];

/** All prices of a model in the list. */
export interface Rates {
  /** By service tier; "" is the standard tier. */
  readonly tiers: ReadonlyMap<string, Steps>;
  /** Prices of the standard tier during some times of the week; undefined if they never change. */
  readonly offPeak: { readonly times: Times; readonly steps: Steps } | undefined;
  /** US dollars per request, in addition to its tokens. */
  readonly request: number;
  /** By region, the factor on all token prices. */
  readonly regions: ReadonlyMap<string, number>;
}

const MILLION = 1e6;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** Parses the prices of one model, in the format above. */
export function parseRates(text: string): Rates {
  const tiers = new Map<string, { above: number; prices: TokenPrices }[]>();
  const regions = new Map<string, number>();
  let offPeak: Rates["offPeak"];
  let request = 0;
  for (const clause of text.split("; ")) {
    const words = clause.split(" ");
    if (words[0] === "request") request = Number(words[1]);
    else if (words[0] === "region") regions.set(words[1], Number(words[2]));
    else if (words[0] === "at") {
      const { times, rest } = readTimes(words.slice(1));
      offPeak = { times, steps: [{ above: 0, prices: readPrices(rest) }] };
    } else {
      const [, tier, bound] = /^([a-z]*)(?:>(\d+))?/.exec(words[0])!;
      const hasLabel = tier !== "" || bound !== undefined;
      const steps = tiers.get(tier) ?? [];
      steps.push({ above: Number(bound ?? 0), prices: readPrices(words.slice(hasLabel ? 1 : 0)) });
      tiers.set(tier, steps);
    }
  }
  return { tiers, offPeak, request, regions };
}

/**
 * The prices of a tier for a prompt of this length; those of the standard tier if it has none.
 */
export function pricesFor(
  { tiers, offPeak }: Rates,
  promptTokens: number,
  tier: string,
  atMs: number,
): TokenPrices {
  const tierSteps = tier === "" ? undefined : tiers.get(tier);
  const steps = tierSteps ?? standardSteps(tiers, offPeak, atMs);
  let { prices } = steps[0];
  for (const step of steps) if (promptTokens > step.above) prices = step.prices;
  return prices;
}

function standardSteps(tiers: Rates["tiers"], offPeak: Rates["offPeak"], atMs: number): Steps {
  if (offPeak !== undefined && isWithin(offPeak.times, atMs)) return offPeak.steps;
  return tiers.get("")!;
}

/** US dollars for the tokens of an answer. Cached, written and reasoning tokens are capped at the
 * counts that include them. */
export function costOf(prices: TokenPrices, usage: Usage): number {
  const { promptTokens, completionTokens } = usage;
  const cached = Math.min(usage.cachedTokens ?? 0, promptTokens);
  const written = Math.min(usage.cacheWriteTokens ?? 0, promptTokens - cached);
  const reasoning = Math.min(usage.reasoningTokens ?? 0, completionTokens);
  const millionths = (promptTokens - cached - written) * prices.prompt +
    cached * prices.cached + written * prices.written +
    (completionTokens - reasoning) * prices.completion + reasoning * prices.reasoning;
  return millionths / MILLION;
}

function isWithin(times: Times, atMs: number): boolean {
  const minute = minuteOfWeek(atMs);
  return times.some(([from, to]) => minute >= from && minute < to);
}

/** Minutes since Monday 00:00 UTC. 3 days are added because 1 January 1970 was a Thursday. */
function minuteOfWeek(atMs: number): number {
  return (Math.floor(atMs / 60_000) + 3 * DAY_MINUTES) % WEEK_MINUTES;
}

function readPrices(words: readonly string[]): TokenPrices {
  const [prompt, completion] = words.map(Number);
  const named = (name: string) => {
    const index = words.indexOf(name);
    return index === -1 ? undefined : Number(words[index + 1]);
  };
  return {
    prompt,
    completion,
    cached: named("cached") ?? prompt,
    written: named("written") ?? prompt,
    reasoning: named("reasoning") ?? completion,
  };
}

/**
 * Reads `+8 1-5 00:00-01:00,04:00-06:00 6-7 00:00-24:00`. Returns the remaining words as `rest`.
 */
function readTimes(words: readonly string[]): { times: Times; rest: readonly string[] } {
  const times: [number, number][] = [];
  let next = 0;
  const offsetMinutes = words[0].startsWith("+") ? Number(words[next++]) * 60 : 0;
  for (; /^\d-\d$/.test(words[next] ?? ""); next += 2) {
    const [firstDay, lastDay] = words[next].split("-").map(Number);
    const spans = words[next + 1].split(",").map((span) => span.split("-").map(minutesOf));
    for (let day = firstDay; day <= lastDay; day++) {
      for (const [from, to] of spans) addSpan(times, day, from, to, offsetMinutes);
    }
  }
  return { times, rest: words.slice(next) };
}

/** Adds the part of a span that falls on `day`. The span is in minutes of a UTC day, `day` is a day
 * of the time zone `offsetMinutes` ahead of UTC. */
function addSpan(
  times: [number, number][],
  day: number,
  from: number,
  to: number,
  offsetMinutes: number,
): void {
  for (let utcDay = day - 1; utcDay <= day + 1; utcDay++) {
    const dayStart = (day - 1) * DAY_MINUTES - offsetMinutes;
    const utcStart = (utcDay - 1) * DAY_MINUTES;
    const start = Math.max(utcStart + from, dayStart);
    const end = Math.min(utcStart + to, dayStart + DAY_MINUTES);
    if (start >= end) continue;
    // The span may begin in the previous week or end in the next.
    const shifted = (start + WEEK_MINUTES) % WEEK_MINUTES;
    times.push([shifted, Math.min(shifted + end - start, WEEK_MINUTES)]);
    const nextWeekMinutes = shifted + end - start - WEEK_MINUTES;
    if (nextWeekMinutes > 0) times.push([0, nextWeekMinutes]);
  }
}

function minutesOf(clock: string): number {
  const [hours, minutes] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}

/** The list price of a model. */
export interface PublicPrice {
  /** The name of the list, with its date if it has one. */
  readonly source: string;
  /** US dollars for an answer. `tier` is the service tier as the API names it. */
  costOf(usage: Usage, tier?: string): number;
  /** Whether the list has separate prices for this service tier. */
  knowsTier(tier: string): boolean;
  /** US dollars per million prompt tokens now, for short prompts that are not cached. */
  usdIn(tier?: string): number;
  /** US dollars per million prompt tokens read from the cache. */
  usdCached(tier?: string): number;
  /** US dollars per million completion tokens after short prompts. */
  usdOut(tier?: string): number;
}

/** What APIs call the standard tier, and tiers that cost as much. */
const STANDARD_TIERS = ["", "auto", "default", "standard", "standard_only", "on_demand", "scale"];

/** The tier's name in the lists; "" is the standard tier. */
export function tierNamed(tier: string | undefined): string {
  const name = tier?.toLowerCase() ?? "";
  if (STANDARD_TIERS.includes(name)) return "";
  return name === "fast" ? "priority" : name;
}
