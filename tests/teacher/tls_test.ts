import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { openaiCompatible, type OpenAICompatibleOptions } from "../../lib/teacher/mod.ts";
import { type Certificates, makeCertificates, serveTls } from "../support/tls_server.ts";
import { ask, failure } from "./pair.ts";

const made = await makeCertificates();
const OPTIONS = { ignore: made === undefined };
const { ca, server: own, client, stranger } = made ?? {} as Certificates;

function refused(options: Partial<OpenAICompatibleOptions>): string {
  const baseUrl = "https://teacher.test/v1";
  return assertThrows(() => openaiCompatible({ model: "m", baseUrl, ...options }), TypeError)
    .message;
}

Deno.test(
  "openaiCompatible() takes a bundle of authorities, with words between them",
  OPTIONS,
  async () => {
    await using server = await serveTls(made!);
    const bundle = `# one\n${stranger.cert}\n# two\n${ca}`;
    const teacher = openaiCompatible({ model: "m", baseUrl: server.url, ca: bundle });
    assertEquals((await ask(teacher)).response, "answer to Größe?");
    await teacher.close();
  },
);

Deno.test(
  "an untrusted certificate does not count as a teacher that is down",
  OPTIONS,
  async () => {
    await using server = await serveTls(made!);
    const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
    const error = await failure(ask(teacher));
    assertEquals([error.code, error.isUnreachable], ["certificate", false]);
    await teacher.close();
  },
);

Deno.test(
  "NODE_TLS_REJECT_UNAUTHORIZED=0 accepts any certificate, as in Node",
  OPTIONS,
  async () => {
    await using server = await serveTls(made!);
    const teacher = openaiCompatible({ model: "m", baseUrl: server.url });
    Deno.env.set("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    try {
      assertEquals((await ask(teacher)).response, "answer to Größe?");
    } finally {
      Deno.env.delete("NODE_TLS_REJECT_UNAUTHORIZED");
    }
    await teacher.close();
  },
);

// undici's timer for connections to a proxy runs for a second after the last one.
const PROXIED = { ...OPTIONS, sanitizeOps: false, sanitizeResources: false };

Deno.test("certificates are used through a proxy", PROXIED, async () => {
  await using server = await serveTls(made!, { wantsClient: true });
  await using proxy = serveTunnels(server.port);
  const teacher = openaiCompatible({
    model: "m",
    baseUrl: "https://teacher.test/v1",
    proxy: `http://127.0.0.1:${proxy.port}`,
    ca,
    clientCert: client.cert,
    clientKey: client.key,
  });
  assertEquals((await ask(teacher)).response, "answer to Größe?");
  assertEquals([server.clients, proxy.targets], [["client"], ["teacher.test:443"]]);
  await teacher.close();
});

Deno.test(
  "openaiCompatible() says what is wrong with certificates, and shows no key",
  OPTIONS,
  () => {
    assertEquals(
      refused({ ca: own.key }),
      "Cannot use the certificates of authorities (ca, --ca-file): it must be text with " +
        '"-----BEGIN CERTIFICATE-----" (PEM)',
    );
    assertEquals(
      refused({ ca: ca.replace(/\n.{20}/, "\n") }),
      "Cannot use the certificates of authorities (ca, --ca-file): a certificate is damaged",
    );
    assertEquals(
      refused({ clientKey: client.key }),
      "Cannot use the private key (clientKey, --client-key) alone: add the client " +
        "certificate (clientCert, --client-cert)",
    );
    assertEquals(
      refused({ clientCert: client.cert, clientKey: own.key }),
      "Cannot use the private key (clientKey, --client-key): it must match the first " +
        "certificate in the client certificate (clientCert, --client-cert)",
    );
    const encrypted = client.key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assertEquals(
      refused({ clientCert: client.cert, clientKey: encrypted }),
      "Cannot use the private key (clientKey, --client-key): it is encrypted. Decrypt it first: " +
        "openssl pkey -in FILE -out NEW_FILE",
    );
    const damaged = client.key.replace(/\n.{20}/, "\n");
    assertEquals(
      refused({ clientCert: client.cert, clientKey: damaged }),
      "Cannot use the private key (clientKey, --client-key): it must be text with " +
        '"-----BEGIN PRIVATE KEY-----" (PEM)',
    );
  },
);

/** An HTTP proxy whose tunnels all lead to the port `to` of this machine. */
function serveTunnels(to: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const targets: string[] = [];
  const running: Promise<unknown>[] = [];
  async function tunnel(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(4_096);
    const count = await connection.read(buffer) ?? 0;
    const head = new TextDecoder().decode(buffer.subarray(0, count));
    targets.push(/^CONNECT (\S+)/.exec(head)?.[1] ?? head);
    const teacher = await Deno.connect({ hostname: "127.0.0.1", port: to });
    open.add(teacher);
    await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    await Promise.allSettled([
      connection.readable.pipeTo(teacher.writable),
      teacher.readable.pipeTo(connection.writable),
    ]);
  }
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      running.push(tunnel(connection).catch(() => {}));
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    targets,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // The streams have closed the connection.
        }
      }
      await Promise.all([accepting, ...running]);
    },
  };
}
