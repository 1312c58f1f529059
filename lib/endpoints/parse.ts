/**
 * A list of addresses as users write it: one a line, or YAML.
 *
 * @module
 */

/** One address. */
export interface EndpointEntry {
  /** The address, up to `/v1`. */
  readonly url: string;
  /** Its share of the load. @default 1 */
  readonly weight?: number;
  /** The most attempts in flight at it. @default that of the run */
  readonly max?: number;
}

/**
 * Reads a list: lines of `URL [weight=2] [max=64]`, blank lines and `#` comments left out, or YAML: a list of
 * addresses or of blocks with `url`, `weight` and `max`.
 *
 * @throws {SyntaxError} with the line or entry that is wrong
 */
export async function parseEndpoints(text: string, isYaml: boolean): Promise<EndpointEntry[]> {
  const entries = isYaml || /^\s*(-|\[)/.test(text) ? await yamlEntries(text) : lineEntries(text);
  const urls = new Set<string>();
  for (const { url } of entries) {
    if (urls.has(url)) throw new SyntaxError(`${url} stands there twice`);
    urls.add(url);
  }
  return entries;
}

function lineEntries(text: string): EndpointEntry[] {
  return text.replace(/^\ufeff/, "").split("\n").flatMap((line, index) => {
    const words = line.replace(/(^|\s)#.*$/, "").trim().split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) return [];
    const [url, ...settings] = words;
    const values: Record<string, unknown> = { url };
    for (const setting of settings) {
      const [name, value] = setting.split("=", 2);
      if (!["weight", "max"].includes(name) || value === undefined) {
        throw new SyntaxError(
          `line ${index + 1}: ${JSON.stringify(setting)} must be weight=N or max=N`,
        );
      }
      values[name] = Number(value);
    }
    return [checked(values, `line ${index + 1}`)];
  });
}

async function yamlEntries(text: string): Promise<EndpointEntry[]> {
  const { parse } = await import("../deps/std_yaml.ts");
  const value = parse(text);
  if (!Array.isArray(value)) throw new SyntaxError("it must be a list of addresses");
  return value.map((entry, index) =>
    checked(typeof entry === "string" ? { url: entry } : entry ?? {}, `entry ${index + 1}`)
  );
}

function checked(entry: Record<string, unknown>, place: string): EndpointEntry {
  const { url, weight, max, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new SyntaxError(`${place}: there is no "${other}": url, weight, max`);
  }
  const address = typeof url === "string" ? URL.parse(url) : null;
  if (address === null || !/^https?:$/.test(address.protocol)) {
    throw new SyntaxError(`${place}: the address must be an http or https URL`);
  }
  if (address.username !== "" || address.password !== "") {
    throw new SyntaxError(`${place}: the address must hold no password`);
  }
  if (weight !== undefined && !(typeof weight === "number" && weight > 0 && weight < Infinity)) {
    throw new SyntaxError(`${place}: weight must be a number above 0`);
  }
  if (max !== undefined && !(Number.isInteger(max) && Number(max) >= 1)) {
    throw new SyntaxError(`${place}: max must be a whole number, 1 or more`);
  }
  return {
    url: url as string,
    ...weight === undefined ? {} : { weight: weight as number },
    ...max === undefined ? {} : { max: max as number },
  };
}
