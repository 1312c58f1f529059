/** Teachers reached over TLS: real certificates, real handshakes. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import {
  type Certificates,
  makeCertificates,
  serveTls,
  type TlsServer,
} from "../support/tls_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "./fixture.ts";

const made = await makeCertificates();
const OPTIONS = { ignore: made === undefined };
const certificates = made as Certificates;

/** The command line in a folder with the certificates and an input of 3 rows. */
async function run(dir: TempDir, server: TlsServer, flags: readonly string[]) {
  const files: Record<string, string> = {
    "ca.pem": certificates.ca,
    "client.pem": certificates.client.cert,
    "client.key": certificates.client.key,
    "both.pem": certificates.client.cert + certificates.client.key,
    "stranger.pem": certificates.stranger.cert,
    "stranger.key": certificates.stranger.key,
    "encrypted.key": certificates.encryptedKey,
    "other.txt": "no certificate",
  };
  for (const [name, text] of Object.entries(files)) await dir.write(name, text);
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/"), "--progress", "plain"];
  const words = flags.map((flag) => flag in files ? dir.path(flag) : flag);
  return await distill(server, [...args, ...words], {
    // Whatever this machine trusts, our authority is not among it.
    env: { DENO_TLS_CA_STORE: "mozilla", DENO_CERT: "", SSL_CERT_FILE: "" },
  });
}

Deno.test(
  "a certificate of an unknown authority halts the run, and --ca-file takes it",
  OPTIONS,
  async () => {
    await using dir = await tempDir();
    await using server = await serveTls(certificates);
    const refused = await run(dir, server, []);
    assertExit(refused, 5);
    assertStringIncludes(refused.stderr, "--ca-file");
    assertEquals(server.clients.length, 0);
    assertExit(await run(dir, server, ["--ca-file", "ca.pem"]), 0);
    assertEquals((await dir.rows("out/in.jsonl")).length, 3);
  },
);

Deno.test("--insecure-tls takes any certificate, and warns", OPTIONS, async () => {
  await using dir = await tempDir();
  await using server = await serveTls(certificates);
  const result = await run(dir, server, ["--insecure-tls"]);
  assertExit(result, 0);
  assertStringIncludes(result.stderr, `The certificate of ${server.url} is not checked`);
});

Deno.test(
  "--client-cert and --client-key are shown to a teacher that asks for them",
  OPTIONS,
  async () => {
    await using dir = await tempDir();
    await using server = await serveTls(certificates, { wantsClient: true });
    const flags = [
      "--ca-file",
      "ca.pem",
      "--client-cert",
      "client.pem",
      "--client-key",
      "client.key",
    ];
    assertExit(await run(dir, server, [...flags, "-c", "3"]), 0);
    assertEquals(server.clients, ["client", "client", "client"]);
    // As curl has it, both may be in one file.
    const again = [
      "--ca-file",
      "ca.pem",
      "--client-cert",
      "both.pem",
      "--no-resume",
      "--overwrite",
    ];
    assertExit(await run(dir, server, again), 0);
    assertEquals(server.clients.length, 6);
  },
);

Deno.test("a configuration names certificates for each teacher", OPTIONS, async () => {
  await using dir = await tempDir();
  await using open = await serveTls(certificates);
  await using closed = await serveTls(certificates, { wantsClient: true });
  const config = await dir.write(
    "run.yaml",
    [
      "ca_file: " + dir.path("ca.pem"),
      "teachers:",
      "  - model: open",
      `  - base_url: ${closed.url}`,
      `    client_cert: ${dir.path("client.pem")}`,
      `    client_key: ${dir.path("client.key")}`,
    ].join("\n"),
  );
  const { ca, client } = certificates;
  await dir.write("ca.pem", ca);
  await dir.write("client.pem", client.cert);
  await dir.write("client.key", client.key);
  const input = await dir.write("in.jsonl", numberedRows(20));
  const args = [input, "-o", dir.path("out/"), "--config", config, "--no-careful-start"];
  // The address that is added here is for the first teacher.
  const result = await distill({ url: open.url }, args);
  assertExit(result, 0);
  assertEquals(open.clients.length + closed.clients.length, 20);
  assert(closed.clients.length > 0 && closed.clients.every((name) => name === "client"));
});

/** Flags that cannot be used, and what is said. */
const MISTAKES: readonly (readonly [flags: readonly string[], says: string])[] = [
  [["--ca-file", "missing.pem"], "no such file"],
  [["--ca-file", "other.txt"], 'it must be text with "-----BEGIN CERTIFICATE-----" (PEM)'],
  [["--client-cert", "client.pem"], "alone: add the private key"],
  [
    ["--client-cert", "client.pem", "--client-key", "stranger.key"],
    "it must match the first certificate",
  ],
  [["--client-cert", "client.pem", "--client-key", "encrypted.key"], "it is encrypted"],
  [["--client-cert", "client.pem", "--client-key", "other.txt"], "BEGIN PRIVATE KEY"],
];

for (const [flags, says] of MISTAKES) {
  Deno.test(`${flags.join(" ")} is found before the first call`, OPTIONS, async () => {
    await using dir = await tempDir();
    await using server = await serveTls(certificates);
    const result = await run(dir, server, flags);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, says);
    // Nothing of a key is shown.
    const keyLine = certificates.stranger.key.split("\n")[1];
    assert(!result.stderr.includes(keyLine.slice(0, 20)));
    assertEquals(server.clients.length, 0);
  });
}
