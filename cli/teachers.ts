/** Opens the teachers of the command line and the configuration. @module */

import { parseSampleUid } from "../lib/answer.ts";
import { UsageError } from "../lib/errors.ts";
import { isList } from "../lib/endpoints/mod.ts";
import { sortedJson } from "../lib/json.ts";
import { resampled } from "../lib/params.ts";
import type { TeacherList, TeacherPlace } from "../lib/run/mod.ts";
import { openai, type Teacher, type TeacherRequest } from "../lib/teacher/mod.ts";
import type { TeacherSpec } from "./config.ts";
import {
  addressOf,
  DEFAULT_KEY_VARIABLE,
  holdsKey,
  Keys,
  type OnMissingKey,
  proxyOf,
  readConnection,
} from "./connection.ts";
import type { Io } from "./io.ts";
import { asUsage, parseThinkTags, type Settings, THINK_TAGS_RULE } from "./settings.ts";

export interface OpenTeachers extends AsyncDisposable {
  /** All teachers, including those of lists. */
  readonly teachers: readonly TeacherPlace[];
  readonly teacherList?: TeacherList;
}

const OPENAI_URL = "https://api.openai.com/v1";

/**
 * Creates the teachers, or starts the simulated one. Sends no request to a teacher, but reads lists
 * of teachers and may wait for them. If a teacher cannot be created, the others are closed.
 *
 * @param specs Teachers of the configuration. If there are none, each `--base-url` is a teacher or,
 * by default, OpenAI is the only one.
 */
export async function openTeachers(
  settings: Settings,
  specs: readonly TeacherSpec[],
  io: Io,
  onMissingKey: OnMissingKey = "refuse",
): Promise<OpenTeachers> {
  await using stack = new AsyncDisposableStack();
  const simulation = settings.text("simulate");
  const allTeachers = simulation === undefined ? namedTeachers(settings, specs, io) : [];
  const setup: Setup = { settings, io, keys: new Keys(io, onMissingKey), allTeachers };
  const teachers: TeacherPlace[] = [];
  if (simulation !== undefined) {
    teachers.push(await openSimulated(simulation, settings, specs, stack));
  }
  for (const namedTeacher of allTeachers) {
    if (!isList(namedTeacher.baseUrl)) {
      teachers.push(stack.use(await openTeacher(namedTeacher, setup)));
    }
  }
  const lists = allTeachers.filter(({ baseUrl }) => isList(baseUrl));
  const { places = [], list } = lists.length === 0
    ? {}
    : stack.use(await openListsOf(lists, setup));
  // From here on, the caller closes the teachers.
  const open = stack.move();
  return {
    teachers: [...teachers, ...places],
    teacherList: list,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

interface Setup {
  readonly settings: Settings;
  readonly io: Io;
  readonly keys: Keys;
  /** All teachers and lists. If OpenAI is among them, the default key is for OpenAI alone. */
  readonly allTeachers: readonly NamedTeacher[];
}

/** Opens the lists of teachers. Loads `teacher_lists.ts` on demand: few runs have lists. */
async function openListsOf(lists: readonly NamedTeacher[], setup: Setup) {
  const { settings, io } = setup;
  const { openLists } = await import("./teacher_lists.ts");
  const deadlineMs = settings.milliseconds("deadline") ?? Infinity;
  const waitMs = settings.waitMs();
  return await openLists(
    lists.map((list) => ({
      text: list.baseUrl,
      // Lists may differ in the fields that are blank here, and still share teachers.
      settings: sortedJson({
        ...list,
        model: list.model ?? settings.text("model"),
        baseUrl: "",
        weight: 0,
        maxConcurrency: 0,
      }),
      make: ({ url }) => openTeacher({ ...list, baseUrl: url }, setup, list.baseUrl),
    })),
    {
      waitMs: Math.min(waitMs ?? DEFAULT_WAIT_MS, deadlineMs),
      // A shard of a job may start while the list is being edited.
      fileWaitMs: Math.min(
        waitMs ?? (io.env("RETORT_JOB") ? DEFAULT_WAIT_MS : 0),
        deadlineMs,
      ),
      onWait: (message) => io.writeErr(`${message}\n`),
    },
  );
}

/** Default wait at the start for a DNS name without an address or, in a job, an unusable list. */
const DEFAULT_WAIT_MS = 60_000;

type NamedTeacher = TeacherSpec & { readonly baseUrl: string };

/**
 * Flags that apply to the teachers of the configuration, each with the fields that override it. One
 * field is enough: a teacher's own key file also overrides `--api-key-env`.
 */
const OVERRIDDEN_FLAGS: readonly (readonly [flag: string, ...fields: (keyof TeacherSpec)[]])[] = [
  ["base-url", "baseUrl"],
  ["model", "model"],
  ["api-key-env", "apiKeyEnv", "apiKeyFile"],
  ["api-key-file", "apiKeyEnv", "apiKeyFile"],
  ["rpm", "rpm"],
  ["tpm", "tpm"],
  ["endpoint", "endpoint"],
  ["ca-file", "caFile"],
  ["think-tags", "thinkTags"],
  ["client-cert", "clientCert", "clientKey"],
  ["client-key", "clientCert", "clientKey"],
];

/** Returns the single teachers, then the lists: a run has its teachers and models in this order. */
function namedTeachers(
  settings: Settings,
  specs: readonly TeacherSpec[],
  io: Pick<Io, "env">,
): NamedTeacher[] {
  const urls = settings.list("base-url").map((url) => addressOf(url, io));
  const defaultUrl = io.env("OPENAI_BASE_URL") || OPENAI_URL;
  if (specs.length === 0) {
    return listsLast((urls.length > 0 ? urls : [defaultUrl]).map((baseUrl) => ({ baseUrl })));
  }
  if (urls.length > 1) {
    throw new UsageError(
      "Cannot use several addresses (--base-url) with the teachers of the configuration: give each " +
        "teacher its own base_url",
    );
  }
  for (const [flag, ...fields] of OVERRIDDEN_FLAGS) {
    const hasOwn = (spec: TeacherSpec) => fields.some((field) => spec[field] !== undefined);
    if (settings.isTyped(flag) && specs.every(hasOwn)) {
      throw new UsageError(`Cannot use --${flag}: every teacher of the configuration has its own`);
    }
  }
  return listsLast(specs.map((spec) => ({
    ...spec,
    baseUrl: spec.baseUrl === undefined ? urls[0] ?? defaultUrl : addressOf(spec.baseUrl, io),
  })));
}

function listsLast(teachers: readonly NamedTeacher[]): NamedTeacher[] {
  return teachers.toSorted((a, b) => Number(isList(a.baseUrl)) - Number(isList(b.baseUrl)));
}

const NEEDED_MODEL = "a model: add -m NAME, or --simulate to try Retort without a teacher";

/** Returns the models that a run would request, in the order of its teachers. Opens no teacher. */
export function modelsOf(
  settings: Settings,
  specs: readonly TeacherSpec[],
  io: Pick<Io, "env">,
): string[] {
  if (settings.text("simulate") !== undefined) return [settings.text("model") ?? "simulated"];
  // A variable that is not set here may be set where the run starts. Such an address counts as one
  // teacher, not as a list.
  const env = (name: string) => io.env(name) || `@env:${name}`;
  return namedTeachers(settings, specs, { env })
    .map(({ model }) => model ?? settings.required("model", NEEDED_MODEL));
}

/** @param listText The list that named the address, as the user wrote it. */
async function openTeacher(
  namedTeacher: NamedTeacher,
  setup: Setup,
  listText?: string,
): Promise<TeacherPlace & AsyncDisposable> {
  const { settings, io } = setup;
  const { baseUrl, weight, maxConcurrency, rpm, tpm, ...own } = namedTeacher;
  const model = own.model ?? settings.required("model", NEEDED_MODEL);
  const connection = await readConnection(own, settings, io);
  const apiKey = await keyFor(namedTeacher, holdsKey(connection.headers), setup);
  const teacher = asUsage(() =>
    openai({
      baseUrl,
      model,
      apiKey,
      proxy: proxyOf(baseUrl, io, listText),
      ...connection,
      ...clientOptions(settings, own),
    })
  );
  const close = () => teacher.close();
  return { teacher, weight, maxConcurrency, rpm, tpm, [Symbol.asyncDispose]: close };
}

/**
 * Returns the teacher's own key or, if it has none, the common one. If neither is named, returns
 * the key in `OPENAI_API_KEY`. Returns undefined if that is missing, if a header field contains a
 * key, or if this teacher is not OpenAI, and the default key is for OpenAI alone.
 *
 * @throws {UsageError} If a named key, or that of OpenAI, is missing.
 */
async function keyFor(
  { baseUrl, apiKeyFile, apiKeyEnv }: NamedTeacher,
  isInHeaders: boolean,
  { settings, keys, allTeachers }: Setup,
): Promise<string | undefined> {
  const hasOwn = apiKeyFile !== undefined || apiKeyEnv !== undefined;
  const place = hasOwn
    ? { file: apiKeyFile, variable: apiKeyEnv }
    : { file: settings.text("api-key-file"), variable: settings.text("api-key-env") };
  const isNamed = place.file !== undefined || place.variable !== undefined;
  if (!isNamed && isInHeaders) return undefined;
  if (!isNamed && !isOpenAI(baseUrl) && allTeachers.some((other) => isOpenAI(other.baseUrl))) {
    return undefined;
  }
  const missing = isOpenAI(baseUrl)
    ? `Cannot call ${OPENAI_URL} without a key: set ${DEFAULT_KEY_VARIABLE}, or name another teacher ` +
      "with --base-url, or add --simulate to try Retort without one"
    : undefined;
  return await keys.read(place, URL.parse(baseUrl)?.host ?? "the teacher", missing);
}

function isOpenAI(baseUrl: string): boolean {
  return URL.parse(baseUrl)?.hostname === new URL(OPENAI_URL).hostname;
}

/** Opens the simulated teacher. It must never get a key, so none is read. */
async function openSimulated(
  simulation: string,
  settings: Settings,
  specs: readonly TeacherSpec[],
  stack: AsyncDisposableStack,
): Promise<TeacherPlace> {
  const conflict = settings.list("base-url").length > 0
    ? "--base-url with --simulate: choose one teacher"
    : (settings.text("endpoint") ?? "chat") !== "chat"
    ? "--endpoint with --simulate: a simulated teacher supports only chat"
    : specs.length > 0
    ? "--simulate with the teachers of the configuration: choose one teacher"
    : undefined;
  if (conflict !== undefined) throw new UsageError(`Cannot use ${conflict}`);
  const { parseSimulateOptions, serveSimulatedTeacher } = await import("../lib/simulate/mod.ts");
  const server = asUsage(() => serveSimulatedTeacher(parseSimulateOptions(simulation)));
  stack.defer(() => server.close());
  const teacher = openai({
    baseUrl: server.url,
    model: settings.text("model") ?? "simulated",
    ...clientOptions(settings),
  });
  stack.defer(() => teacher.close());
  const complete = teacher.complete.bind(teacher);
  const seededTeacher: Teacher = Object.assign(teacher, {
    complete: (request: TeacherRequest, signal: AbortSignal) =>
      complete(withAnswerSeed(request), signal),
  });
  return { teacher: seededTeacher };
}

/**
 * Adds a seed. A simulated teacher has no temperature: without a seed, all samples and resamples of
 * a row would be equal.
 */
function withAnswerSeed(request: TeacherRequest): TeacherRequest {
  const { uid, resamples = 0 } = request;
  const { seed } = resampled({ seed: parseSampleUid(uid)?.sample ?? 0 }, resamples);
  return seed === 0 ? request : { ...request, params: { seed, ...request.params } };
}

/** Reads the options of a teacher that are not about its connection. */
function clientOptions(settings: Settings, { thinkTags }: Pick<TeacherSpec, "thinkTags"> = {}) {
  return {
    stream: settings.isOn("stream"),
    timeoutMs: settings.milliseconds("timeout"),
    streamIdleTimeoutMs: settings.milliseconds("stream-timeout"),
    keep: settings.parts("keep"),
    thinkTags: thinkTags === undefined
      ? settings.parsed("think-tags", THINK_TAGS_RULE, parseThinkTags)
      : parseThinkTags(thinkTags),
  };
}
