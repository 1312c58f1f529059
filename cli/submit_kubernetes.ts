/**
 * `retort submit kubernetes`: prints the manifests of a submission, or creates its Jobs with
 * `kubectl`.
 *
 * @module
 */

import { posix } from "../lib/deps/std_path.ts";
import { SinkError, UsageError } from "../lib/errors.ts";
import { inFolder, isInside } from "../lib/files.ts";
import { shellWord } from "../lib/printable.ts";
import { kubernetesManifests, type KubernetesOptions } from "../lib/submit/mod.ts";
import { VERSION } from "../lib/version.ts";
import type { TeacherSpec } from "./config.ts";
import { DEFAULT_KEY_VARIABLE } from "./connection.ts";
import type { Io } from "./io.ts";
import { submitError, tryTool } from "./scheduler_tools.ts";
import type { Settings } from "./settings.ts";
import { followUpCommand, type PreparedJob } from "./submit_job.ts";

export async function submitToKubernetes(
  job: PreparedJob,
  settings: Settings,
  io: Io,
): Promise<void> {
  const manifests = kubernetesManifests(job, kubernetesOptions(settings));
  if (!settings.isOn("send")) return io.writeOut(manifests);
  const commandOf = (action: "status" | "cancel") =>
    followUpCommand(job, action, io, settings.text("namespace"));
  // `apply` would keep a copy of each manifest in an annotation, which has at most 256 KiB.
  const creation = await tryTool("kubectl", ["create", "-f", "-"], io, manifests);
  if (creation.kind === "done") {
    return io.writeErr(`${creation.text}To check on it: ${commandOf("status")}\n`);
  }
  const error = submitError("kubectl", creation);
  // The Job of an earlier submit exists until it is deleted, even if it has ended.
  if (error.message.includes("AlreadyExists")) {
    throw new UsageError(
      `Cannot submit: this output already has a job. Cancel it first (all answers are kept): ${
        commandOf("cancel")
      }`,
      { cause: error },
    );
  }
  // A quota may allow the shards and forbid the merge.
  const isPartial = creation.kind === "failed" && creation.text.includes(" created");
  if (!isPartial) throw error;
  throw new SinkError(
    `${error.message}\nA part of the job was created. Cancel it: ${commandOf("cancel")}`,
    { cause: error },
  );
}

/**
 * Warns of inputs and variables that only this machine has, because no shard could start without
 * them.
 */
export function warnOfMissing(
  inputs: readonly string[],
  settings: Settings,
  teachers: readonly TeacherSpec[],
  io: Io,
): void {
  warnOfOutsideInputs(inputs, settings, io);
  warnOfMissingVariables(settings, teachers, io);
}

/** Names no variable, because users may have written the key itself instead. */
function warnOfMissingVariables(
  settings: Settings,
  teachers: readonly TeacherSpec[],
  io: Io,
): void {
  const needed = new Set(variablesOf(settings, teachers, io));
  if (settings.text("secret") !== undefined) needed.delete(DEFAULT_KEY_VARIABLE);
  if (needed.size === 0) return;
  io.writeErr(
    "Warning: pods do not get variables of this machine. If the teacher needs a key, put it into a secret " +
      `and add --secret NAME/KEY: pods get it as ${DEFAULT_KEY_VARIABLE}, the name to use in ` +
      "--api-key-env and @env:\n",
  );
}

/** Returns the environment variables that a run here would read for its teachers. */
function variablesOf(settings: Settings, teachers: readonly TeacherSpec[], io: Io): string[] {
  if (settings.text("simulate") !== undefined) return [];
  const urls = settings.list("base-url"), specs = teachers.length > 0 ? teachers : [{}];
  const headers = specs.flatMap(({ headers = {} }: TeacherSpec) => Object.values(headers));
  const baseUrls = specs.flatMap(({ baseUrl }: TeacherSpec) => baseUrl ?? urls);
  const names = [...settings.list("header"), ...headers, ...baseUrls]
    .flatMap((value) => /@env:(.*)/s.exec(String(value))?.[1] ?? []);
  names.push(...specs.flatMap(({ apiKeyEnv }: TeacherSpec) => apiKeyEnv ?? []));
  const withoutOwnKey = specs.filter(({ apiKeyEnv, apiKeyFile }: TeacherSpec) =>
    !apiKeyEnv && !apiKeyFile
  );
  if (withoutOwnKey.length === 0 || settings.text("api-key-file") !== undefined) return names;
  const keyVariable = settings.text("api-key-env");
  if (keyVariable !== undefined) return [...names, keyVariable];
  // Servers without TLS, or listed in a file (`@FILE`), are usually the user's own, and rarely need
  // a key.
  const areOwn = withoutOwnKey.every(({ baseUrl }: TeacherSpec) => {
    const ownUrls = baseUrl === undefined ? urls : [baseUrl];
    return ownUrls.length > 0 && ownUrls.every((url) => /^(@|(dns\+)?http:)/.test(url));
  });
  const hasKey = names.length === 0 && !areOwn && !!io.env(DEFAULT_KEY_VARIABLE);
  return hasKey ? [DEFAULT_KEY_VARIABLE] : names;
}

/** Throws if pods would write outputs to their own disks, which are deleted with the pods. */
export function refuseOutsideVolume(
  paths: readonly (readonly [flag: string, path: string])[],
  settings: Settings,
): void {
  const { mountPath } = kubernetesOptions(settings);
  for (const [flag, path] of paths) {
    if (isOnVolume(path, mountPath)) continue;
    throw new UsageError(
      `Cannot use --${flag} ${
        JSON.stringify(settings.text(flag) ?? path)
      }: pods keep only what they ` +
        `write to the volume. Name a path below ${mountPath}; relative paths are resolved against it`,
    );
  }
}

/** Whether a path is on the volume. Pods run Linux, so paths are POSIX paths on every system. */
function isOnVolume(path: string, mountPath: string): boolean {
  const root = posix.resolve(mountPath);
  return isInside(posix.resolve(root, path), root, posix);
}

/** Warns of inputs outside the volume: the shell expands `~/x.jsonl` to a path of this machine. */
function warnOfOutsideInputs(inputs: readonly string[], settings: Settings, io: Io): void {
  const { mountPath } = kubernetesOptions(settings);
  const input = inputs.find((path) => !isOnVolume(path, mountPath));
  if (input === undefined) return;
  io.writeErr(
    `Warning: pods cannot read ${JSON.stringify(input)} unless it is in the image: the volume is ` +
      `mounted at ${mountPath}, against which relative paths are resolved\n`,
  );
}

/** Matches the path of one file, not a folder or a pattern. */
const PLAIN_FILE = /^[^*?{[]+\.\w+$/;

/**
 * Throws if the merge might wait for results under a name that the shards do not use. The results
 * of a folder or pattern have its name or, if it contains a single file, the name of that file.
 * Without the files, the name is unknown on this machine.
 */
export function refuseUnknownName([input, ...more]: readonly string[], output: string): void {
  if (more.length > 0 || output.endsWith(".jsonl") || PLAIN_FILE.test(input)) return;
  throw new UsageError(
    `Cannot submit ${
      JSON.stringify(input)
    }: it is not on this machine, and the name of its results ` +
      `depends on its files. Name the results, as in -o ${
        shellWord(inFolder(output, "all.jsonl"))
      }`,
  );
}

export function kubernetesOptions(settings: Settings): KubernetesOptions {
  const volume = settings.text("volume");
  const [, claim, mountPath] = /^([^:]+):(\/.*)$/.exec(volume ?? "") ?? [];
  if (claim === undefined && volume !== undefined) {
    throw settings.wrong("volume", "it must be CLAIM:/PATH, as in prompts:/data");
  }
  if (claim === undefined) {
    throw new UsageError(
      "Cannot submit without a volume that all shards write to: add --volume CLAIM:/data, a " +
        "PersistentVolumeClaim with ReadWriteMany and where it is mounted",
    );
  }
  checkValue(settings, "volume", claim, SUBDOMAIN);
  checkValue(settings, "volume", mountPath, MOUNT_PATH);
  const secret = settings.text("secret");
  const [name, key = "api-key", ...rest] = (secret ?? "").split("/");
  if (secret !== undefined) {
    checkValue(settings, "secret", name, SUBDOMAIN);
    checkValue(settings, "secret", [key, ...rest].join("/"), SECRET_KEY);
  }
  const image = settings.text("image") ?? `retort:${VERSION}`;
  const namespace = settings.text("namespace"), memory = settings.text("memory");
  checkValue(settings, "image", image, IMAGE);
  if (namespace !== undefined) checkValue(settings, "namespace", namespace, LABEL);
  if (memory !== undefined) checkValue(settings, "memory", memory, QUANTITY);
  return {
    image,
    claim,
    mountPath,
    secret: secret === undefined ? undefined : { name, key },
    namespace,
    memory,
  };
}

/** `pattern` matches the values that Kubernetes accepts, and `rule` describes them in errors. */
type ValueRule = readonly [pattern: RegExp, rule: string];

const SUBDOMAIN: ValueRule = [
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  "a name in Kubernetes has lower-case letters, digits, - and .",
];
/** Kubernetes accepts any text, and pods would wait forever for an image that cannot exist. */
const IMAGE: ValueRule = [/^\S+$/, "an image is one word, as in registry.example.com/retort:1"];
const LABEL: ValueRule = [
  /^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
  "a namespace has up to 63 lower-case letters, digits and -",
];
const SECRET_KEY: ValueRule = [
  /^(?!\.\.|\.$)[\w.-]{1,253}$/,
  "it must be NAME or NAME/KEY, with a key of letters, digits, -, _ and .",
];
const MOUNT_PATH: ValueRule = [/^\/[^:]+$/, "the folder must be a path below / without colons"];
/** Requires a unit: numbers without one are bytes for Kubernetes, but megabytes for Slurm. */
const QUANTITY: ValueRule = [
  /^\d+(\.\d+)?([KMGTP]i|[kMGTP])$/,
  "it must be a number with the unit of Kubernetes, as in 512Mi or 2G",
];

function checkValue(settings: Settings, flag: string, part: string, [pattern, rule]: ValueRule) {
  if (pattern.test(part)) return;
  throw settings.wrong(flag, rule);
}
