/**
 * The flags of a Kubernetes job, checked as Kubernetes would.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { KubernetesOptions } from "../lib/submit/mod.ts";
import { VERSION } from "../lib/version.ts";
import type { Settings } from "./settings.ts";

/** Reads the flags of a Kubernetes job. */
export function kubernetesOptions(settings: Settings): KubernetesOptions {
  const [, claim, mountPath] = /^([^:]+):(\/.*)$/.exec(settings.text("volume") ?? "") ?? [];
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
  const namespace = settings.text("namespace"), memory = settings.text("memory");
  if (namespace !== undefined) checkValue(settings, "namespace", namespace, LABEL);
  if (memory !== undefined) checkValue(settings, "memory", memory, QUANTITY);
  return {
    image: settings.text("image") ?? `retort:${VERSION}`,
    claim,
    mountPath,
    secret: secret === undefined ? undefined : { name, key },
    namespace,
    memory,
  };
}

/** The values that Kubernetes accepts, and that rule in words for the message. */
type ValueRule = readonly [pattern: RegExp, rule: string];

const SUBDOMAIN: ValueRule = [
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  "a name in Kubernetes has lower-case letters, digits, - and .",
];
const LABEL: ValueRule = [
  /^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
  "a namespace has up to 63 lower-case letters, digits and -",
];
const SECRET_KEY: ValueRule = [
  /^[\w.-]{1,253}$/,
  "it must be NAME or NAME/KEY, with a key of letters, digits, -, _ and .",
];
const MOUNT_PATH: ValueRule = [/^\/[^:]+$/, "the folder must be a path below / without colons"];
/** Without a unit Kubernetes would take bytes, and Slurm megabytes. */
const QUANTITY: ValueRule = [
  /^\d+(\.\d+)?([KMGTP]i|[kMGTP])$/,
  "it must be a number with the unit of Kubernetes, as in 512Mi or 2G",
];

/** Throws if Kubernetes would reject a part of the value of a flag. */
function checkValue(settings: Settings, flag: string, part: string, [pattern, rule]: ValueRule) {
  if (pattern.test(part)) return;
  throw new UsageError(`Cannot use ${settings.flagText(flag, settings.text(flag)!)}: ${rule}`);
}
