/**
 * Updates `lib/prices/public_prices.json` from the table in LiteLLM's package on PyPI. Needs
 * Python. Downloads the wheel with pip, unless the path of a wheel is given.
 *
 * @module
 */

import { resolve } from "../lib/deps/std_path.ts";
import { PROVIDER_IDS } from "../lib/prices/public_prices.ts";

type LiteLlmEntry = Readonly<Record<string, unknown>>;

const TABLE_PATH = "litellm/model_prices_and_context_window_backup.json";
const TARGET = new URL("../lib/prices/public_prices.json", import.meta.url);
const MODES = ["chat", "completion", "responses"];
/** Suffixes of LiteLLM's price fields, which are also values of `service_tier` in a request. */
const TIERS = ["flex", "priority", "balanced", "ultrafast", "batches"];
const MILLION = 1e6;

if (import.meta.main) {
  const [givenPath] = Deno.args;
  // Relative paths start in `INIT_CWD`, because Deno runs tasks in the folder of deno.json.
  const wheel = givenPath === undefined
    ? await downloadWheel()
    : resolve(Deno.env.get("INIT_CWD") ?? ".", givenPath);
  const version = /litellm-([\d.]+)-/.exec(wheel)?.[1] ?? "of an unknown version";
  const table = JSON.parse(await readFromWheel(wheel, TABLE_PATH)) as Record<string, LiteLlmEntry>;
  const date = new Date().toISOString().slice(0, 10);
  const source = `LiteLLM ${version}`;
  await Deno.writeTextFile(
    TARGET,
    `${JSON.stringify(convertTable(table, source, date), null, 2)}\n`,
  );
}

async function downloadWheel(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await run("python3", ["-m", "pip", "download", "litellm", "--no-deps", "--quiet", "-d", folder]);
  const [wheel] = await Array.fromAsync(Deno.readDir(folder));
  return `${folder}/${wheel.name}`;
}

async function readFromWheel(wheel: string, path: string): Promise<string> {
  const code =
    "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
  return await run("python3", ["-c", code, wheel, path]);
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  if (!success) {
    throw new Error(
      `Cannot update the prices: "${command} ${args[0]} ${args[1]}" failed: see above`,
    );
  }
  return new TextDecoder().decode(stdout);
}

/** Converts LiteLLM's table to the file of prices, with one text per model (`ratesOf`). */
export function convertTable(table: Record<string, LiteLlmEntry>, source: string, date: string) {
  const models = new Map(PROVIDER_IDS.map((id) => [id, {} as Record<string, string>]));
  for (const [key, entry] of Object.entries(table)) {
    const target = typeof entry.alias_of === "string" ? table[entry.alias_of] : entry;
    const provider = models.get(String(target?.litellm_provider));
    if (provider === undefined || !MODES.includes(String(target.mode ?? "chat"))) continue;
    const rates = ratesOf(target);
    if (rates !== undefined) provider[nameOf(key, String(target.litellm_provider))] = rates;
  }
  const sorted = [...models].map(([id, byName]) =>
    [id, Object.fromEntries(Object.entries(byName).sort())] as const
  );
  return { source, date, models: Object.fromEntries(sorted) };
}

function nameOf(key: string, provider: string): string {
  return key.startsWith(`${provider}/`) ? key.slice(provider.length + 1) : key;
}

/**
 * Returns the prices of a model as `lib/prices/rates.ts` reads them: `0.25 2 cached 0.025; flex
 * 0.125 1 cached 0.0125; >272000 0.5 3`.
 */
function ratesOf(entry: LiteLlmEntry): string | undefined {
  const base = entry.tiered_pricing === undefined ? clauseOf(entry, "", "") : rangeClauses(entry);
  if (base === undefined) return undefined;
  const clauses = [base];
  for (const tier of ["", ...TIERS]) {
    const suffix = tier === "" ? "" : `_${tier}`;
    const name = tier === "batches" ? "batch" : tier;
    const tierClause = tier === "" ? base : clauseOf(entry, suffix, name);
    if (tierClause === undefined) continue;
    if (tier !== "") clauses.push(tierClause);
    for (const [bound, boundSuffix] of thresholdsOf(entry)) {
      const label = `${name}>${bound}`;
      const longClause = clauseOf(entry, `${boundSuffix}${suffix}`, label);
      // A tier without prices for long prompts gets those of the standard tier, if they are higher
      // than its own.
      const isDearer = Number(entry[`input_cost_per_token${boundSuffix}`]) >
        Number(entry[`input_cost_per_token${suffix}`]);
      clauses.push(
        longClause ?? (isDearer ? clauseOf(entry, boundSuffix, label) : undefined) ?? "",
      );
    }
  }
  const offPeak = entry.off_peak_pricing as LiteLlmEntry | undefined;
  if (offPeak !== undefined) {
    clauses.push(clauseOf(offPeak, "", `at ${windowsOf(offPeak)}`) ?? "");
  }
  for (const region of ["eu", "us"]) {
    const factor = entry[`regional_processing_uplift_multiplier_${region}`];
    if (typeof factor === "number") clauses.push(`region ${region} ${factor}`);
  }
  const request = entry.input_cost_per_request;
  if (typeof request === "number") clauses.push(`request ${rounded(request)}`);
  return clauses.filter((text) => text !== "").join("; ");
}

/**
 * Returns a label and prices in US dollars per million tokens: `flex 0.125 1 cached 0.0125`.
 * Returns undefined if input or output has no price.
 */
function clauseOf(entry: LiteLlmEntry, suffix: string, label: string): string | undefined {
  const price = (name: string) => {
    const value = entry[`${name}${suffix}`];
    return typeof value === "number" ? rounded(value * MILLION) : undefined;
  };
  // A tier without a price for cached tokens gets that of the model, but at most its own uncached
  // price.
  const standardCached = () => {
    const value = entry.cache_read_input_token_cost;
    return typeof value === "number" ? Math.min(rounded(value * MILLION), input!) : undefined;
  };
  const input = price("input_cost_per_token"), output = price("output_cost_per_token");
  if (input === undefined || output === undefined) return undefined;
  // A price of 0 usually means an unknown price, or a trial.
  if (input === 0 && output === 0) return undefined;
  const others = [
    ["cached", price("cache_read_input_token_cost") ?? standardCached()],
    // 0 means "no surcharge" in some entries, and "the same price" in others.
    ["written", price("cache_creation_input_token_cost") || undefined],
    ["reasoning", price("output_cost_per_reasoning_token")],
  ].filter(([name, value]) =>
    value !== undefined && value !== defaultOf(String(name), input, output)
  );
  return [label, input, output, ...others.flat()].filter((part) => part !== "").join(" ");
}

function defaultOf(name: string, input: number, output: number): number {
  return name === "reasoning" ? output : input;
}

function rangeClauses(entry: LiteLlmEntry): string | undefined {
  const tiers = entry.tiered_pricing as (LiteLlmEntry & { range: [number, number] })[];
  const clauses = tiers.map((tier) =>
    clauseOf(tier, "", tier.range[0] === 0 ? "" : `>${tier.range[0]}`)
  );
  return clauses.includes(undefined) ? undefined : clauses.join("; ");
}

/** Returns `[272000, "_above_272k_tokens"]` for each bound in the names of fields, ascending. */
function thresholdsOf(entry: LiteLlmEntry): [bound: number, suffix: string][] {
  const matches = Object.keys(entry).flatMap((key) =>
    /^input_cost_per_token(_above_(\d+)k_tokens)$/.exec(key) ?? []
  );
  const bounds = new Map<number, string>();
  for (let i = 0; i < matches.length; i += 3) {
    bounds.set(Number(matches[i + 2]) * 1_000, matches[i + 1]);
  }
  return [...bounds].sort(([a], [b]) => a - b);
}

/**
 * Returns `1-5 00:00-01:00,04:00-06:00 6-7 00:00-24:00`: weekdays (Monday is 1), and hours in UTC.
 * A leading `+8` means weekdays in Shanghai.
 */
function windowsOf(offPeak: LiteLlmEntry): string {
  const windows = offPeak.windows as { hours_utc: string | string[]; weekdays: number[] }[];
  const zone = offPeak.weekday_timezone === "Asia/Shanghai" ? "+8 " : "";
  return zone + windows.map(({ hours_utc, weekdays }) =>
    `${weekdays[0]}-${weekdays.at(-1)} ` +
    [hours_utc].flat().map((span) => span.replace(/-00:00$/, "-24:00")).join(",")
  ).join(" ");
}

function rounded(value: number): number {
  return Number(value.toPrecision(10));
}
