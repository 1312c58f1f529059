/**
 * `retort submit kubernetes`.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { kubernetesManifests, type KubernetesOptions } from "../lib/submit/mod.ts";
import { VERSION } from "../lib/version.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";
import { shellWord } from "./shell.ts";
import type { PreparedJob } from "./submit_command.ts";
import { useTool } from "./submit_tool.ts";

/** Prints the manifests, or applies them. */
export async function submitToKubernetes(
  job: PreparedJob,
  settings: Settings,
  io: Io,
): Promise<void> {
  const manifests = kubernetesManifests(job, optionsOf(settings));
  if (!settings.isOn("send")) return io.writeOut(manifests);
  const said = await useTool("kubectl", ["apply", "-f", "-"], manifests);
  io.writeErr(
    `${said}To check on it: ${io.program} submit status ${shellWord(`${job.stem}.jsonl`)}\n`,
  );
}

function optionsOf(settings: Settings): KubernetesOptions {
  const [, claim, mountPath] = /^([^:]+):(\/.*)$/.exec(settings.text("volume") ?? "") ?? [];
  if (claim === undefined) {
    throw new UsageError(
      "Cannot submit without a volume that all shards write to: add --volume CLAIM:/data, a " +
        "PersistentVolumeClaim with ReadWriteMany and where it is mounted",
    );
  }
  const [name, key = "api-key"] = (settings.text("secret") ?? "").split("/", 2);
  return {
    image: settings.text("image") ?? `retort:${VERSION}`,
    claim,
    mountPath,
    secret: name === "" ? undefined : { name, key },
    namespace: settings.text("namespace"),
    memory: settings.text("memory"),
  };
}
