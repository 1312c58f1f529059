/**
 * What a model costs where everybody pays the same.
 *
 * @module
 */

import type { Usage } from "../teacher/mod.ts";

/** What a public price is made of. */
export interface PublicPrice {
  /** The list that it stands in. */
  readonly source: string;
  /** The cost of an answer in US dollars. `tier` is the tier of service as the API names it. */
  costOf(usage: Usage, tier?: string): number;
  /** Whether the list has prices of its own for a tier of service. */
  knowsTier(tier: string): boolean;
  /** US dollars for a million prompt tokens, in short prompts and out of no cache, at this moment. */
  usdIn(tier?: string): number;
  /** US dollars for a million prompt tokens out of the cache. */
  usdCached(tier?: string): number;
  /** US dollars for a million completion tokens, after short prompts. */
  usdOut(tier?: string): number;
}

/** Names of standard service. */
const STANDARD = ["", "auto", "default", "standard", "standard_only", "on_demand", "scale"];

/** A tier of service as the lists name it; "" is standard. */
export function tierNamed(tier: string | undefined): string {
  const name = tier?.toLowerCase() ?? "";
  if (STANDARD.includes(name)) return "";
  return name === "fast" ? "priority" : name;
}
