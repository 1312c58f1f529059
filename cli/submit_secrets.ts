/**
 * Refuses keys that would be stored in a job: in its script, or in the environment that Slurm saves
 * with it.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { holdsSecret } from "../lib/teacher/mod.ts";
import { DEFAULT_KEY_VARIABLE } from "./api_key.ts";
import { shownHeader } from "./headers.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";

/**
 * Throws if a job would hold a secret, or its shards would not find theirs.
 *
 * @throws {UsageError} with a way to keep the secret out
 */
export function refuseSecrets(
  scheduler: "slurm" | "kubernetes",
  settings: Settings,
  io: Pick<Io, "env">,
): void {
  if (settings.list("base-url").some((url) => holdsSecret(url))) {
    throw new UsageError(
      "Cannot submit a --base-url that holds a secret: it would be visible in the job. Put the key into a file " +
        "(--api-key-file)",
    );
  }
  for (const header of settings.list("header")) {
    const isSecret = shownHeader(header) !== header;
    if (!isSecret && !(scheduler === "slurm" && header.includes("@env:"))) continue;
    const name = header.split(/[=:]/)[0];
    throw new UsageError(
      isSecret
        ? `Cannot submit the --header "${name}": its value would be visible in the job. Put the key into a file ` +
          "(--api-key-file)"
        : `Cannot submit the --header "${name}" with @env: Slurm saves the environment of a job. Put the key ` +
          "into a file (--api-key-file)",
    );
  }
  if (scheduler === "slurm") refuseVariables(settings, io);
}

function refuseVariables(settings: Settings, io: Pick<Io, "env">): void {
  if (settings.text("api-key-file") !== undefined || settings.text("simulate") !== undefined) {
    return;
  }
  const named = settings.text("api-key-env");
  if (named === undefined && !io.env(DEFAULT_KEY_VARIABLE)) return;
  throw new UsageError(
    `Cannot submit with the key in ${
      named === undefined ? DEFAULT_KEY_VARIABLE : "a variable"
    }: Slurm saves ` +
      "the environment of a job, and the shards do not get it. Write the key to a file that only you can " +
      "read, and name it with --api-key-file",
  );
}
