/**
 * The teacher that the command line asks for.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { parseSimulateOptions } from "../lib/simulate/options.ts";
import { serveSimulatedTeacher } from "../lib/simulate/simulated_teacher.ts";
import { openaiCompatible } from "../lib/teacher/openai_compatible.ts";
import type { Teacher } from "../lib/teacher/teacher.ts";
import { readApiKey } from "./api_key.ts";
import type { Io } from "./io.ts";
import { asUsage, type Settings } from "./settings.ts";

/** A teacher, and whatever was started for it. */
export interface OpenTeacher extends AsyncDisposable {
  /** The teacher. */
  readonly teacher: Teacher;
}

const OPENAI_URL = "https://api.openai.com/v1";

/** Opens a connection to the teacher, or starts the simulated one. Nothing is sent. */
export async function openTeacher(settings: Settings, io: Io): Promise<OpenTeacher> {
  const spec = settings.text("simulate");
  return spec === undefined ? await openReal(settings, io) : openSimulated(spec, settings);
}

async function openReal(settings: Settings, io: Io): Promise<OpenTeacher> {
  const baseUrl = settings.text("base-url") ?? io.env("OPENAI_BASE_URL") ?? OPENAI_URL;
  const model = settings.required(
    "model",
    "a model: add -m NAME, or --simulate to try Retort without a teacher",
  );
  const apiKey = await readApiKey(settings, io);
  if (apiKey === undefined && baseUrl === OPENAI_URL) {
    throw new UsageError(
      `Cannot ask ${OPENAI_URL} without a key: set OPENAI_API_KEY, or name another teacher with ` +
        "--base-url, or add --simulate to try Retort without one",
    );
  }
  const teacher = asUsage(() =>
    openaiCompatible({
      baseUrl,
      model,
      apiKey,
      proxy: proxyOf(baseUrl, io),
      ...clientOptions(settings),
    })
  );
  return { teacher, [Symbol.asyncDispose]: async () => await teacher.close() };
}

/** No key is read for it: a simulated teacher must never see one. */
function openSimulated(spec: string, settings: Settings): OpenTeacher {
  if (settings.text("base-url") !== undefined) {
    throw new UsageError("Cannot use --base-url with --simulate: choose one teacher");
  }
  const server = asUsage(() => serveSimulatedTeacher(parseSimulateOptions(spec)));
  const teacher = openaiCompatible({
    baseUrl: server.url,
    model: settings.text("model") ?? "simulated",
    ...clientOptions(settings),
  });
  return {
    teacher,
    async [Symbol.asyncDispose]() {
      await teacher.close();
      await server.close();
    },
  };
}

function clientOptions(settings: Settings) {
  return {
    stream: settings.isOn("stream"),
    timeoutMs: settings.milliseconds("timeout"),
    streamIdleTimeoutMs: settings.milliseconds("stream-timeout"),
    keep: settings.parts("keep"),
  };
}

/** The usual variables, in both spellings; `NO_PROXY` names hosts that are asked directly. */
function proxyOf(baseUrl: string, io: Io): string | undefined {
  const read = (name: string) => io.env(name.toLowerCase()) || io.env(name) || undefined;
  const { protocol, hostname } = URL.parse(baseUrl) ?? { protocol: "", hostname: "" };
  const exceptions = (read("NO_PROXY") ?? "").split(",").map((host) =>
    host.trim().replace(/^\*?\./, "")
  );
  const isException = exceptions.some((host) =>
    host === "*" || (host !== "" && (hostname === host || hostname.endsWith(`.${host}`)))
  );
  if (isException) return undefined;
  return (protocol === "https:" ? read("HTTPS_PROXY") : read("HTTP_PROXY")) ?? read("ALL_PROXY");
}
