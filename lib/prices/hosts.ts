/**
 * Whose address is whose, where the prices of the list hold: public APIs at their own hosts. A server of
 * one's own and a gateway may go by the name of any model, and bill it otherwise or not at all.
 *
 * @module
 */

/** A public API. */
export interface Provider {
  /** Its name in the list. */
  readonly id: string;
  /** What it adds to the prices of models that it names for it, such as the EU's. @default none */
  readonly region?: "eu" | "us";
}

/** Hosts, whole. A name that begins with a dot stands for the hosts below it. */
const HOSTS: readonly (readonly [id: string, ...hosts: string[]])[] = [
  ["openai", "api.openai.com", "eu.api.openai.com", "us.api.openai.com"],
  ["anthropic", "api.anthropic.com"],
  ["gemini", "generativelanguage.googleapis.com"],
  ["mistral", "api.mistral.ai"],
  ["deepseek", "api.deepseek.com"],
  ["xai", "api.x.ai"],
  ["groq", "api.groq.com"],
  ["together_ai", "api.together.xyz", "api.together.ai"],
  ["fireworks_ai", "api.fireworks.ai"],
  ["deepinfra", "api.deepinfra.com"],
  ["novita", "api.novita.ai"],
  ["nebius", "api.studio.nebius.ai", "api.studio.nebius.com", "api.tokenfactory.nebius.com"],
  ["dashscope", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"],
  ["moonshot", "api.moonshot.ai"],
  ["zai", "api.z.ai"],
  ["minimax", "api.minimax.io"],
  ["cerebras", "api.cerebras.ai"],
  ["sambanova", "api.sambanova.ai"],
  ["hyperbolic", "api.hyperbolic.xyz"],
  ["nscale", "inference.api.nscale.com"],
  ["scaleway", "api.scaleway.ai"],
  ["ovhcloud", "oai.endpoints.kepler.ai.cloud.ovh.net"],
  ["lambda_ai", "api.lambda.ai", "api.lambdalabs.com"],
  ["baseten", "inference.baseten.co"],
  ["friendliai", "api.friendli.ai"],
  ["gmi", "api.gmi-serving.com"],
  ["cloudflare", "api.cloudflare.com"],
  ["inception", "api.inceptionlabs.ai"],
  ["morph", "api.morphllm.com"],
  ["wandb", "api.inference.wandb.ai"],
  ["vercel_ai_gateway", "ai-gateway.vercel.sh"],
  ["azure", ".openai.azure.com", ".cognitiveservices.azure.com"],
  ["azure_ai", ".services.ai.azure.com"],
];

/** The providers that the list has. */
export const PROVIDER_IDS: readonly string[] = HOSTS.map(([id]) => id);

const BY_HOST = new Map(HOSTS.flatMap(([id, ...hosts]) => hosts.map((host) => [host, id])));

/** Whose address it is; undefined where it is not that of a public API in the list. */
export function providerAt(address: string): Provider | undefined {
  const url = URL.parse(address);
  if (url === null || url.protocol !== "https:" || url.port !== "") return undefined;
  const host = url.hostname;
  const below = host.slice(host.indexOf("."));
  const id = BY_HOST.get(host) ?? BY_HOST.get(below);
  if (id === undefined) return undefined;
  const region = /^(eu|us)\.api\.openai\.com$/.exec(host)?.[1] as Provider["region"];
  return { id, region };
}
