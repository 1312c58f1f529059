/**
 * The manifests against the schemas of Kubernetes, which kubernetes-validate from PyPI brings.
 * Skipped where Python is missing.
 *
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { parse } from "../../lib/deps/std_yaml.ts";
import { kubernetesManifests } from "../../lib/submit/mod.ts";
import { tempDir } from "../support/temp.ts";

const CHECK = `
import json, sys, kubernetes_validate
for manifest in json.load(open(sys.argv[1])):
    for version in ("1.29", "1.37"):
        kubernetes_validate.validate(manifest, version, strict=True)
`;

/** A Python with the validator, made once. */
async function python(): Promise<string | undefined> {
  const folder = new URL(".venv", import.meta.url).pathname;
  const path = `${folder}/bin/python`;
  const requirements = new URL("requirements.txt", import.meta.url).pathname;
  const steps = [
    ["python3", "-m", "venv", folder],
    [path, "-m", "pip", "install", "--quiet", "-r", requirements],
  ];
  if (await Deno.stat(`${folder}/complete`).catch(() => undefined)) return path;
  for (const [command, ...args] of steps) {
    const { success } = await new Deno.Command(command, { args }).output()
      .catch(() => ({ success: false }));
    if (!success) return undefined;
  }
  await Deno.writeTextFile(`${folder}/complete`, "");
  return path;
}

const interpreter = await python();

Deno.test({
  name: "the manifests are what the schemas of Kubernetes 1.29 and 1.37 ask for",
  ignore: interpreter === undefined,
  async fn() {
    await using dir = await tempDir();
    const text = kubernetesManifests({
      name: "retort-in",
      submission: "first",
      shards: 64,
      parallel: 8,
      run: ["run", "in.jsonl", "--output=out/", "--shard", "auto", "--grace", "110s"],
      merge: ["merge", "out/in.jsonl"],
      leadSeconds: 120,
    }, {
      image: "retort:1",
      claim: "data",
      mountPath: "/data",
      secret: { name: "teacher", key: "api-key" },
      namespace: "distill",
      memory: "2Gi",
    });
    const manifests = text.split(/^---$/m).map((one) => parse(one));
    const path = dir.path("manifests.json");
    await Deno.writeTextFile(path, JSON.stringify(manifests));
    const { code, stderr } = await new Deno.Command(interpreter!, { args: ["-c", CHECK, path] })
      .output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  },
});
